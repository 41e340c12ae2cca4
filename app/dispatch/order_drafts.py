"""An order before it is issued: what it would do, to whom, and whether it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from app.dispatch import compliance, store, texts
from app.dispatch.selection import Selection, check_selection, take_nearest
from app.dispatch.vocabulary import OrderKind
from app.gates.service import profiles
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
    """Trucks let go in groups: `veh` at once, then as many every `every_s` seconds, the nearest first."""

    veh: int
    every_s: int


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


# Composing


def preview(session: Session, draft: Draft, places: Places, now: datetime) -> dict[str, Any]:
    """Who would get an order and what it would say; nothing is sent.

    Raises
    ------
    InvalidInputError
        If the draft cannot be issued; only a selection that meets no truck is no error here.
    """
    valid_from = check_draft(draft, places, now)
    trucks = find_recipients(session, draft, places, now)
    release = release_times(draft, valid_from, len(trucks))
    return {
        "valid_from": valid_from,
        "valid_to": draft.valid_to,
        "text": texts_of(draft, places, now),
        "recipients": [
            {
                "vehicle_id": truck.vehicle_id,
                "plate": truck.plate,
                "trip_id": truck.trip_id,
                "road": truck.road,
                "km": truck.km,
                "lon": truck.lon,
                "lat": truck.lat,
                "position_time": truck.time,
                "gate_id": truck.gate_id,
                "goods_class": truck.goods_class,
                "perishable": truck.perishable,
                "stage": truck.stage,
                "has_driver": truck.driver_id is not None,
                "has_device": truck.has_device,
                "is_past": is_past(draft, places, truck),
                "release_at": release_at,
            }
            for truck, release_at in zip(trucks, release, strict=True)
        ],
    }


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
    targets: dict[str, tuple[str, Mapping[str, Any]]] = {
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


def find_recipients(session: Session, draft: Draft, places: Places, now: datetime) -> list[Any]:
    trucks = take_nearest(store.select_vehicles(session, draft.selection, now), draft.selection, places)
    if draft.kind == "divert":
        _check_gate_takes(session, draft.gate_id or "", trucks, now)
    return trucks


def _check_gate_takes(session: Session, gate_id: str, trucks: Sequence[Any], now: datetime) -> None:
    """Refuse to divert trucks to a gate that does not take what they carry, or the regime it goes under."""
    profile = profiles(session, now).get(gate_id)
    refused = [
        truck.plate for truck in trucks if profile is not None and not profile.takes(truck.regime, truck.goods_class)
    ]
    if refused:
        raise InvalidInputError(
            "The gate {gate} does not take the goods or the regime of {count} trucks ({plates}); leave them out.",
            field="gate_id",
            gate=gate_id,
            count=len(refused),
            plates=", ".join(refused[:MAX_PLATES_NAMED]) + ("…" if len(refused) > MAX_PLATES_NAMED else ""),
        )


def release_times(draft: Draft, valid_from: datetime, count: int) -> list[datetime]:
    if draft.release is None:
        return [valid_from] * count
    times = [
        valid_from + timedelta(seconds=draft.release.every_s) * (rank // draft.release.veh) for rank in range(count)
    ]
    if times and times[-1] >= draft.valid_to:
        raise InvalidInputError(
            "The last of {count} trucks would be let go at {last}, after the order ends; let it hold longer, or let "
            "larger groups go.",
            field="valid_to",
            count=count,
            last=times[-1].isoformat(),
        )
    return times


def is_past(draft: Draft, places: Places, truck: Any) -> bool:
    margin_km = compliance.DEFAULT_RULES.pass_km
    return draft.kind == OrderKind.HOLD and compliance.is_past(
        places, draft.site_id or "", truck.road, truck.km, margin_km
    )


def texts_of(draft: Draft, places: Places, now: datetime) -> dict[str, str]:
    site_id = draft.site_id or draft.gate_id or draft.yard_id
    names = {locale: places.name(site_id, locale) for locale in texts.LOCALES} if site_id else {}
    return texts.render(draft.kind, names, draft.valid_to, draft.reason, now, edited=draft.text)


def parameters_of(draft: Draft) -> dict[str, Any]:
    named = {name: getattr(draft, name) for name in ("site_id", "gate_id", "yard_id")}
    release = {"release": {"veh": draft.release.veh, "every_s": draft.release.every_s}} if draft.release else {}
    return {"reason": draft.reason, **{name: value for name, value in named.items() if value}, **release}


def selection_record(wanted: Selection) -> dict[str, Any]:
    """The form in which a selection is kept and shown; what was left out stays out."""
    stretch = wanted.stretch
    record: dict[str, Any] = {
        "stretch": None
        if stretch is None
        else {
            "road": stretch.road,
            "km_from": stretch.km_from,
            "km_to": stretch.km_to,
            "direction": {1: "to_border", -1: "from_border"}.get(stretch.direction, "both"),
        },
        "gate_id": wanted.gate_id,
        "area": wanted.area,
        "site_id": wanted.site_id,
        "goods_classes": list(wanted.goods_classes),
        "perishable": wanted.perishable,
        "regimes": list(wanted.regimes),
        "stages": list(wanted.stages),
        "vehicle_ids": None if wanted.vehicle_ids is None else list(wanted.vehicle_ids),
        "limit_veh": wanted.limit_veh,
    }
    return {name: value for name, value in record.items() if value is not None and value != []}
