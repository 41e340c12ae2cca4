"""Orders of the traffic police: preview, issue, deliver, answer, cancel, replace, run out, judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.dispatch import advisory_store, compliance, store, texts
from app.dispatch.compliance import Demand, Evidence, Sighting
from app.dispatch.selection import Selection, check_selection, take_nearest
from app.dispatch.tables import OrderRecipient
from app.dispatch.vocabulary import AdvisoryStatus, Compliance, OrderKind, OrderStatus, RecipientStatus
from app.gates.service import profiles
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.outbox import Audience
from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal, Scope
from app.trips.places import Places
from app.trips.scope import visible_vehicles
from app.trips.service import redirect_trip
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version

LONGEST: Final = timedelta(hours=72)
SHORTEST: Final = timedelta(minutes=1)
LATE_START: Final = timedelta(minutes=5)
"""A beginning this far back is taken for now: the composer was open for a while."""
LONGEST_REASON: Final = 300
MAX_PLATES_NAMED: Final = 5
POLICE: Final = ("traffic_police",)


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
    valid_from = _check(draft, places, now)
    trucks = _recipients(session, draft, places, now)
    release = _release_times(draft, valid_from, len(trucks))
    return {
        "valid_from": valid_from,
        "valid_to": draft.valid_to,
        "text": _text(draft, places, now),
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
                "is_past": _is_past(draft, places, truck),
                "release_at": release_at,
            }
            for truck, release_at in zip(trucks, release, strict=True)
        ],
    }


def issue(action: ActionContext, draft: Draft, places: Places) -> int:
    """Send an order; its id. What it contradicts is replaced for each truck, in the same transaction.

    Raises
    ------
    InvalidInputError
        If the draft contradicts itself or meets no truck.
    ConflictError
        If the order it replaces no longer stands.
    """
    valid_from = _check(draft, places, action.now)
    trucks = _recipients(action.session, draft, places, action.now)
    if not trucks:
        raise InvalidInputError(
            "No truck meets the selection now; widen it and look at the preview.", field="selection"
        )
    if draft.supersedes is not None:
        _replace(action.session, draft.supersedes, action.now)
    release = _release_times(draft, valid_from, len(trucks))
    order = store.insert_order(
        action.session,
        {
            "kind": draft.kind,
            "selection": _stored_selection(draft.selection),
            "parameters": _parameters(draft),
            "text": _text(draft, places, action.now),
            "valid_from": valid_from,
            "valid_to": draft.valid_to,
            "issued_by": action.actor.account_id,
            "issued_at": action.now,
            "supersedes": draft.supersedes,
            "advisory_id": draft.advisory_id,
        },
    )
    store.insert_recipients(
        action.session,
        order.order_id,
        [
            {
                "vehicle_id": truck.vehicle_id,
                "trip_id": truck.trip_id,
                "driver_id": truck.driver_id,
                "release_at": release_at if draft.release else None,
                "compliance": Compliance.UNKNOWN
                if draft.kind == OrderKind.NOTICE or _is_past(draft, places, truck)
                else Compliance.PENDING,
                "evidence": Evidence(truck.road, truck.km).stored(),
            }
            for truck, release_at in zip(trucks, release, strict=True)
        ],
    )
    _emit_orders(action.session, {order.order_id: OrderStatus.ACTIVE}, action.now, more={"kind": draft.kind})
    _supersede(action.session, action.now)
    if draft.advisory_id is not None:
        _take_advisory(action.session, action.actor, draft.advisory_id, action.now)
    after = {
        "kind": order.kind,
        "parameters": order.parameters,
        "selection": order.selection,
        "text": order.text,
        "valid_from": valid_from.isoformat(),
        "valid_to": draft.valid_to.isoformat(),
        "vehicles": [truck.vehicle_id for truck in trucks],
    }
    action.record("orders.issue", "order", order.order_id, None, after)
    return order.order_id


# Reading


def list_orders(
    session: Session, principal: Principal, *, current: bool | None, page: PageRequest, now: datetime
) -> Page[dict[str, Any]]:
    """A page of orders the caller may see, newest first.

    A driver gets, unless told otherwise, only those that stand, and has thereby received them.
    """
    concerns = _concerns(principal, "orders.read", now)
    current = principal.may("orders.respond") if current is None else current
    rows = store.list_orders(session, concerns, standing_only=current, now=now, before=page.before, limit=page.fetch)
    shown = rows[: page.limit]
    ids = [row.DispatchOrder.order_id for row in shown]
    if principal.may("orders.respond") and concerns is not None:
        _deliver(session, ids, concerns, now)
    records = _describe(session, shown, concerns)
    if concerns is not None:
        _add_recipients(session, records, concerns)
    return Page(records, ids[-1] if len(rows) > page.limit else None)


def get_order(session: Session, principal: Principal, order_id: int, now: datetime) -> dict[str, Any]:
    """An order the caller may see, with those recipients that the caller may see.

    Raises
    ------
    NotFoundError
        If there is none for this caller.
    """
    concerns = _concerns(principal, "orders.read", now)
    row = store.find_order(session, order_id, concerns)
    if row is None:
        raise _no_order(order_id)
    records = _describe(session, [row], concerns)
    _add_recipients(session, records, concerns)
    return records[0]


def _describe(session: Session, rows: Sequence[Any], concerns: ColumnElement[bool] | None) -> list[dict[str, Any]]:
    ids = [row.DispatchOrder.order_id for row in rows]
    statuses: dict[int, dict[str, int]] = {one: dict.fromkeys(map(str, RecipientStatus), 0) for one in ids}
    verdicts: dict[int, dict[str, int]] = {one: dict.fromkeys(map(str, Compliance), 0) for one in ids}
    for count in store.count_recipients(session, ids, concerns) if ids else ():
        statuses[count.order_id][count.status] += count.recipients
        verdicts[count.order_id][count.compliance] += count.recipients
    return [
        {
            "order_id": order.order_id,
            "kind": order.kind,
            "selection": order.selection,
            "parameters": order.parameters,
            "text": order.text,
            "valid_from": order.valid_from,
            "valid_to": order.valid_to,
            "issued_by": row.issuer,
            "issued_at": order.issued_at,
            "status": order.status,
            "ended_at": order.ended_at,
            "supersedes": order.supersedes,
            "advisory_id": order.advisory_id,
            "version": order.version,
            "counts": {"total": sum(statuses[order.order_id].values()), **statuses[order.order_id]},
            "compliance": verdicts[order.order_id],
        }
        for row in rows
        for order in (row.DispatchOrder,)
    ]


def _add_recipients(session: Session, records: list[dict[str, Any]], concerns: ColumnElement[bool] | None) -> None:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in store.recipients_of(session, [record["order_id"] for record in records], concerns):
        one: OrderRecipient = row.OrderRecipient
        found[one.order_id].append(
            {
                "vehicle_id": one.vehicle_id,
                "plate": row.plate,
                "trip_id": one.trip_id,
                "driver": row.driver,
                "release_at": one.release_at,
                "status": one.status,
                "delivered_at": one.delivered_at,
                "responded_at": one.responded_at,
                "refusal_reason": one.refusal_reason,
                "superseded_by": one.superseded_by,
                "compliance": one.compliance,
                "judged_at": one.judged_at,
                "road": row.road,
                "km": row.km,
                "position_time": row.position_time,
            }
        )
    for record in records:
        record["recipients"] = found[record["order_id"]]


# The driver's side


def acknowledge(action: ActionContext, order_id: int) -> None:
    """The driver confirms. Confirming again changes nothing; a confirmed divert takes the trip to its new gate.

    Raises
    ------
    NotFoundError
        If the order did not go to this driver.
    ConflictError
        If it no longer stands.
    """
    order = _respond(action, order_id, RecipientStatus.ACKNOWLEDGED, None)
    if order is not None and order.DispatchOrder.kind == OrderKind.DIVERT and order.OrderRecipient.trip_id is not None:
        gate_id = order.DispatchOrder.parameters["gate_id"]
        redirect_trip(action.without_address(), order.OrderRecipient.trip_id, gate_id=gate_id, order_id=order_id)


def refuse(action: ActionContext, order_id: int, reason: str) -> None:
    """The driver cannot follow, and says why. Raises like `acknowledge`, and InvalidInputError without a reason."""
    tidy = " ".join(reason.split())
    if not 1 <= len(tidy) <= LONGEST_REASON:
        raise InvalidInputError(
            "The reason has {length} characters; say in 1 to {most} why you cannot follow.",
            field="reason",
            length=len(tidy),
            most=LONGEST_REASON,
        )
    _respond(action, order_id, RecipientStatus.REFUSED, tidy)


def deliver(session: Session, principal: Principal, order_id: int, *, now: datetime) -> None:
    """The driver's client shows the order; telling it again changes nothing. Raises NotFoundError."""
    concerns = visible_vehicles(principal, "orders.respond", OrderRecipient.vehicle_id, now=now)
    if store.find_recipient(session, order_id, concerns) is None:
        raise _no_order(order_id)
    _deliver(session, [order_id], concerns, now)


def _respond(action: ActionContext, order_id: int, status: str, reason: str | None) -> Any | None:
    """The recipient and order if the answer was new, `None` if it had been given before."""
    concerns = visible_vehicles(action.actor, "orders.respond", OrderRecipient.vehicle_id, now=action.now)
    row = store.find_recipient(action.session, order_id, concerns)
    if row is None:
        raise _no_order(order_id)
    vehicle_id, before = row.OrderRecipient.vehicle_id, row.OrderRecipient.status
    if not store.respond(action.session, order_id, vehicle_id, status=status, reason=reason, now=action.now):
        row = store.find_recipient(action.session, order_id, concerns)
        if row is not None and row.OrderRecipient.status == status:
            return None
        raise _over(row, order_id, action.now)
    _emit_response(action.session, order_id, vehicle_id, status, reason, action.now)
    action.record(
        f"orders.{'acknowledge' if status == RecipientStatus.ACKNOWLEDGED else 'refuse'}",
        "order",
        order_id,
        {"vehicle_id": vehicle_id, "status": before},
        {"vehicle_id": vehicle_id, "status": status, **({"reason": reason} if reason else {})},
    )
    return row


def _over(row: Any, order_id: int, now: datetime) -> ConflictError:
    recipient, order = row.OrderRecipient, row.DispatchOrder
    if recipient.status == RecipientStatus.SUPERSEDED:
        return ConflictError(
            "The order {order_id} was replaced by the order {newer}; answer that one.",
            order_id=order_id,
            newer=recipient.superseded_by,
            state=RecipientStatus.SUPERSEDED,
        )
    state = order.status if order.status != OrderStatus.ACTIVE else recipient.status
    if order.status == OrderStatus.ACTIVE and order.valid_to <= now:
        state = OrderStatus.EXPIRED
    return ConflictError(
        "The order {order_id} is {state}; it can no longer be answered.", order_id=order_id, state=state
    )


def _deliver(session: Session, order_ids: Sequence[int], concerns: ColumnElement[bool], now: datetime) -> None:
    if order_ids:
        for row in store.mark_delivered(session, order_ids, concerns, now):
            _emit_response(session, row.order_id, row.vehicle_id, RecipientStatus.DELIVERED, None, now)


# Ending


def cancel(action: ActionContext, order_id: int, expected_version: int) -> None:
    """Take an order back.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none, it was changed since, or it is over.
    """
    order = store.lock_order(action.session, order_id)
    if order is None:
        raise _no_order(order_id)
    check_version(order.version, expected_version)
    if order.status != OrderStatus.ACTIVE:
        raise ConflictError("The order {order_id} is already {state}.", order_id=order_id, state=order.status)
    store.end_orders(action.session, [order_id], OrderStatus.CANCELLED, RecipientStatus.active(), action.now)
    _emit_orders(action.session, {order_id: OrderStatus.CANCELLED}, action.now)
    before, after = {"status": OrderStatus.ACTIVE}, {"status": OrderStatus.CANCELLED}
    action.record("orders.cancel", "order", order_id, before, after)


def _replace(session: Session, order_id: int, now: datetime) -> None:
    older = store.lock_order(session, order_id)
    if older is None or older.status != OrderStatus.ACTIVE:
        raise ConflictError(
            "The order {order_id} no longer stands and cannot be replaced; leave it out.",
            field="supersedes",
            order_id=order_id,
        )
    store.end_orders(session, [order_id], OrderStatus.SUPERSEDED, RecipientStatus.active(), now)
    _emit_orders(session, {order_id: OrderStatus.SUPERSEDED}, now)


def _supersede(session: Session, now: datetime) -> int:
    replaced = store.supersede(session, now)
    for row in replaced:
        _emit_response(session, row.order_id, row.vehicle_id, RecipientStatus.SUPERSEDED, None, now)
    ended = store.end_superseded(session, sorted({row.order_id for row in replaced}), now) if replaced else ()
    if ended:
        _emit_orders(session, dict.fromkeys(ended, OrderStatus.SUPERSEDED), now)
    return len(replaced)


def expire_orders(session: Session, now: datetime, *, places: Places) -> int:
    """Let orders that have begun replace what they contradict, and end those whose time is over; how many ended.

    Called every few seconds. Before an order ends, its trucks are judged a last time.
    """
    _supersede(session, now)
    due = store.due_orders(session, now)
    if not due:
        return 0
    judge(session, now, places=places)
    store.end_orders(session, due, OrderStatus.EXPIRED, RecipientStatus.unanswered(), now)
    _emit_orders(session, dict.fromkeys(due, OrderStatus.EXPIRED), now)
    return len(due)


def judge(session: Session, now: datetime, *, places: Places) -> int:
    """Judge from their positions whether trucks did what they were ordered; how many verdicts changed.

    Called every few seconds; looks only at orders that stand and verdicts still open.
    """
    changed: list[dict[str, Any]] = []
    verdicts = 0
    touched: set[int] = set()
    for row in store.to_judge(session, now):
        evidence = Evidence.read(row.evidence)
        base = max(row.starts_at, row.responded_at or row.starts_at)
        demand = Demand(
            row.kind,
            row.starts_at,
            base,
            row.valid_to,
            site_id=row.parameters.get("site_id") or row.parameters.get("yard_id"),
            gate_id=row.parameters.get("gate_id"),
        )
        seen = Sighting(row.time, row.road, row.km, row.speed_mps, row.site_id, row.entered_at)
        verdict, kept = compliance.judge_one(demand, evidence, seen, row.compliance, places=places, now=now)
        if verdict == row.compliance and kept == evidence:
            continue
        if verdict != row.compliance:
            verdicts += 1
            touched.add(row.order_id)
        changed.append(
            {
                "order_id": row.order_id,
                "vehicle_id": row.vehicle_id,
                "compliance": verdict,
                "judged_at": now,
                "evidence": kept.stored(),
            }
        )
    store.record_judgements(session, changed)
    for order_id in sorted(touched):
        data = {"order_id": order_id, "status": OrderStatus.ACTIVE, "compliance_changed": True}
        outbox.publish_event(session, "order", Audience(roles=POLICE), data, at=now)
    return verdicts


# Pieces


def _check(draft: Draft, places: Places, now: datetime) -> datetime:
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
    if draft.valid_to < valid_from + SHORTEST or draft.valid_to > valid_from + LONGEST:
        raise InvalidInputError(
            "The order would hold from {start} to {end}; let it hold for 1 minute to {hours} hours.",
            field="valid_to",
            start=valid_from.isoformat(),
            end=draft.valid_to.isoformat(),
            hours=int(LONGEST.total_seconds() // 3600),
        )
    if len(draft.reason) > LONGEST_REASON:
        raise InvalidInputError(
            "The reason has {length} characters; shorten it to {most}.",
            field="reason",
            length=len(draft.reason),
            most=LONGEST_REASON,
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


def _recipients(session: Session, draft: Draft, places: Places, now: datetime) -> list[Any]:
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


def _release_times(draft: Draft, valid_from: datetime, count: int) -> list[datetime]:
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


def _is_past(draft: Draft, places: Places, truck: Any) -> bool:
    margin_km = compliance.DEFAULT_RULES.pass_km
    return draft.kind == OrderKind.HOLD and compliance.is_past(
        places, draft.site_id or "", truck.road, truck.km, margin_km
    )


def _text(draft: Draft, places: Places, now: datetime) -> dict[str, str]:
    site_id = draft.site_id or draft.gate_id or draft.yard_id
    names = {locale: places.name(site_id, locale) for locale in texts.LOCALES} if site_id else {}
    return texts.render(draft.kind, names, draft.valid_to, draft.reason, now, edited=draft.text)


def _parameters(draft: Draft) -> dict[str, Any]:
    named = {name: getattr(draft, name) for name in ("site_id", "gate_id", "yard_id")}
    release = {"release": {"veh": draft.release.veh, "every_s": draft.release.every_s}} if draft.release else {}
    return {"reason": draft.reason, **{name: value for name, value in named.items() if value}, **release}


def _stored_selection(wanted: Selection) -> dict[str, Any]:
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


def _concerns(principal: Principal, act: str, now: datetime) -> ColumnElement[bool] | None:
    if principal.require(act) is Scope.ALL:
        return None
    return visible_vehicles(principal, act, OrderRecipient.vehicle_id, now=now)


def _take_advisory(session: Session, principal: Principal, advisory_id: int, now: datetime) -> None:
    advisory = advisory_store.lock_advisory(session, advisory_id)
    if advisory is None:
        raise InvalidInputError("There is no advice {advisory_id}.", field="advisory_id", advisory_id=advisory_id)
    if advisory.status == AdvisoryStatus.OPEN:
        decision = {"status": AdvisoryStatus.TAKEN, "decided_by": principal.account_id, "decided_at": now}
        advisory_store.update_advisory(session, advisory_id, {**decision, "version": advisory.version + 1})
        data = {"advisory_id": advisory_id, "gate_id": advisory.gate_id, "status": AdvisoryStatus.TAKEN}
        outbox.publish_event(session, "advisory", Audience(roles=POLICE), data, at=now)


def _emit_orders(
    session: Session, statuses: Mapping[int, str], now: datetime, more: Mapping[str, Any] | None = None
) -> None:
    by_order: dict[int, list[Any]] = defaultdict(list)
    for row in store.concerned_by(session, list(statuses)):
        by_order[row.order_id].append(row)
    for order_id, status in statuses.items():
        data = {"order_id": order_id, "status": status, **(more or {})}
        outbox.publish_event(session, "order", _audience(by_order[order_id]), data, at=now)


def _emit_response(
    session: Session, order_id: int, vehicle_id: int, status: str, reason: str | None, now: datetime
) -> None:
    rows = [row for row in store.concerned_by(session, [order_id]) if row.vehicle_id == vehicle_id]
    data = {"order_id": order_id, "vehicle_id": vehicle_id, "status": status, "reason": reason}
    outbox.publish_event(session, "order_response", _audience(rows), data, at=now)


def _audience(rows: Iterable[Any]) -> Audience:
    rows = list(rows)
    return Audience(
        roles=POLICE,
        organisations=tuple(sorted({row.organisation_id for row in rows if row.organisation_id is not None})),
        accounts=tuple(sorted({row.driver_id for row in rows if row.driver_id is not None})),
        vehicles=tuple(sorted(row.vehicle_id for row in rows)),
    )


def _no_order(order_id: int) -> NotFoundError:
    return NotFoundError("There is no order {order_id} that concerns you.", order_id=order_id)
