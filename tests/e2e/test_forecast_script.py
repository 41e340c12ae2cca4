"""What scripts show of a forecast and of a measured queue, by their age: the module alone, in a browser."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import ROOT

SCRIPT = ROOT / "app" / "forecasting" / "static" / "forecast.js"
NOW = "2026-03-02T03:00:00Z"


def forecast(*, made: str = NOW, measured: str | None = NOW, queue_veh: float = 14.0) -> dict[str, Any]:
    """A forecast made and a queue measured at times of day; 30 and 10 minutes they are told as those of the present."""
    now = {"time": measured, "queue_veh": queue_veh, "tail_km": 1.3, "current_until": later(measured, 10)}
    return {
        "made_at": made,
        "step_s": 300,
        "horizon_s": 21_600,
        "quantiles": [0.1, 0.5, 0.9],
        "queue_veh": [[12, 13], [15, 0], [19, 24]],
        "wait_s": [[900, 960], [1200, 1300], [1500, None]],
        "tail_km": [[1.2, 1.3], [1.4, 1.1], [1.7, 2.1]],
        "severity": ["notice", None],
        "now": now if measured else None,
        "old_from": later(made, 5),
        "current_until": later(made, 30),
    }


def later(moment: str | None, minutes: int) -> str | None:
    if moment is None:
        return None
    hours, of_hour = divmod(int(moment[11:13]) * 60 + int(moment[14:16]) + minutes, 60)
    return f"{moment[:11]}{hours:02d}:{of_hour:02d}:00Z"


@pytest.fixture
def script(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    address = "data:text/javascript;base64," + base64.b64encode(SCRIPT.read_bytes()).decode()
    page.evaluate("async (address) => { window.script = await import(address); }", address)
    yield page
    page.close()


def shown(script: Page, known: dict[str, Any], now: str = NOW) -> Any:
    return script.evaluate("([known, now]) => script.valuesNow(known, Date.parse(now))", [known, now])


def test_queue_and_wait_are_each_shown_while_they_are_of_the_present(script: Page) -> None:
    fresh = shown(script, forecast())
    assert (fresh["queue"], fresh["tail_km"], fresh["wait_s"]) == ([14] * 3, [1.3] * 3, [900, 1200, 1500])
    assert (fresh["severity"], fresh["reach_s"]) == ("notice", 21_600)

    unmeasured = shown(script, forecast(measured="2026-03-02T02:49:00Z"))
    assert (unmeasured["queue"], unmeasured["wait_s"]) == ([None] * 3, [900, 1200, 1500])

    unforecast = shown(script, forecast(made="2026-03-02T02:29:00Z"))
    assert (unforecast["queue"], unforecast["tail_km"]) == ([14] * 3, [1.3] * 3)
    assert (unforecast["wait_s"], unforecast["reach_s"]) == ([None] * 3, None)  # not "longer than the forecast reaches"
    assert "severity" not in unforecast  # nor good news

    assert shown(script, forecast(), "2026-03-02T03:31:00Z") is None  # with the line cut both grow old by themselves


def test_a_forecast_is_said_to_be_old_before_it_is_shown_no_more(script: Page) -> None:
    ask = "([known, now]) => [script.isOld(known, Date.parse(now)), script.isCurrent(known, Date.parse(now))]"
    for now, expected in (("03:04", [False, True]), ("03:06", [True, True]), ("03:31", [True, False])):
        assert script.evaluate(ask, [forecast(), f"2026-03-02T{now}:00Z"]) == expected, now


def test_where_nobody_waits_no_queue_ends(script: Page) -> None:
    nobody = shown(script, forecast(queue_veh=0.4))
    assert (nobody["queue"], nobody["tail_km"]) == ([0.4] * 3, [None] * 3)
    ahead = script.evaluate("(known) => script.valuesAt(known, 1)", forecast())
    assert (ahead["queue"], ahead["tail_km"]) == ([13, 0, 24], [1.3, None, 2.1])
