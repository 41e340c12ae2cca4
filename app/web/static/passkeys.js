// Passkeys: forms with data-passkey="address of the options" fill their field "credential" from an authenticator.

import { api } from "./api.js";
import { t } from "./i18n.js";
import { toast } from "./toasts.js";

export const hasPasskeys = Boolean(window.isSecureContext && window.PublicKeyCredential);

const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const withBytes = (known) => (known || []).map((one) => ({ ...one, id: toBytes(one.id) }));

/** What an authenticator signed for `options` (as the platform sends them), as JSON text; null if its owner gave up. */
export async function showPasskey(options) {
  const publicKey = { ...options, challenge: toBytes(options.challenge), allowCredentials: withBytes(options.allowCredentials) };
  const shown = await ask(() => navigator.credentials.get({ publicKey }));
  if (!shown) return null;
  const { authenticatorData, clientDataJSON, signature, userHandle } = shown.response;
  return described(shown, {
    authenticatorData: toText(authenticatorData),
    clientDataJSON: toText(clientDataJSON),
    signature: toText(signature),
    userHandle: userHandle ? toText(userHandle) : null,
  });
}

/** A new passkey for `options`, as JSON text; null if its owner gave up. */
export async function makePasskey(options) {
  const publicKey = {
    ...options,
    challenge: toBytes(options.challenge),
    user: { ...options.user, id: toBytes(options.user.id) },
    excludeCredentials: withBytes(options.excludeCredentials),
  };
  const made = await ask(() => navigator.credentials.create({ publicKey }));
  if (!made) return null;
  const { attestationObject, clientDataJSON } = made.response;
  return described(made, {
    attestationObject: toText(attestationObject),
    clientDataJSON: toText(clientDataJSON),
    transports: made.response.getTransports?.() ?? [],
  });
}

const described = ({ id, rawId, type }, response) =>
  JSON.stringify({ id, rawId: toText(rawId), type, response, clientExtensionResults: {} });

async function ask(question) {
  try {
    return await question();
  } catch (error) {
    toast(error.name === "InvalidStateError" ? t("This device has a passkey of this account already.") : t("No passkey was used."), "warning");
    return null;
  }
}

async function fill(form, submitter) {
  try {
    const options = await api("POST", form.dataset.passkey);
    const credential = await ("new" in form.dataset ? makePasskey(options) : showPasskey(options));
    if (!credential) return;
    form.elements.credential.value = credential;
    form.requestSubmit(submitter);
  } catch (error) {
    toast(error.message, "danger");
  }
}

if (hasPasskeys) {
  for (const element of document.querySelectorAll("[data-passkey], [data-needs-passkeys]")) element.hidden = false;
  for (const element of document.querySelectorAll("[data-without-passkeys]")) element.hidden = true;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.passkey || form.elements.credential.value) return;
  event.preventDefault();
  fill(form, event.submitter);
});
