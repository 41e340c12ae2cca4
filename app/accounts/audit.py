"""The audit log: who did what to which object, chained so that a change shows.

Each row carries the SHA-256 of its own content together with the hash of the row before it. A database trigger
refuses changes; whoever gets around the trigger breaks the chain, which `verify` finds. A tail cut off leaves a
valid shorter chain: every head is therefore also written to the process log, which can be kept elsewhere, and
`verify` compares with a head that is passed in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from sqlalchemy.orm import Session

from app.accounts import store
from app.accounts.permissions import Principal
from app.accounts.tables import AuditRow

FIRST_HASH = bytes(32)
"""What stands before the first row."""

log = structlog.get_logger("audit")


@dataclass(frozen=True)
class Fault:
    """A place where the log is not what was once written: `kind` is edited, missing or reordered."""

    audit_id: int
    kind: str
    detail: str


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
) -> AuditRow:
    """Append an act to the log, in the caller's transaction.

    `principal` is who acted (`None`: the platform itself); `before` and `after` are what changed, as JSON values;
    never pass a password or a key. Other writers wait until this transaction ends, so record late in it.
    """
    store.lock_audit(session)
    last_id, previous_hash = store.last_audit(session) or (0, FIRST_HASH)
    row = AuditRow(
        audit_id=last_id + 1,
        at=at,
        actor_id=principal.account_id if principal else None,
        actor=principal.username if principal else "platform",
        action=action,
        object_type=object_type,
        object_id=str(object_id),
        before=_plain(before),
        after=_plain(after),
        address=address,
        previous_hash=previous_hash,
    )
    row.hash = content_hash(row)
    session.add(row)
    session.flush()
    log.info("audit", audit_id=row.audit_id, action=action, hash=row.hash.hex())
    return row


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


def verify(session: Session, *, head: tuple[int, bytes] | None = None) -> list[Fault]:
    """Check the whole log; the faults found, empty if it is as it was written.

    `head` is a number and hash noted earlier (from the process log or a report): if the log no longer holds it,
    its tail was cut off or rewritten.
    """
    faults: list[Fault] = []
    expected_id, previous_hash = 1, FIRST_HASH
    head_found = head is None
    for row in store.audit_rows(session):
        if row.audit_id != expected_id:
            faults.append(Fault(expected_id, "missing", f"Rows {expected_id} to {row.audit_id - 1} are gone."))
        elif row.previous_hash != previous_hash:
            faults.append(Fault(row.audit_id, "reordered", "Its previous hash is not that of the row before it."))
        if content_hash(row) != row.hash:
            faults.append(Fault(row.audit_id, "edited", "Its content does not give its hash."))
        if head is not None and row.audit_id == head[0]:
            head_found = row.hash == head[1]
        expected_id, previous_hash = row.audit_id + 1, row.hash
    if head is not None and not head_found:
        faults.append(Fault(head[0], "missing", "The row noted as head is gone or another stands in its place."))
    return faults


def _plain(value: Any) -> Any:
    """The value as it comes back from JSONB, so that the hash is the same later."""
    return None if value is None else orjson.loads(orjson.dumps(value, default=str))
