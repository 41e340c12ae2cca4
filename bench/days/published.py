"""The queue as people see it: calibrated by the layer that the minute publishes with, or by what fared better.

A database keeps the checks until their hour comes; here a list does. One platform sees one day after another, so what
the layer has learned is kept from day to day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.forecasting.skill_publish import checks_of_series, correct_reached, publish_curve
from app.forecasting.skill_scoring import Scored, learn_standing
from app.forecasting.skill_store import Check, SeriesLead, Standing
from app.forecasting.skill_vocabulary import Quantity, Source
from routing.forecast import Forecast

Floats = NDArray[np.float64]


class PublishedQueue(NamedTuple):
    """Quantiles [3, T] of a queue as published, and of the most that it has come to by then."""

    queue_veh: Floats
    reached_veh: Floats


@dataclass
class Publisher:
    """What the platform has learned of its forecasts of queues, and those that wait for their hour."""

    standings: dict[SeriesLead, Standing] = field(default_factory=dict)
    waiting: list[Check] = field(default_factory=list)
    day: int = 0

    def begin_day(self) -> None:
        """A new day: what waited for an hour that nobody saw is dropped."""
        self.waiting = []
        self.day += 1

    def publish(self, predicted: Forecast, measured_veh: Mapping[str, float]) -> dict[str, PublishedQueue]:
        """By gate its queue as published; what was forecast of this moment is scored first."""
        dated = replace(predicted, made_at=predicted.made_at + timedelta(days=self.day))
        self._learn(dated, measured_veh)
        lead_s = np.arange(dated.queue_veh.shape[2]) * dated.step_s
        found = {}
        for index, gate_id in enumerate(dated.gate_ids):
            rivals = {Source.PERSISTENCE: np.full(lead_s.size, measured_veh[gate_id])}
            raw = dated.queue_veh[:, index]
            is_disturbed = gate_id in dated.disturbed_gates
            curve = publish_curve(
                self.standings, Quantity.QUEUE, gate_id, raw, lead_s, rivals, is_disturbed=is_disturbed
            )
            self.waiting += checks_of_series(curve, Quantity.QUEUE, gate_id, dated)
            reached = correct_reached(dated.queue_reached_veh[:, index], raw, curve.published)
            found[gate_id] = PublishedQueue(curve.published, reached)
        return found

    def _learn(self, dated: Forecast, measured_veh: Mapping[str, float]) -> None:
        now = dated.made_at
        due = [check for check in self.waiting if check.target_at == now]
        self.waiting = [check for check in self.waiting if check.target_at is not None and check.target_at > now]
        groups: dict[SeriesLead, list[Scored]] = defaultdict(list)
        for check in due:
            groups[check.series].append(Scored(check, measured_veh[check.place_id], now))
        for series, scored in groups.items():
            self.standings[series] = learn_standing(series, self.standings.get(series, Standing({})), scored, now)
