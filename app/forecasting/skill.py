"""How good forecasts have been: scores over the last days beside what they have to beat, and what is published now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.forecasting import skill_store
from app.forecasting.skill_store import SeriesLead, SkillSums, Standing
from app.forecasting.skill_vocabulary import Quantity, Source
from app.platform.shared_facts import SharedFact, read_shared
from capacity import store as capacity_store
from geo.clock import LOCAL_ZONE
from routing.queue_scores import gain

RECENT_DAYS: Final = 7
MAX_DAYS: Final = 60
MIN_JUDGED: Final = 10
"""With fewer forecasts scored nothing is said of bands, nor of who is better."""
HEADLINE_LEADS_S: Final = (7200, 3600, 1800, 900, 300, 10800, 21600)
"""The horizon of the sentence at the top: two hours, or the nearest that has been scored."""


@dataclass(frozen=True)
class Score:
    """How a source fared: mean absolute error, mean error (bias), pinball loss over the levels 0.1, 0.5, 0.9, CRPS from
    them, and the shares below, inside and above its 80 % band; in the quantity's unit."""

    source: Source
    n: int
    mae: float
    bias: float
    pinball: float
    crps: float
    coverage80: float
    below: float
    above: float

    @classmethod
    def of(cls, sums: SkillSums) -> Score:
        """The means of sums."""
        n = sums.n
        pinball = sums.pinball / (3 * n)
        below, above = sums.below_n / n, sums.above_n / n
        inside = 1.0 - below - above
        return cls(
            Source.get(sums.source), n, sums.abs_error / n, sums.error / n, pinball, 2.0 * pinball, inside, below, above
        )


@dataclass(frozen=True)
class LeadSkill:
    """The scores of a quantity so far ahead (or in one hour of the day, local time), and what is published now."""

    quantity: Quantity
    place_id: str
    lead_s: int
    hour: int | None
    scores: Mapping[Source, Score]
    published: Source = Source.MODEL
    since: datetime | None = None

    @property
    def issued(self) -> Score:
        """What was published."""
        return self.scores[Source.PUBLISHED]

    @property
    def best_rival(self) -> Score | None:
        """What came nearest of what it has to beat."""
        rivals = [self.scores[source] for source in self.quantity.rivals if source in self.scores]
        return min(rivals, key=lambda score: score.mae, default=None)

    @property
    def gain(self) -> float | None:
        """By which share what was published is below the error of the best rival."""
        rival = self.best_rival
        return None if rival is None else gain(self.issued.mae, rival.mae)

    @property
    def is_judged(self) -> bool:
        """Whether enough forecasts were scored to say more than how far they were off."""
        return self.issued.n >= MIN_JUDGED

    @property
    def is_lost(self) -> bool:
        """Whether something else than the model is published now."""
        return self.published is not Source.MODEL


@dataclass(frozen=True)
class Fallback:
    """Where the model has lost its skill: at these horizons `source` is published in its place.

    Errors are the mean absolute ones of late, of the horizon at which the model is worst.
    """

    quantity: Quantity
    place_id: str
    leads_s: tuple[int, ...]
    source: Source
    since: datetime | None
    model_error: float
    source_error: float


@dataclass(frozen=True)
class GateSkill:
    """A gate's skill over the last `days`; `headline` is the horizon that the sentence at the top is about."""

    gate_id: str
    days: int
    since: datetime
    leads: tuple[LeadSkill, ...]
    hours: tuple[LeadSkill, ...]
    fallbacks: tuple[Fallback, ...]

    def of(self, quantity: Quantity) -> list[LeadSkill]:
        """The horizons of a quantity, ascending."""
        return [lead for lead in self.leads if lead.quantity is quantity]

    def headline(self, quantity: Quantity = Quantity.QUEUE) -> LeadSkill | None:
        """The horizon to speak of; `None` before anything was scored."""
        return find_headline(self.of(quantity))


def find_headline(leads: Sequence[LeadSkill]) -> LeadSkill | None:
    """Of the horizons that were scored the one to speak of."""
    by_lead = {lead.lead_s: lead for lead in leads}
    known = [by_lead[lead] for lead in HEADLINE_LEADS_S if lead in by_lead]
    return next((lead for lead in known if lead.is_judged), known[0] if known else None)


def read_skill(
    session: Session,
    gate_id: str,
    now: datetime,
    *,
    days: int = RECENT_DAYS,
    quantities: Sequence[Quantity] = tuple(Quantity),
    by_hour: bool = True,
) -> GateSkill:
    """How good the forecasts of a gate, its yards and its trucks have been."""
    since = now - timedelta(days=days)
    places = [gate_id, *(yard.yard_id for yard in capacity_store.list_yards(session) if yard.gate_id == gate_id)]
    standings = skill_store.load_standings(session, places)

    def read(hours_in: str | None) -> tuple[LeadSkill, ...]:
        until = now + timedelta(hours=1)
        sums = skill_store.skill_sums(session, since, until, place_ids=places, quantities=quantities, hours_in=hours_in)
        return _leads(sums, standings)

    hours = read(LOCAL_ZONE.key) if by_hour else ()
    return GateSkill(gate_id, days, since, read(None), hours, find_fallbacks(standings, places))


def list_fallbacks(session: Session, place_ids: Sequence[str]) -> tuple[Fallback, ...]:
    """Where the model has lost its skill at some gates and yards."""
    return find_fallbacks(skill_store.load_standings(session, place_ids, only_lost=True), place_ids)


def list_fallbacks_of_drivers(session: Session, gate_id: str) -> tuple[Fallback, ...]:
    """Where the model has lost its skill in what a driver is told: the wait at a gate, and the own entry."""

    def load() -> tuple[Fallback, ...]:
        return tuple(lost for lost in list_fallbacks(session, [gate_id]) if lost.quantity in Quantity.of_drivers())

    return read_shared(session, SharedFact.FORECAST_TRACKS, ("drivers", gate_id), load)


def find_fallbacks(standings: Mapping[SeriesLead, Standing], place_ids: Iterable[str]) -> tuple[Fallback, ...]:
    """Where something else than the model is published, by quantity and source, in the order of the quantities."""
    lost: dict[tuple[str, Quantity, Source], list[tuple[int, Standing]]] = defaultdict(list)
    for series, standing in standings.items():
        if standing.published is not Source.MODEL and series.place_id in place_ids:
            lost[(series.place_id, series.quantity, standing.published)].append((series.lead_s, standing))
    found = []
    for (place_id, quantity, source), entries in lost.items():
        worst = max(
            (standing for _, standing in entries), key=lambda standing: standing.tracks[Source.MODEL].mean_error
        )
        found.append(
            Fallback(
                quantity=quantity,
                place_id=place_id,
                leads_s=tuple(sorted(lead for lead, _ in entries)),
                source=source,
                since=max((standing.since for _, standing in entries if standing.since), default=None),
                model_error=worst.tracks[Source.MODEL].mean_error,
                source_error=worst.tracks[source].mean_error,
            )
        )
    order = list(Quantity)
    return tuple(
        sorted(found, key=lambda fallback: (order.index(fallback.quantity), fallback.place_id, fallback.leads_s))
    )


def _leads(sums: Sequence[SkillSums], standings: Mapping[SeriesLead, Standing]) -> tuple[LeadSkill, ...]:
    groups: dict[tuple[SeriesLead, int], dict[Source, Score]] = defaultdict(dict)
    for line in sums:
        series = SeriesLead(Quantity.get(line.quantity), line.place_id, line.lead_s)
        groups[(series, line.hour)][Source.get(line.source)] = Score.of(line)
    found = []
    for (series, hour), scores in groups.items():
        if Source.PUBLISHED in scores:
            standing = standings.get(series, Standing({}))
            found.append(
                LeadSkill(
                    quantity=series.quantity,
                    place_id=series.place_id,
                    lead_s=series.lead_s,
                    hour=hour if hour >= 0 else None,
                    scores=scores,
                    published=standing.published,
                    since=standing.since,
                )
            )
    order = list(Quantity)
    return tuple(
        sorted(found, key=lambda lead: (order.index(lead.quantity), lead.place_id, lead.lead_s, lead.hour or 0))
    )
