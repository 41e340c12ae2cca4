"""Heads of the audit log kept elsewhere: whoever owns the database changes nothing unnoticed."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from app import cli
from app.ops import install
from app.platform import audit, audit_heads, audit_store
from app.platform.audit_heads import EVERY, Keys, read_heads
from app.platform.runtime import Runtime
from app.settings import get_settings
from geo.errors import MalformedError
from tests.app.serving import note_posts


@pytest.fixture
def log(runtime: Runtime) -> Runtime:
    """Six acts."""
    record(runtime, 6)
    return runtime


def record(runtime: Runtime, count: int) -> None:
    with runtime.sessions.begin() as session:
        for number in range(count):
            audit.record(session, None, "orders.issue", "order", number, None, {"km": 6.5}, at=runtime.clock.now())


def write(runtime: Runtime) -> int:
    with runtime.sessions.begin() as session:
        return audit_heads.write_due(session, runtime.settings, runtime.clock.now())


def heads_file(runtime: Runtime) -> Path:
    return runtime.settings.data_dir / audit_heads.DEFAULT_FILE


def faults(runtime: Runtime) -> list[tuple[int, str]]:
    found = install.verify_audit(runtime.settings, heads=heads_file(runtime))
    return [(fault.audit_id, fault.kind) for fault in found]


def as_owner(owner: Engine, statement: str) -> None:
    """Change the log as its owner can, triggers or not."""
    with owner.begin() as connection:
        connection.execute(text("ALTER TABLE app.audit DISABLE TRIGGER USER"))
        connection.execute(text(statement))
        connection.execute(text("ALTER TABLE app.audit ENABLE TRIGGER USER"))


def test_a_head_is_written_every_hour_by_the_minute_loop(log: Runtime) -> None:
    assert [write(log), write(log)] == [1, 0]
    log.clock.advance(EVERY.total_seconds() - 1)  # type: ignore[attr-defined]
    assert write(log) == 0
    log.clock.advance(2)  # type: ignore[attr-defined]
    record(log, 1)
    assert write(log) == 1
    lines = heads_file(log).read_text().splitlines()
    assert [json.loads(line)["audit_id"] for line in lines] == [6, 7]
    assert stat.S_IMODE(heads_file(log).stat().st_mode) == 0o600
    assert stat.S_IMODE((log.settings.data_dir / "audit-key.pem").stat().st_mode) == 0o600
    assert faults(log) == []


def test_rewriting_with_all_hashes_recomputed_is_found(log: Runtime, owner_engine: Engine) -> None:
    write(log)
    as_owner(owner_engine, "UPDATE app.audit SET actor = 'somebody else' WHERE audit_id = 2")
    with owner_engine.begin() as connection, Session(connection) as session:
        session.execute(text("ALTER TABLE app.audit DISABLE TRIGGER USER"))
        previous = audit.FIRST_HASH
        for row in list(audit_store.audit_rows(session)):
            row.previous_hash = previous
            row.hash = previous = audit.content_hash(row)
        session.flush()
        session.execute(text("ALTER TABLE app.audit ENABLE TRIGGER USER"))
        session.commit()
    assert install.verify_audit(log.settings) == [], "whole in itself"
    assert faults(log) == [(6, "missing")]


def test_a_cut_tail_is_found(log: Runtime, owner_engine: Engine) -> None:
    write(log)
    as_owner(owner_engine, "DELETE FROM app.audit WHERE audit_id > 4")
    assert install.verify_audit(log.settings) == []
    assert faults(log) == [(6, "missing")]


@pytest.mark.parametrize("how", ["DELETE FROM app.audit", "TRUNCATE app.audit"])
def test_emptying_is_found(log: Runtime, owner_engine: Engine, how: str) -> None:
    write(log)
    as_owner(owner_engine, how)
    assert install.verify_audit(log.settings) == []
    assert faults(log) == [(6, "missing")]
    log.clock.advance(60)  # type: ignore[attr-defined]
    record(log, 9)
    assert faults(log) == [(6, "missing")]


def test_emptying_is_refused_even_to_the_owner_while_the_triggers_stand(log: Runtime, owner_engine: Engine) -> None:
    with owner_engine.connect() as connection, pytest.raises(Exception, match="append-only"):
        connection.execute(text("TRUNCATE app.audit"))
    assert install.verify_audit(log.settings) == []


def test_an_altered_or_foreign_head_is_refused(log: Runtime, tmp_path: Path) -> None:
    write(log)
    key = Keys.of(log.settings).private.public_key()
    line = heads_file(log).read_text()
    for wrong, said in (
        (line.replace('"audit_id":6', '"audit_id":5'), "Line 1"),
        (line + '{"audit_id": 1}\n', "Line 2"),
        (line + "[]\n", "Line 2"),
        ("", "no head"),
    ):
        file = tmp_path / "heads"
        file.write_text(wrong)
        with pytest.raises(MalformedError) as refused:
            read_heads(file, key)
        assert said in str(refused.value)


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[bytes]]]:
    """A server that keeps what it is sent, and its address."""
    kept: list[bytes] = []

    def take(_headers: dict[str, str], body: bytes) -> int:
        kept.append(body)
        return 204

    with note_posts(take) as port:
        yield f"http://127.0.0.1:{port}/heads?token=let-me-in", kept


def test_heads_go_to_each_place_and_a_failing_one_is_tried_again(
    log: Runtime, webhook: tuple[str, list[bytes]], tmp_path: Path
) -> None:
    url, kept = webhook
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(5)
        away = tmp_path / "not mounted" / "heads.jsonl"
        named = [url, f"syslog://127.0.0.1:{syslog.getsockname()[1]}", f"file:{away}"]
        log.settings.audit_heads = type(log.settings.audit_heads)(",".join(named))
        assert write(log) == 2
        assert syslog.recv(2000).startswith(b"<85>cuakhau-audit: {")
    assert json.loads(kept[0])["audit_id"] == 6
    away.parent.mkdir()
    assert write(log) == 1, "only the one that failed"
    assert len(kept) == 1
    assert read_heads(away, Keys.of(log.settings).private.public_key())[0].audit_id == 6
    with log.sessions() as session:
        noted = session.scalars(text("SELECT place FROM app.audit_head")).all()
    assert not any("let-me-in" in place for place in noted)


def test_the_command_compares_with_a_kept_head(
    log: Runtime, owner_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", log.settings.database_url.get_secret_value())
    monkeypatch.setenv("REDIS_URL", log.settings.redis_url.get_secret_value())
    monkeypatch.setenv("CUAKHAU_DEMO", "1")
    monkeypatch.setenv("CUAKHAU_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    run = CliRunner().invoke
    kept, public = tmp_path / "kept", tmp_path / "audit-key.pub"
    kept.write_text(run(cli.app, ["audit", "head"]).stdout)
    arguments = ["audit", "verify", "--head", str(kept), "--key", str(public), "--json"]
    whole = run(cli.app, arguments)
    assert (whole.exit_code, json.loads(whole.stdout)["intact"]) == (0, True), whole.output
    as_owner(owner_engine, "DELETE FROM app.audit WHERE audit_id = 6")
    cut = run(cli.app, arguments)
    assert cut.exit_code == 1
    assert json.loads(cut.stdout)["faults"][0]["audit_id"] == 6
    get_settings.cache_clear()
