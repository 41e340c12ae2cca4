"""Orders of the traffic police: preview, issue, deliver, answer, cancel, replace, run out, judge.

Published for reading and joining: `DispatchOrder`, `OrderRecipient`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.dispatch import advisory_store, compliance, compliance_store, store
from app.dispatch.compliance import Demand, Evidence, Sighting
from app.dispatch.compliance_store import Judgement
from app.dispatch.order_drafts import (
    Draft,
    check_draft,
    find_recipients,
    is_past,
    parameters_of,
    release_times,
    selection_record,
    texts_of,
)
from app.dispatch.order_events import POLICE, publish_orders, publish_response
from app.dispatch.order_reading import no_order
from app.dispatch.store import NewRecipient
from app.dispatch.tables import DispatchOrder as DispatchOrder
from app.dispatch.tables import OrderRecipient as OrderRecipient
from app.dispatch.vocabulary import AdvisoryStatus, Compliance, OrderKind, OrderStatus, RecipientStatus
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.outbox import Audience
from app.platform.permissions import Principal
from app.trips.places import Places
from geo.errors import ConflictError, InvalidInputError
from geo.versions import check_version


def issue(action: ActionContext, draft: Draft, places: Places) -> int:
    """Send an order; its id. What it contradicts is replaced for each truck, in the same transaction.

    Raises
    ------
    InvalidInputError
        If the draft contradicts itself or meets no truck.
    ConflictError
        If the order it replaces no longer stands.
    """
    valid_from = check_draft(draft, places, action.now)
    trucks = find_recipients(action.session, draft, places, action.now)
    if not trucks:
        raise InvalidInputError(
            "No truck meets the selection now; widen it and look at the preview.", field="selection"
        )
    if draft.supersedes is not None:
        _replace(action.session, draft.supersedes, action.now)
    release = release_times(draft, valid_from, len(trucks))
    order = store.insert_order(
        action.session,
        {
            "kind": draft.kind,
            "selection": selection_record(draft.selection),
            "parameters": parameters_of(draft),
            "text": texts_of(draft, places, action.now),
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
            NewRecipient(
                truck.vehicle_id,
                truck.trip_id,
                truck.driver_id,
                release_at if draft.release else None,
                Compliance.UNKNOWN
                if draft.kind == OrderKind.NOTICE or is_past(draft, places, truck)
                else Compliance.PENDING,
                Evidence(truck.road, truck.km).stored(),
            )
            for truck, release_at in zip(trucks, release, strict=True)
        ],
    )
    publish_orders(action.session, {order.order_id: OrderStatus.ACTIVE}, action.now, more={"kind": draft.kind})
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
        raise no_order(order_id)
    check_version(order.version, expected_version)
    if order.status != OrderStatus.ACTIVE:
        raise ConflictError("The order {order_id} is already {state}.", order_id=order_id, state=order.status)
    store.end_orders(action.session, [order_id], OrderStatus.CANCELLED, RecipientStatus.active(), action.now)
    publish_orders(action.session, {order_id: OrderStatus.CANCELLED}, action.now)
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
    publish_orders(session, {order_id: OrderStatus.SUPERSEDED}, now)


def _supersede(session: Session, now: datetime) -> int:
    replaced = store.supersede(session, now)
    for row in replaced:
        publish_response(session, row.order_id, row.vehicle_id, RecipientStatus.SUPERSEDED, None, now)
    ended = store.end_superseded(session, sorted({row.order_id for row in replaced}), now) if replaced else ()
    if ended:
        publish_orders(session, dict.fromkeys(ended, OrderStatus.SUPERSEDED), now)
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
    publish_orders(session, dict.fromkeys(due, OrderStatus.EXPIRED), now)
    return len(due)


def judge(session: Session, now: datetime, *, places: Places) -> int:
    """Judge from their positions whether trucks did what they were ordered; how many verdicts changed.

    Called every few seconds; looks only at orders that stand and verdicts still open.
    """
    changed: list[Judgement] = []
    verdicts = 0
    touched: set[int] = set()
    for row in compliance_store.to_judge(session, now):
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
        changed.append(Judgement(row.order_id, row.vehicle_id, verdict, kept.stored()))
    compliance_store.record_judgements(session, changed, now)
    for order_id in sorted(touched):
        data = {"order_id": order_id, "status": OrderStatus.ACTIVE, "compliance_changed": True}
        outbox.publish_event(session, "order", Audience(roles=POLICE), data, at=now)
    return verdicts


def _take_advisory(session: Session, principal: Principal, advisory_id: int, now: datetime) -> None:
    advisory = advisory_store.lock_advisory(session, advisory_id)
    if advisory is None:
        raise InvalidInputError("There is no advice {advisory_id}.", field="advisory_id", advisory_id=advisory_id)
    if advisory.status == AdvisoryStatus.OPEN:
        decision = {"status": AdvisoryStatus.TAKEN, "decided_by": principal.account_id, "decided_at": now}
        advisory_store.update_advisory(session, advisory_id, {**decision, "version": advisory.version + 1})
        data = {"advisory_id": advisory_id, "gate_id": advisory.gate_id, "status": AdvisoryStatus.TAKEN}
        outbox.publish_event(session, "advisory", Audience(roles=POLICE), data, at=now)
