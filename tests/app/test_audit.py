"""The audit log: chained, append-only, searched; every kind of tampering shows."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.platform import audit, audit_store
from app.platform.personal_fields import DIGEST_MARK
from app.platform.tables import AuditRow


@pytest.fixture
def log(owner_session, clock):
    """Five rows, before the database's owner: the application could not tamper with them."""
    session = owner_session
    for number in range(5):
        clock.advance(1)
        audit.record(
            session, None, "orders.issue", "order", number, None, {"km": 6.5, "text": "Dừng lại"}, at=clock.now()
        )
    session.commit()
    return session


def tamper(session, statement: str) -> None:
    session.execute(text("ALTER TABLE app.audit DISABLE TRIGGER audit_append_only"))
    session.execute(text(statement))
    session.execute(text("ALTER TABLE app.audit ENABLE TRIGGER audit_append_only"))
    session.expire_all()


def test_an_untouched_log_is_whole(log):
    log.expire_all()
    assert audit.verify(log) == []


@pytest.mark.parametrize("statement", ["UPDATE app.audit SET actor = 'x'", "DELETE FROM app.audit"])
def test_the_database_refuses_changes(log, statement):
    with pytest.raises(DBAPIError, match="append-only"), log.begin_nested():
        log.execute(text(statement))


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'somebody else'",
        "action = 'orders.cancel'",
        "object_id = '99'",
        "at = at - interval '1 hour'",
        'after = \'{"km": 6.6, "text": "Dừng lại"}\'',
        "before = '{}'",
        "address = '10.0.0.1'",
        "actor_id = 1",
    ],
)
def test_an_edited_row_shows(log, change):
    tamper(log, f"UPDATE app.audit SET {change} WHERE audit_id = 3")
    assert [(fault.audit_id, fault.kind) for fault in audit.verify(log)] == [(3, "edited")]


def test_an_edited_row_with_a_fitting_hash_breaks_the_next(log):
    tamper(log, "UPDATE app.audit SET actor = 'somebody else' WHERE audit_id = 3")
    row = log.get(AuditRow, 3)
    tamper(log, f"UPDATE app.audit SET hash = '\\x{audit.content_hash(row).hex()}' WHERE audit_id = 3")
    assert [(fault.audit_id, fault.kind) for fault in audit.verify(log)] == [(4, "reordered")]


def test_a_deleted_row_shows(log):
    tamper(log, "DELETE FROM app.audit WHERE audit_id = 3")
    assert [(fault.audit_id, fault.kind) for fault in audit.verify(log)] == [(3, "missing")]


def test_swapped_rows_show(log):
    tamper(log, "UPDATE app.audit SET audit_id = 5 - audit_id - 10 WHERE audit_id IN (2, 3)")
    tamper(log, "UPDATE app.audit SET audit_id = audit_id + 10 WHERE audit_id < 0")
    faults = audit.verify(log)
    assert {fault.audit_id for fault in faults} >= {2, 3}


def test_a_cut_tail_shows_against_a_noted_head(log):
    head = audit_store.last_audit(log)
    assert audit.verify(log, heads=[head]) == []
    tamper(log, "DELETE FROM app.audit WHERE audit_id = 5")
    assert audit.verify(log) == []
    assert [fault.kind for fault in audit.verify(log, heads=[head])] == ["missing"]


def test_writers_at_the_same_time_make_one_chain(runtime):
    def write() -> None:
        for _ in range(10):
            with runtime.sessions.begin() as session:
                audit.record(session, None, "test.write", "thing", 1, at=runtime.clock.now())

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with runtime.sessions() as session:
        assert audit_store.last_audit(session)[0] == 40
        assert audit.verify(session) == []


def recorded(runtime) -> list[str]:
    with runtime.sessions() as session:
        assert audit.verify(session) == []
        return [row.object_id for row in audit_store.audit_rows(session)]


def test_what_is_undone_is_not_in_the_log(runtime):
    def record(session, thing: str) -> None:
        audit.record(session, None, "test.write", "thing", thing, at=runtime.clock.now())

    with runtime.sessions() as session:
        record(session, "first")
        with session.begin_nested() as savepoint:
            record(session, "undone")
            with session.begin_nested():
                record(session, "undone with what surrounds it")
            savepoint.rollback()
        with session.begin_nested(), session.begin_nested():
            record(session, "kept")
        session.commit()
        record(session, "another transaction, undone")
        session.rollback()
        record(session, "closed without a commit")
        session.close()
        record(session, "last")
        session.commit()
    assert recorded(runtime) == ["first", "kept", "last"]


def test_transactions_that_act_more_than_once_do_not_wait_for_each_other_in_a_ring(runtime):
    meeting = threading.Barrier(2)
    failures: list[Exception] = []

    def act(name: str) -> None:
        try:
            with runtime.sessions.begin() as session:
                audit.record(session, None, "test.write", "thing", name, at=runtime.clock.now())
                if name == "one":
                    session.execute(text("SELECT pg_advisory_xact_lock(77)"))
                meeting.wait(10)
                session.execute(text("SELECT pg_advisory_xact_lock(77)"))
                audit.record(session, None, "test.write", "thing", name, at=runtime.clock.now())
        except Exception as error:  # whatever it is, the test is to name it
            failures.append(error)

    threads = [threading.Thread(target=act, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert recorded(runtime) == ["one", "one", "two", "two"]


def test_the_auditor_searches_in_pages(sign_in, runtime):
    with runtime.sessions.begin() as session:
        for number in range(7):
            audit.record(session, None, "orders.issue", "order", number, at=runtime.clock.now())
    auditor = sign_in("auditor")
    first = auditor.get("/api/v1/audit", params={"action": "orders.", "limit": 5})
    assert [row["object_id"] for row in first.json()] == ["6", "5", "4", "3", "2"]
    rest = auditor.get("/api/v1/audit", params={"action": "orders.", "before": first.json()[-1]["audit_id"]})
    assert [row["object_id"] for row in rest.json()] == ["1", "0"]
    assert auditor.get("/api/v1/audit", params={"since": "2026-03-02T10:00:00"}).status_code == 422
    assert auditor.get("/api/v1/audit/verification").json() == {"whole": True, "faults": []}
    page = auditor.get("/audit", params={"q": "platform"})
    assert page.status_code == 200
    assert "Lệnh cho xe: ban hành" in page.text


def test_acts_on_accounts_are_recorded_without_secrets(sign_in):
    admin, auditor = sign_in("administrator"), sign_in("auditor")
    body = {"username": "moi", "password": "nine quiet boats on a river", "full_name": "Mới", "role": "driver"}
    account_id = admin.post("/api/v1/accounts", json=body).json()["account_id"]
    rows = auditor.get("/api/v1/audit", params={"q": str(account_id), "action": "accounts."})
    assert [(row["action"], row["actor"]) for row in rows.json()] == [("accounts.create", "administrator-1")]
    assert rows.json()[0]["after"]["username"].startswith(DIGEST_MARK), "who it is stands in the account"
    assert "secret" not in auditor.get("/api/v1/audit", params={"limit": 500}).text
