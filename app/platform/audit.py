"""The audit log: who did what to which object, chained so that a change shows.

Each row carries the SHA-256 of its own content together with the hash of the row before it. A database trigger
refuses changes, and the application's role may only add and read; whoever gets around both breaks the chain, which
`verify` finds. A tail cut off, or all of it written again, leaves a valid chain: heads are therefore written elsewhere
every hour, signed (`app.platform.audit_heads`), and `verify` compares with those that are passed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from app.platform import audit_store
from app.platform.permissions import Principal
from app.platform.personal_fields import without_personal_values
from app.platform.tables import AuditRow

FIRST_HASH = bytes(32)
"""What stands before the first row."""

_PENDING = "audit"
"""Where a session keeps what its transaction has recorded so far."""

log = structlog.get_logger("audit")


@dataclass(frozen=True)
class Fault:
    """A place where the log is not what was once written: `kind` is edited, missing or reordered."""

    audit_id: int
    kind: str
    detail: str


def pseudonym(account_id: int) -> str:
    """How the log, which nobody can change, calls a person; the account says who that is until it is erased."""
    return f"person-{account_id}"


def record(
    session: Session,
    principal: Principal | None,
    action: str,
    object_type: str,
    object_id: object,
    before: Any = None,
    after: Any = None,
    *,
    at: datetime,
    address: str = "",
) -> None:
    """Append an act to the log when the caller's transaction commits, and only then.

    `principal` is who acted (`None`: the platform itself); `before` and `after` are what changed, as JSON values;
    never pass a password or a key. Digests stand for personal values (`app.platform.personal_fields`). What a rolled
    back savepoint recorded is dropped with it.

    The chain has one head, so its lock is the one lock that all acts share. It is taken as the last step of the
    commit, after every other lock of the transaction: transactions that act on each other's rows cannot wait for
    one another in a ring through the log, and nobody holds the log while they work.
    """
    row = AuditRow(
        at=at,
        actor_id=principal.account_id if principal else None,
        actor=pseudonym(principal.account_id) if principal else "platform",
        action=action,
        object_type=object_type,
        object_id=str(object_id),
        before=without_personal_values(_plain(before)),
        after=without_personal_values(_plain(after)),
        address=address,
    )
    scope = session.get_nested_transaction() or session.get_transaction() or session.begin()
    session.info.setdefault(_PENDING, []).append((scope, row))


@event.listens_for(Session, "before_commit")
def _chain(session: Session) -> None:
    """Write what the transaction recorded, chained, as its last statements."""
    if session.in_nested_transaction() or not session.info.get(_PENDING):
        return
    session.flush()
    audit_store.lock_audit(session)
    last_id, previous_hash = audit_store.last_audit(session) or (0, FIRST_HASH)
    for audit_id, (_, row) in enumerate(session.info.pop(_PENDING), start=last_id + 1):
        row.audit_id, row.previous_hash = audit_id, previous_hash
        row.hash = previous_hash = content_hash(row)
        session.add(row)
        log.info("audit", audit_id=audit_id, action=row.action, hash=row.hash.hex())
    session.flush()


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, rolled_back: SessionTransaction) -> None:
    """Drop what was recorded in a transaction or savepoint that is undone, or in a savepoint within it."""

    def undone(scope: SessionTransaction | None) -> bool:
        return scope is not None and (scope is rolled_back or undone(scope.parent))

    if pending := session.info.get(_PENDING):
        session.info[_PENDING] = [(scope, row) for scope, row in pending if not undone(scope)]


@event.listens_for(Session, "after_transaction_end")
def _begin_anew(session: Session, ended: SessionTransaction) -> None:
    """Nothing outlives its transaction, also if the session was closed without a word."""
    if ended.parent is None:
        session.info.pop(_PENDING, None)


def content_hash(row: AuditRow) -> bytes:
    """SHA-256 over the previous hash and the row as JSON with sorted keys."""
    content = {
        "audit_id": row.audit_id,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor_id": row.actor_id,
        "actor": row.actor,
        "action": row.action,
        "object_type": row.object_type,
        "object_id": row.object_id,
        "before": row.before,
        "after": row.after,
        "address": row.address,
    }
    return hashlib.sha256(row.previous_hash + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def verify(session: Session, *, heads: Sequence[tuple[int, bytes]] = ()) -> list[Fault]:
    """Check the whole log; the faults found, empty if it is as it was written.

    `heads` are numbers and hashes noted earlier (`app.platform.audit_heads`, or the process log): where the log no
    longer holds one, its tail was cut off, it was emptied, or it was rewritten with all hashes computed again.
    """
    faults: list[Fault] = []
    expected_id, previous_hash = 1, FIRST_HASH
    missing = set(heads)
    for row in audit_store.audit_rows(session):
        if row.audit_id != expected_id:
            faults.append(Fault(expected_id, "missing", f"Rows {expected_id} to {row.audit_id - 1} are gone."))
        elif row.previous_hash != previous_hash:
            faults.append(Fault(row.audit_id, "reordered", "Its previous hash is not that of the row before it."))
        if content_hash(row) != row.hash:
            faults.append(Fault(row.audit_id, "edited", "Its content does not give its hash."))
        missing.discard((row.audit_id, row.hash))
        expected_id, previous_hash = row.audit_id + 1, row.hash
    for audit_id, _ in sorted(missing):
        faults.append(Fault(audit_id, "missing", "The row noted as head is gone or another stands in its place."))
    return faults


def _plain(value: Any) -> Any:
    """The value as it comes back from JSONB, so that the hash is the same later."""
    return None if value is None else orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
