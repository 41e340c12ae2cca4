// Asks who it is, over whatever is on the page, which stays as it is: the password or a passkey, and the page goes on.

import { api } from "./api.js";
import { hasPasskeys, showPasskey } from "./passkeys.js";
import { SignInAgain } from "./sign-in-again.js";

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

async function ask(code) {
  const dialog = document.getElementById("prove");
  const form = dialog.querySelector("form");
  const problem = dialog.querySelector("[role=alert]");
  const hasEnded = code === ENDED;
  const isLocked = code === LOCKED || hasEnded;
  const { username } = form.elements;
  const signing = hasEnded ? new SignInAgain(username.type === "hidden" ? username.value : null) : null;
  for (const element of dialog.querySelectorAll("[data-why]")) element.hidden = element.dataset.why !== code;
  const offer = (ways) => {
    for (const element of dialog.querySelectorAll("[data-way]")) {
      element.hidden = !element.dataset.way.split(" ").some((way) => ways[way]) || (element.dataset.way === "passkey" && !hasPasskeys);
    }
    for (const name of ["password", "code"]) {
      form.elements[name].required = Boolean(ways[name]);
      form.elements[name].value = "";
      if (ways[name] && dialog.open) form.elements[name].focus();
    }
  };
  const { ways } = signing ?? (await api("GET", "/api/v1/session"));
  problem.textContent = "";
  document.body.classList.toggle("ck-locked", isLocked);
  dialog.showModal();
  offer(ways);

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
        problem.textContent = "";
        if (!signing) await api("POST", "/api/v1/session/proof", proof);
        else if (!(await signing.send({ username: username.value, ...proof }))) return; // more is asked for
        end(true);
      } catch (error) {
        problem.textContent = error.message;
      } finally {
        if (dialog.open) offer(signing?.ways ?? ways);
      }
    };
    const usePasskey = async () => {
      try {
        const credential = await showPasskey(await api("POST", signing ? "/signin/passkey/options" : "/api/v1/session/passkey-options"));
        if (credential) await send({ credential });
      } catch (error) {
        problem.textContent = error.message;
      }
    };
    const cameBack = async () => {
      if (signing) {
        if (await signing.isBack()) end(true);
        return;
      }
      const { is_locked: stillLocked, is_proven: isProven } = await api("GET", "/api/v1/session");
      if (isLocked ? !stillLocked : isProven) end(true); // proven in another window
    };
    const listening = new AbortController();
    const { signal } = listening;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { password, code: written } = form.elements;
      send(written.required ? { code: written.value } : { password: password.value });
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
