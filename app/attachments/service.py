"""Attachments of a trip: added, read by who needs them, removed by who added them or when their time is over."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.attachments import store
from app.attachments.content import detect, safe_name
from app.attachments.schemas import AttachmentList, AttachmentOut
from app.attachments.store import NamedAttachment
from app.attachments.tables import AttachmentRow
from app.attachments.vocabulary import AttachmentKind
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Role, Scope
from app.platform.policies import Policy
from app.trips.scope import visible_trips
from app.trips.service import Trip, find_trip, lock_trip
from app.trips.timeline import TimelineEntry
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError

MAX_ERASED_AT_ONCE: Final = 200
REASON_LENGTH: Final = (3, 300)
MAX_SIZE_MB: Final = 50
"""Of what a planner may allow."""
OF_ENTERPRISE: Final = (Role.ENTERPRISE, Role.DRIVER, Role.SUPPORT)
"""Roles that attach for the enterprise; what officers attach is their agencies'."""


class AttachmentPolicy(BaseModel):
    """Limits of attachments, and for how long after its trip one is kept. The defaults are assumed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_size_mb: int = Field(default=10, ge=1, le=MAX_SIZE_MB)
    max_per_trip: int = Field(default=30, ge=1, le=200)
    kept_days: int = Field(default=365, ge=1, le=36_600)


@dataclass(frozen=True)
class File:
    """The content of an attachment, and what it is."""

    name: str
    media_type: str
    content: bytes


POLICY: Final = Policy("attachments", AttachmentPolicy, "attachments.policy")


def attach(action: ActionContext, trip_id: int, kind: str, name: str, content: bytes) -> int:
    """Attach a file to an open trip; the attachment's id. The same file again is the one that is there.

    Raises
    ------
    NotFoundError, ConflictError, ForbiddenError
        If there is no such trip for the caller, it is over, or the caller's agency has nothing to do with the kind.
    InvalidInputError
        If the file is too large, one too many, or none of the types that are taken; `field` names it.
    """
    actor, session = action.actor, action.session
    chosen = AttachmentKind.require(kind, "kind")
    trip = lock_trip(session, visible_trips(actor, "attachments.write"), trip_id)
    if trip is None:
        raise _no_trip(trip_id)
    if trip.stage not in Stage.open():
        raise ConflictError("The trip {code} is over; nothing can be attached to it.", code=trip.code)
    if actor.role not in OF_ENTERPRISE and not chosen.is_read_by(actor.role):
        raise ForbiddenError("Your agency does not take papers of the kind {kind}.", field="kind", kind=chosen.value)
    policy = POLICY.get(session).value
    if len(content) > policy.max_size_mb * 2**20:
        raise InvalidInputError(
            "The file is larger than {limit} MB; make it smaller.", field="file", limit=policy.max_size_mb
        )
    media_type, ending = detect(content)
    digest = hashlib.sha256(content).digest()
    known = store.find_content(session, trip_id, digest)
    if known is not None:
        return known
    if store.count_attachments(session, trip_id) >= policy.max_per_trip:
        raise InvalidInputError(
            "{limit} files are attached to this trip already; remove one first.",
            field="file",
            limit=policy.max_per_trip,
        )
    values = {
        "trip_id": trip_id,
        "kind": chosen,
        "name": safe_name(name, ending),
        "media_type": media_type,
        "size_bytes": len(content),
        "sha256": digest,
        "uploaded_at": action.now,
        "uploaded_by": actor.account_id,
        "uploaded_role": actor.role,
    }
    attachment_id = store.insert_attachment(session, {**values, "content": content})
    is_shared = actor.role in OF_ENTERPRISE
    told = {"attachment_id": attachment_id, "kind": chosen.value}
    record = {**told, "trip_id": trip_id, "size_bytes": len(content), "sha256": digest.hex()}
    timeline = TimelineEntry(trip_id, "attached", told) if is_shared else None
    action.record("attachments.add", "attachment", attachment_id, None, record, timeline=timeline)
    return attachment_id


def list_attachments(session: Session, principal: Principal, trip_id: int) -> AttachmentList:
    """What the caller may read of a trip's attachments; raises NotFoundError if there is no such trip for them."""
    found = find_trip(session, visible_trips(principal, "attachments.read"), trip_id)
    if found is None:
        raise _no_trip(trip_id)
    return AttachmentList(items=_visible(session, principal, found.trip))


def show(session: Session, principal: Principal, trip: Trip) -> JsonObject | None:
    """What the sheet shows of attachments to a reader; `None` to whom they are closed."""
    if not principal.may("attachments.read"):
        return None
    return AttachmentList(items=_visible(session, principal, trip)).model_dump(mode="json")


def read(session: Session, principal: Principal, attachment_id: int) -> File:
    """The file of an attachment that the caller may read; raises NotFoundError."""
    row, _trip = _find(session, principal, attachment_id)
    return File(row.name, row.media_type, store.read_content(session, attachment_id))


def remove(action: ActionContext, attachment_id: int, reason: str) -> int:
    """Erase an attachment of an open trip; the trip's id. Those who attached it may, and the support desk.

    Raises
    ------
    NotFoundError, ForbiddenError, ConflictError, InvalidInputError
        If there is none for the caller, it is another's, the trip is over, or no reason is given.
    """
    text, (shortest, longest) = " ".join(reason.split()), REASON_LENGTH
    if not shortest <= len(text) <= longest:
        raise InvalidInputError(
            "Say why in {shortest} to {longest} characters.", field="reason", shortest=shortest, longest=longest
        )
    row, trip = _find(action.session, action.actor, attachment_id)
    if not _may_remove(action.actor, row):
        raise ForbiddenError("Only those who attached a file may remove it.")
    if trip.stage not in Stage.open():
        raise ConflictError("The trip {code} is over; its files stay until their time is over.", code=trip.code)
    _erase(action, row, {"reason": text})
    return trip.trip_id


def forget(session: Session, now: datetime, kept: Collection[int] = ()) -> int:
    """Erase files whose time is over, but of the trips `kept`; how many. For control."""
    days = POLICY.get(session).value.kept_days
    rows = store.list_expired(session, now - timedelta(days=days), MAX_ERASED_AT_ONCE, kept)
    for row in rows:
        _erase(ActionContext(session, None, now), row, {"kept_days": days})
    return len(rows)


def count_expired(session: Session, now: datetime, days: int, limit: int, kept: Collection[int] = ()) -> int:
    """How many files would be erased were they kept for so many days; not more than `limit`."""
    return len(store.list_expired(session, now - timedelta(days=days), limit, kept))


def keep_for(action: ActionContext, days: int) -> None:
    """Set for how many days after its trip a file is kept."""
    present = POLICY.get(action.session)
    POLICY.set(action, present.value.model_copy(update={"kept_days": days}), present.version)


def may_read(principal: Principal, row: AttachmentRow) -> bool:
    """Whether a person who sees the trip may read this file of it.

    An enterprise reads what was attached for it, a driver what drivers attached, an agency what its steps need and what
    it attached itself; who watches over everything reads all.
    """
    scope = principal.scope("attachments.read")
    if scope is Scope.ALL:
        return True
    if scope is Scope.OWN_ORGANISATION:
        return row.uploaded_role in OF_ENTERPRISE
    if scope is Scope.OWN:
        return row.uploaded_role == Role.DRIVER
    if scope is Scope.OWN_GATE:
        return row.uploaded_role == principal.role or AttachmentKind.get(row.kind).is_read_by(principal.role)
    return False


def _visible(session: Session, principal: Principal, trip: Trip) -> list[AttachmentOut]:
    known = store.list_attachments(session, trip.trip_id)
    return [_describe(principal, trip, named) for named in known if may_read(principal, named.row)]


def _describe(principal: Principal, trip: Trip, named: NamedAttachment) -> AttachmentOut:
    may = trip.stage in Stage.open() and principal.may("attachments.write") and _may_remove(principal, named.row)
    return AttachmentOut.of(named, may_remove=may)


def _may_remove(principal: Principal, row: AttachmentRow) -> bool:
    if row.uploaded_by == principal.account_id or principal.role is Role.SUPPORT:
        return principal.role is not Role.SUPPORT or row.uploaded_role in OF_ENTERPRISE
    return principal.role is Role.ENTERPRISE and row.uploaded_role in OF_ENTERPRISE


def _find(session: Session, principal: Principal, attachment_id: int) -> tuple[AttachmentRow, Trip]:
    named = store.find_attachment(session, attachment_id)
    visible = visible_trips(principal, "attachments.read")
    found = None if named is None else find_trip(session, visible, named.row.trip_id)
    if named is None or found is None or not may_read(principal, named.row):
        raise NotFoundError("There is no file {attachment_id} that you may see.", attachment_id=attachment_id)
    return named.row, found.trip


def _erase(action: ActionContext, row: AttachmentRow, why: JsonObject) -> None:
    before = {"trip_id": row.trip_id, "kind": row.kind, "sha256": row.sha256.hex()}
    reason = str(why.get("reason", ""))
    store.erase_content(action.session, row.attachment_id, at=action.now, by=action.actor_id, reason=reason)
    action.record("attachments.remove", "attachment", row.attachment_id, before, why)


def _no_trip(trip_id: int) -> NotFoundError:
    return NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
