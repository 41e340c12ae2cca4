"""Queries on holds, requests and consents, and on what is kept of a person. Nothing here commits.

What is kept of a person lies in many features' tables. Where, and what becomes of it, is written once, in
`app.privacy.personal_data`; this module reads and changes it by that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, exists, select, text
from sqlalchemy.orm import Session

from app.platform.json import JsonObject
from app.privacy.retention_store import Held
from app.privacy.tables import Consent, LegalHold, PrivacyRequest
from app.privacy.vocabulary import HoldSubject, RequestStatus
from app.trips.vocabulary import Stage


def add_hold(session: Session, hold: LegalHold) -> None:
    """Keep a new hold."""
    session.add(hold)
    session.flush()


def lock_hold(session: Session, hold_id: int) -> LegalHold | None:
    """A hold, locked."""
    return session.scalar(select(LegalHold).where(LegalHold.hold_id == hold_id).with_for_update())


def list_holds(session: Session, now: datetime) -> Sequence[LegalHold]:
    """The holds in force, the newest first."""
    in_force = and_(LegalHold.ended_at.is_(None), LegalHold.until > now)
    return session.scalars(select(LegalHold).where(in_force).order_by(LegalHold.hold_id.desc())).all()


def holds_on(session: Session, subject: HoldSubject, subject_id: int, now: datetime) -> bool:
    """Whether a hold is on something."""
    in_force = and_(LegalHold.ended_at.is_(None), LegalHold.until > now)
    on_it = and_(LegalHold.subject == subject, LegalHold.subject_id == subject_id)
    return bool(session.scalar(select(exists().where(in_force, on_it))))


def held(session: Session, now: datetime) -> Held:
    """What the holds in force keep: their trips and persons, the trips of those persons, the trucks of those trips."""
    accounts: set[int] = set()
    trips: set[int] = set()
    for hold in list_holds(session, now):
        (trips if hold.subject == HoldSubject.TRIP else accounts).add(hold.subject_id)
    if not accounts and not trips:
        return Held()
    rows = session.execute(
        text("SELECT trip_id, vehicle_id FROM app.trip WHERE trip_id = ANY(:trips) OR driver_id = ANY(:accounts)"),
        {"trips": sorted(trips), "accounts": sorted(accounts)},
    ).all()
    return Held(
        frozenset(trips | {trip_id for trip_id, _ in rows}),
        frozenset(vehicle_id for _, vehicle_id in rows),
        frozenset(accounts),
    )


def find_trip(session: Session, code: str) -> int | None:
    """The trip of a code."""
    found: int | None = session.scalar(text("SELECT trip_id FROM app.trip WHERE code = :code"), {"code": code})
    return found


def names_of(
    session: Session, account_ids: Collection[int], trip_ids: Collection[int]
) -> Mapping[tuple[HoldSubject, int], str]:
    """By subject and number the user name of an account, the code of a trip."""
    query = text(
        "SELECT :account, account_id, username FROM app.account WHERE account_id = ANY(:accounts) "
        "UNION ALL SELECT :trip, trip_id, code FROM app.trip WHERE trip_id = ANY(:trips)"
    )
    bound = {"account": HoldSubject.ACCOUNT.value, "accounts": list(account_ids)}
    bound |= {"trip": HoldSubject.TRIP.value, "trips": list(trip_ids)}
    return {(HoldSubject(subject), number): name for subject, number, name in session.execute(query, bound)}


def codes_of(session: Session, trip_ids: Collection[int]) -> list[str]:
    """The codes of trips, by number."""
    query = text("SELECT code FROM app.trip WHERE trip_id = ANY(:trips) ORDER BY trip_id")
    return list(session.scalars(query, {"trips": list(trip_ids)}))


def open_codes(session: Session, trip_ids: Collection[int]) -> list[str]:
    """The codes of those of some trips that are not over."""
    query = text("SELECT code FROM app.trip WHERE trip_id = ANY(:trips) AND stage = ANY(:open) ORDER BY trip_id")
    return list(session.scalars(query, {"trips": list(trip_ids), "open": [str(stage) for stage in Stage.open()]}))


def has_trip(session: Session, trip_id: int) -> bool:
    """Whether there is such a trip."""
    found = session.scalar(text("SELECT EXISTS (SELECT FROM app.trip WHERE trip_id = :id)"), {"id": trip_id})
    return bool(found)


def add_request(session: Session, request: PrivacyRequest) -> None:
    """Keep a new request."""
    session.add(request)
    session.flush()


def find_open_request(
    session: Session, account_id: int | None, person_digest: str | None, kind: str
) -> PrivacyRequest | None:
    """The open request of a kind about a person, by account or digest, if there is one."""
    whose = PrivacyRequest.person_digest == person_digest
    return session.scalar(
        select(PrivacyRequest).where(
            whose if account_id is None else PrivacyRequest.account_id == account_id,
            PrivacyRequest.kind == kind,
            PrivacyRequest.status == RequestStatus.OPEN,
        )
    )


def lock_request(session: Session, request_id: int) -> PrivacyRequest | None:
    """A request, locked."""
    return session.scalar(select(PrivacyRequest).where(PrivacyRequest.request_id == request_id).with_for_update())


def list_requests(session: Session, *, limit: int = 100) -> Sequence[PrivacyRequest]:
    """Requests, open ones first, then the newest."""
    is_open = (PrivacyRequest.status == RequestStatus.OPEN).desc()
    return session.scalars(
        select(PrivacyRequest).order_by(is_open, PrivacyRequest.request_id.desc()).limit(limit)
    ).all()


def find_consent(session: Session, account_id: int, version: str) -> Consent | None:
    """What a person said to a version of the notice."""
    return session.get(Consent, (account_id, version))


def add_consent(session: Session, consent: Consent) -> None:
    """Keep that a person agreed."""
    session.merge(consent)
    session.flush()


def read_person(session: Session, query: str, account_id: int) -> list[JsonObject]:
    """The rows of one query of `personal_data`, each as a JSON object."""
    statement = text(f"SELECT to_jsonb(kept) FROM ({query}) kept")  # noqa: S608 - our own queries
    return list(session.scalars(statement, {"account_id": account_id}))


def change_person(session: Session, statement: str, bound: Mapping[str, object]) -> int:
    """Run one erasing statement of `personal_data` with its values; how many rows it reached."""
    found = session.execute(text(f"WITH reached AS ({statement} RETURNING 1) SELECT count(*) FROM reached"), bound)  # noqa: S608
    return int(found.scalar_one())


def trips_of(session: Session, account_id: int) -> frozenset[int]:
    """The trips that a person drives or drove."""
    return frozenset(session.scalars(text("SELECT trip_id FROM app.trip WHERE driver_id = :id"), {"id": account_id}))
