"""An order before it is issued: what it would do, to whom, and whether it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.dispatch import compliance, texts
from app.dispatch.order_policy import ORDER_POLICY, OrderPolicy
from app.dispatch.records import ParametersRecord, SelectionRecord
from app.dispatch.selection import Selection, check_selection, take_nearest
from app.dispatch.selection_store import SelectedTruck, select_vehicles
from app.dispatch.vocabulary import OrderKind
from app.gates.service import profiles
from app.trips.place_need import hazards_of
from app.trips.places import Places
from geo.errors import InvalidInputError

MAX_DURATION: Final = timedelta(hours=72)
MIN_DURATION: Final = timedelta(minutes=1)
LATE_START: Final = timedelta(minutes=5)
"""A beginning this far back is taken for now: the composer was open for a while."""
MAX_REASON_LENGTH: Final = 300
MAX_PLATES_NAMED: Final = 5


@dataclass(frozen=True)
class Release:
    """Trucks let go in groups: `veh` at once, then as many every `every_s` seconds, the nearest first.

    `groups`, where given, are the sizes of the groups one after the other, some of them 0; the last goes on until
    nobody is left.
    """

    veh: int
    every_s: int
    groups: tuple[int, ...] = ()

    def ranks(self, count: int) -> list[int]:
        """The number of the group in which each of `count` trucks goes, the first in line first."""
        if not self.groups:
            return [rank // self.veh for rank in range(count)]
        planned = [number for number, veh in enumerate(self.groups) for _ in range(veh)]
        left = range(count - len(planned))
        return (planned + [len(self.groups) + rank // self.veh for rank in left])[:count]


@dataclass(frozen=True)
class Draft:
    """An order as it is composed.

    Arguments: `site_id`, the staging area of a hold; `gate_id`, where a divert leads; `yard_id`, the yard of a yard
    order; `reason`, a code of `texts.REASONS` or free text; `text`, templates by language in place of the standard
    ones; `valid_from`, `None` for at once; `supersedes`, an order that this one replaces for everyone.
    """

    kind: str
    selection: Selection
    valid_to: datetime
    valid_from: datetime | None = None
    site_id: str | None = None
    gate_id: str | None = None
    yard_id: str | None = None
    reason: str = ""
    text: Mapping[str, str] = field(default_factory=dict)
    release: Release | None = None
    supersedes: int | None = None
    advisory_id: int | None = None


@dataclass(frozen=True)
class PreviewRecipient:
    """A truck that would get an order, and when its own part begins (`release_at`).

    `is_past` tells that it has driven by where it should wait; places are those of its last position (EPSG:4326).
    """

    vehicle_id: int
    plate: str
    trip_id: int | None
    gate_id: str | None
    goods_class: str | None
    perishable: bool | None
    stage: str | None
    road: str | None
    km: float | None
    lon: float | None
    lat: float | None
    position_time: datetime | None
    has_driver: bool
    has_device: bool
    is_past: bool
    release_at: datetime


@dataclass(frozen=True)
class Preview:
    """What an order would say by language, and who would get it; whether a second person must release it, and in how
    many groups it is told."""

    valid_from: datetime
    valid_to: datetime
    text: Mapping[str, str]
    recipients: Sequence[PreviewRecipient]
    needs_second: bool
    groups: int
    group_veh: int
    group_every_s: int


# Composing


def preview(session: Session, draft: Draft, places: Places, now: datetime) -> Preview:
    """Who would get an order and what it would say; nothing is sent.

    Raises
    ------
    InvalidInputError
        If the draft cannot be issued; only a selection that meets no truck is no error here.
    """
    valid_from = check_draft(draft, places, now)
    trucks = find_recipients(session, draft, places, now)
    release = release_times(draft, valid_from, len(trucks))
    recipients = [
        PreviewRecipient(
            vehicle_id=truck.vehicle_id,
            plate=truck.plate,
            trip_id=truck.trip_id,
            gate_id=truck.gate_id,
            goods_class=truck.goods_class,
            perishable=truck.perishable,
            stage=truck.stage,
            road=truck.road,
            km=truck.km,
            lon=truck.lon,
            lat=truck.lat,
            position_time=truck.position_time,
            has_driver=truck.driver_id is not None,
            has_device=truck.has_device,
            is_past=is_past(draft, places, truck),
            release_at=release_at,
        )
        for truck, release_at in zip(trucks, release, strict=True)
    ]
    policy = ORDER_POLICY.get(session).value
    told = tell_times(policy, draft, len(trucks), now)
    return Preview(
        valid_from=valid_from,
        valid_to=draft.valid_to,
        text=texts_of(draft, places, now),
        recipients=recipients,
        needs_second=policy.needs_second(len(trucks)),
        groups=1 if told is None else len(set(told)),
        group_veh=policy.group_veh,
        group_every_s=policy.group_every_s,
    )


# Pieces


def check_draft(draft: Draft, places: Places, now: datetime) -> datetime:
    """The beginning of a draft, if all of it can be accepted."""
    if OrderKind.lookup(draft.kind) is None:
        raise InvalidInputError("There is no kind of order {kind}.", field="kind", kind=draft.kind)
    check_selection(draft.selection, places)
    texts.check_edited(draft.text)
    valid_from = now if draft.valid_from is None else draft.valid_from
    if valid_from < now - LATE_START:
        raise InvalidInputError(
            "The order begins at {value}, which is over; leave valid_from out to begin at once.",
            field="valid_from",
            value=valid_from.isoformat(),
        )
    valid_from = max(valid_from, now)
    if draft.valid_to < valid_from + MIN_DURATION or draft.valid_to > valid_from + MAX_DURATION:
        raise InvalidInputError(
            "The order would hold from {start} to {end}; let it hold for 1 minute to {hours} hours.",
            field="valid_to",
            start=valid_from.isoformat(),
            end=draft.valid_to.isoformat(),
            hours=int(MAX_DURATION.total_seconds() // 3600),
        )
    if len(draft.reason) > MAX_REASON_LENGTH:
        raise InvalidInputError(
            "The reason has {length} characters; shorten it to {most}.",
            field="reason",
            length=len(draft.reason),
            most=MAX_REASON_LENGTH,
        )
    if draft.kind == OrderKind.NOTICE and not draft.reason and not draft.text:
        raise InvalidInputError("A notice needs a text; write what drivers shall know.", field="reason")
    targets: dict[str, tuple[str, Mapping[str, object]]] = {
        OrderKind.HOLD: ("site_id", places.staging),
        OrderKind.DIVERT: ("gate_id", places.gates),
        OrderKind.YARD: ("yard_id", places.yard_gates),
    }
    if draft.kind in targets:
        name, known = targets[draft.kind]
        if getattr(draft, name) not in known:
            raise InvalidInputError(
                "An order of kind {kind} needs {name}, one of {known}; it has {value}.",
                field=name,
                kind=draft.kind,
                name=name,
                known=", ".join(sorted(known)),
                value=getattr(draft, name),
            )
    release = draft.release
    if release is not None and (draft.kind != OrderKind.PROCEED or release.veh < 1 or release.every_s < 60):
        raise InvalidInputError(
            "Only an order to proceed lets trucks go in groups, of 1 or more, at least 60 s apart.", field="release"
        )
    return valid_from


def find_recipients(session: Session, draft: Draft, places: Places, now: datetime) -> list[SelectedTruck]:
    trucks = take_nearest(select_vehicles(session, draft.selection, now), draft.selection, places)
    if draft.kind == "divert":
        _check_gate_takes(session, draft.gate_id or "", trucks, now)
    return trucks


def _check_gate_takes(session: Session, gate_id: str, trucks: Sequence[SelectedTruck], now: datetime) -> None:
    """Refuse to divert trucks to a gate that does not take what they carry, or the regime it goes under."""
    profile = profiles(session, now).get(gate_id)
    refused = [
        truck.plate
        for truck in trucks
        if profile is not None
        and not profile.takes(truck.regime, truck.goods_class, hazards=hazards_of(truck.facts or {}))
    ]
    if refused:
        raise InvalidInputError(
            "{gate} does not take the goods or the regime of {count} trucks ({plates}); leave them out.",
            field="gate_id",
            gate=gate_id,
            count=len(refused),
            plates=", ".join(refused[:MAX_PLATES_NAMED]) + ("…" if len(refused) > MAX_PLATES_NAMED else ""),
        )


def release_times(draft: Draft, valid_from: datetime, count: int) -> list[datetime]:
    if draft.release is None:
        return [valid_from] * count
    times = [valid_from + timedelta(seconds=draft.release.every_s) * number for number in draft.release.ranks(count)]
    if times and times[-1] >= draft.valid_to:
        raise InvalidInputError(
            "The last of {count} trucks would be let go at {last}, after the order ends; let it hold longer, or let "
            "larger groups go.",
            field="valid_to",
            count=count,
            last=times[-1].isoformat(),
        )
    return times


def tell_times(policy: OrderPolicy, draft: Draft, count: int, now: datetime) -> list[datetime] | None:
    """When each truck of an order is told of it, the nearest first; `None`: all at once.

    Raises
    ------
    InvalidInputError
        If the last would be told after the order ends.
    """
    times = policy.tell_times(draft.kind, count, has_release=draft.release is not None, now=now)
    if times and times[-1] >= draft.valid_to:
        raise InvalidInputError(
            "The last of {count} trucks would be told at {last}, after the order ends: they are told in groups of "
            "{group}. Let it hold longer, or choose fewer trucks.",
            field="valid_to",
            count=count,
            last=times[-1].isoformat(),
            group=policy.group_veh,
        )
    return times


def is_past(draft: Draft, places: Places, truck: SelectedTruck) -> bool:
    margin_km = compliance.DEFAULT_RULES.pass_km
    return draft.kind == OrderKind.HOLD and compliance.is_past(
        places, draft.site_id or "", truck.road, truck.km, margin_km
    )


def texts_of(draft: Draft, places: Places, now: datetime) -> dict[str, str]:
    site_id = draft.site_id or draft.gate_id or draft.yard_id
    names = {locale: places.name(site_id, locale) for locale in texts.LOCALES} if site_id else {}
    return texts.render(draft.kind, names, draft.valid_to, draft.reason, now, edited=draft.text)


def parameters_of(draft: Draft) -> ParametersRecord:
    found: ParametersRecord = {"reason": draft.reason}
    if draft.site_id:
        found["site_id"] = draft.site_id
    if draft.gate_id:
        found["gate_id"] = draft.gate_id
    if draft.yard_id:
        found["yard_id"] = draft.yard_id
    if draft.release:
        found["release"] = {"veh": draft.release.veh, "every_s": draft.release.every_s}
        if draft.release.groups:
            found["release"]["groups"] = list(draft.release.groups)
    return found


def selection_record(wanted: Selection) -> SelectionRecord:
    """The form in which a selection is kept and shown; what was left out stays out."""
    found: SelectionRecord = {}
    if wanted.stretch is not None:
        found["stretch"] = {
            "road": wanted.stretch.road,
            "km_from": wanted.stretch.km_from,
            "km_to": wanted.stretch.km_to,
            "direction": {1: "to_border", -1: "from_border"}.get(wanted.stretch.direction, "both"),
        }
    if wanted.gate_id is not None:
        found["gate_id"] = wanted.gate_id
    if wanted.area is not None:
        found["area"] = dict(wanted.area)
    if wanted.site_id is not None:
        found["site_id"] = wanted.site_id
    if wanted.goods_classes:
        found["goods_classes"] = list(wanted.goods_classes)
    if wanted.perishable is not None:
        found["perishable"] = wanted.perishable
    if wanted.regimes:
        found["regimes"] = list(wanted.regimes)
    if wanted.stages:
        found["stages"] = list(wanted.stages)
    if wanted.vehicle_ids:
        found["vehicle_ids"] = list(wanted.vehicle_ids)
    if wanted.limit_veh is not None:
        found["limit_veh"] = wanted.limit_veh
    return found
