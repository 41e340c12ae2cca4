"""What everybody reads is read again as soon as anybody changed it, and by nobody before."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from app.gates import notice_store
from app.gates.in_force import current_notices, profiles_in_force
from app.gates.priority import PriorityLanes
from app.gates.service import list_versions, profiles, seed_profiles, set_priority
from app.gates.tables import GateNoticeRow
from app.platform import shared_facts
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.platform.shared_facts import READ_ONLY, SharedFact, read_shared
from tests.app.test_accounts import make_account

GATE = "huu-nghi"


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """With gates that have profiles."""
    with runtime.sessions.begin() as session:
        seed_profiles(session, runtime.corridor, now=runtime.clock.now())
    return runtime


class Asked:
    """The statements that a block sent."""

    def __init__(self, runtime: Runtime) -> None:
        self.engine, self.statements = runtime.engine, list[str]()

    def __enter__(self) -> list[str]:
        event.listen(self.engine, "before_cursor_execute", self._note)
        return self.statements

    def __exit__(self, *_: object) -> None:
        event.remove(self.engine, "before_cursor_execute", self._note)

    def _note(self, _connection, _cursor, statement: str, *_: object) -> None:
        self.statements.append(statement)


def lanes_of(session: Session, runtime: Runtime) -> int:
    return lanes_at(session, runtime.clock.now())


def lanes_at(session: Session, now: datetime) -> int:
    found = profiles_in_force(session, now)[GATE].priority
    return 0 if found is None else found.lanes


def publish(session: Session, runtime: Runtime, lanes: int) -> None:
    """Let a gate have so many priority lanes from now on."""
    newest = list_versions(session, GATE)[0]
    set_priority(
        ActionContext(session, None, runtime.clock.now()),
        GATE,
        PriorityLanes(lanes=lanes),
        expected_version=newest.revision,
    )


def test_what_did_not_change_is_not_read_again(runtime: Runtime) -> None:
    with runtime.sessions() as session:
        lanes_of(session, runtime)
    with runtime.sessions() as session, Asked(runtime) as statements:
        lanes_of(session, runtime)
        current_notices(session, runtime.clock.now())
        lanes_of(session, runtime)
    assert not [statement for statement in statements if "gate_profile" in statement]
    with runtime.sessions() as session, Asked(runtime) as statements:
        session.info[READ_ONLY] = True
        lanes_of(session, runtime)
        current_notices(session, runtime.clock.now())
    assert [statement.count("shared_fact") for statement in statements] == [1], statements


def test_a_change_is_seen_by_its_transaction_then_by_everybody_and_one_undone_by_nobody(runtime: Runtime) -> None:
    with runtime.sessions() as other, runtime.sessions() as session:
        before = lanes_of(other, runtime)
        publish(session, runtime, before + 1)
        assert lanes_of(session, runtime) == before + 1
        publish(session, runtime, before + 2)
        assert lanes_of(session, runtime) == before + 2
        assert lanes_of(other, runtime) == before
        session.rollback()
        assert [lanes_of(each, runtime) for each in (session, other)] == [before, before]
        publish(session, runtime, before + 3)
        assert lanes_of(other, runtime) == before
        session.commit()
        assert [lanes_of(each, runtime) for each in (session, other)] == [before + 3, before + 3]


def test_a_change_by_hand_in_the_database_counts_too(runtime: Runtime, owner_engine: Engine) -> None:
    with runtime.sessions() as session:
        before = lanes_of(session, runtime)
    with runtime.engine.begin() as connection:
        connection.execute(
            text("UPDATE app.gate_profile SET profile = jsonb_set(profile, '{priority}', '{\"lanes\": 9}')")
        )
    with runtime.sessions() as session:
        assert (before, lanes_of(session, runtime)) == (0, 9)
    with Session(owner_engine) as session:
        session.execute(text("TRUNCATE app.gate_profile"))
        assert profiles_in_force(session, runtime.clock.now()) == {}
        session.rollback()


def test_a_version_published_for_later_comes_into_force_without_anybody_writing(runtime: Runtime) -> None:
    now = runtime.clock.now()
    with runtime.sessions.begin() as session:
        publish(session, runtime, 5)
        later = text("UPDATE app.gate_profile SET effective_from = :later WHERE version = 2")
        session.execute(later, {"later": now + timedelta(hours=1)})
    with runtime.sessions() as session:
        assert lanes_of(session, runtime) == 0
        runtime.clock.advance(3599)  # type: ignore[attr-defined]
        assert lanes_of(session, runtime) == 0
        runtime.clock.advance(1)  # type: ignore[attr-defined]
        assert lanes_of(session, runtime) == 5
        assert lanes_at(session, now) == 0


def test_notices_are_those_that_the_database_would_name_at_every_moment(runtime: Runtime) -> None:
    now = runtime.clock.now()
    hours = [None, -30, -2, -1, 0, 1, 2, 30]
    author = make_account(runtime)
    with runtime.sessions.begin() as session:
        for kind in ("ban", "outage"):
            for ends in hours:
                for over in hours:
                    session.add(
                        GateNoticeRow(
                            kind=kind,
                            gate_id=GATE,
                            cause="Trial",
                            starts_at=now - timedelta(days=3),
                            ends_at=None if ends is None else now + timedelta(hours=ends),
                            over_at=None if over is None else now + timedelta(hours=over),
                            over_reason="",
                            goods=[],
                            regimes=[],
                            system=None if kind == "ban" else "power",
                            paper_mode=False,
                            announced="begun",
                            created_by=author,
                            created_role="",
                            created_at=now,
                        )
                    )
    with runtime.sessions() as session:
        counts = []
        for hour in (0, -40, -1, 0, 1, 1.5, 30, 40):
            at = now + timedelta(hours=hour)
            for kind in (None, "ban", "outage"):
                expected = notice_store.known_notices(session, gate_id=GATE, kind=kind, not_over_at=at)
                assert current_notices(session, at, gate_id=GATE, kind=kind) == expected
            counts.append(len(current_notices(session, at)))
        assert len(set(counts)) > 4
        assert current_notices(session, now, gate_id="tan-thanh") == []


def test_a_fact_without_a_version_is_kept_by_nobody(runtime: Runtime) -> None:
    loads = []

    def load() -> int:
        loads.append(1)
        return len(loads)

    with runtime.sessions() as session:
        session.execute(text("DELETE FROM app.shared_fact"))
        assert [read_shared(session, SharedFact.FORECASTS, "trial", load) for _ in range(2)] == [1, 2]
        session.execute(text("INSERT INTO app.shared_fact VALUES ('forecast', gen_random_uuid())"))
        assert [read_shared(session, SharedFact.FORECASTS, "trial", load) for _ in range(2)] == [3, 3]
        session.rollback()


def test_every_shared_fact_has_a_trigger(runtime: Runtime) -> None:
    with runtime.engine.connect() as connection:
        query = "SELECT encode(tgargs, 'escape') FROM pg_trigger WHERE tgname = 'note_change'"
        named = {str(argument).split("\\")[0] for argument in connection.execute(text(query)).scalars()}
    assert named == set(SharedFact)
    assert len(shared_facts._kept) <= shared_facts.MAX_KEPT


def test_profiles_with_their_bans_ask_for_the_versions_once(runtime: Runtime) -> None:
    now = runtime.clock.now()
    with runtime.sessions() as session:
        profiles(session, now)
        with Asked(runtime) as statements:
            profiles(session, now)
        assert [statement for statement in statements if "shared_fact" in statement] == statements
        assert len(statements) == 1
        publish(session, runtime, lanes=3)
        priority = profiles(session, now)[GATE].priority
    assert priority is not None, "a transaction sees its own changes"
    assert priority.lanes == 3
