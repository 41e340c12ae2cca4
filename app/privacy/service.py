"""A person's rights, holds, and the upkeep that deletes what is kept no longer.

Law on Personal Data Protection 91/2025/QH15 (in force 2026-01-01) and Decree 13/2023/ND-CP: a person sees, corrects and
has erased what is kept, unless a law wants it kept. Erasure and rectification take two administrators.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from app.accounts import passwords
from app.accounts import service as accounts
from app.platform.actions import ActionContext
from app.platform.encryption import key_ring
from app.platform.json import JsonObject
from app.platform.sealed_json import unseal_object
from app.privacy import drivers, retention_store, store
from app.privacy.ages import ages_in_force
from app.privacy.drivers import Driver, Found
from app.privacy.personal_data import PERSONAL_DATA, PersonalData
from app.privacy.retention import RetentionRule
from app.privacy.tables import Consent, LegalHold, PrivacyRequest
from app.privacy.vocabulary import HoldSubject, RequestKind, RequestStatus, RetentionBasis
from app.trips.codes import find_code
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError

NOTICE_VERSION: Final = "2026-11"
"""Of the notice of `templates/notice.html`: whoever changes what it says changes this, and everybody is asked again."""
NOTICE_PAGE: Final = "/privacy"
BATCH: Final = 500
"""Rows of a table that go at once: a lock lasts for milliseconds."""
BUDGET_S: Final = 1.0
"""How much of a minute deleting may take; the rest waits for the next."""
LOOK_AGAIN: Final = timedelta(hours=1)
"""Ages are days: what becomes too old goes within an hour."""
MAX_HOLD: Final = timedelta(days=3660)
MAX_CHANGE_LENGTH: Final = 100
RECTIFIED: Final = ("full_name", "locale")
"""What of an account another person may set right; the rest is the person's own, or its enterprise's."""


def enforce_retention(
    session: Session,
    now: datetime,
    setting: Mapping[str, int] | None = None,
    *,
    looked: MutableMapping[str, datetime] | None = None,
) -> dict[str, int]:
    """Delete what is older than its rule says and held by nothing, a batch of each table; how many rows of which.

    The tables come in turn, the one that waited longest first, until `BUDGET_S` is over. `looked` is kept by who calls
    every minute: when a table was found to have nothing more to go, it is left alone for `LOOK_AGAIN`, since most ages
    have no index and looking reads a table whole.
    """
    started, found = time.monotonic(), {}
    shape, held = retention_store.read_shape(session), store.held(session, now)
    due = [rule for rule in ages_in_force(session, setting or {}).rules if rule.can_be_set]
    first = int(now.timestamp() // 60) % len(due)
    for rule in due[first:] + due[:first]:
        if time.monotonic() - started > BUDGET_S:
            break
        if looked is not None and rule.table in looked and abs(now - looked[rule.table]) < LOOK_AGAIN:
            continue
        limit = BATCH // 10 if rule.basis is RetentionBasis.TRIP else BATCH
        count = retention_store.delete_due(session, shape, rule, now, held, limit=limit)
        if looked is not None and count < limit:
            looked[rule.table] = now
        if count:
            found[rule.table] = count
    return found


def list_rules(session: Session, setting: Mapping[str, int]) -> Sequence[RetentionRule]:
    """The rule of each table, by name."""
    return sorted(ages_in_force(session, setting).rules, key=lambda rule: rule.table)


# Holds


def held_trips(session: Session, now: datetime) -> Collection[int]:
    """The trips that holds in force keep, with those of the persons they keep."""
    return store.held(session, now).trip_ids


def place_hold(action: ActionContext, subject: str, subject_id: int, reason: str, until: datetime) -> LegalHold:
    """Keep a trip, or what is kept of a person, whatever its age, until a moment.

    Raises
    ------
    InvalidInputError, NotFoundError
        If there is no such trip or person, no reason is given, or the end is past or more than ten years away.
    """
    kind = HoldSubject.require(subject, "subject")
    if not reason.strip():
        raise InvalidInputError("A hold needs a reason.", field="reason")
    if not action.now < until <= action.now + MAX_HOLD:
        raise InvalidInputError("A hold ends in the future, within ten years; not {until}.", field="until", until=until)
    if kind is HoldSubject.ACCOUNT:
        accounts.get_account(action.session, subject_id)
    elif not store.has_trip(action.session, subject_id):
        raise NotFoundError("There is no trip {trip_id}.", trip_id=subject_id)
    hold = LegalHold(
        subject=kind,
        subject_id=subject_id,
        reason=reason.strip(),
        placed_by=action.actor.account_id,
        placed_at=action.now,
        until=until,
    )
    store.add_hold(action.session, hold)
    after = {"subject": kind, "subject_id": subject_id, "reason": hold.reason, "until": until}
    action.record("privacy.hold", "legal_hold", hold.hold_id, None, after)
    return hold


def end_hold(action: ActionContext, hold_id: int) -> LegalHold:
    """End a hold before its time; a second time changes nothing.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    hold = store.lock_hold(action.session, hold_id)
    if hold is None:
        raise NotFoundError("There is no hold {hold_id}.", hold_id=hold_id)
    if hold.ended_at is None:
        hold.ended_at, hold.ended_by = action.now, action.actor.account_id
        action.record("privacy.end_hold", "legal_hold", hold_id)
        action.session.flush()
    return hold


def find_subject(session: Session, subject: str, written: str) -> int:
    """The number of what a hold or a request is about, by what people know it by: a user name, a trip's code.

    Raises
    ------
    InvalidInputError, NotFoundError
        If it is another kind of subject, or there is no such person or trip.
    """
    if HoldSubject.require(subject, "subject") is HoldSubject.ACCOUNT:
        account = accounts.find_account_by_name(session, written.strip().lower())
        if account is None:
            raise NotFoundError("There is no account {username}.", field="subject", username=written.strip()[:64])
        return account.account_id
    code = find_code(written)
    trip_id = None if code is None else store.find_trip(session, code)
    if trip_id is None:
        raise NotFoundError("There is no trip with this code. Check the twelve characters.", field="subject")
    return trip_id


def names_of(
    session: Session, holds: Iterable[LegalHold], requests: Iterable[PrivacyRequest]
) -> Mapping[tuple[HoldSubject, int], str]:
    """What people know the subjects of holds and requests by: user names, trips' codes."""
    account_ids = {request.account_id for request in requests if request.account_id is not None}
    trip_ids: set[int] = set()
    for hold in holds:
        (account_ids if hold.subject == HoldSubject.ACCOUNT else trip_ids).add(hold.subject_id)
    return store.names_of(session, account_ids, trip_ids)


def list_holds(session: Session, now: datetime) -> Sequence[LegalHold]:
    """The holds in force."""
    return store.list_holds(session, now)


# The notice


def has_consented(session: Session, account_id: int) -> bool:
    """Whether a person confirmed the notice of how data are used, in its present version."""
    return store.find_consent(session, account_id, NOTICE_VERSION) is not None


def page_after_sign_in(session: Session, username: str, path: str, *, demo: bool) -> str:
    """Where somebody goes who has just signed in: to the notice first, unless it was confirmed, and from there to
    `path`; not in the demo."""
    account = None if demo else accounts.find_account_by_name(session, username.strip().lower())
    if account is None or has_consented(session, account.account_id):
        return path
    return f"{NOTICE_PAGE}?{urlencode({'next': path})}"


def consent(action: ActionContext, version: str, locale: str) -> Consent:
    """Keep that the caller confirmed the notice; a second time changes nothing.

    Raises
    ------
    ConflictError
        If another version is in force by now.
    """
    if version != NOTICE_VERSION:
        raise ConflictError("The notice is now of {version}; read it again.", version=NOTICE_VERSION)
    account_id = action.actor.account_id
    present = store.find_consent(action.session, account_id, version)
    if present is None:
        present = Consent(
            account_id=account_id, notice_version=version, locale=locale, given_at=action.now, address=action.address
        )
        store.add_consent(action.session, present)
        action.record("privacy.consent", "account", account_id, None, {"version": version, "locale": locale})
    return present


# What is kept of a person


def export_person(action: ActionContext, account_id: int) -> JsonObject:
    """Everything that is kept of a person, as one JSON document; that it was taken is in the audit log.

    Raises
    ------
    NotFoundError
        If there is no such account.
    """
    accounts.get_account(action.session, account_id)
    kept = {data.name: _read(action.session, data, account_id) for data in PERSONAL_DATA}
    action.record("privacy.export", "account", account_id)
    return {"made_at": action.now.isoformat(), "account_id": account_id, **kept}


def _read(session: Session, data: PersonalData, account_id: int) -> list[JsonObject]:
    ring = key_ring()
    read: list[JsonObject] = []
    for row in store.read_person(session, data.read, account_id):
        clear = {name: ring.decrypt(str(row[name])) for name in data.encrypted if row[name]}
        documents = {name: drivers.of_person(_opened(row[name])) for name in data.documents}
        read.append({**row, **clear, **documents})
    return read


def _opened(document: object) -> JsonObject:
    return unseal_object(document) if isinstance(document, dict) else {}


def find_driver(action: ActionContext, driver: Driver) -> Found:
    """What is kept of a driver who may have no account; that it was looked for is in the audit log."""
    found = drivers.find(action.session, driver)
    action.record("privacy.search", "driver", driver.digest, None, found.counts)
    return found


def ask(
    action: ActionContext,
    kind: str,
    whose: int | Driver,
    reason: str,
    changes: Mapping[str, str] | None = None,
) -> PrivacyRequest:
    """Ask for the erasure or rectification of a person's data; another administrator decides.

    Arguments: `whose`, an account, or a driver who may have none. A request that is open already is given back, not
    doubled.

    Raises
    ------
    InvalidInputError, NotFoundError
        If there is no such person, no reason, or what is to be set right is none of what can be.
    """
    wanted = RequestKind.require(kind, "kind")
    if not reason.strip():
        raise InvalidInputError("A request needs a reason.", field="reason")
    if isinstance(whose, Driver):
        account_id, person, person_digest = None, whose.to_record(), whose.digest
        if not whose.numbers:
            raise InvalidInputError("A name is of several people: give a number of the person too.", field="numbers")
        _check_changes(wanted, changes, drivers.DECLARED_AS)
        if not any(drivers.find(action.session, whose).counts.values()):
            raise NotFoundError("Nothing is kept of this person.", field="numbers")
    else:
        account_id, person, person_digest = whose, None, None
        accounts.get_account(action.session, whose)
        _check_changes(wanted, changes, RECTIFIED)
    present = store.find_open_request(action.session, account_id, person_digest, wanted)
    if present is not None:
        return present
    request = PrivacyRequest(
        kind=wanted,
        account_id=account_id,
        person=person,
        person_digest=person_digest,
        reason=reason.strip(),
        changes=dict(changes) if changes else None,
        status=RequestStatus.OPEN,
        asked_by=action.actor.account_id,
        asked_at=action.now,
    )
    store.add_request(action.session, request)
    after = {"kind": wanted, "account_id": account_id, "driver": person_digest, "fields": sorted(changes or {})}
    action.record("privacy.ask", "privacy_request", request.request_id, None, after)
    return request


def _check_changes(kind: RequestKind, changes: Mapping[str, str] | None, known: Collection[str]) -> None:
    if kind is RequestKind.ERASURE:
        if changes:
            raise InvalidInputError("An erasure changes nothing else.", field="changes")
        return
    if not changes:
        raise InvalidInputError("Say what is to be set right.", field="changes")
    for name, value in changes.items():
        if name not in known:
            raise InvalidInputError(
                "{name} is not one of {known}.", field="changes", name=name[:40], known=", ".join(known)
            )
        if not value.strip() or len(value) > MAX_CHANGE_LENGTH:
            raise InvalidInputError("{name} cannot be empty.", field=f"changes.{name}", name=name)


def decide(action: ActionContext, request_id: int, *, grant: bool, reason: str = "") -> PrivacyRequest:
    """Carry a request out, or refuse it with a reason.

    Raises
    ------
    NotFoundError
        If there is none.
    ForbiddenError
        If the one who decides asked for it, or is the person.
    ConflictError
        If it is decided already, or a legal hold keeps the person's data.
    InvalidInputError
        If it is refused without a reason.
    """
    request = store.lock_request(action.session, request_id)
    if request is None:
        raise NotFoundError("There is no request {request_id}.", request_id=request_id)
    if action.actor.account_id in (request.asked_by, request.account_id):
        raise ForbiddenError("A second person decides: neither who asked, nor whose data they are.")
    if request.status != RequestStatus.OPEN:
        raise ConflictError("Request {request_id} is decided already.", request_id=request_id)
    if not grant and not reason.strip():
        raise InvalidInputError("A refusal needs a reason.", field="reason")
    if grant:
        request.outcome = _carry_out(action, request)
    request.status = RequestStatus.DONE if grant else RequestStatus.REFUSED
    request.decided_by, request.decided_at = action.actor.account_id, action.now
    request.decision_reason, request.changes, request.person = reason.strip() or None, None, None
    action.session.flush()
    action.record("privacy.decide", "privacy_request", request_id, None, {"granted": grant, "outcome": request.outcome})
    return request


def _carry_out(action: ActionContext, request: PrivacyRequest) -> JsonObject:
    """What is asked for, done: how many rows of what."""
    is_erasure, account_id, changes = request.kind == RequestKind.ERASURE, request.account_id, request.changes or {}
    if account_id is None:
        driver = Driver.from_record(request.person or {})
        if not is_erasure:
            return drivers.rectify(action, driver, {name: str(value) for name, value in changes.items()})
        _refuse_if_trips_held(action, drivers.find(action.session, driver).named_trip_ids)
        return drivers.erase(action, driver, f"person-r{request.request_id}")
    if is_erasure:
        _refuse_if_held(action, account_id)
        return _erase(action, account_id)
    version = accounts.get_account(action.session, account_id).version
    accounts.change_account(action, account_id, dict(changes), expected_version=version)
    return {"changed": sorted(changes)}


def _refuse_if_held(action: ActionContext, account_id: int) -> None:
    held = store.held(action.session, action.now)
    trips = store.trips_of(action.session, account_id)
    if account_id in held.account_ids or held.trip_ids & trips:
        raise ConflictError("A legal hold keeps the data of person {account_id}.", account_id=account_id)


def _refuse_if_trips_held(action: ActionContext, trip_ids: Collection[int]) -> None:
    held = store.held(action.session, action.now).trip_ids & set(trip_ids)
    if held:
        code = store.codes_of(action.session, held)[0]
        raise ConflictError("A legal hold keeps the trip {code}, on which the person is named.", code=code)


def _erase(action: ActionContext, account_id: int) -> JsonObject:
    """Erase or pseudonymise; how many rows of what, and what is kept because of which law."""
    bound = {
        "account_id": account_id,
        "pseudonym": f"person-{account_id}",
        "now": action.now,
        "nobody_hash": passwords.HASHER.hash(secrets.token_urlsafe(32)),
    }
    action.session.flush()
    reached = {
        data.name: store.change_person(action.session, data.erase, bound) for data in PERSONAL_DATA if data.erase
    }
    reached |= drivers.erase_trips(action, sorted(store.trips_of(action.session, account_id)), str(bound["pseudonym"]))
    action.session.expire_all()
    kept = {data.name: data.kept_because for data in PERSONAL_DATA if data.kept_because}
    return {"erased": reached, "kept": kept}


def list_requests(session: Session) -> Sequence[PrivacyRequest]:
    """Requests, open ones first."""
    return store.list_requests(session)
