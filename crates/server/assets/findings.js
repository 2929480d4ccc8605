// What is suspicious about a token: the same as `countersign token decode` finds, which a table of cases that both are
// tested with makes sure of. The sentences come from the server, in `texts`; here are their codes.
"use strict";

{
  const { remark, lower, seconds, span, relative } = globalThis.countersignToken;
  const LONG_LIFE = 3600;
  const MILLISECONDS = 1e11;
  const TIMES = ["exp", "nbf", "iat"];
  const KEYS = ["jku", "x5u", "jwk", "x5c"];
  const REQUIRED = ["iss", "sub", "aud", "client_id", "iat", "jti"];
  const SECRETS = ["password", "passwd", "pwd", "secret", "client_secret", "api_key", "apikey", "private_key", "refresh_token", "credit_card", "card_number", "ssn"];
  const PERSONAL = ["email", "phone", "phone_number", "address", "birthdate", "given_name", "family_name", "name", "username", "preferred_username", "picture"];
  const LEVELS = ["bad", "warning", "note"];

  const header = ({ values, twice }, say, sayOf) => {
    sayOf("header_twice", twice);
    const alg = values.get("alg");
    if (typeof alg !== "string") say("alg_missing");
    else if (lower(alg) === "none") say("alg_none");
    else if (alg.startsWith("HS")) say("alg_shared");
    sayOf("own_key", KEYS.filter((name) => values.has(name)));
    if (values.has("crit")) say("critical");
    if (!values.has("kid") && !values.has("enc")) say("kid_missing");
  };

  const type = (typ, claims, say) => {
    const name = lower(typeof typ === "string" ? typ : "").replace(/^application\//, "");
    if (name === "at+jwt") return;
    if (["nonce", "at_hash", "c_hash"].some((claim) => claims.has(claim))) say("id_token");
    else if (name === "" || name === "jwt") say("type_missing");
    else say("type_other", name);
  };

  const times = (claims, now, words, say, sayOf) => {
    const at = (name) => seconds(claims.get(name));
    const [exp, nbf, iat, second] = [at("exp"), at("nbf"), at("iat"), Math.floor(now / 1000)];
    const told = (time) => relative(time, now, words);
    if (!claims.has("exp")) say("never_expires");
    else if (exp <= second) say("expired", told(exp));
    else if (exp - (iat ?? nbf ?? second) > LONG_LIFE) say("long_life", span(exp - (iat ?? nbf ?? second), words));
    if (nbf > second) say("not_yet", told(nbf));
    if (iat > second) say("made_later", told(iat));
    const there = TIMES.filter((name) => claims.has(name));
    sayOf("time_form", there.filter((name) => at(name) === undefined));
    sayOf("milliseconds", there.filter((name) => at(name) >= MILLISECONDS));
  };

  // Where tokens may not go unencrypted: to any machine but this one.
  const isOpen = (iss) => {
    if (typeof iss !== "string" || !/^http:\/\//i.test(iss)) return false;
    try {
      const { hostname } = new URL(iss);
      return !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
    } catch {
      return true;
    }
  };

  const contents = (claims, say, sayOf) => {
    sayOf("lacks", REQUIRED.filter((name) => !claims.has(name)));
    if ([claims.get("aud")].flat().includes("*")) say("every_audience");
    if (isOpen(claims.get("iss"))) say("http_issuer");
    const named = (list) => list.flatMap((known) => [...claims.keys()].filter((name) => lower(name) === known).sort());
    sayOf("secret", named(SECRETS));
    sayOf("personal", named(PERSONAL));
  };

  // What is to be said about a token that was read, at a time in milliseconds: sentences, what matters most first.
  const judge = (token, now, texts) => {
    const found = [];
    const say = (code, about) => found.push(remark(code, about));
    const sayOf = (code, names) => names.length && say(code, names.join(", "));
    if (token.kind === "refresh") ["refresh_place", "refresh_password", "live"].forEach((code) => say(code));
    if (token.kind === "opaque") ["opaque_sealed", "live"].forEach((code) => say(code));
    if (token.kind === "jwe") say("jwe_sealed");
    if (token.header) header(token.header, say, sayOf);
    if (token.kind === "jwt") {
      const claims = token.claims.values;
      type(token.header.values.get("typ"), claims, say);
      if (token.signature === 0) say("unsigned");
      sayOf("claims_twice", token.claims.twice);
      times(claims, now, texts.words, say, sayOf);
      contents(claims, say, sayOf);
    }
    const told = found.map(({ code, about }) => ({ level: texts.remarks[code].level, text: sentence({ code, about }, texts) }));
    return told.sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
  };

  // A remark's sentence.
  const sentence = ({ code, about }, texts) => texts.remarks[code].text.replace("{}", () => about);

  Object.assign(globalThis.countersignToken, { judge, sentence });
}
