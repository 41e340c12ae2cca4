"""Gate profiles: values and their sources, versions in force, drafts, and what the migration makes of settings."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.gates import service
from app.gates.profile import GateProfile, GateValues, Hours, Source, default_profiles
from app.ops import migrate
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from geo.corridor import Corridor
from geo.database import make_engine
from geo.errors import ConflictError, InvalidInputError, NotFoundError, StaleError
from routing.gates import assumed_settings

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


@pytest.fixture
def seeded(session: Session, corridor: Corridor) -> Session:
    """A database whose gates have their first versions."""
    service.seed_profiles(session, corridor, now=NOW)
    return session


@pytest.fixture
def planner(session: Session) -> Principal:
    query = text(
        "INSERT INTO app.account (username, password_hash, full_name, role, created_at)"
        " VALUES ('p', '', 'P', 'planner', :now) RETURNING account_id"
    )
    account_id = session.execute(query, {"now": NOW}).scalar_one()
    return Principal(account_id, "p", "P", Role.PLANNER, None, None, None, "vi", b"", "")


@pytest.fixture(scope="module")
def profile() -> GateProfile:
    return default_profiles(Corridor.default())["huu-nghi"]


def test_a_default_profile_compiles_to_the_assumed_settings(corridor: Corridor) -> None:
    profiles = default_profiles(corridor)
    compiled = [setting for gate_id, gate_profile in profiles.items() for setting in gate_profile.settings(gate_id)]
    assert compiled == list(assumed_settings(corridor))
    assert profiles["tan-thanh"].takes("export", "fresh_fruit")
    assert not profiles["tan-thanh"].takes("transit", "fresh_fruit")
    assert not profiles["tan-thanh"].takes("export", "vehicles")
    assert {
        str(gate_profile.of(d).opening_hours) for gate_profile in profiles.values() for d in ("export", "import")
    } == {"07:00–19:00"}


def test_an_edit_changes_the_source_of_what_it_changes(profile: GateProfile) -> None:
    edited = profile.edited(profile.with_direction("import", {"lanes": 9, "open_to": time(2, 30)}))
    changed = {name for name, source in edited.sources.items() if source == Source.SET}
    assert changed == {"imports.lanes", "imports.hours"}
    assert edited.imports.hours.intervals == "07:00–02:30"
    assert (edited.imports.open_from, edited.imports.open_to) == (time(7), time(2, 30))
    assert edited.exports == profile.exports


def test_hours_that_are_written_as_they_are_keep_their_breaks(profile: GateProfile) -> None:
    broken = profile.exports.model_copy(update={"hours": Hours(intervals="07:00–11:30, 13:00–19:00")})
    split = profile.edited(profile.values().model_copy(update={"exports": broken}))
    unchanged = {"lanes": 9, "open_from": time(7), "open_to": time(19)}
    assert str(split.with_direction("export", unchanged).exports.opening_hours) == "07:00–11:30, 13:00–19:00"
    assert str(split.with_direction("export", {"open_to": time(18)}).exports.opening_hours) == "07:00–18:00"


def test_equal_times_are_round_the_clock(profile: GateProfile) -> None:
    values = profile.with_direction("export", {"open_from": time(0), "open_to": time(0)})
    assert values.exports.opening_hours.is_always_open
    assert values.exports.open_from == values.exports.open_to == time(0)


def test_hours_written_otherwise_are_the_same_hours() -> None:
    assert Hours(intervals="13:00-19:00,7:00 - 11:30") == Hours(intervals="07:00–11:30, 13:00–19:00")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("regimes", ["smuggling"]),
        ("goods", ["gold"]),
        ("collectors", ["customs"]),
        ("exports", {"lanes": 0}),
        ("exports", {"service_mean_s": 0}),
        ("exports", {"hours": {"intervals": "noon"}}),
        ("exports", {"hours": {"intervals": "07:00–19:00, 18:00–20:00"}}),
        ("imports", {"hours": {"intervals": "07:00–19:00", "holidays": {"Tết": ""}}}),
    ],
)
def test_what_cannot_be_is_refused(profile: GateProfile, name: str, value: object) -> None:
    plain = profile.values().model_dump()
    plain[name] = {**plain[name], **value} if isinstance(value, dict) else value
    with pytest.raises(ValidationError, match=name):
        GateValues.model_validate(plain)


def test_the_version_in_force_is_the_latest_that_has_come(
    seeded: Session, planner: Principal, corridor: Corridor
) -> None:
    action = ActionContext(seeded, planner, NOW)
    present = service.get_profile(seeded, "huu-nghi", NOW)
    values = present.profile.with_direction("export", {"lanes": 2})
    service.save_draft(action, "huu-nghi", values, expected_version=1, corridor=corridor)
    with pytest.raises(StaleError, match="now it is version 2"):
        service.publish_draft(action, "huu-nghi", expected_version=1)
    with pytest.raises(InvalidInputError, match="has passed"):
        service.publish_draft(action, "huu-nghi", expected_version=2, effective_from=NOW - timedelta(days=1))
    tomorrow = NOW + timedelta(days=1)
    service.publish_draft(action, "huu-nghi", expected_version=2, effective_from=tomorrow)
    lanes = {day: service.gate_settings(seeded, NOW + timedelta(days=day))[0].crossing.lanes for day in (-9, 0, 1, 9)}
    assert lanes == {-9: 4, 0: 4, 1: 2, 9: 2}, "before its first version a gate works by it"
    (declared,) = service.declared_lanes(seeded, since=NOW, until=tomorrow)
    assert (declared.gate_id, declared.at, declared.factor) == ("huu-nghi", tomorrow, pytest.approx(0.5))
    assert service.declared_lanes(seeded, since=NOW, until=NOW + timedelta(hours=23)) == ()
    slower = {"service_mean_s": 2.0 * present.profile.exports.service_mean_s}
    service.change_direction(action, "huu-nghi", "export", slower, expected_version=3)
    assert len(service.declared_lanes(seeded, since=NOW - timedelta(days=1), until=tomorrow)) == 1
    with pytest.raises(ConflictError, match="no draft"):
        service.publish_draft(action, "huu-nghi", expected_version=4)
    with pytest.raises(NotFoundError):
        service.get_profile(seeded, "nowhere", NOW)


def test_a_draft_from_before_another_version_is_not_published_unseen(
    seeded: Session, planner: Principal, corridor: Corridor
) -> None:
    action = ActionContext(seeded, planner, NOW)
    values = service.get_profile(seeded, "huu-nghi", NOW).profile.with_direction("export", {"lanes": 2})
    service.save_draft(action, "huu-nghi", values, expected_version=1, corridor=corridor)
    service.change_direction(action, "huu-nghi", "import", {"lanes": 6}, expected_version=2)
    with pytest.raises(ConflictError, match="published since"):
        service.publish_draft(action, "huu-nghi", expected_version=3)
    service.save_draft(action, "huu-nghi", values, expected_version=3, corridor=corridor)
    published = service.publish_draft(action, "huu-nghi", expected_version=4)
    assert published.profile.exports.lanes == 2
    assert [version.status for version in service.list_versions(seeded, "huu-nghi")] == ["published"] * 3


def test_settings_become_first_versions_and_back(owner_engine: Engine) -> None:
    with owner_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS gate_migration"))
        connection.execute(text("CREATE DATABASE gate_migration"))
    own = make_engine(
        owner_engine.url.set(database="gate_migration").render_as_string(hide_password=False),
        pool_size=1,
        application_name="cuakhau-test",
    )
    try:
        migrate.upgrade(own, "0014")
        with own.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO routing.gate_setting SELECT 'tan-thanh', * FROM (VALUES"
                    " ('export', 3, time '18:30', time '02:00', 120.5, 0.6, 2, 60, 0.5, 5400, 0.6, 4, now(), 0),"
                    " ('import', 3, time '00:00', time '00:00', 90.0, 0.6, 2, 60, 0.5, 5400, 0.6, 1, now(), 0)) AS v"
                )
            )
            connection.execute(text("UPDATE routing.gate_setting SET updated_by = NULL"))
        migrate.upgrade(own)
        with Session(own) as session:
            stored = service.get_profile(session, "tan-thanh", NOW)
        assert stored.profile.exports.hours.intervals == "18:30–02:00"
        assert stored.profile.imports.opening_hours.is_always_open
        assert stored.profile.exports.service_mean_s == 120.5
        assert not stored.profile.takes_regime("transit")
        assert not stored.profile.takes_goods("vehicles")
        assert stored.profile.sources["exports.lanes"] == Source.ASSUMED
        migrate.downgrade(own, "0014")
        with own.begin() as connection:
            rows = connection.execute(
                text("SELECT direction, open_from, open_to, lanes FROM routing.gate_setting ORDER BY direction")
            ).all()
        expected = [("export", time(18, 30), time(2), 3), ("import", time(0), time(0), 3)]
        assert [tuple(row) for row in rows] == expected
    finally:
        own.dispose()
