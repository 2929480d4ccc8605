// The token decoder: reads what is pasted and shows it. What is typed stays here: it goes into no request, no address,
// no title and no storage, and is gone when the page is left. It is shown as text only.
"use strict";

{
  const { read, judge, sentence, seconds, relative, safe, line } = globalThis.countersignToken;
  const decoder = document.querySelector("[data-decoder]");
  const find = (what) => decoder.querySelector(`[data-${what}]`);
  const [status, result, findings, tables] = ["status", "result", "findings", "tables"].map(find);
  const [clear, example, field] = [find("clear"), find("example"), decoder.querySelector("textarea")];
  const texts = JSON.parse(decoder.dataset.decoder);
  const { lang } = document.documentElement;
  const TIMES = ["exp", "nbf", "iat", "auth_time", "updated_at"];
  const [dayAndTime, timeOnly] = [{ dateStyle: "medium", timeStyle: "long" }, { timeStyle: "medium" }].map((style) => new Intl.DateTimeFormat(lang, style));

  const make = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
    element.append(...children);
    return element;
  };

  // A moment, in the person's own time zone; its title has it in UTC.
  const moment = (at) => {
    const date = new Date(at * 1000);
    if (Number.isNaN(date.getTime())) return null;
    const iso = date.toISOString();
    return make("time", { datetime: iso, title: iso.replace("T", " ").replace(/\.\d+Z$/, " UTC") }, dayAndTime.format(date));
  };
  const when = (name, at, now) => {
    const told = relative(at, now, texts.words);
    if (name !== "exp") return told;
    return (at * 1000 <= now ? texts.expired : texts.expires).replace("{}", told);
  };

  // A number stays as it is written: the reader's own would be rounded.
  const exact = (name, value, { source } = {}) => (typeof value === "number" && JSON.rawJSON && source ? JSON.rawJSON(source) : value);
  const cell = ({ name, raw, value }, now) => {
    const at = TIMES.includes(name) ? seconds(value) : undefined;
    if (at !== undefined) {
      const date = moment(at);
      return [make("span", { class: "when" }, when(name, at, now)), make("span", { class: "soft" }, ...(date ? [date, " "] : []), make("code", {}, raw))];
    }
    if (typeof value === "string") return [safe(value)];
    if (value === null || typeof value !== "object") return [make("code", {}, raw)];
    const isPlain = Array.isArray(value) && value.every((item) => typeof item === "string");
    const text = isPlain ? `[${value.map((item) => JSON.stringify(item)).join(", ")}]` : JSON.stringify(JSON.parse(raw, exact), null, 2);
    return [make("code", {}, safe(text))];
  };

  const table = (title, rows) => {
    const id = `table-${tables.childElementCount}`;
    const column = (text) => make("th", { scope: "col" }, text);
    const body = rows.map(([head, content]) => make("tr", {}, make("th", { scope: "row" }, ...head), make("td", { dir: "auto" }, ...content)));
    const head = make("thead", { class: "unseen" }, make("tr", {}, column(texts.name), column(texts.value)));
    const content = make("table", { class: "told", "aria-labelledby": id }, head, make("tbody", {}, ...body));
    tables.append(make("section", { class: "panel", "aria-labelledby": id }, make("h2", { id }, title), content));
  };
  const members = (title, { list }, now) => {
    const meaning = (name) => (Object.hasOwn(texts.meanings, name) && texts.meanings[name].toLowerCase() !== name ? [" ", make("small", {}, texts.meanings[name])] : []);
    table(title, list.map((member) => [[make("code", {}, line(member.name)), ...meaning(member.name)], cell(member, now)]));
  };

  const show = (token, now) => {
    const found = judge(token, now, texts);
    const count = (level) => found.filter((finding) => finding.level === level).length;
    const badge = (level, ...more) => make("b", { class: `badge ${{ bad: "bad", warning: "warn" }[level] ?? ""}` }, ...more);
    const counted = ["bad", "warning"].filter(count).flatMap((level) => [" ", badge(level, `${count(level)} ${texts.levels[level]}`)]);
    const exp = token.claims && seconds(token.claims.values.get("exp"));
    const date = exp !== undefined && moment(exp);
    const end = date ? [make("p", {}, when("exp", exp, now), ", ", date)] : [];
    const signature = token.signature ? texts.signature.replace("{}", token.signature) : texts.signature_none;
    const seen = `${signature} ${texts.seen.replace("{}", timeOnly.format(now))}`;
    const more = token.claims ? [make("p", { class: "soft" }, seen)] : [];
    status.replaceChildren(make("p", {}, make("strong", {}, texts.kinds[token.signature === 0 ? "unsigned" : token.kind]), ...counted), ...end, ...more);
    const said = found.map(({ level, text }) => make("li", {}, badge(level, texts.levels[level]), " ", make("span", {}, line(text))));
    findings.replaceChildren(...(said.length ? said : [make("li", {}, texts.nothing)]));
    for (const part of ["header", "claims"]) if (token[part]) members(texts[part], token[part], now);
    if (token.kind === "refresh") table(texts.content, ["session", "generation", "key", "version"].map((part) => [[texts.parts[part]], [String(token[part])]]));
    result.hidden = false;
  };

  const update = () => {
    // People copy the header along with the token (RFC 6750 section 2.1).
    const text = field.value.trim().replace(/^authorization:\s*/i, "").replace(/^bearer\s+/i, "");
    for (const element of [status, findings, tables]) element.replaceChildren();
    result.hidden = true;
    clear.disabled = field.value === "";
    if (text === "") return;
    try {
      show(read(text), Date.now());
    } catch (problem) {
      if (!problem.code) throw problem;
      status.replaceChildren(make("p", {}, make("strong", {}, texts.unreadable)), make("p", {}, line(sentence(problem, texts))));
    }
  };
  const put = (text) => {
    field.value = text;
    update();
  };
  const encode = (value) => btoa(JSON.stringify(value)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  example.addEventListener("click", () => {
    const iat = Math.floor(Date.now() / 1000);
    const claims = { iss: decoder.dataset.issuer, sub: "ana", aud: "*", iat, exp: iat + 86400, roles: ["admin"], email: "ana@example.com" };
    put(`${encode({ alg: "none", typ: "JWT" })}.${encode(claims)}.`);
  });
  clear.addEventListener("click", () => {
    put("");
    field.focus();
  });
  field.addEventListener("input", update);
  // Nothing is left to who comes back to the page, or to what a browser keeps of it.
  addEventListener("pagehide", () => put(""));
  put("");
  document.querySelector("[data-without-script]").hidden = true;
  decoder.hidden = false;
}
