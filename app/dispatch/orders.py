"""Orders of the traffic police: preview, issue, deliver, answer, cancel, replace, run out, judge.

Published for reading and joining: `DispatchOrder`, `OrderRecipient`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.accounts.persons import check_first_person, check_second_person
from app.dispatch import advisory_store, compliance, compliance_store, release_store, store
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
    tell_times,
    texts_of,
)
from app.dispatch.order_events import POLICE, publish_orders, publish_proposal, publish_response, publish_told
from app.dispatch.order_policy import ORDER_POLICY
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

    An order to more trucks than a person may call alone is proposed: a second person releases it (`approve`).

    Raises
    ------
    InvalidInputError
        If the draft contradicts itself or meets no truck.
    ConflictError
        If the order it replaces no longer stands.
    ForbiddenError
        If it needs a second person, and the caller cannot be the first.
    """
    valid_from = check_draft(draft, places, action.now)
    trucks = find_recipients(action.session, draft, places, action.now)
    if not trucks:
        raise InvalidInputError(
            "No truck meets the selection now; widen it and look at the preview.", field="selection"
        )
    policy = ORDER_POLICY.get(action.session).value
    needs_second = policy.needs_second(len(trucks))
    if needs_second:
        check_first_person(action)
        tell_times(policy, draft, len(trucks), action.now)
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
            "status": OrderStatus.PROPOSED if needs_second else OrderStatus.ACTIVE,
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
                RecipientStatus.WAITING if needs_second else RecipientStatus.SENT,
                action.now + timedelta(microseconds=rank) if needs_second else None,
            )
            for rank, (truck, release_at) in enumerate(zip(trucks, release, strict=True))
        ],
    )
    after = {
        "kind": order.kind,
        "parameters": order.parameters,
        "selection": order.selection,
        "text": order.text,
        "valid_from": valid_from.isoformat(),
        "valid_to": draft.valid_to.isoformat(),
        "vehicles": [truck.vehicle_id for truck in trucks],
    }
    if needs_second:
        publish_proposal(action.session, order.order_id, OrderStatus.PROPOSED, action.now)
        action.record("orders.propose", "order", order.order_id, None, after)
    else:
        _put_in_force(action, order)
        action.record("orders.issue", "order", order.order_id, None, after)
    return order.order_id


def approve(action: ActionContext, order_id: int, expected_version: int) -> None:
    """Release an order to many trucks as the second person: it is told, in groups if it sets them in motion.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none, it was changed since, or it does not wait for a second person any more.
    ForbiddenError
        If the caller proposed it, under whichever account.
    """
    order = _lock(action.session, order_id, expected_version)
    if order.status != OrderStatus.PROPOSED or order.valid_to <= action.now:
        raise ConflictError("The order {order_id} does not wait for a second person.", order_id=order_id)
    check_second_person(action, order.issued_by)
    vehicles = release_store.recipient_ids(action.session, order_id)
    policy = ORDER_POLICY.get(action.session).value
    has_release = "release" in order.parameters
    times = policy.tell_times(order.kind, len(vehicles), has_release=has_release, now=action.now)
    if times and times[-1] >= order.valid_to:
        raise ConflictError("The order {order_id} would end before all are told; propose it again.", order_id=order_id)
    release_store.set_tell_times(action.session, order_id, vehicles, times or [action.now] * len(vehicles))
    order.status = OrderStatus.ACTIVE
    order.valid_from = max(order.valid_from, action.now)
    order.approved_by, order.approved_at = action.actor.account_id, action.now
    order.version += 1
    action.session.flush()
    release_store.release_due(action.session, action.now, order_id)
    _put_in_force(action, order)
    before, after = {"status": OrderStatus.PROPOSED}, {"status": OrderStatus.ACTIVE, "issued_by": order.issued_by}
    action.record("orders.approve", "order", order_id, before, after)


def _put_in_force(action: ActionContext, order: DispatchOrder) -> None:
    """Let an order hold: it replaces what it names and contradicts, and is told."""
    if order.supersedes is not None:
        _replace(action.session, order.supersedes, action.now)
    publish_orders(action.session, {order.order_id: OrderStatus.ACTIVE}, action.now, more={"kind": order.kind})
    _supersede(action.session, action.now)
    if order.advisory_id is not None:
        _take_advisory(action.session, action.actor, order.advisory_id, action.now)


def tell_groups(session: Session, now: datetime) -> int:
    """Tell orders to those trucks whose group's turn has come; how many were told. Called every few seconds."""
    told = release_store.release_due(session, now)
    for order_id in sorted({row.order_id for row in told}):
        publish_told(session, order_id, {row.vehicle_id for row in told if row.order_id == order_id}, now)
    if told:
        _supersede(session, now)
    return len(told)


# Ending


def cancel(action: ActionContext, order_id: int, expected_version: int) -> None:
    """Take an order back: nobody is told of it any more, and those whom it had reached are told that it is over.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is none, it was changed since, or it is over.
    """
    order = _lock(action.session, order_id, expected_version)
    if order.status not in (OrderStatus.PROPOSED, OrderStatus.ACTIVE):
        raise ConflictError(
            "The order {order_id} is already {state}.", order_id=order_id, state=OrderStatus.get(order.status)
        )
    before, after = {"status": order.status}, {"status": OrderStatus.CANCELLED}
    store.end_orders(action.session, [order_id], OrderStatus.CANCELLED, RecipientStatus.active(), action.now)
    publish_orders(action.session, {order_id: OrderStatus.CANCELLED}, action.now)
    action.record("orders.cancel", "order", order_id, before, after)


def _lock(session: Session, order_id: int, expected_version: int) -> DispatchOrder:
    order = store.lock_order(session, order_id)
    if order is None:
        raise no_order(order_id)
    check_version(order.version, expected_version)
    return order


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

    Called every few seconds. Before an order ends, its trucks are judged a last time. One that waited too long for a
    second person is over as well.
    """
    _supersede(session, now)
    _expire_proposals(session, now)
    due = store.due_orders(session, now)
    if not due:
        return 0
    judge(session, now, places=places)
    store.end_orders(session, due, OrderStatus.EXPIRED, RecipientStatus.unanswered(), now)
    publish_orders(session, dict.fromkeys(due, OrderStatus.EXPIRED), now)
    return len(due)


def _expire_proposals(session: Session, now: datetime) -> None:
    kept = timedelta(seconds=ORDER_POLICY.get(session).value.proposal_s)
    old = release_store.old_proposals(session, now - kept, now)
    if old:
        store.end_orders(session, old, OrderStatus.EXPIRED, (), now)
    for order_id in old:
        publish_proposal(session, order_id, OrderStatus.EXPIRED, now)


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
