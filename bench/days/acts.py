"""A driven day in which an act was followed: the same trucks, the same seed, and what the act changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from app.demo.data.sumo_day import GATES
from bench.days.kinds import RESTS_KM, Day, LaneChange
from routing.acts import Act, Banned, Diverted, Held, Worked

HOLDS_KM: Final = RESTS_KM | {"staging-lang-son": 16.1}
"""Where trucks can be held."""


def can_play(act: Act) -> bool:
    """Whether an act can be played in a driven day: gates there never close, and nobody is held at the beginning."""
    return all(isinstance(step, Held | Diverted | Banned) or _is_lane(step) for step in act)


def _is_lane(step: object) -> bool:
    return isinstance(step, Worked) and step.longer_s == 0.0


def follow(day: Day, act: Act, trucks: dict[int, int], now_s: float, path: Path) -> Day:
    """The day in which an act is followed from `now_s` on.

    Arguments: `trucks`, row of the state → truck; `path`, the day as it was driven without: it tells when held trucks
    come by.
    """
    plans = list(day.plans)
    changes = list(day.lane_changes)
    for step in act:
        match step:
            case Diverted():
                for row in step.rows:
                    plans[trucks[int(row)]] = replace(plans[trucks[int(row)]], gate=step.gate_id)
            case Held():
                passes = _passes(path, HOLDS_KM[step.staging])
                for row, until_s in zip(step.rows, step.until_s, strict=True):
                    plan = plans[trucks[int(row)]]
                    rest_s = now_s + float(until_s) - passes.get(plan.truck, np.inf)
                    if rest_s > 0.0 and not plan.rest_site:
                        plans[plan.truck] = replace(plan, rest_site=step.staging, rest_s=rest_s)
            case Banned():
                until_s = now_s + step.until_s
                late = [plan for plan in plans if plan.gate == step.gate_id and now_s < plan.depart_s < until_s]
                for number, plan in enumerate(late):
                    plans[plan.truck] = replace(plan, depart_s=until_s + number)
            case Worked():
                changes = _more_lanes(changes, step, now_s)
            case _:
                raise ValueError(f"{type(step).__name__} cannot be played in a driven day.")
    return replace(day, plans=tuple(plans), lane_changes=tuple(changes))


def _more_lanes(changes: Iterable[LaneChange], step: Worked, now_s: float) -> list[LaneChange]:
    """One lane more from now on; where none is taken from imports, never more than the gate has."""
    full = next(gate.lanes for gate in GATES if gate.gate_id == step.gate_id)
    most = full + (1 if step.imports_slower > 1.0 else 0)
    own = sorted((change for change in changes if change.gate_id == step.gate_id), key=lambda change: change.at_s)
    present = next((change.lanes for change in reversed(own) if change.at_s <= now_s), full)
    later = [replace(change, lanes=min(change.lanes + 1, most)) if change.at_s > now_s else change for change in own]
    others = [change for change in changes if change.gate_id != step.gate_id]
    return [*others, *later, LaneChange(step.gate_id, now_s, min(present + 1, most))]


def _passes(path: Path, km: float) -> dict[int, float]:
    """When each truck first came by a kilometre."""
    with np.load(path) as driven:
        truck, time_s, at_km = (driven[name] for name in ("truck", "t", "km"))
    past = np.isfinite(at_km) & (at_km <= km)
    order = np.lexsort((time_s[past], truck[past]))
    names, first = np.unique(truck[past][order], return_index=True)
    return {int(name): float(time_s[past][order][i]) for name, i in zip(names, first, strict=True)}


def write_changes(day: Day, changed: Day, path: Path) -> None:
    """What differs, for the process that drives."""
    differing = {
        str(after.truck): {
            "gate": after.gate,
            "depart_s": after.depart_s,
            "rest_site": after.rest_site,
            "rest_s": after.rest_s,
        }
        for before, after in zip(day.plans, changed.plans, strict=True)
        if before != after
    }
    lanes = [[change.gate_id, change.at_s, change.lanes] for change in changed.lane_changes]
    path.write_text(json.dumps({"plans": differing, "lanes": lanes}))


def read_changes(day: Day, path: Path) -> Day:
    """The day with what `write_changes` wrote; its trucks keep their numbers and set out in the order of their time."""
    record = json.loads(path.read_text())
    plans = [replace(plan, **record["plans"].get(str(plan.truck), {})) for plan in day.plans]
    lanes = tuple(LaneChange(*values) for values in record["lanes"])
    return replace(day, plans=tuple(sorted(plans, key=lambda plan: plan.depart_s)), lane_changes=lanes)
