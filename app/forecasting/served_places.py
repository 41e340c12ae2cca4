"""Where each gate serves trucks, by its profile, by today's passages, or as it was learned before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from app.forecasting.state_store import GatePassage
from app.gates.served_place import ServedPlace, learn_place
from app.gates.service import gate_settings, learned_places
from routing.gates import GateSetting


def learn_places(passages: Iterable[GatePassage], now: datetime) -> dict[str, ServedPlace]:
    """Gate → where trucks are served there by those that passed; gates of which too little is known are left out.

    Who has not gone on from its last stop yet may still wait there.
    """
    stops: dict[str, list[float]] = defaultdict(list)
    for passage in passages:
        if passage.stop_km is not None and passage.served_until is not None:
            stops[passage.gate_id].append(passage.stop_km)
    places = {gate_id: learn_place(own, now) for gate_id, own in stops.items()}
    return {gate_id: place for gate_id, place in places.items() if place is not None}


def served_places(
    settings: Iterable[GateSetting], learned: Mapping[str, ServedPlace], before: Mapping[str, ServedPlace]
) -> dict[str, ServedPlace]:
    """Gate → where its exports are served: as set, else as learned now, else as learned `before`."""
    told = {each.gate_id: each.served_km for each in settings if each.direction == "export"}
    return {**before, **learned} | {gate_id: ServedPlace(km) for gate_id, km in told.items() if km is not None}


def served_km_now(session: Session, now: datetime) -> dict[str, float]:
    """Gate → kilometre at which it serves exports, by its profile or as learned last; gates without are left out."""
    places = served_places(gate_settings(session, now), {}, learned_places(session))
    return {gate_id: place.km for gate_id, place in places.items()}
