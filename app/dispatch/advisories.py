"""Advice that stands: kept up to date each minute, shown to the traffic police, taken or dismissed by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Protocol, TypedDict

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from app.dispatch import advice_outcomes, advice_tellings, advisory_store, wording
from app.dispatch.advice import advise
from app.dispatch.advice_changes import find_change, told_of
from app.dispatch.advice_inputs import Advice, GateOutlook, Message, Outlook, Truck, YardOutlook
from app.dispatch.advice_outcomes import HitRate
from app.dispatch.advisory_store import AdvisoryLine
from app.dispatch.policy import POLICY
from app.dispatch.records import MeasureRecord, MessageRecord
from app.dispatch.schemas import AdvisoryColumns, AdvisoryOut, CauseOut, HitRateOut, MeasureOut, TellingOut
from app.dispatch.severity import steady_severity
from app.dispatch.tables import AdviceTelling, Advisory
from app.dispatch.vocabulary import AdviceKind, AdvisoryStatus, Severity
from app.dispatch.wording import Gettext
from app.gates.profile import GateProfile
from app.gates.service import profiles
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.outbox import Audience
from app.platform.paging import Page, PageRequest, paginate
from app.trips.place_need import hazards_of
from app.trips.places import Places
from capacity.store import list_yards
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.opening_hours import OpeningHours

POLICE: Final = ("traffic_police",)
SEEN_WITHIN: Final = timedelta(minutes=30)
MAX_REASON_LENGTH: Final = 300

FloatArray = npt.NDArray[np.float64]


class ForecastLike(Protocol):
    """What advice needs of `routing.forecast.Forecast`."""

    @property
    def made_at(self) -> datetime: ...
    @property
    def step_s(self) -> float: ...
    @property
    def quantiles(self) -> tuple[float, ...]: ...
    @property
    def gate_ids(self) -> tuple[str, ...]: ...
    @property
    def yard_ids(self) -> tuple[str, ...]: ...
    @property
    def queue_veh(self) -> FloatArray: ...
    @property
    def wait_s(self) -> FloatArray: ...
    @property
    def tail_km(self) -> FloatArray: ...
    @property
    def tail_reached_km(self) -> FloatArray: ...
    @property
    def occupancy_veh(self) -> FloatArray: ...
    @property
    def pace_veh_per_h(self) -> Mapping[str, float]: ...


# Each minute


def refresh(
    session: Session, forecast: ForecastLike, now: datetime, *, places: Places, forecast_id: int | None = None
) -> int:
    """Bring the advice in line with a new forecast; how many advisories came, changed in weight or went.

    What is advised again is updated in place; what is not, stands until it has been absent for the policy's
    `clear_after_s`, and is then over. One that was dismissed stays so unless it becomes more severe.
    """
    policy = POLICY.get(session).value
    standing = {
        (advisory.gate_id, advisory.kind): advisory
        for advisory in advisory_store.standing_advisories(session, lock=True)
    }
    still = {
        key: advice_outcomes.place_and_threshold(advisory.kind, advisory.gate_id, advisory.values)[1]
        for key, advisory in standing.items()
        if now - advisory.seen_at <= timedelta(seconds=policy.clear_after_s)
    }
    found = advise(read_outlook(session, forecast, now), policy, places, now, still)
    news = 0
    for advice in found:
        news += _keep(session, standing.pop((advice.gate_id, advice.kind), None), advice, forecast_id, now)
    for advisory in standing.values():
        if now - advisory.seen_at >= timedelta(seconds=policy.clear_after_s):
            _end(session, advisory, now)
            news += 1
    return news


def read_outlook(session: Session, forecast: ForecastLike, now: datetime) -> Outlook:
    """A forecast together with how gates and yards work and the trucks on the way."""
    known = profiles(session, now)
    capacities = {yard.yard_id: (yard.gate_id, yard.capacity_veh) for yard in list_yards(session)}
    gates: dict[str, GateOutlook] = {}
    for index, gate_id in enumerate(forecast.gate_ids):
        profile = known.get(gate_id)
        opens_at, closes_at = (None, None) if profile is None else next_hours(profile.exports.opening_hours, now)
        gates[gate_id] = GateOutlook(
            gate_id,
            forecast.queue_veh[:, index],
            forecast.wait_s[:, index],
            forecast.tail_km[:, index],
            forecast.tail_reached_km[:, index],
            forecast.pace_veh_per_h.get(gate_id, _service(profile)),
            profile=profile,
            opens_at=opens_at,
            closes_at=closes_at,
        )
    yards = {
        yard_id: YardOutlook(yard_id, *capacities[yard_id], forecast.occupancy_veh[:, index])
        for index, yard_id in enumerate(forecast.yard_ids)
        if yard_id in capacities
    }
    trucks = [
        Truck(
            row.gate_id,
            row.perishable,
            row.road,
            row.km,
            row.direction,
            row.site_id,
            regime=row.regime,
            goods_class=row.goods_class,
            hazards=hazards_of(row.facts),
        )
        for row in advisory_store.trucks_ahead(session, now - SEEN_WITHIN)
    ]
    return Outlook(forecast.made_at, forecast.step_s, forecast.quantiles, gates, yards, trucks)


def next_hours(hours: OpeningHours, now: datetime) -> tuple[datetime | None, datetime | None]:
    """When a gate opens next (`None`: it is open, or never opens again) and closes after that (`None`: never)."""
    opens_at = hours.next_open(now)
    closes_at = None if opens_at is None else hours.next_close(opens_at)
    return (None if opens_at == now else opens_at), closes_at


def _service(profile: GateProfile | None) -> float:
    """Rate of the server that holds a gate up: the slower of its entrance and its crossing."""
    if profile is None:
        return 0.0
    return min(server.rate_veh_per_h() for server in profile.exports.compile("", "export").servers())


def _keep(session: Session, present: Advisory | None, advice: Advice, forecast_id: int | None, now: datetime) -> int:
    """Write an advice down, in place of the one that stands; 1 if people should look at it."""
    if present is not None and advice.level is not None:
        steady = steady_severity(advice.level, Severity.get(present.severity))
        advice = replace(advice, severity=steady or Severity.NOTICE)
    values = _columns(advice, forecast_id)
    if (
        present is not None
        and present.status == AdvisoryStatus.DISMISSED
        and _weight(advice.severity) > _weight(present.severity)
    ):
        _end(session, present, now)
        present = None
    if present is None:
        fresh = {**values, "made_at": now, "seen_at": now, "status": AdvisoryStatus.OPEN, "told": told_of(advice)}
        advisory_id = advisory_store.insert_advisory(session, fresh)
        advice_outcomes.keep(session, advisory_id, advice, now)
        advice_tellings.keep(session, advisory_id, fresh, now, is_news=True)
        _emit(session, advisory_id, advice.gate_id, AdvisoryStatus.OPEN, now)
        return 1
    is_news = present.severity != advice.severity or values["values"].get("by") != present.values.get("by")
    if present.status == AdvisoryStatus.DISMISSED:
        values["severity"] = present.severity  # the weight at which it was dismissed
    told = told_of(advice)
    change = find_change(present.told, told, now)
    news: dict[str, object] = {} if change is None else {"told": told, "change": change, "changed_at": now}
    advisory_store.update_advisory(session, present.advisory_id, {**values, **news, "seen_at": now})
    advice_tellings.keep(session, present.advisory_id, values, now, is_news=change is not None)
    if is_news and present.status != AdvisoryStatus.DISMISSED:
        _emit(session, present.advisory_id, advice.gate_id, present.status, now)
        return 1
    return 0


def _end(session: Session, present: Advisory, now: datetime) -> None:
    status = AdvisoryStatus.OVER if present.status == AdvisoryStatus.OPEN else present.status
    values = {"over_at": now, "status": status, "version": present.version + 1}
    advisory_store.update_advisory(session, present.advisory_id, values)
    _emit(session, present.advisory_id, present.gate_id, AdvisoryStatus.OVER, now)


class _AdvisoryValues(TypedDict):
    """The columns that each minute's advice sets."""

    gate_id: str
    kind: str
    severity: str
    until: datetime
    probability: float
    forecast_id: int | None
    values: JsonObject
    cause: list[MessageRecord]
    measure: list[MeasureRecord]


def _columns(advice: Advice, forecast_id: int | None) -> _AdvisoryValues:
    return {
        "gate_id": advice.gate_id,
        "kind": advice.kind,
        "severity": advice.severity,
        "until": advice.until,
        "probability": round(advice.probability, 4),
        "forecast_id": forecast_id,
        "values": {"code": advice.message.code, "by": advice.by.isoformat(), **advice.message.values},
        "cause": [_message(cause) for cause in advice.causes],
        "measure": [
            {"kind": measure.kind, "message": _message(measure.message), "draft": measure.draft}
            for measure in advice.measures
        ],
    }


def _message(message: Message) -> MessageRecord:
    return {"code": message.code, "values": dict(message.values)}


def _weight(severity: str) -> int:
    return list(Severity).index(Severity.get(severity))


def _emit(session: Session, advisory_id: int, gate_id: str, status: str, now: datetime) -> None:
    data = {"advisory_id": advisory_id, "gate_id": gate_id, "status": status}
    outbox.publish_event(session, "advisory", Audience(roles=POLICE), data, at=now)


# Reading and deciding


def list_advisories(
    session: Session, reader: Reader, *, current: bool, gate_id: str | None, page: PageRequest
) -> Page[AdvisoryOut]:
    """A page of advisories, newest first."""
    rows = advisory_store.list_advisories(
        session, standing_only=current, gate_id=gate_id, before=page.before, limit=page.fetch
    )
    return paginate(rows, page, "advisory_id", reader.describe)


def list_tellings(session: Session, reader: Reader, begin: datetime, end: datetime) -> list[TellingOut]:
    """What advice told in a time, as `advice_tellings.list_tellings` has it."""
    return [reader.describe_telling(told) for told in advice_tellings.list_tellings(session, begin, end)]


def get_advisory(session: Session, reader: Reader, advisory_id: int) -> AdvisoryOut:
    """One advisory; raises NotFoundError."""
    row = advisory_store.find_advisory(session, advisory_id)
    if row is None:
        raise _no_advisory(advisory_id)
    return reader.describe(row)


def decide(action: ActionContext, advisory_id: int, decision: str, reason: str) -> None:
    """Take an advisory ("taken") or dismiss it ("dismissed", with a reason); the same again changes nothing.

    Raises
    ------
    NotFoundError
        If there is none.
    InvalidInputError
        If it is dismissed without a reason.
    ConflictError
        If it is over or somebody decided otherwise.
    """
    tidy = " ".join(reason.split())
    if len(tidy) > MAX_REASON_LENGTH or (decision == AdvisoryStatus.DISMISSED and not tidy):
        raise InvalidInputError(
            "The reason has {length} characters; say in 1 to {most} why the advice is not followed.",
            field="reason",
            length=len(tidy),
            most=MAX_REASON_LENGTH,
        )
    advisory = advisory_store.lock_advisory(action.session, advisory_id)
    if advisory is None:
        raise _no_advisory(advisory_id)
    before = advisory.status
    if before == decision:
        return
    if before != AdvisoryStatus.OPEN:
        raise ConflictError("The advice {advisory_id} is already {state}.", advisory_id=advisory_id, state=before)
    values = {
        "status": decision,
        "decided_by": action.actor.account_id,
        "decided_at": action.now,
        "reason": tidy or None,
    }
    advisory_store.update_advisory(action.session, advisory_id, {**values, "version": advisory.version + 1})
    _emit(action.session, advisory_id, advisory.gate_id, decision, action.now)
    verb = "advisories.take" if decision == AdvisoryStatus.TAKEN else "advisories.dismiss"
    action.record(verb, "advisory", advisory_id, {"status": before}, {"status": decision, "reason": tidy})


class Reader:
    """Puts advisories into a reader's language."""

    def __init__(
        self,
        gettext: Gettext,
        locale: str,
        places: Places,
        now: datetime,
        hit_rates: Mapping[AdviceKind, HitRate] = MappingProxyType({}),
    ) -> None:
        self.gettext, self.locale, self.places, self.now = gettext, locale, places, now
        self.hit_rates = hit_rates

    def describe(self, line: AdvisoryLine) -> AdvisoryOut:
        """An advisory with its texts."""
        advisory = line.advisory
        values = {**advisory.values, "probability": advisory.probability, "until": advisory.until.isoformat()}
        return AdvisoryOut(
            **dict(AdvisoryColumns.model_validate(advisory)),
            by=datetime.fromisoformat(str(advisory.values["by"])),
            text=self.say(str(advisory.values["code"]), values),
            cause=[self.cause(cause) for cause in advisory.cause],
            measure=[self.measure(measure) for measure in advisory.measure],
            decided_by=line.decider,
            hit_rate=self.hit_rate(AdviceKind.of(advisory.kind)),
            change=wording.say_change(advisory.change, advisory.changed_at, self.gettext, self.locale, self.now),
        )

    def describe_telling(self, told: AdviceTelling) -> TellingOut:
        """What an advisory told, in the words of its time."""
        values = {**told.values, "probability": told.probability, "until": told.until.isoformat()}
        code = str(told.values["code"])
        return TellingOut(
            advisory_id=told.advisory_id,
            told_at=told.told_at,
            severity=Severity.get(told.severity),
            probability=told.probability,
            text=wording.render(code, values, self.gettext, self.places, self.locale, told.told_at),
        )

    def hit_rate(self, kind: AdviceKind) -> HitRateOut | None:
        """How often recent advice of a kind came as told, if any was judged."""
        rate = self.hit_rates.get(kind)
        if rate is None or not rate.judged:
            return None
        text = wording.say_hit_rate(rate.right, rate.judged, rate.days, self.gettext)
        return HitRateOut(right=rate.right, judged=rate.judged, acted_on=rate.acted_on, days=rate.days, text=text)

    def cause(self, stored: MessageRecord) -> CauseOut:
        """A cause with its text."""
        return CauseOut(**stored, text=self.say(stored["code"], stored["values"]))

    def measure(self, stored: MeasureRecord) -> MeasureOut:
        """A measure with its text and the draft of its order."""
        message = stored["message"]
        text = self.say(message["code"], message["values"])
        return MeasureOut.model_validate({"kind": stored["kind"], "text": text, "draft": stored["draft"]})

    def say(self, code: str, values: Mapping[str, object]) -> str:
        """One message."""
        return wording.render(code, values, self.gettext, self.places, self.locale, self.now)


def _no_advisory(advisory_id: int) -> NotFoundError:
    return NotFoundError("There is no advice {advisory_id}.", advisory_id=advisory_id)
