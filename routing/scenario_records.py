"""The JSON forms of scenarios: what a run is given, and what it found."""

from __future__ import annotations

from typing import NotRequired, TypeAlias, TypedDict

Curves: TypeAlias = list[list[float | None]]
"""Series [quantile][time]."""

StateRecord: TypeAlias = dict[str, object]
"""A corridor state by the names of `CorridorState`: lists of numbers, the time it was made at, mappings of numbers."""


class _Named(TypedDict):
    name: str


class ScenarioRecord(_Named, total=False):
    """A scenario as `parse_scenario` reads it; what has its default is left out."""

    title: dict[str, str]
    description: str
    sources: list[str]
    start: str
    horizon_h: float
    step_s: float
    world: dict[str, object]
    change: dict[str, object]
    change_title: dict[str, str]
    variants: list[dict[str, object]]
    costs: dict[str, object]
    additions: list[dict[str, object]]


class _Wanted(TypedDict):
    runs: int
    scenario: ScenarioRecord


class RunInputs(_Wanted, total=False):
    """What a run is given; `state` if its scenario begins now."""

    state: StateRecord


Worlds: TypeAlias = dict[str, Curves]
"""One quantity by world: `base`; `variant`, the first; further ones by their names (older records: none)."""


class TotalRecord(TypedDict):
    """A total's mean in both worlds, and their difference, paired run by run: its mean with the 95 % interval,
    whether zero lies outside of that, and between what it lies in eight of ten runs."""

    base: float
    variant: float
    difference: float
    interval95: list[float]
    significant: bool
    range80: NotRequired[list[float]]


PlaceCurves: TypeAlias = dict[str, Worlds]
"""What was found at a gate (`queue_veh wait_s tail_km`) or in a yard (`occupancy_veh`)."""


class VariantRecord(TypedDict):
    """What one of several variants makes of the totals."""

    name: str
    title: dict[str, str]
    summary: dict[str, TotalRecord]


class ResultRecord(TypedDict):
    """What a run found: totals by name, curves by gate and yard, sampled every `step_s` from `start` (local time)."""

    scenario: ScenarioRecord
    seed: int
    runs: int
    code_version: str
    duration_s: float
    start: str
    step_s: float
    quantiles: list[float]
    summary: dict[str, TotalRecord]
    variants: NotRequired[list[VariantRecord]]
    gates: dict[str, PlaceCurves]
    yards: dict[str, PlaceCurves]
