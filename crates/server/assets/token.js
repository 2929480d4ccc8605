// What a token says of itself: read as `countersign token decode` reads it, which a table of cases that both are
// tested with makes sure of. Nothing here knows of a page.
"use strict";

{
  const MAX_LENGTH = 64 * 1024;
  // What the command's reader of JSON takes.
  const MAX_DEPTH = 127;
  const MAX_TIME = 2 ** 63 - 1;
  const MAX_ABOUT = 200;

  // A remark by its code, and what it is about.
  const remark = (code, about = "") => {
    const letters = [...about];
    return { code, about: letters.length > MAX_ABOUT ? `${letters.slice(0, MAX_ABOUT).join("")}…` : about };
  };
  const lower = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

  // base64url without padding, and nothing in the bits that are left over (RFC 4648 section 3.5).
  const bytes = (part, code) => {
    const plain = part.replace(/-/g, "+").replace(/_/g, "/");
    if (!/^[\w-]*$/.test(part) || part.length % 4 === 1) throw remark(code);
    const text = atob(plain);
    if (btoa(text).replace(/=+$/, "") !== plain) throw remark(code);
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  };

  const sound = (name, value) => {
    const isBroken = (text) => typeof text === "string" && /\p{Cs}/u.test(text);
    if (isBroken(name) || isBroken(value) || value === Infinity || value === -Infinity) throw new Error("not sound");
    return value;
  };

  // The members of a JSON object in the token's order, as they are written, and the names that come twice.
  const members = (text) => {
    if (Array.isArray(JSON.parse(text)) || text.trim()[0] !== "{") throw new Error("not an object");
    const [list, values, twice] = [[], new Map(), new Set()];
    let [depth, name, start] = [0, null, 0];
    for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/gs)) {
      if (depth === 1 && name === null && token[0] === '"') name = sound("", JSON.parse(token));
      else if (depth === 1 && token === ":") start = index + 1;
      if (token === "{" || token === "[") depth += 1;
      if (token === "}" || token === "]") depth -= 1;
      if (depth > MAX_DEPTH) throw new Error("too deep");
      if (name !== null && ((depth === 1 && token === ",") || depth === 0)) {
        const raw = text.slice(start, index).trim();
        if (values.has(name)) twice.add(name);
        values.set(name, JSON.parse(raw, sound));
        list.push({ name, raw, value: values.get(name) });
        name = null;
      }
    }
    return { list, values, twice: [...twice] };
  };

  const object = (part, what) => {
    const raw = bytes(part, `${what}_encoding`);
    try {
      return members(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw));
    } catch {
      throw remark(`${what}_json`);
    }
  };

  const refresh = (rest) => {
    const raw = bytes(rest, "refresh_cut");
    if (raw.length !== 55) throw remark("refresh_cut");
    const hex = [...raw.slice(3, 19)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const session = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    return { kind: "refresh", session, generation: new DataView(raw.buffer).getUint32(19), key: raw[2], version: raw[0] };
  };

  // Reads a token; throws the remark that says why it is none.
  const read = (token) => {
    if (new TextEncoder().encode(token).length > MAX_LENGTH) throw remark("too_long", String(MAX_LENGTH));
    if (token.startsWith("rft_")) return refresh(token.slice(4));
    if (token.startsWith("oat_")) {
      if (bytes(token.slice(4), "opaque_cut").length <= 30) throw remark("opaque_cut");
      return { kind: "opaque" };
    }
    const parts = token.split(".");
    if (parts.length !== 3 && parts.length !== 5) throw remark("parts", String(parts.length));
    const header = object(parts[0], "header");
    if (parts.length === 5) return { kind: "jwe", header };
    const claims = object(parts[1], "payload");
    return { kind: "jwt", header, claims, signature: bytes(parts[2], "signature_encoding").length };
  };

  // A NumericDate in whole seconds; what is beyond the command's numbers is at their end.
  const seconds = (value) => (typeof value === "number" && value >= 0 ? Math.min(Math.floor(value), 2 ** 64) : undefined);

  // A length of time in its largest unit; `words` has the units and what is ago and to come.
  const span = (length, words) => {
    const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(length / unit));
    if (minutes < 1) return `${length} ${words.s}`;
    if (hours < 1) return `${minutes} ${words.min}`;
    if (days < 1) return minutes % 60 ? `${hours} ${words.h} ${minutes % 60} ${words.min}` : `${hours} ${words.h}`;
    if (days < 365) return `${days} ${days === 1 ? words.day : words.days}`;
    return `${Math.floor(days / 365)} ${days < 730 ? words.year : words.years}`;
  };
  const relative = (at, now, words) => {
    const length = Math.floor(Math.abs(Math.min(at * 1000, MAX_TIME) - now) / 1000);
    if (length === 0) return words.now;
    return (at * 1000 <= now ? words.ago : words.ahead).replace("{}", span(length, words));
  };

  // Text without characters that reorder or hide what stands beside them: all of a token is somebody else's text.
  const safe = (text) => text.replace(/\t/g, " ").replace(/[^\P{C}\n\p{Cn}\p{Co}]|[\p{Zl}\p{Zp}]/gu, "\ufffd");
  const line = (text) => safe(text).replace(/\n/g, "\ufffd");

  globalThis.countersignToken = { read, remark, lower, seconds, span, relative, safe, line };
}
