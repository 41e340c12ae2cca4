"""Signing in with a real browser and an authenticator of its own; locks and proofs that keep what was written.

The application runs in this process, so that its clock may be moved.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.accounts.first_administrator import first_token
from app.bootstrap import web
from app.platform.runtime import Runtime
from tests.app.serving import serve
from tests.app.signing import PASSWORD

OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
LONG_MS = 60_000
"""What a loaded machine may take for the first page of a process."""


@pytest.fixture
def url(runtime: Runtime) -> Iterator[str]:
    """A fresh installation on a real port, by name: passkeys are for names, not for addresses."""
    runtime.settings.sign_in_rules = "strict"
    config = uvicorn.Config(web(runtime), log_level="warning", timeout_graceful_shutdown=1)
    with serve(uvicorn.Server(config)) as serving:
        yield f"http://localhost:{serving.port}"


def test_a_passkey_signs_in_unlocks_and_proves(browser: Browser, runtime: Runtime, url: str) -> None:
    context = browser.new_context(locale="en-GB", viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.set_default_timeout(LONG_MS)
    give_authenticator(context, page)
    become_administrator(page, runtime, url)

    page.get_by_label("Name of the passkey").fill("My laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".ck-codes code")).to_have_count(10)
    recovery_code, another_code = page.locator(".ck-codes code").all_inner_texts()[:2]
    page.get_by_role("button", name="I have kept them").click()
    page.wait_for_url("**/admin/first-steps")

    page.goto(f"{url}/admin/accounts/new")
    write_account(page)
    runtime.clock.advance(11 * 60)  # type: ignore[attr-defined]
    page.locator("#account-form button[type=submit]").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Locked")
    expect(page.locator("main")).to_be_hidden()
    dialog.get_by_label("Password").fill("not this one")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not right")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Go on").click()
    page.wait_for_url(lambda address: address.rsplit("/", 1)[1].isdigit())
    expect(page.get_by_role("heading", name="Nguyễn Thu Phí")).to_be_visible()

    page.goto(f"{url}/admin/organisations")
    for _ in range(2):
        runtime.clock.advance(8 * 60)  # type: ignore[attr-defined]
        page.reload()
    page.locator("main form [name=name]").fill("Công ty Thanh Long")
    page.locator("main form button[type=submit]").last.click()
    expect(dialog).to_contain_text("who are you")
    dialog.get_by_role("button", name="Use a passkey").click()
    expect(page.locator("main table")).to_contain_text("Công ty Thanh Long")

    page.get_by_role("button", name="User menu").click()
    page.get_by_role("button", name="Lock", exact=True).click()
    dialog.get_by_role("button", name="Use a passkey").click()
    expect(dialog).to_be_hidden()
    page.goto(f"{url}/account/factors")
    expect(page.locator(".ck-passkey input[name=name]")).to_have_value("My laptop")
    page.get_by_role("button", name="User menu").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(lambda address: "/signin" not in address)
    page.goto(f"{url}/account")
    expect(page.locator("tbody tr").first).to_contain_text("Passkey")

    page.goto(f"{url}/admin/accounts/new")
    write_account(page)
    context.clear_cookies()  # as if the session had been ended elsewhere
    page.locator("#account-form button[type=submit]").click()
    expect(dialog).to_contain_text("has ended")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Go on").click()
    dialog.get_by_label("recovery code").fill("not-this-one")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    dialog.get_by_label("recovery code").fill(recovery_code)
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#account-form [name=username]")).to_have_value("thu.phi")
    page.locator("#account-form [name=username]").fill("thu.phi.2")
    page.locator("#account-form button[type=submit]").click()
    page.wait_for_url(lambda address: address.rsplit("/", 1)[1].isdigit())

    page.goto(f"{url}/admin/organisations")
    page.locator("main form [name=name]").fill("Công ty Sau Cùng")
    context.clear_cookies()  # before the page is told of it: the browser itself sends this form
    page.locator("main form:has([name=name]) button[type=submit]").click()
    expect(dialog).to_contain_text("has ended")
    dialog.get_by_label("User name").fill("chi.huy")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Go on").click()
    dialog.get_by_label("recovery code").fill(another_code)
    dialog.get_by_role("button", name="Go on").click()
    expect(page.locator("main table")).to_contain_text("Công ty Sau Cùng")
    context.close()


def give_authenticator(context: BrowserContext, page: Page) -> None:
    """What a laptop with a fingerprint reader has, whose owner always agrees."""
    tools = context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})


def become_administrator(page: Page, runtime: Runtime, url: str) -> None:
    """The first page of an empty installation, filled in."""
    page.goto(f"{url}/first-administrator/{first_token(runtime.settings.secret_key.get_secret_value())}")
    page.get_by_label("Your name").fill("Trần Thị Chỉ Huy")
    page.get_by_label("User name").fill("chi.huy")
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_label("Password at least 12 characters").fill(PASSWORD)
    page.get_by_role("button", name="Become administrator").click()
    expect(page.get_by_role("heading", name="Add a second factor")).to_be_visible()


def write_account(page: Page) -> None:
    """The form of a new account, filled in and not sent."""
    form = page.locator("#account-form")
    form.locator("[name=username]").fill("thu.phi")
    form.locator("[name=full_name]").fill("Nguyễn Thu Phí")
    form.locator("[name=password]").fill("nine quiet boats on a river")
    form.locator("[name=role]").select_option("enterprise")
