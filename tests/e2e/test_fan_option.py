"""The option of a fan chart, as the browser makes it of quantiles over time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from maps.report_charts import STATIC_DIR

MODULE = (STATIC_DIR / "fan-option.js").read_text(encoding="utf-8")
LOOKS = {
    **dict.fromkeys(("ink", "muted", "line", "surface", "level", "counted"), "#000"),
    "fans": {look: {"line": look, "band": look} for look in ("base", "variant")},
}
RUN = """async ([source, fan, looks]) => {
  const module = await import("data:text/javascript;charset=utf-8," + encodeURIComponent(source));
  const words = { number: (value, digits) => value.toFixed(digits), range: (low, high) => `${low}-${high}`,
    day: (day) => `+${day} d`, now: "now" };
  const option = module.fanOption(fan, looks, words);
  return {
    series: option.series.map(({ data, stack, markLine }) => ({ data, stack, now: markLine?.data[0].xAxis })),
    labels: option.xAxis.axisLabel.customValues.map(option.xAxis.axisLabel.formatter),
    tooltip: option.tooltip.formatter([{ dataIndex: 1 }]),
  };
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def option(page: Page, **fan: Any) -> dict[str, Any]:
    given = {"quantiles": [0.1, 0.5, 0.9], "step_s": 3600, "start": "22:30", **fan}
    found: dict[str, Any] = page.evaluate(RUN, [MODULE, given, LOOKS])
    return found


def test_a_band_from_the_first_to_the_last_quantile_and_a_line_in_the_middle(page: Page) -> None:
    found = option(page, fans=[{"values": [[1, 2], [3, 4], [7, 9]]}])
    low, gap, median = found["series"]
    assert low["data"] == [[22.5, 1], [23.5, 2]]
    assert gap["data"] == [[22.5, 6], [23.5, 7]]
    assert low["stack"] == gap["stack"] != median["stack"]
    assert median["data"] == [[22.5, 3], [23.5, 4]]


def test_the_line_is_the_median_wherever_it_stands(page: Page) -> None:
    found = option(page, quantiles=[0.05, 0.25, 0.5, 0.95], fans=[{"values": [[0, 0], [1, 1], [2, 2], [3, 3]]}])
    assert [value for _, value in found["series"][2]["data"]] == [2, 2]


def test_a_missing_value_interrupts_line_and_band(page: Page) -> None:
    found = option(page, fans=[{"values": [[0, None, 2], [1, None, 3], [2, None, 4]]}])
    for series in found["series"]:
        assert [value is None for _, value in series["data"]] == [False, True, False]


def test_two_worlds_are_drawn_and_told_with_their_names(page: Page) -> None:
    rows = [[3600, 3600], [7200, 7200], [10800, 10800]]
    fans = [{"name": "Base", "values": rows}, {"name": "Variant", "look": "variant", "values": rows}]
    found = option(page, fans=fans, scale=3600, digits=1)
    assert len(found["series"]) == 6
    assert len({series.get("stack") for series in found["series"]}) == 3
    assert re.findall(r"(Base|Variant) \{strong\|([\d.]+)\} \(([\d.-]+)\)", found["tooltip"]) == [
        ("Base", "2.0", "1.0-3.0"),
        ("Variant", "2.0", "1.0-3.0"),
    ]


def test_hours_are_round_and_those_after_midnight_name_the_day(page: Page) -> None:
    found = option(page, fans=[{"values": [[0] * 4] * 3}])
    assert found["labels"] == ["23:00", "00:00 +1 d", "01:00 +1 d"]
    assert found["tooltip"].startswith("23:30\n")


def test_capacity_count_and_now_have_their_marks(page: Page) -> None:
    found = option(page, fans=[{"values": [[0, 0]] * 3}], level=10, counted=4, now_h=0.5)
    *_, median, level, counted = found["series"]
    assert median["now"] == 23
    assert level["data"] == [[22.5, 10], [23.5, 10]]
    steps = option(page, fans=[{"values": [[0, 0]] * 3}], level=[[0, 450], [0.25, 40]])["series"][-1]
    assert steps["data"] == [[22.5, 450], [22.75, 450], [22.75, 40], [23.5, 40]]
    assert counted["data"] == [[22.5, 4]]


def test_it_is_one_file_without_imports_so_that_a_report_can_hold_it() -> None:
    assert not re.search(r"^import\b", MODULE, re.MULTILINE)
