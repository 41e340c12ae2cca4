"""Effects of orders: foreseen before one is sent, kept when it is, and scored when its hours have come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np
from sqlalchemy.orm import Session

from app.dispatch.order_drafts import Draft, check_draft, find_recipients, parameters_of, release_times
from app.dispatch.policy import POLICY
from app.dispatch.recent_store import SentOrder, orders_since
from app.dispatch.vocabulary import OrderKind
from app.forecasting.state import CorridorNow, assemble
from app.gates.service import gate_settings
from app.measures import effects, store
from app.measures.effects import MODELLED, Effect, Ordered
from app.measures.schemas import CurvesOut, EffectOut, RangeOut, RealisedOut, RoomOut
from app.measures.service import range_record, standing_at
from app.measures.tables import OrderEffect
from app.measures.wording import (
    FORECAST_IS_OLD,
    NO_FORECAST,
    NOBODY_REACHED,
    NOT_MODELLED,
    Wording,
)
from app.trips.places import Places
from geo.corridor import Corridor
from routing import store as routing_store
from routing.acts import Laboratory
from routing.demand import CorridorState
from routing.graph import build_network
from routing.network import Network

OLD: Final = timedelta(minutes=5)
"""With a forecast made longer ago than this the corridor now is not known well enough; one is made each minute."""
NEW_ORDERS: Final = timedelta(minutes=10)
MAX_KEPT: Final = 4
"""Of new orders, so many a minute: each takes about a second, and the minute has other things to do."""
FELT_AFTER: Final = timedelta(hours=1)
"""So long after its end an order still shows in the queue."""
MIN_SCORED: Final = timedelta(hours=2)
RECENT: Final = timedelta(days=30)
KEEP: Final = timedelta(days=400)

Blind = Literal["no_forecast", "forecast_old"]
Missing = Literal["no_forecast", "forecast_old", "not_modelled", "nobody"]


@dataclass(frozen=True)
class Question:
    """What an order would bring, ready to be computed: the corridor now, and the order as an act on it."""

    laboratory: Laboratory
    ordered: Ordered
    weight: float
    recipients: int
    room: tuple[str, int, int] | None
    """Staging area, its places, and how many are left."""


@dataclass(frozen=True)
class Now:
    """The corridor now, ready to try acts on."""

    state: CorridorNow
    laboratory: Laboratory


def look(session: Session, corridor: Corridor, places: Places, now: datetime) -> Now | Blind:
    """The corridor now, if it is known: a forecast that is missing or old says that nobody looks."""
    newest = [routing_store.latest_forecast(session, gate_id) for gate_id in places.gates]
    made_at = max((forecast.made_at for forecast in newest if forecast is not None), default=None)
    if made_at is None:
        return "no_forecast"
    if now - made_at > OLD:
        return "forecast_old"
    network = build_network(corridor)
    state = assemble(session, corridor, network, gate_settings(session, now), now)
    return Now(state, Laboratory(network, state.state, seed=int(made_at.timestamp())))


# Before it is sent


def ask(session: Session, draft: Draft, corridor: Corridor, now: datetime) -> Question | Missing:
    """Prepare what an order would bring, or say why that cannot be computed.

    Raises
    ------
    InvalidInputError
        If the draft cannot be issued.
    """
    places = Places.of(corridor)
    valid_from = check_draft(draft, places, now)
    if draft.kind not in MODELLED:
        return "not_modelled"
    now_known = look(session, corridor, places, now)
    if not isinstance(now_known, Now):
        return now_known
    state, laboratory = now_known.state, now_known.laboratory
    trucks = find_recipients(session, draft, places, now)
    starts = release_times(draft, valid_from, len(trucks))
    released = {truck.vehicle_id: at for truck, at in zip(trucks, starts, strict=True)}
    ordered = effects.to_act(draft.kind, parameters_of(draft), draft.valid_to, released, state, laboratory)
    if not ordered.reached:
        return "nobody"
    weight = POLICY.get(session).value.perishable_weight
    room = _room(draft, ordered, state, laboratory, places)
    return Question(laboratory, ordered, weight, len(trucks), room)


def _room(
    draft: Draft, ordered: Ordered, corridor: CorridorNow, laboratory: Laboratory, places: Places
) -> tuple[str, int, int] | None:
    if draft.kind != OrderKind.HOLD or draft.site_id is None:
        return None
    area = places.staging[draft.site_id]
    standing = standing_at(corridor, laboratory, places).get(area.site_id, 0)
    return area.site_id, area.capacity_veh, effects.places_left(area, standing, ordered.reached)


def say_missing(reason: Missing, wording: Wording) -> EffectOut:
    """Why the effect of an order is not shown."""
    texts = {
        "no_forecast": NO_FORECAST,
        "forecast_old": FORECAST_IS_OLD,
        "not_modelled": NOT_MODELLED,
        "nobody": NOBODY_REACHED,
    }
    return EffectOut(missing=reason, text=wording.gettext(texts[reason]))


def describe(question: Question, effect: Effect, wording: Wording) -> EffectOut:
    """The effect of an order as it is shown."""
    laboratory = question.laboratory
    room = None
    if question.room is not None:
        site_id, capacity, left = question.room
        room = RoomOut(site_id=site_id, name=wording.place(site_id), capacity=capacity, left=left)
    saved = effect.saved_h
    return EffectOut(
        text=wording.say_saved(saved.mean, saved.low, saved.high),
        made_at=laboratory.state.made_at,
        step_s=laboratory.step_s,
        runs=effect.runs,
        recipients=question.recipients,
        reached=question.ordered.reached,
        weight=question.weight,
        saved_h=RangeOut(mean=saved.mean, low=saved.low, high=saved.high),
        gates=[
            CurvesOut(
                gate_id=curves.gate_id,
                name=wording.place(curves.gate_id),
                queue_veh={"without": _finite(curves.queue_veh[0]), "with": _finite(curves.queue_veh[1])},
                wait_s={"without": _finite(curves.wait_s[0]), "with": _finite(curves.wait_s[1])},
                peak_veh=[float(world[1].max()) for world in curves.queue_veh],
                peak_wait_s=[float(world[1].max()) for world in curves.wait_s],
            )
            for curves in effect.gates
        ],
        room=room,
    )


def _finite(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[list[float]]:
    found: list[list[float]] = np.round(values, 1).tolist()
    return found


# When it is sent


def keep_new(
    session: Session, corridor: CorridorNow, now: datetime, *, network: Network, seed: int, threads: int | None = None
) -> int:
    """Keep of new orders the forecast without each, to hold against it what comes; of how many, at most `MAX_KEPT`."""
    sent = [order for order in orders_since(session, now - NEW_ORDERS) if order.kind in MODELLED]
    kept = store.orders_with_effect(session, [order.order_id for order in sent])
    fresh = [order for order in sent if order.order_id not in kept]
    done = 0
    for order in fresh:
        laboratory = Laboratory(network, without(corridor, order), seed=seed)
        done += _keep(session, order, corridor, laboratory, threads)
        if done == MAX_KEPT:
            break
    return done


def without(corridor: CorridorNow, order: SentOrder) -> CorridorState:
    """The state as it would be without the order: not held by it, or still held, or bound for the gate before."""
    state = corridor.state
    own = [truck for truck in corridor.coming if truck.index >= 0 and truck.vehicle_id in order.recipients]
    hold_s = np.full(state.n_trucks, np.nan) if state.hold_until_s is None else state.hold_until_s.copy()
    gate = np.full(state.n_trucks, -1) if state.gate is None else state.gate.copy()
    for truck in own:
        if order.kind == OrderKind.HOLD:
            hold_s[truck.index] = np.nan
        if order.kind == OrderKind.PROCEED and truck.vehicle_id in order.held_until:
            hold_s[truck.index] = (order.held_until[truck.vehicle_id] - state.made_at).total_seconds()
        if order.kind == OrderKind.DIVERT and order.from_gate in corridor.gate_ids:
            gate[truck.index] = corridor.gate_ids.index(order.from_gate)
    return replace(state, hold_until_s=hold_s, gate=gate)


def _keep(
    session: Session,
    order: SentOrder,
    corridor: CorridorNow,
    laboratory: Laboratory,
    threads: int | None,
) -> bool:
    """Whether the order reaches anybody, so that there is something to keep."""
    before = replace(corridor, state=laboratory.state)
    ordered = effects.to_act(order.kind, order.parameters, order.valid_to, order.recipients, before, laboratory)
    if order.from_gate is not None:
        ordered = replace(ordered, gate_ids=tuple(dict.fromkeys([order.from_gate, *ordered.gate_ids])))
    if not ordered.reached:
        return False
    made_at = corridor.state.made_at
    end = made_at + timedelta(seconds=laboratory.horizon_s)
    until = min(end, max(order.valid_to + FELT_AFTER, made_at + MIN_SCORED))
    parts = [part for _, part in effects.in_chunks(laboratory, ordered, threads=threads)]
    effect = effects.effect_of(parts, ordered, weight=1.0)
    for curves in effect.gates:
        expected = effects.queue_hours_saved(parts, curves.gate_id, (until - made_at).total_seconds())
        store.insert_effect(
            session,
            {
                "order_id": order.order_id,
                "gate_id": curves.gate_id,
                "made_at": made_at,
                "until": until,
                "step_s": laboratory.step_s,
                "runs": effect.runs,
                "without_veh": _finite(curves.queue_veh[0]),
                "with_veh": _finite(curves.queue_veh[1]),
                "expected_h": range_record(expected),
            },
        )
    return True


# When its hours have come


def score_due(session: Session, now: datetime) -> int:
    """Hold what was measured against the forecasts without the orders whose hours have come; how many."""
    due = store.effects_due(session, now)
    for row in due:
        seen = routing_store.queue_observations(session, row.gate_id, row.made_at, row.until)
        measured = [((observation.time - row.made_at).total_seconds(), observation.queue_veh) for observation in seen]
        realised = effects.realised_hours(
            np.array(row.without_veh), row.step_s, measured, (row.until - row.made_at).total_seconds()
        )
        store.score_effect(
            session, row.order_id, row.gate_id, None if realised is None else range_record(realised), now
        )
    return len(due)


def prune(session: Session, now: datetime) -> None:
    """Forget effects of long ago."""
    store.delete_before(session, now - KEEP)


# Reading


def list_realised(session: Session, order_ids: list[int], wording: Wording) -> list[RealisedOut]:
    """What orders brought at the gates that they touched, or what is expected of them."""
    return [_realised_out(row, wording) for row in store.list_effects(session, order_ids)]


def read_record(session: Session, wording: Wording, now: datetime) -> str:
    """What the orders scored of late brought in all, in a sentence; empty if none was."""
    recent = [effect.realised_h["mean"] for effect in store.effects_scored(session, now - RECENT) if effect.realised_h]
    return wording.say_record(sum(recent), len(recent)) if recent else ""


def _realised_out(row: OrderEffect, wording: Wording) -> RealisedOut:
    realised = row.realised_h
    return RealisedOut(
        order_id=row.order_id,
        gate_id=row.gate_id,
        made_at=row.made_at,
        until=row.until,
        expected_h=RangeOut(**row.expected_h),
        realised_h=None if realised is None else RangeOut(**realised),
        scored_at=row.scored_at,
        text=wording.say_realised(row.gate_id, row.expected_h, realised, row.until, is_over=row.scored_at is not None),
    )
