"""What is known beforehand to change who comes: intake bans of gates, and events that planners tell of. Pure.

A ban turns away the undeclared trucks that it is about: some go to the gates that take them, the others stay at home
until it is over. What happens at other borders (a gate closed there, a ban, a festival) a planner tells as a factor on
arrivals, for one gate or all, between two moments. A truck on the road already is where it is: only those that have not
come into the corridor yet are more or fewer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from app.forecasting.store import DeclaredTrip
from app.gates.notice import GateNotice
from app.gates.vocabulary import GoodsClass, NoticeKind, Regime
from routing.arrays import BoolArray, FloatArray
from routing.demand import DemandModel
from routing.network import Network

DIVERTED_SHARE: Final = 0.5
"""Assumed: so many of the undeclared trucks that a gate does not take go to those that do (in April 2025 all trucks of
a gate were sent elsewhere; in January and February 2022 the provinces were told to keep fruit at home)."""
BANNED_SHOW_UP: Final = 0.2
"""Assumed: so many of the declared trucks come although the gate does not take them when they are due."""
EXPORT_REGIME_SHARE: Final = 0.9
"""Assumed of exports: under the regime of that name."""
STRENGTH_VEH: Final = 20.0
"""What is assumed of who carries what counts like so many trucks."""


@dataclass(frozen=True)
class DemandEvent:
    """From `starts_at` until `ends_at`, `factor` times as many undeclared trucks come to a gate, or to all of them."""

    gate_id: str | None
    starts_at: datetime
    ends_at: datetime
    factor: float
    cause: str = ""
    event_id: int = 0

    def holds(self, gate_id: str, at: datetime) -> bool:
        """Whether it changes who comes to a gate at a moment."""
        return self.gate_id in (None, gate_id) and self.starts_at <= at < self.ends_at


@dataclass(frozen=True)
class Load:
    """What a truck that is known carries, and under which regime."""

    goods_class: str | None
    regime: str | None


def concerned_share(ban: GateNotice, loads: Collection[Load], model: DemandModel | None = None) -> float:
    """The share of a gate's exports that a ban is about: by what known trucks carry, shrunk to what is assumed."""
    model = model or DemandModel()
    assumed = 1.0
    if ban.goods:
        by_kind = []
        for perishable, share in ((True, model.perishable_share), (False, 1.0 - model.perishable_share)):
            kind = [goods for goods in GoodsClass if goods.perishable is perishable and goods is not GoodsClass.EMPTY]
            by_kind.append(share * sum(goods in ban.goods for goods in kind) / len(kind))
        assumed *= sum(by_kind)
    if ban.regimes:
        others = [regime for regime in Regime if regime not in (Regime.EXPORT, Regime.IMPORT)]
        of_others = sum(regime in ban.regimes for regime in others) / len(others)
        is_export = float(Regime.EXPORT in ban.regimes)
        assumed *= EXPORT_REGIME_SHARE * is_export + (1.0 - EXPORT_REGIME_SHARE) * of_others
    known = [load for load in loads if load.goods_class is not None]
    about = sum(ban.concerns(load.regime, (load.goods_class or "",)) for load in known)
    return (STRENGTH_VEH * assumed + about) / (STRENGTH_VEH + len(known))


def event_factors(
    events: Iterable[DemandEvent],
    bans: Iterable[GateNotice],
    loads: Collection[Load],
    network: Network,
    at: Sequence[datetime],
) -> FloatArray:
    """[G, K] how many times as many undeclared trucks come to each gate at each moment as without events and bans."""
    bans, events = tuple(bans), tuple(events)
    usual = np.array([max(gate.undeclared_exports_veh_per_h, 1e-6) for gate in network.gate_demand])
    share = {ban.notice_id: concerned_share(ban, loads) for ban in bans}
    found = np.ones((len(network.gate_ids), len(at)))
    for k, moment in enumerate(at):
        turned_away = np.zeros(len(network.gate_ids))
        for g, gate_id in enumerate(network.gate_ids):
            own = [ban for ban in bans if ban.gate_id == gate_id and _is_ban(ban, moment)]
            turned_away[g] = 1.0 - np.prod([1.0 - share[ban.notice_id] for ban in own])
        taking = usual * (1.0 - turned_away)
        for g, gate_id in enumerate(network.gate_ids):
            others = taking.sum() - taking[g]
            if turned_away[g] > 0.0 and others > 0.0:
                sent = DIVERTED_SHARE * turned_away[g] * usual[g] * taking / others
                sent[g] = 0.0
                found[:, k] += sent / usual
            found[g, k] -= turned_away[g]
            found[g, k] *= np.prod([event.factor for event in events if event.holds(gate_id, moment)])
    return np.maximum(found, 0.0)


def kept_out(bans: Collection[GateNotice], trips: Sequence[DeclaredTrip]) -> BoolArray:
    """[M] which declared trips are due when their gate does not take them."""

    def is_kept_out(trip: DeclaredTrip) -> bool:
        own = [ban for ban in bans if ban.gate_id == trip.gate_id]
        return any(ban.stops(trip.regime, (trip.goods_class,), trip.planned_arrival) for ban in own)

    return np.array([is_kept_out(trip) for trip in trips], bool)


def _is_ban(notice: GateNotice, at: datetime) -> bool:
    return notice.kind == NoticeKind.BAN and notice.is_in_force(at)
