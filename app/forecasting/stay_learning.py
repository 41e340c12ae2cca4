"""Stays in yards: learned again each hour from the ledger, and handed to whoever runs the engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.forecasting import stay_store
from app.forecasting.stays import StayEstimate, learn_stays, with_stays
from app.gates.service import gate_settings
from routing.gates import GateSetting

LEARNED_FROM: Final = timedelta(days=28)
LEARNED_EVERY: Final = timedelta(hours=1)
FEW_TRUCKS: Final = 50
LEARNED_EVERY_FROM_FEW: Final = timedelta(minutes=10)
"""With fewer trucks each new one matters, and learning from them costs little."""


def learn(session: Session, settings: Sequence[GateSetting], now: datetime) -> int:
    """Learn the stays of every gate, unless that was done lately; from how many trucks."""
    last = stay_store.learned_at(session)
    trucks = sum(estimate.trucks for estimate in stay_store.estimates(session).values())
    every = LEARNED_EVERY if trucks >= FEW_TRUCKS else LEARNED_EVERY_FROM_FEW
    if last is not None and last <= now < last + every:
        return 0
    found = learn_stays(stay_store.yard_stays(session, since=now - LEARNED_FROM, now=now), settings, now)
    stay_store.save_estimates(session, found, now)
    return sum(estimate.trucks for estimate in found.values())


def settings_now(session: Session, now: datetime) -> tuple[GateSetting, ...]:
    """All gates as the engine takes them, their profiles with the stays that were learned."""
    return with_stays(gate_settings(session, now), stay_store.estimates(session))


def find_estimate(session: Session, gate_id: str) -> StayEstimate | None:
    """What is known of the stays at a gate; None before the first minute."""
    return stay_store.estimates(session).get(gate_id)
