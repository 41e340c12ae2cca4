"""The report of a scenario run: what is in it, and that nothing of it comes from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from app.web.i18n import load_catalogues
from geo.corridor import Corridor
from maps import comparison, variants
from maps.queue_line import queue_line
from maps.report import leaflet_css, scenario_report
from routing.scenario import parse_scenario, run_scenario

SCENARIO = {
    "name": "jam <b>& co</b>",
    "title": {"en": "A jam <script>alert(1)</script>"},
    "sources": ["standing trucks: {{ 7 * 7 }} assumed"],
    "horizon_h": 4,
    "step_s": 900,
    "world": {
        "gates": {
            "huu-nghi": {"exports_veh_per_day": 300, "standing_veh": 900},
            "tan-thanh": {"exports_veh_per_day": 150, "standing_veh": 1900},
        }
    },
    "change": {"gates": {"huu-nghi": {"lanes": 12}}, "yards": {"xuan-cuong": {"capacity_veh": 900}}},
}


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    result = run_scenario(Corridor.default(), parse_scenario(SCENARIO), seed=5, runs=4, threads=1)
    assert result is not None
    return result.to_record()


@pytest.fixture(scope="module")
def report(record: dict[str, Any]) -> str:
    return scenario_report(Corridor.default(), record, locale="en", translate=lambda message: message)


def test_it_holds_figures_inputs_sources_and_labels(report: str, record: dict[str, Any]) -> None:
    assert '<html lang="en">' in report
    assert "Simulated: what a model answers" in report
    assert "Trucks that crossed" in report
    assert "Huu Nghi border gate › Lanes at the crossing: <b>12</b>" in report
    assert f"<dd>{record['seed']}</dd>" in report
    assert f"<dd>{record['code_version']}</dd>" in report
    assert "OpenStreetMap" in report
    assert "CC BY-SA" in report
    assert report.count(" data-fan=") == 8
    assert report.index("<h1>") < report.index('class="folium-map"') < report.index("Over time")


def test_text_of_a_planner_is_neither_markup_nor_a_template(report: str) -> None:
    assert "<script>alert(1)" not in report
    assert "&lt;script&gt;alert(1)" in report
    assert "{{ 7 * 7 }} assumed" in report


class _References(HTMLParser):
    """What elements load from elsewhere; text inside scripts is no element."""

    def __init__(self) -> None:
        super().__init__()
        self.tags = 0
        self.references: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += 1
        loading = {"src", "srcset", "data"} | ({"href"} if tag == "link" else set())
        self.references += [(tag, value) for name, value in attrs if name in loading]


def test_nothing_but_tiles_comes_from_elsewhere(report: str) -> None:
    found = _References()
    found.feed(report)
    assert found.tags > 100
    assert found.references == []
    assert "cdn." not in report.lower()
    assert "url(images/" not in leaflet_css()


def test_names_in_any_language_do_not_break_the_map(record: dict[str, Any]) -> None:
    html = scenario_report(Corridor.default(), record, locale="vi", translate=lambda message: f"«{message}: ề»")
    assert "feature.properties.«" not in html
    assert "Cửa khẩu Hữu Nghị" in html


def test_figures_say_which_way_and_whether_it_is_good() -> None:
    def total(difference: float, low: float, high: float, significant: bool) -> dict[str, Any]:
        return {
            "base": 10.0,
            "variant": 10.0 + difference,
            "difference": difference,
            "interval95": [low, high],
            "significant": significant,
        }

    record = {
        "summary": {
            "truck_hours": total(-5.0, -6.0, -4.0, True),
            "crossed_veh": total(5.0, 4.0, 6.0, True),
            "longest_queue_veh": total(3.0, -1.0, 7.0, False),
            "mean_wait_s": total(0.0, 0.0, 0.0, False),
        },
        "gates": {"g": {"tail_km": {"base": [[1.0], [2.0], [3.0]], "variant": [[1.0], [4.0], [9.0]]}}},
        "yards": {},
    }
    found = {figure.label: (figure.direction, figure.verdict) for figure in comparison.key_figures(record)}
    assert found == {
        "Truck-hours on the corridor": ("less", "better"),
        "Trucks that crossed": ("more", "better"),
        "Longest queue": ("more", "unclear"),
        "Mean wait of a truck": ("same", "same"),
        comparison.FARTHEST_TAIL: ("more", "worse"),
    }


def total(base: float, difference: float, *, is_clear: bool = True) -> dict[str, Any]:
    ends = [difference * 0.9, difference * 1.1]
    return {
        "base": base,
        "variant": base + difference,
        "difference": difference,
        "interval95": ends,
        "significant": is_clear,
    }


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        (
            {"longest_queue_veh": total(100, -40), "crossed_veh": total(900, 50)},
            "The variant helps: Longest queue 100 → 60 trucks; Trucks that crossed 900 → 950 trucks.",
        ),
        ({"spoiled_t": total(10, 5)}, "The variant harms: Perishable goods spoiled 10 → 15 tonnes."),
        (
            {"longest_queue_veh": total(100, -40), "spoiled_t": total(10, 5)},
            "The variant helps: Longest queue 100 → 60 trucks; but it harms: Perishable goods spoiled 10 → 15 tonnes.",
        ),
        ({"longest_queue_veh": total(100, -4, is_clear=False)}, comparison.MAY_BE_CHANCE),
        ({"longest_queue_veh": total(100, 0)}, comparison.NO_DIFFERENCE),
        ({"truck_hours": total(100, -50)}, comparison.NO_DIFFERENCE),  # waiting concludes, not driving
    ],
)
def test_a_comparison_comes_to_a_sentence(summary: dict[str, Any], said: str) -> None:
    figures = comparison.key_figures({"summary": summary, "gates": {}, "yards": {}})
    sentence = comparison.conclude(figures).said(str, lambda value, digits: f"{value:.{digits}f}")
    assert sentence == said


@pytest.mark.parametrize(
    ("wait_s", "shown"),
    [(90.0, (1.5, "min")), (7200.0, (2.0, "h")), (172_000.0, (47.8, "h")), (300_000.0, (3.5, "days"))],
)
def test_a_wait_is_told_in_the_unit_that_fits(wait_s: float, shown: tuple[float, str]) -> None:
    (figure,) = comparison.key_figures({"summary": {"mean_wait_s": total(wait_s, 0)}, "gates": {}, "yards": {}})
    assert (round(figure.base, 1), figure.unit) == shown


@pytest.mark.parametrize("language", ["vi", "zh"])
def test_what_a_comparison_says_is_translated(language: str) -> None:
    measures = [text for measure in comparison.MEASURES for text in (measure.label, measure.unit)]
    units = [unit for unit, _ in comparison.TIME_UNITS]
    catalogue = load_catalogues()[language]
    of_several = {variants.BEST, variants.BEST_WITH_HARM, variants.NONE_HELPS, *variants.OTHERS.values()}
    of_several |= {variants.ONLY, variants.NUMBERED}
    texts = of_several | {
        *measures,
        *units,
        *comparison.CONCLUSIONS,
        comparison.FARTHEST_TAIL,
        comparison.FULLEST_YARD,
    } - {"s"}
    assert {text for text in texts if catalogue.gettext(text) == text} == set()


STUDY: dict[str, Any] = {
    **SCENARIO,
    "change_title": {},
    "variants": [
        {"name": "Cấm", "change": {"bans": [{"gate": "huu-nghi", "to_h": 8}]}},
        {"name": "Few lanes", "change": {"gates": {"huu-nghi": {"lanes": 1}}}},
    ],
}


def test_a_study_of_several_variants_speaks_of_all_of_them() -> None:
    result = run_scenario(Corridor.default(), parse_scenario(STUDY), seed=5, runs=4, threads=1)
    assert result is not None
    record: dict[str, Any] = result.to_record()
    assert variants.titles_of(record, "en", str) == ["Variant 1", "Cấm", "Few lanes"]
    best = variants.ranking(record)[0]
    assert best != 2
    said = variants.say_conclusion(record, "en", str, lambda value, digits: f"{value:.{digits}f}")
    assert said.startswith(f"Of 3 variants the best is {['Variant 1', 'Cấm'][best]}: ")
    assert "Worse: Few lanes." in said
    for number, key in enumerate(("variant", "Cấm", "Few lanes")):
        alone = variants.as_of(record, number)
        assert alone["gates"]["huu-nghi"]["queue_veh"]["variant"] == record["gates"]["huu-nghi"]["queue_veh"][key]
        assert alone["summary"] == record["variants"][number]["summary"]
        assert comparison.key_figures(alone)
    assert [list(change) for change in variants.changes_of(record)] == [["gates", "yards"], ["bans"], ["gates"]]
    report = scenario_report(Corridor.default(), record, locale="en", translate=str, variant=2)
    assert report.count("<th scope='row'>Trucks that crossed") == 3
    assert "Few lanes: queue at its longest" in report
    older = {**record, "gates": {"huu-nghi": {"queue_veh": {"base": [[1.0]], "variant": [[2.0]]}}}, "yards": {}}
    assert variants.as_of(older, 1)["gates"] == {}


def test_a_queue_lies_on_the_road_and_goes_on_where_roads_meet() -> None:
    corridor = Corridor.default()
    short, long = (queue_line(corridor, "tan-thanh", km) for km in (3.0, 20.0))
    assert queue_line(corridor, "tan-thanh", 1.1) == []
    for line, km in ((short, 3.0), (long, 20.0)):
        lon, lat = zip(*line, strict=True)
        road_id, _, distance_m = corridor.locate(lon, lat)
        assert float(distance_m.max()) < 5.0
        roads = {corridor.roads[i].road for i in road_id}
        assert roads == ({"QL4A"} if km == 3.0 else {"QL4A", "QL1A"})
    end_km = corridor.km_of(*corridor.locate([short[-1][0]], [short[-1][1]])[:2])
    assert float(end_km[0]) == pytest.approx(3.0, abs=0.02)


def test_time_after_midnight_names_the_day() -> None:
    assert comparison.local_clock({"start": "22:30", "step_s": 3600.0}, 1) == "23:30"
    assert comparison.local_clock({"start": "22:30", "step_s": 3600.0}, 2) == "00:30 +1 d"
