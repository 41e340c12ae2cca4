"""Pictures of the README from a platform that runs the demonstration: `just pictures --port 8080 --data-dir var`.

Let it run for a quarter of an hour first, so that there are a queue, a forecast and advice.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

FOLDER: Final = Path(__file__).with_name("images")
CHROMIUM: Final = ("/usr/bin/chromium", "/usr/bin/chromium-browser")
ARGUMENTS: Final = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SETTLE_MS: Final = 8000
"""Until tiles, charts and the sources of the map, which fold away, are as they stay."""


@dataclass(frozen=True)
class Picture:
    """A page as a role sees it; `ready` is what has to be there, and is pressed with `press`."""

    name: str
    role: str | None
    path: str
    ready: str
    press: bool = False
    width: int = 1440
    height: int = 900


PICTURES: Final = (
    Picture("police", "traffic_police", "/police", "live-map[data-ready=true]"),
    Picture("board", None, "/board", "[data-testid=board-queue]", width=1100, height=640),
    Picture("station", "customs", "/station", "main a[href*='trip=']", press=True),
    Picture("driver", "driver", "/driver", "#road", width=390, height=844),
)


def take(browser: Browser, picture: Picture, url: str, accounts: Mapping[str, Mapping[str, str]]) -> None:
    """Make one picture in English, light."""
    size = {"width": picture.width, "height": picture.height}
    context = browser.new_context(viewport=size, locale="en-US", color_scheme="light", reduced_motion="reduce")
    context.set_default_timeout(120_000)
    page = context.new_page()
    if picture.role:
        _sign_in(page, url, accounts[picture.role])
    page.goto(url + picture.path)
    page.wait_for_selector(picture.ready)
    if picture.press:
        page.locator(picture.ready).first.click()
    page.wait_for_timeout(SETTLE_MS)
    drawn = Image.open(BytesIO(page.screenshot())).convert("RGB")
    drawn.quantize(256).save(FOLDER / f"{picture.name}.png", optimize=True)
    context.close()


def _sign_in(page: Page, url: str, account: Mapping[str, str]) -> None:
    page.goto(f"{url}/signin")
    page.fill("[name=username]", account["username"])
    page.fill("[name=password]", account["password"])
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(lambda address: "/signin" not in address)
    page.request.post(f"{url}/language", form={"language": "en", "csrf_token": _token(page)}, max_redirects=0)


def _token(page: Page) -> str:
    return page.locator("meta[name=csrf-token]").get_attribute("content") or ""


def main() -> None:
    """Make them all, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="police, board, station, driver; all without a name")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data-dir", type=Path, default=Path("var"))
    arguments = parser.parse_args()
    accounts = json.loads((arguments.data_dir / "demo-accounts.json").read_text())
    with sync_playwright() as playwright:
        path = next((each for each in CHROMIUM if Path(each).exists()), None)
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for picture in PICTURES:
            if not arguments.names or picture.name in arguments.names:
                take(browser, picture, f"http://127.0.0.1:{arguments.port}", accounts)
        browser.close()


if __name__ == "__main__":
    main()
