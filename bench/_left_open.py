"""The control room's page left open while trucks move: whether its memory and its event stream stay level.

What is sampled comes from the browser by the DevTools protocol after it has collected garbage: used heap, nodes,
listeners of events. Slopes are those of `bench.soak` (Theil–Sen, after a warm-up of a third).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
from playwright.sync_api import Page

from bench.soak import MB, Samples

SAMPLES: Final = 120
MIN_PAUSE_S: Final = 5.0
OPEN_STREAMS: Final = re.compile(r"^cuakhau_sse_connections\S* (\S+)", re.MULTILINE)
COUNT_LOSSES: Final = """() => {
  window.lost = 0;
  document.addEventListener("connection", ({ detail }) => { window.lost += detail === "lost" ? 1 : 0; });
}"""


def left_open(page: Page, base_url: str, minutes: float, is_alive: Callable[[], bool]) -> dict[str, Any]:
    """Levels and slopes an hour of a page that stays open for so long.

    Raises
    ------
    RuntimeError
        If what feeds the trucks stopped (`is_alive`).
    """
    devtools = page.context.new_cdp_session(page)
    page.evaluate(COUNT_LOSSES)
    samples, began = Samples(), time.monotonic()
    pause_s = max(MIN_PAUSE_S, minutes * 60.0 / SAMPLES)
    while (passed_s := time.monotonic() - began) < minutes * 60.0:
        if not is_alive():
            raise RuntimeError("The trucks stopped.")
        devtools.send("HeapProfiler.collectGarbage")
        counted = devtools.send("Memory.getDOMCounters")
        samples.add(
            passed_s,
            {
                "heap_mb": devtools.send("Runtime.getHeapUsage")["usedSize"] / MB,
                "nodes": float(counted["nodes"]),
                "listeners": float(counted["jsEventListeners"]),
                "streams_open": _open_streams(base_url),
            },
        )
        page.wait_for_timeout(pause_s * 1000.0)
    figures: dict[str, Any] = {"open_minutes": minutes, "open_samples": len(samples.at_s)}
    for name in samples.values:
        figures |= {f"open_{name}": samples.level(name), f"open_{name}_per_h": samples.slope_per_h(name)}
    return figures | {"open_connection_lost": page.evaluate("window.lost")}


def _open_streams(base_url: str) -> float:
    text = httpx.get(f"{base_url}/metrics", timeout=30).raise_for_status().text
    return sum(float(value) for value in OPEN_STREAMS.findall(text))
