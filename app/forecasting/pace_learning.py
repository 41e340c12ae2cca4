"""How many exports a gate usually lets in an hour, for what lies days ahead: as learned where that is surer than what
is set. What the gate does just now is the forecast's (`routing.pace`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from app.forecasting import pace_store
from app.forecasting.pace_store import LearnedPace
from routing.gates import GateSetting
from routing.pace import PRIOR_SD, GatePace, aged_log_sd, usual_rate

SURE_LOG_SD: Final = PRIOR_SD / 2.0
"""A learned pace counts when it is twice as sure as a set one (assumed)."""
BAND_SD: Final = 1.2816
"""Standard deviations to the quantiles 0.1 and 0.9 of a normal distribution."""


@dataclass(frozen=True)
class UsualPace:
    """Exports an hour that a gate usually lets in, with the range of 8 in 10; `served_veh`, of how many trucks it was
    learned when, 0 and `None` where it is what is set."""

    veh_per_h: float
    low_veh_per_h: float
    high_veh_per_h: float
    served_veh: float = 0.0
    learned_at: datetime | None = None

    @property
    def is_learned(self) -> bool:
        """Whether it is not what is set."""
        return self.learned_at is not None


def learn(session: Session, pace: Mapping[str, GatePace], settings: Sequence[GateSetting], now: datetime) -> int:
    """Keep what the filter knows of the usual pace of each gate, where that is surer by now than what was kept; of how
    many gates."""
    kept = pace_store.learned_paces(session)
    found = {}
    for setting in settings:
        own = pace.get(setting.gate_id)
        if setting.direction != "export" or own is None or own.served_veh <= 0.0:
            continue
        before = kept.get(setting.gate_id)
        if before is None or own.usual_log_sd <= _log_sd(before, now):
            found[setting.gate_id] = LearnedPace(
                learned_at=now,
                usual_veh_per_h=own.usual_veh_per_h,
                log_sd=own.usual_log_sd,
                set_veh_per_h=usual_rate(setting),
                served_veh=own.served_veh,
            )
    pace_store.save_paces(session, found)
    return len(found)


def find_pace(session: Session, setting: GateSetting, now: datetime) -> UsualPace:
    """The pace to count on at a gate that is set so. A set pace that has been changed changes the learned one alike."""
    set_veh_per_h = usual_rate(setting)
    known = pace_store.learned_paces(session).get(setting.gate_id)
    if known is None or (log_sd := _log_sd(known, now)) > SURE_LOG_SD:
        return _pace(set_veh_per_h, PRIOR_SD)
    return _pace(known.usual_veh_per_h * set_veh_per_h / known.set_veh_per_h, log_sd, known)


def _pace(veh_per_h: float, log_sd: float, known: LearnedPace | None = None) -> UsualPace:
    low, high = (float(veh_per_h * np.exp(sign * BAND_SD * log_sd)) for sign in (-1.0, 1.0))
    if known is None:
        return UsualPace(veh_per_h, low, high)
    return UsualPace(veh_per_h, low, high, known.served_veh, known.learned_at)


def _log_sd(known: LearnedPace, now: datetime) -> float:
    return aged_log_sd(known.log_sd, (now - known.learned_at).total_seconds())
