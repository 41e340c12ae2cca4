"""Opening a barrier: only for a confirmed step, only by somebody's act, told to the device after the commit.

A command is written in the transaction of the act and given to the device once that transaction is committed, so that
no barrier opens for a confirmation that was rolled back. It is given once; if the process dies in between, or nobody
answers, it fails (`service.sweep`) and the officer decides: again, or by hand with a reason. No clock opens a barrier.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from app.equipment import service, store
from app.equipment.config_secrets import config_of
from app.equipment.drivers import VALID, Command, make_port
from app.equipment.schemas import CommandOut
from app.equipment.tables import BarrierCommand, Equipment
from app.equipment.vocabulary import CommandStatus
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.procedures.steps import StepStatus
from app.trips.timeline import TimelineEntry
from geo.errors import ConflictError, InvalidInputError, NotFoundError

REPEAT: Final = timedelta(seconds=30)
"""A second tap within this time is the first one."""
MIN_REASON_LENGTH, MAX_REASON_LENGTH = 5, 500

log = structlog.get_logger("equipment")
_porter = ThreadPoolExecutor(max_workers=8, thread_name_prefix="barrier")


def open_for_step(action: ActionContext, trip_id: int, gate_id: str, station: str) -> BarrierCommand | None:
    """A step was confirmed: open the barrier of its station; `None` if it has no automatic one.

    For the sheet, inside the transaction of the confirmation.
    """
    barrier = store.find_barrier(action.session, gate_id, station)
    return None if barrier is None else _command(action, barrier, trip_id)


def was_opened(session: Session, trip_id: int, gate_id: str, station: str) -> bool:
    """Whether the barrier of a station was opened for a trip before."""
    barrier = store.find_barrier(session, gate_id, station)
    last = None if barrier is None else store.newest_command(session, barrier.equipment_id, trip_id)
    return last is not None and last.status != CommandStatus.FAILED


def open_barrier(action: ActionContext, equipment_id: int, trip_id: int) -> BarrierCommand:
    """Open a barrier again for a trip whose step there is confirmed.

    Raises
    ------
    NotFoundError
        If there is no such barrier at the caller's gate, or no such trip.
    ConflictError
        If the step is not confirmed, or the barrier is out of use.
    """
    barrier = _own_barrier(action.session, action.actor, equipment_id)
    _require_trip(action.session, barrier, trip_id)
    if barrier.disabled_at is not None:
        raise ConflictError("The barrier {name} is out of use; open it by hand.", name=barrier.name)
    if store.step_status(action.session, trip_id, barrier.station or "") != StepStatus.DONE:
        raise ConflictError(
            "The barrier opens for a confirmed sheet only; confirm the step {step} first.", step=barrier.station
        )
    return _command(action, barrier, trip_id)


def opened_by_hand(action: ActionContext, equipment_id: int, trip_id: int, reason: str) -> BarrierCommand:
    """Note that an officer opened a barrier by hand because its device is down, and why.

    Raises
    ------
    NotFoundError, InvalidInputError, ConflictError
        If there is no such barrier or trip, no reason is given, the step is not confirmed, or the device works.
    """
    barrier = _own_barrier(action.session, action.actor, equipment_id)
    _require_trip(action.session, barrier, trip_id)
    reason = " ".join(reason.split())
    if not MIN_REASON_LENGTH <= len(reason) <= MAX_REASON_LENGTH:
        raise InvalidInputError(
            "Say in {least} to {most} characters why the barrier was opened by hand.",
            field="reason",
            least=MIN_REASON_LENGTH,
            most=MAX_REASON_LENGTH,
        )
    if store.step_status(action.session, trip_id, barrier.station or "") != StepStatus.DONE:
        raise ConflictError(
            "The barrier opens for a confirmed sheet only; confirm the step {step} first.", step=barrier.station
        )
    if not is_down(action.session, barrier):
        raise ConflictError("The barrier {name} works; open it from here.", name=barrier.name)
    command = _insert(
        action.session,
        action.actor,
        barrier,
        trip_id,
        CommandStatus.BY_HAND,
        action.now,
        reason=reason,
        answered_at=action.now,
    )
    _note(action, command)
    return command


def is_down(session: Session, barrier: Equipment) -> bool:
    """Whether a barrier is out of use, silent, or failed at its last command."""
    last = store.newest_command(session, barrier.equipment_id)
    failed = last is not None and last.status == CommandStatus.FAILED
    return failed or barrier.disabled_at is not None or barrier.alarm_since is not None


def list_commands(session: Session, principal: Principal, *, trip_id: int | None, limit: int = 100) -> list[CommandOut]:
    """The newest commands to barriers the caller may see."""
    visible = service.visible_equipment(principal, "equipment.read")
    rows = store.list_commands(session, visible, trip_id=trip_id, limit=limit)
    return [CommandOut.of(line) for line in rows]


def get_command(session: Session, command_id: int) -> CommandOut:
    """A command just given."""
    command = session.get_one(BarrierCommand, command_id)
    return CommandOut.of(store.CommandLine(command, session.get_one(Equipment, command.equipment_id)))


# Giving the command


def _command(action: ActionContext, barrier: Equipment, trip_id: int) -> BarrierCommand:
    store.lock_equipment(action.session, barrier.equipment_id)
    last = store.newest_command(action.session, barrier.equipment_id, trip_id)
    if (
        last is not None
        and last.status in {CommandStatus.SENT, CommandStatus.OPENED}
        and action.now - last.requested_at < REPEAT
    ):
        return last
    command = _insert(action.session, action.principal, barrier, trip_id, CommandStatus.SENT, action.now)
    _note(action, command)
    _after_commit(action.session, command, barrier, action.now)
    return command


def _after_commit(session: Session, command: BarrierCommand, barrier: Equipment, now: datetime) -> None:
    """Give the command to the device when, and only if, this transaction is committed."""
    bind = session.get_bind()
    engine = bind if isinstance(bind, Engine) else bind.engine
    order = Command(command.command_id, now + VALID)
    vendor, config = barrier.vendor, config_of(barrier)
    pending = [True]

    def give(committed: Session) -> None:
        if pending and not committed.in_nested_transaction():
            pending.clear()
            given = _porter.submit(deliver, engine, order, vendor, config, now)
            _running.add(given)
            given.add_done_callback(_running.discard)

    def forget(_session: Session) -> None:
        pending.clear()

    event.listen(session, "after_commit", give)
    event.listen(session, "after_rollback", forget)


_running: set[Future[None]] = set()


def settle(timeout_s: float = 10.0) -> None:
    """Wait until every command given so far has its answer. For tests and for an orderly end."""
    wait(set(_running), timeout_s)


def deliver(engine: Engine, order: Command, vendor: str, config: JsonObject, now: datetime) -> None:
    """Give a command to its device and enter the answer, in a transaction of its own."""
    with Session(engine) as session:
        command = store.find_command(session, order.command_id)
        if command is None or command.status != CommandStatus.SENT:
            return  # it was never committed, or has failed since
    started = time.monotonic()
    try:
        answer = make_port(vendor, config).open(order)
        opened, detail = answer.opened, answer.detail
    except Exception as error:
        log.exception("barrier driver failed", command_id=order.command_id)
        opened, detail = False, f"The driver failed: {type(error).__name__}"
    at = now + timedelta(seconds=time.monotonic() - started)
    with Session(engine) as session:
        settled = store.settle_command(
            session, order.command_id, CommandStatus.OPENED if opened else CommandStatus.FAILED, detail, at
        )
        if settled is not None:
            if opened:
                service.heard(session, store.lock_equipment(session, settled.equipment_id), at)
            service.publish_command(session, settled, at)
        session.commit()


# Pieces


def _own_barrier(session: Session, principal: Principal, equipment_id: int) -> Equipment:
    barrier = service.get_equipment(session, principal, equipment_id, act="barriers.open")
    if barrier.kind != "barrier":
        raise NotFoundError("There is no barrier {equipment_id} at your gate.", equipment_id=equipment_id)
    return barrier


def _require_trip(session: Session, barrier: Equipment, trip_id: int) -> None:
    trip = store.find_trip(session, trip_id)
    if trip is None or trip.gate_id != barrier.gate_id:
        raise NotFoundError("There is no trip {trip_id} at this gate.", field="trip_id", trip_id=trip_id)


def _insert(
    session: Session,
    principal: Principal | None,
    barrier: Equipment,
    trip_id: int,
    status: str,
    now: datetime,
    *,
    reason: str | None = None,
    answered_at: datetime | None = None,
) -> BarrierCommand:
    return store.insert_command(
        session,
        BarrierCommand(
            equipment_id=barrier.equipment_id,
            trip_id=trip_id,
            requested_at=now,
            requested_by=principal.account_id if principal else None,
            status=status,
            reason=reason,
            answered_at=answered_at,
        ),
    )


def _note(action: ActionContext, command: BarrierCommand) -> None:
    """Timeline, event and audit line of a command."""
    data = {"command_id": command.command_id, "equipment_id": command.equipment_id, "status": command.status}
    service.publish_command(action.session, command, action.now)
    after = {"trip_id": command.trip_id, "status": command.status, "reason": command.reason}
    timeline = None if command.trip_id is None else TimelineEntry(command.trip_id, "barrier", data)
    action.record("barriers.open", "equipment", command.equipment_id, None, after, timeline=timeline)
