"""What differs between the two worlds of a scenario run: key figures with their difference, and curves to draw.

A run arrives as the plain record that the simulation writes: `summary` (each total's mean in base and variant, the
difference with its 95 % interval), `gates` and `yards` (series [quantile][time] of both worlds), `start`, `step_s`.
Texts here are gettext ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Record = Mapping[str, Any]
Values = Sequence[float | None]
Direction = Literal["more", "less", "same"]
Verdict = Literal["better", "worse", "unclear", "same"]

WORLDS: Final = ("base", "variant")


@dataclass(frozen=True)
class Measure:
    """A total of a run: how it is called, its unit, by how much to divide it, and whether more of it is good.

    A time, `is_time`, is given in seconds and shown in the unit that fits: minutes, hours or days. `concludes`: it is
    worth a word in the sentence over the table.
    """

    key: str
    label: str
    unit: str
    digits: int = 0
    divisor: float = 1.0
    more_is_good: bool = False
    is_time: bool = False
    concludes: bool = False


TIME_UNITS: Final = (("days", 86400.0), ("h", 3600.0), ("min", 60.0))
"""Units of time and their seconds, the largest first."""
MEASURES: Final = (
    Measure("truck_hours", "Truck-hours on the corridor", "h"),
    Measure("fruit_truck_hours", "of these with perishable goods", "h"),
    Measure("waiting_truck_hours", "Truck-hours lost waiting", "h", 1, concludes=True),
    Measure("fruit_waiting_truck_hours", "of these with perishable goods", "h", 1),
    Measure("mean_wait_s", "Mean wait of a truck", "s", 1, is_time=True, concludes=True),
    Measure("longest_queue_veh", "Longest queue", "trucks", concludes=True),
    Measure("spoiled_t", "Perishable goods spoiled", "tonnes", concludes=True),
    Measure("cost_vnd", "Cost of hours and spoiled goods", "million đ", 0, 1e6, concludes=True),
    Measure("crossed_veh", "Trucks that crossed", "trucks", more_is_good=True, concludes=True),
)
INPUT_NAMES: Final = {
    "gates": "Gates",
    "yards": "Yards",
    "demand": "Demand",
    "closures": "Closed road",
    "diversions": "Diversion",
    "holds": "Hold",
    "bans": "Ban",
    "perishable_share": "Share of perishable goods",
    "exports_veh_per_day": "Exports a day",
    "exports_veh_per_h": "Exports by hour of the day",
    "imports_veh_per_day": "Imports a day",
    "standing_veh": "Trucks standing at the start",
    "cleared_exports_veh_per_day": "Exports cleared a day",
    "lanes": "Lanes at the crossing",
    "reversed_lanes": "Import lanes reversed for exports",
    "opens": "Opens",
    "closes": "Closes",
    "service_mean_s": "Service time, mean (s)",
    "service_cv": "Service time, variation",
    "entrance_lanes": "Lanes at the entrance",
    "entrance_service_mean_s": "Check at the entrance, mean (s)",
    "dwell_mean_s": "Stay in the yard, mean (s)",
    "capacity_veh": "Places for trucks",
    "factor": "Factor",
    "gate": "Gate",
    "goods": "Goods",
    "from_hour": "From hour of the day",
    "to_hour": "To hour of the day",
    "road": "Road",
    "km_from": "From kilometre",
    "km_to": "To kilometre",
    "direction": "Direction",
    "from_h": "From hour after the start",
    "to_h": "To hour after the start",
    "from_gate": "From gate",
    "to_gate": "To gate",
    "share": "Share",
    "staging": "Staging area",
    "until_h": "Until hour after the start",
    "release_veh_per_h": "Released an hour",
    "perishable": "Perishable goods",
    "other": "Other goods",
    "to_border": "To the border",
    "from_border": "From the border",
    "both": "Both directions",
    "begins": "Begins with",
    "now": "The present state",
}
"""What inputs of a scenario, and those of their values that are words, are called."""

DAY_MARK: Final = "+{day} d"
FARTHEST_TAIL: Final = "Farthest tail of the queue at {place}"
FULLEST_YARD: Final = "Most trucks inside {place}"


@dataclass(frozen=True)
class Figure:
    """One figure in both worlds. `interval95` is of the difference; none where only the median runs are compared.

    `label` may hold `{place}`, the gate or yard `place_id`.
    """

    label: str
    unit: str
    digits: int
    base: float
    variant: float
    difference: float
    direction: Direction
    verdict: Verdict
    interval95: tuple[float, float] | None = None
    place_id: str | None = field(default=None)


@dataclass(frozen=True)
class Conclusion:
    """What a comparison comes to: a sentence with `{better}` and `{worse}`, and the figures that stand for these."""

    sentence: str
    better: tuple[Figure, ...] = ()
    worse: tuple[Figure, ...] = ()

    def said(self, translate: Callable[[str], str], number: Callable[[float, int], str]) -> str:
        """The sentence in a language; `number` writes a value with so many decimals."""

        better, worse = (self.told(figures, translate, number) for figures in (self.better, self.worse))
        return translate(self.sentence).format(better=better, worse=worse)

    @staticmethod
    def told(figures: Sequence[Figure], translate: Callable[[str], str], number: Callable[[float, int], str]) -> str:
        """Figures as part of a sentence, each from base to variant."""
        return "; ".join(
            f"{translate(figure.label)} {number(figure.base, figure.digits)} → "
            f"{number(figure.variant, figure.digits)} {translate(figure.unit)}"
            for figure in figures
        )


HELPS: Final = "The variant helps: {better}."
HARMS: Final = "The variant harms: {worse}."
HELPS_AND_HARMS: Final = "The variant helps: {better}; but it harms: {worse}."
MAY_BE_CHANCE: Final = "Whatever differs between base and variant may be chance."
NO_DIFFERENCE: Final = "The variant changes nothing that is counted."
CONCLUSIONS: Final = (HELPS, HARMS, HELPS_AND_HARMS, MAY_BE_CHANCE, NO_DIFFERENCE)
FIGURES_NAMED: Final = 3
"""In the sentence, of each kind at most."""


def conclude(figures: Sequence[Figure]) -> Conclusion:
    """The conclusion of key figures: what is surely better and worse, of what concludes, the first of each."""
    leading = {measure.label for measure in MEASURES if measure.concludes}
    told = [figure for figure in figures if figure.label in leading]
    better, worse = (
        tuple(figure for figure in told if figure.verdict == verdict)[:FIGURES_NAMED] for verdict in ("better", "worse")
    )
    if better or worse:
        sentence = HELPS if not worse else HARMS if not better else HELPS_AND_HARMS
    else:
        sentence = MAY_BE_CHANCE if any(figure.verdict == "unclear" for figure in told) else NO_DIFFERENCE
    return Conclusion(sentence, better, worse)


def key_figures(record: Record) -> list[Figure]:
    """The figures by which a variant is judged, totals first, then the worst of each gate and yard.

    A difference whose interval holds zero is `unclear`: chance alone may have made it.
    """
    summary = record["summary"]
    figures = [_total(measure, summary[measure.key]) for measure in MEASURES if measure.key in summary]
    for gate_id, series in record["gates"].items():
        figures.append(_worst(FARTHEST_TAIL, "km", 1, gate_id, series["tail_km"]))
    for yard_id, series in record["yards"].items():
        figures.append(_worst(FULLEST_YARD, "trucks", 0, yard_id, series["occupancy_veh"]))
    return figures


def median(curves: Sequence[Values], quantiles: Sequence[float]) -> Values:
    """The curve of the middle quantile."""
    return curves[min(range(len(quantiles)), key=lambda i: abs(quantiles[i] - 0.5))]


def peak(values: Values) -> tuple[int, float] | None:
    """Index and value of the greatest value that is there; none if there is none."""
    known = [(value, -i) for i, value in enumerate(values) if value is not None]
    if not known:
        return None
    value, index = max(known)
    return -index, value


def local_clock(record: Record, index: int, day_mark: str = DAY_MARK) -> str:
    """Local time of a sample such as "14:30", from the second day on with the day, "14:30 +1 d"."""
    hours, minutes, *_ = (int(part) for part in str(record["start"]).split(":"))
    day, rest = divmod(hours * 60 + minutes + round(index * float(record["step_s"]) / 60.0), 1440)
    return f"{rest // 60:02d}:{rest % 60:02d}" + (f" {day_mark.replace('{day}', str(day))}" if day else "")


def _total(measure: Measure, found: Mapping[str, Any]) -> Figure:
    unit, divisor = measure.unit, measure.divisor
    if measure.is_time:
        unit, divisor = time_unit(max(float(found[world]) for world in WORLDS))
    low, high = (float(end) / divisor for end in found["interval95"])
    base, variant, difference = (float(found[name]) / divisor for name in (*WORLDS, "difference"))
    return _judge(
        measure.label,
        unit,
        measure.digits,
        base,
        variant,
        difference,
        is_clear=bool(found["significant"]),
        more_is_good=measure.more_is_good,
        interval95=(low, high),
    )


def time_unit(longest_s: float) -> tuple[str, float]:
    """The unit that fits times up to `longest_s`, and its seconds: one of which there are two at least."""
    return next((unit for unit in TIME_UNITS if longest_s >= 2.0 * unit[1]), TIME_UNITS[-1])


def _worst(label: str, unit: str, digits: int, place_id: str, worlds: Mapping[str, Sequence[Values]]) -> Figure:
    """The greatest value that the median curve reaches."""
    middle = [peak(worlds[world][len(worlds[world]) // 2]) for world in WORLDS]
    base, variant = (found[1] if found else 0.0 for found in middle)
    return _judge(label, unit, digits, base, variant, variant - base, place_id=place_id)


def _judge(
    label: str,
    unit: str,
    digits: int,
    base: float,
    variant: float,
    difference: float,
    *,
    is_clear: bool = True,
    more_is_good: bool = False,
    interval95: tuple[float, float] | None = None,
    place_id: str | None = None,
) -> Figure:
    if round(difference, digits) == 0:
        direction: Direction = "same"
        verdict: Verdict = "same"
    else:
        direction = "more" if difference > 0 else "less"
        verdict = "unclear" if not is_clear else "better" if (difference > 0) == more_is_good else "worse"
    return Figure(label, unit, digits, base, variant, difference, direction, verdict, interval95, place_id)


def describe_inputs(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of a nested record of inputs, each with its path; members of lists are numbered from 1."""
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values, 1)
    for name, value in pairs:
        here = (*path, str(name))
        if isinstance(value, Mapping | list | tuple):
            yield from describe_inputs(value, here)
        else:
            yield here, int(value) if isinstance(value, float) and value.is_integer() else value
