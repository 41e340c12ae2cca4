// Asks who it is, over whatever is on the page, which stays as it is: the password or a passkey, and the page goes on.

import { api, renewToken } from "./api.js";
import { t } from "./i18n.js";
import { hasPasskeys, showPasskey } from "./passkeys.js";

const LOCKED = "session_locked";
const ENDED = "session_ended";

let pending = null; // one question at a time, however many requests wait for its answer

/** Whether whoever sits here proved who it is; `code` says why it is asked for. A locked session takes no no. */
export function prove(code) {
  pending ??= ask(code).finally(() => { pending = null; });
  return pending;
}

/** Whether the person whose session ended is signed in again; what the page shows is hidden until then, and stays. */
export const signInAgain = () => prove(ENDED);

/** Begin a new session by a password; whether more is asked for, which the sign-in page in another window does. */
async function signIn(form) {
  const answer = await fetch("/signin", { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/html" } });
  return answer.redirected && !new URL(answer.url).pathname.startsWith("/signin");
}

/** Whether somebody is signed in; another person than before gets a page of their own. */
async function isBack(username) {
  const answer = await fetch("/account", { headers: { Accept: "text/html" } });
  if (!answer.ok || new URL(answer.url).pathname !== "/account") return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.querySelector("#prove [name=username]")?.value !== username) location.reload();
  else renewToken(page.querySelector('meta[name="csrf-token"]').content);
  return true;
}

async function ask(code) {
  const dialog = document.getElementById("prove");
  const form = dialog.querySelector("form");
  const problem = dialog.querySelector("[role=alert]");
  const hasEnded = code === ENDED;
  const isLocked = code === LOCKED || hasEnded;
  const { ways } = hasEnded ? { ways: { password: true } } : await api("GET", "/api/v1/session");
  for (const element of dialog.querySelectorAll("[data-why]")) element.hidden = element.dataset.why !== code;
  for (const element of dialog.querySelectorAll("[data-way]")) {
    element.hidden = !ways[element.dataset.way] || (element.dataset.way === "passkey" && !hasPasskeys);
  }
  form.elements.password.required = ways.password;
  form.elements.password.value = "";
  problem.textContent = "";
  document.body.classList.toggle("ck-locked", isLocked);
  dialog.showModal();
  if (ways.password) form.elements.password.focus();

  return new Promise((resolve) => {
    const end = (isProven) => {
      listening.abort();
      dialog.close();
      document.body.classList.remove("ck-locked");
      if (isProven) document.dispatchEvent(new CustomEvent("proven"));
      resolve(isProven);
    };
    const send = async (proof) => {
      try {
        if (!hasEnded) await api("POST", "/api/v1/session/proof", proof);
        else if (!(await signIn(form)) || !(await isBack(form.elements.username.value))) throw new Error(t("That did not sign you in. Try again, or sign in in a new window."));
        end(true);
      } catch (error) {
        problem.textContent = error.message;
        form.elements.password.select();
      }
    };
    const usePasskey = async () => {
      try {
        const credential = await showPasskey(await api("POST", "/api/v1/session/passkey-options"));
        if (credential) await send({ credential });
      } catch (error) {
        problem.textContent = error.message;
      }
    };
    const cameBack = async () => {
      if (hasEnded) {
        if (await isBack(form.elements.username.value)) end(true);
        return;
      }
      const { is_locked: stillLocked, is_proven: isProven } = await api("GET", "/api/v1/session");
      if (isLocked ? !stillLocked : isProven) end(true); // proven in another window
    };
    const listening = new AbortController();
    const { signal } = listening;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send({ password: form.elements.password.value });
    }, { signal });
    dialog.querySelector("[data-act=passkey]").addEventListener("click", usePasskey, { signal });
    dialog.querySelector("[data-act=leave]").addEventListener("click", () => end(false), { signal });
    dialog.querySelector("[data-act=cancel]").addEventListener("click", () => end(false), { signal });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (!isLocked) end(false);
    }, { signal });
    window.addEventListener("focus", () => cameBack().catch(() => {}), { signal });
  });
}

/** The page that stands in the place of one that asks who it is first: on to what was sent, or to itself. */
export async function goOnWhenProven(page) {
  while (!(await prove(page.dataset.prove).catch(() => false))) {
    if (page.dataset.prove !== LOCKED) {
      history.back();
      return;
    }
  }
  const kept = page.querySelector("form[data-kept]");
  if (kept) kept.submit();
  else if (page.dataset.files) history.back();
  else location.reload();
}

const page = document.querySelector("[data-prove]");
if (page) goOnWhenProven(page);

document.querySelector("#prove [data-act=provider]")?.addEventListener("click", () => {
  document.getElementById("prove-provider").requestSubmit();
});
