"""How soon a slow phone shows something useful: the driver's page, the public board and the sign-in.

The demonstration on this machine, a phone of 360 × 740 points in headless Chromium, slowed as Lighthouse slows it
(`throttling.mobileSlow4G`: 150 ms a round trip, 1.6 Mbit/s down, 0.75 Mbit/s up, a quarter of the processor), by the
DevTools protocol, once the demonstration has caught up with its day: until then it takes both of two cores. Cold:
nothing in the browser's cache; warm: as from the second visit on. The useful paint is when
what the page is opened for is there: the driver's road, the queue of a gate, the field for the user name.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import psutil
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from bench.chaos.platform import Platform, run_platform
from bench.dashboard import chromium

ROUNDS: Final = 5
SETTLED_SHARE: Final = 0.5
"""Of a core, that the whole platform takes when it has caught up."""
LOOK_S: Final = 10.0
MAX_SETTLING_S: Final = 420.0
CHROMIUM: Final = ("--no-sandbox", "--enable-unsafe-swiftshader")
"""Pages are put together by the processor itself. Through a graphics card that the processor plays, as the map's
figures need it, a line of text came 400 ms later: that is no part of a page, and a phone has a card.
"""
PHONE: Final = {"width": 360, "height": 740}
RATE_OF_CPU: Final = 4
LINE: Final = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8 * 0.9,
    "uploadThroughput": 0.75e6 / 8 * 0.9,
}
"""Lighthouse's slow 4G, as its DevTools throttling applies it: rates in bytes a second."""
PAGES: Final[Mapping[str, tuple[str, str]]] = {
    "driver": ("/driver", "#road, .dr-trip"),
    "board": ("/board", "[data-testid=board-queue]"),
    "signin": ("/signin", "input[name=username]"),
    "floor": ("/healthz", "pre"),
}
"""Each page: its address, and what it is opened for. `floor` is a few lines of text without style or script: what the
line, the browser and the machine take for any page."""
PAINTS: Final = """() => {
  const first = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null;
  return { first, useful: window.usefulAt ?? null };
}"""
WATCH: Final = """(selector) => {
  const look = () => {
    const found = document.querySelector(selector);
    if (found && found.getBoundingClientRect().height > 0) requestAnimationFrame(() => {
      const drawn = () => { window.usefulAt ??= performance.now(); };
      requestAnimationFrame(drawn);
    });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def run() -> dict[str, Any]:
    """Median first contentful and useful paint of each page, cold and warm, ms; bytes of a cold visit."""
    with (
        tempfile.TemporaryDirectory(prefix="cuakhau-paint-", ignore_cleanup_errors=True) as folder,
        run_platform(Path(folder), demo=True) as platform,
        sync_playwright() as playwright,
    ):
        accounts = json.loads((Path(folder) / "demo-accounts.json").read_text())
        cookies = _session(platform.url, accounts["driver"])
        figures: dict[str, Any] = {"settled_after_s": settle(platform)}
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        for name, (path, selector) in PAGES.items():
            figures |= measure(browser, platform.url + path, selector, name, cookies if name == "driver" else {})
        browser.close()
    return figures


def settle(platform: Platform) -> float:
    """Wait until the demonstration has caught up with its day; how long it took, s.

    Raises
    ------
    RuntimeError
        If it does not within `MAX_SETTLING_S`.
    """
    began_s = time.monotonic()
    while time.monotonic() - began_s < MAX_SETTLING_S:
        before_s = _processor_s(platform)
        time.sleep(LOOK_S)
        if _processor_s(platform) - before_s < SETTLED_SHARE * LOOK_S:
            return time.monotonic() - began_s
    raise RuntimeError(f"The demonstration has not caught up within {MAX_SETTLING_S:.0f} s.")


def _processor_s(platform: Platform) -> float:
    """What the processes of the platform that are there have taken so far."""
    top = psutil.Process(platform.process.pid)
    total_s = 0.0
    for process in (top, *top.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total_s += times.user + times.system
    return total_s


def measure(browser: Browser, url: str, selector: str, name: str, cookies: Mapping[str, str]) -> dict[str, Any]:
    """The figures of one page."""
    seen: dict[str, list[float]] = {}
    sizes: list[float] = []
    for _ in range(ROUNDS):
        context = browser.new_context(
            viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=2, bypass_csp=True
        )
        context.add_cookies([{"name": key, "value": value, "url": url} for key, value in cookies.items()])
        sizes.append(_visit(context, url, selector, "cold", seen))
        _visit(context, url, selector, "warm", seen)
        context.close()
    medians = {f"{name}_{what}_ms": float(np.median(values)) for what, values in seen.items()}
    return medians | {f"{name}_cold_kb": float(np.median(sizes)) / 1000.0}


def _visit(context: BrowserContext, url: str, selector: str, visit: str, seen: dict[str, list[float]]) -> float:
    """One visit, whose paints are added to `seen`; the bytes that came over the line."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", dict(LINE))
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": RATE_OF_CPU})
    received = [0.0]
    devtools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.add_init_script(f"({WATCH})({json.dumps(selector)})")
    page.goto(url, wait_until="load", timeout=120_000)
    page.wait_for_function("window.usefulAt", timeout=60_000)
    paints = page.evaluate(PAINTS)
    for what, at_ms in paints.items():
        if at_ms is not None:
            seen.setdefault(f"{visit}_{what}_paint", []).append(float(at_ms))
    page.close()
    return sum(received)


def _session(url: str, account: Mapping[str, str]) -> dict[str, str]:
    with httpx.Client(base_url=url, timeout=60) as client:
        answer = client.post("/signin", data=dict(account))
        assert answer.status_code == 303, answer.text
        return dict(answer.cookies)


def main() -> None:
    """Run by itself: `python -m bench.first_paint`."""
    print("\n".join(f"{name}: {value}" for name, value in run().items()))


if __name__ == "__main__":
    main()
