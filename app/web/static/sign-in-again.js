// Signing in again over a page whose session has ended: the forms of the sign-in pages, sent in their order.

import { renewToken } from "./api.js";
import { t } from "./i18n.js";

const FIRST = "/signin";
const SECOND = "/signin/second-factor";

/** `username` of who sat here before, null on a page that does not know. */
export class SignInAgain {
  constructor(username) {
    this.username = username;
    this.begin();
  }

  begin() {
    this.path = FIRST;
    this.ways = { password: true, passkey: true };
  }

  /** Send a password, a code or what a passkey signed; whether that was all, else `ways` say what is asked for next. */
  async send(fields) {
    const isAlone = this.path === FIRST && "credential" in fields;
    const answer = await fetch(isAlone ? `${FIRST}/passkey` : this.path, {
      method: "POST", body: new URLSearchParams(fields), headers: { Accept: "text/html" },
    });
    const { pathname } = new URL(answer.url);
    const isSignedIn = answer.redirected && !pathname.startsWith(FIRST);
    if (isSignedIn && (await this.isBack())) return true;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const problem = page.getElementById("problem")?.textContent.trim();
    if (pathname === SECOND) this.askMore(page);
    else this.begin();
    if (problem || pathname !== SECOND) throw new Error(problem || t("That did not sign you in. Try again, or sign in in a new window."));
    return false;
  }

  askMore(page) {
    this.path = SECOND;
    this.ways = { code: true, passkey: Boolean(page.querySelector("form[data-passkey]")) };
  }

  /** Whether somebody is signed in; another person than before gets a page of their own. */
  async isBack() {
    const answer = await fetch("/account", { headers: { Accept: "text/html" } });
    if (!answer.ok || new URL(answer.url).pathname !== "/account") return false;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("#prove [name=username]")?.value;
    if (this.username !== null && found !== this.username) location.reload();
    else renewToken(page.querySelector('meta[name="csrf-token"]').content);
    return true;
  }
}
