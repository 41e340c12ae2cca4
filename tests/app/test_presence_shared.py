"""Several enterprises declare trips for one truck: what is seen of it belongs to the trip that it is on."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from app.trips import presence_store, progress
from app.trips.presence_store import TripSeen
from app.trips.vocabulary import Stage
from tests.app.bordering import Listener, listener, sheets  # noqa: F401 - fixtures
from tests.app.dispatching import put_truck
from tests.app.registering import PLATE, Companies, make_companies
from tests.conftest import SignIn

HOUR = timedelta(hours=1)
NORM = PLATE.replace("-", "").replace(".", "")


@pytest.fixture
def companies(runtime: Runtime, sign_in: SignIn) -> Companies:
    made = make_companies(runtime, sign_in)
    with runtime.sessions.begin() as session:  # the trips of this file are all that the truck is on
        session.execute(text("DELETE FROM app.trip"))
    return made


def drive(companies: Companies, sheets: Sheets, km: float) -> None:
    """Ten minutes later the truck reports from a kilometre, and the control loop looks."""
    runtime = companies.runtime
    runtime.clock.advance(600.0)  # type: ignore[attr-defined]
    now = runtime.clock.now()
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, PLATE, time=now, km=km)
        progress.advance(session, now, keeper=sheets.presence, tails_km={})
        session.commit()


def stages(companies: Companies, *trip_ids: int) -> list[str]:
    with companies.runtime.sessions() as session:
        query = text("SELECT stage FROM app.trip WHERE trip_id = ANY(:ids) ORDER BY array_position(:ids, trip_id)")
        return list(session.scalars(query, {"ids": list(trip_ids)}))


def seen(companies: Companies, trip_id: int) -> TripSeen:
    with companies.runtime.sessions() as session:
        [trip] = presence_store.load_trips(session, [trip_id])
    return trip


def end(companies: Companies, trip_id: int) -> datetime:
    """Let the truck have left from a trip; when."""
    now = companies.runtime.clock.now()
    with companies.runtime.sessions() as session:
        session.execute(
            text("UPDATE app.trip SET stage = :out, stage_since = :now WHERE trip_id = :trip_id"),
            {"out": Stage.OUT, "now": now, "trip_id": trip_id},
        )
        session.commit()
    return now


def trips_of_plate(companies: Companies) -> list[int]:
    with companies.runtime.sessions() as session:
        return presence_store.open_trips_of(session, NORM)


def test_what_is_seen_belongs_to_the_trip_of_who_holds_the_truck(companies: Companies, sheets: Sheets) -> None:
    companies.prove(companies.ours)
    typed = companies.declare(companies.theirs)
    companies.runtime.clock.advance(60.0)  # type: ignore[attr-defined]
    own = companies.declare(companies.ours)
    drive(companies, sheets, 40.0)
    drive(companies, sheets, 30.0)
    assert stages(companies, own, typed) == [Stage.ON_THE_ROAD, Stage.PLANNED]
    assert trips_of_plate(companies) == [own]


def test_a_typed_plate_takes_nothing_from_a_trip_under_way(companies: Companies, sheets: Sheets) -> None:
    own = companies.declare(companies.ours)
    drive(companies, sheets, 40.0)
    typed = companies.declare(companies.theirs)
    drive(companies, sheets, 30.0)
    assert stages(companies, own, typed) == [Stage.ON_THE_ROAD, Stage.PLANNED]
    assert seen(companies, own).until is None
    assert seen(companies, typed).until == seen(companies, typed).begin, "nothing of the truck is the typed trip's"


def test_what_was_seen_follows_the_word_of_the_holder(companies: Companies, sheets: Sheets) -> None:
    first = companies.declare(companies.ours)
    second = companies.declare(companies.theirs)
    drive(companies, sheets, 40.0)
    assert stages(companies, first, second) == [Stage.ON_THE_ROAD, Stage.PLANNED]
    companies.prove(companies.theirs)
    drive(companies, sheets, 30.0)
    assert stages(companies, first, second) == [Stage.PLANNED, Stage.ON_THE_ROAD]


def test_the_trip_of_another_enterprise_begins_once_the_truck_is_free(companies: Companies) -> None:
    companies.prove(companies.ours)
    own, typed = companies.declare(companies.ours), companies.declare(companies.theirs)
    companies.runtime.clock.advance(3600.0)  # type: ignore[attr-defined]
    ended_at = end(companies, own)
    assert seen(companies, typed).begin == ended_at + HOUR, "what shows the truck leaving is the first trip's"
    assert trips_of_plate(companies) == [typed]
    over = seen(companies, own)
    assert over.until is None
    assert not over.has_other_open, "a typed plate does not keep an officer from correcting the end"
    answered = companies.ours.post(f"/api/v1/trips/{typed}/vehicle-answer", json={"agreed": True})
    assert answered.status_code in {200, 204}, answered.text
    assert seen(companies, own).has_other_open
    assert seen(companies, own).until is None, "until the next trip is under way"


def test_the_next_trip_of_the_same_enterprise_ends_the_one_before(companies: Companies) -> None:
    own = companies.declare(companies.ours)
    companies.runtime.clock.advance(3600.0)  # type: ignore[attr-defined]
    ended_at = end(companies, own)
    companies.runtime.clock.advance(600.0)  # type: ignore[attr-defined]
    following = companies.declare(companies.ours)
    over, now = seen(companies, own), companies.runtime.clock.now()
    assert (over.until, over.has_other_open) == (now, True)
    assert seen(companies, following).begin == now > ended_at
