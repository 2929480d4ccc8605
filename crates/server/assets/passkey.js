// Passkeys (WebAuthn level 3). A form with data-passkey="get" or "create" has its options as JSON in
// data-options; the answer goes into its field `credential` and the form is sent.
"use strict";

const decode = (text) => {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
};

const encode = (buffer) => {
  let text = "";
  for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

// What PublicKeyCredential.parse…OptionsFromJSON does, which not every browser has.
const readOptions = (json) => {
  const options = JSON.parse(json);
  options.challenge = decode(options.challenge);
  if (options.user) options.user.id = decode(options.user.id);
  for (const list of [options.allowCredentials, options.excludeCredentials]) {
    for (const credential of list || []) credential.id = decode(credential.id);
  }
  return options;
};

// What PublicKeyCredential.toJSON does.
const writeCredential = (credential) => {
  const answer = credential.response;
  const response = { clientDataJSON: encode(answer.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (answer[name]) response[name] = encode(answer[name]);
  }
  if (answer.getTransports) response.transports = answer.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment || undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });
};

// Whether to be remembered is asked in the form for the password, and goes along with this one too.
const takeRemember = (form) => {
  const box = document.querySelector("input[type=checkbox][name=remember]");
  let field = form.elements.namedItem("remember");
  if (!box || form.dataset.passkey !== "get") return;
  if (!field) {
    field = document.createElement("input");
    field.type = "hidden";
    field.name = "remember";
    form.append(field);
  }
  field.value = box.checked ? "1" : "";
};

// One ceremony at a time: the button ends the one that waits in the username field.
let waiting = null;

const run = async (form, mediation) => {
  if (waiting) waiting.abort();
  const abort = new AbortController();
  waiting = abort;
  const request = { publicKey: readOptions(form.dataset.options), signal: abort.signal };
  if (mediation) request.mediation = mediation;
  const create = form.dataset.passkey === "create";
  const credential = await (create ? navigator.credentials.create(request) : navigator.credentials.get(request));
  form.elements.namedItem("credential").value = writeCredential(credential);
  takeRemember(form);
  HTMLFormElement.prototype.submit.call(form);
};

const start = async () => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  const forms = [...document.querySelectorAll("form[data-passkey]")];
  for (const form of forms) {
    const failed = form.querySelector("[role=alert]");
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (failed) failed.hidden = true;
      run(form).catch(() => {
        if (failed) failed.hidden = false;
      });
    });
  }
  for (const element of document.querySelectorAll("[data-with-passkey]")) element.hidden = false;
  for (const element of document.querySelectorAll("[data-without-passkey]")) element.hidden = true;

  // Passkeys among the suggestions for the username, where the browser can do that.
  const form = forms.find((candidate) => candidate.dataset.passkey === "get");
  const field = document.querySelector("input[autocomplete~=webauthn]");
  const can = PublicKeyCredential.isConditionalMediationAvailable;
  if (form && field && can && (await can.call(PublicKeyCredential))) {
    // Not chosen, or ended by the button: nothing to say.
    run(form, "conditional").catch(() => {});
  }
};

start();
