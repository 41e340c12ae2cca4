"""Alarms: raised once, ended once, not around the limit, told by mail and signed webhook, again while they last."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from standardwebhooks import Webhook

from app.ops import alarm_store, alarms, measuring
from app.ops.alarm_telling import MailServer, Teller, read_secret
from app.ops.alarms import Reading
from app.ops.keeping import Keeper
from app.ops.tables import AlarmRow, BackupRow
from app.ops.vocabulary import AlarmKind
from app.platform.runtime import Runtime
from app.settings import OperationsSettings
from bench.chaos.platform import free_port
from geo.clock import FixedClock
from geo.errors import InvalidInputError, UnavailableError
from tests.app.serving import note_posts
from tests.app.test_condition import bury

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
SECRET = "whsec_" + "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"


class Inbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, str]]:
    handler = Inbox()
    server = Controller(handler, hostname="127.0.0.1", port=free_port())
    server.start()
    yield handler, f"smtp://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def receiver() -> Iterator[tuple[list[tuple[dict[str, str], bytes]], str]]:
    taken: list[tuple[dict[str, str], bytes]] = []

    def take(headers: dict[str, str], body: bytes) -> int:
        taken.append((headers, body))
        return 204

    with note_posts(take) as port:
        yield taken, f"http://127.0.0.1:{port}/alarms"


def lag(value: float) -> Reading:
    return Reading(AlarmKind.STREAM_LAG, value, 100.0)


def test_an_alarm_begins_once_and_ends_once_and_not_around_its_limit(session) -> None:
    states = []
    for minute, value in enumerate((50, 100, 99, 120, 81, 79, 99, 100)):
        alarms.follow(session, [lag(value)], [AlarmKind.STREAM_LAG], NOW + timedelta(minutes=minute))
        states.append(len(alarm_store.open_alarms(session)))
    assert states == [0, 1, 1, 1, 1, 0, 0, 1]
    rows = session.query(AlarmRow).order_by(AlarmRow.alarm_id).all()
    assert [(row.raised_at.minute, row.ended_at and row.ended_at.minute) for row in rows] == [(1, 5), (7, None)]
    assert rows[0].value == 81


def test_what_cannot_be_looked_at_ends_nothing_and_what_is_gone_does(session) -> None:
    silent = [Reading(AlarmKind.CAMERA_SILENT, 1, 1, name) for name in ("A", "B")]
    alarms.follow(session, silent, [AlarmKind.CAMERA_SILENT], NOW)
    alarms.follow(session, [], [AlarmKind.STREAM_LAG], NOW)
    assert [row.subject for row in alarm_store.open_alarms(session)] == ["A", "B"]
    alarms.follow(session, silent[:1], [AlarmKind.CAMERA_SILENT], NOW)
    assert [row.subject for row in alarm_store.open_alarms(session)] == ["A"]
    assert alarms.count_open(alarm_store.open_alarms(session))[AlarmKind.CAMERA_SILENT] == 1


def test_people_are_told_once_of_the_beginning_again_while_it_lasts_and_of_the_end(session, inbox, receiver) -> None:
    (box, smtp_url), (taken, webhook_url) = inbox, receiver
    operations = OperationsSettings(
        alarm_mail_to="night@border.example, boss@border.example",
        smtp_url=smtp_url,  # type: ignore[arg-type]
        alarm_webhook_url=webhook_url,  # type: ignore[arg-type]
        alarm_webhook_secret=SECRET,  # type: ignore[arg-type]
        alarm_repeat_h=6,
    )
    teller, kinds = Teller(operations), [AlarmKind.CAMERA_SILENT]
    silent = [Reading(AlarmKind.CAMERA_SILENT, 1, 1, "Barie 1")]
    for hours, readings in ((0, silent), (1, silent), (6.5, silent), (7, []), (8, [])):
        at = NOW + timedelta(hours=hours)
        alarms.follow(session, readings, kinds, at)
        teller.tell(session, at)
    assert len(box.mails) == 3
    assert box.mails[0]["To"] == "night@border.example, boss@border.example"
    assert "Barie 1" in box.mails[0]["Subject"]
    assert box.mails[0]["Subject"] != box.mails[1]["Subject"] != box.mails[2]["Subject"]
    assert "Alarm" not in box.mails[0].get_content(), "in Vietnamese unless set otherwise"
    bodies = [json.loads(body) for _, body in taken]
    assert [body["state"] for body in bodies] == ["raised", "lasts", "ended"]
    assert bodies[0]["kind"] == "camera_silent"
    assert len({headers["webhook-id"] for headers, _ in taken}) == 3
    headers, body = taken[0]
    signature = Webhook(SECRET).sign(headers["webhook-id"], NOW, body.decode())
    assert headers["webhook-signature"] == signature


def test_what_nobody_took_is_told_later(session, inbox) -> None:
    box, smtp_url = inbox
    alarms.follow(session, [lag(200)], [AlarmKind.STREAM_LAG], NOW)
    away = OperationsSettings(alarm_mail_to="a@b.example", smtp_url=f"smtp://127.0.0.1:{free_port()}")  # type: ignore[arg-type]
    with pytest.raises(UnavailableError, match="Nobody could be told"):
        Teller(away).tell(session, NOW)
    assert Teller(OperationsSettings()).tell(session, NOW) == 0
    there = away.model_copy(update={"smtp_url": type(away.smtp_url)(smtp_url), "alarm_language": "en"})
    assert Teller(there).tell(session, NOW) == 1
    assert Teller(there).tell(session, NOW) == 0
    assert "Alarm: " in box.mails[0]["Subject"]


@pytest.mark.parametrize("url", ["http://mail", "mail:25", "smtp://"])
def test_a_wrong_mail_server_is_said_to_be(url: str) -> None:
    with pytest.raises(InvalidInputError, match="CUAKHAU_SMTP_URL"):
        MailServer.parse(url)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_c2hvcnQ="])
def test_an_unsigned_alarm_is_never_sent(secret: str) -> None:
    with pytest.raises(InvalidInputError, match="WEBHOOK_SECRET"):
        read_secret(secret)


def test_the_keeper_judges_what_is_so(runtime: Runtime, clock: FixedClock, tmp_path: Path, monkeypatch) -> None:
    from app.equipment import store as equipment_store
    from app.equipment.tables import Equipment

    bury(runtime, 1)
    redis, now_s = runtime.redis, clock.now().timestamp()
    redis.hset("ck:gauges", mapping={"forecast_made_at_s": now_s - 400, "outbox_waiting": 5000})
    runtime.settings.public_url = "https://border.example"
    monkeypatch.setattr(measuring, "free_share", lambda _folder: 0.05)
    with runtime.sessions() as session:
        camera = Equipment(
            kind="plate_camera",
            name="Barie 1",
            vendor="hikvision",
            site_id="huu-nghi-barrier-1",
            gate_id="huu-nghi",
            config={},
            key_hash=b"x",
            created_at=clock.now(),
            alarm_since=clock.now(),
        )
        equipment_store.insert_equipment(session, camera)
        at = clock.now() - timedelta(days=3)
        session.add(BackupRow(file="x", size_bytes=1, started_at=at, ended_at=at))
        session.commit()
    operations = OperationsSettings(backup_dir=tmp_path, max_stream_lag_entries=2)
    keeper = Keeper(runtime, operations, certificate=lambda _url: now_s + 86_400.0)
    monkeypatch.setattr(keeper.backups, "tend", lambda _session, _now: False)
    for _ in range(3):
        redis.xadd("ck:fixes:0", {"n": 1})
    assert keeper.run().failed == []
    with runtime.sessions() as session:
        assert "part_away" not in {row.kind for row in alarm_store.open_alarms(session)}, "it may just start"
    assert keeper.run().failed == []
    with runtime.sessions() as session:
        found = {(row.kind, row.subject) for row in alarm_store.open_alarms(session)}
    assert found == {
        ("part_away", "ingest"),
        ("forecast_old", ""),
        ("stream_lag", ""),
        ("camera_silent", "Barie 1"),
        ("disk_short", "data"),
        ("disk_short", "backups"),
        ("backup_old", ""),
        ("outbox_waiting", ""),
        ("dead_letters", ""),
        ("certificate_ends", "border.example"),
    }
    assert {kind for kind, _ in found} == set(AlarmKind)
    redis.set("ck:heartbeat:ingest", "1", ex=60)
    redis.hset("ck:gauges", mapping={"forecast_made_at_s": now_s, "outbox_waiting": 0})
    redis.delete("ck:fixes:0")
    assert keeper.run().failed == []
    with runtime.sessions() as session:
        left = {row.kind for row in alarm_store.open_alarms(session)}
    assert left == {"camera_silent", "disk_short", "backup_old", "dead_letters", "certificate_ends"}


def test_administrators_see_alarms_and_the_last_backup(runtime: Runtime, sign_in) -> None:
    administrator = sign_in("administrator")
    page = administrator.get("/admin/condition").text
    assert "Không có cảnh báo." in page
    with runtime.sessions() as session:
        alarms.follow(session, [lag(200)], [AlarmKind.STREAM_LAG], NOW)
        session.add(BackupRow(file="x", size_bytes=12_300_000, started_at=NOW, ended_at=NOW))
        session.add(BackupRow(file="y", size_bytes=0, started_at=NOW, ended_at=NOW, failure="the disk <full>"))
        session.commit()
    runtime.redis.hset(
        "ck:gauges",
        mapping={"outbox_waiting": 7, 'disk_free_share{folder="data"}': 0.42, "certificate_ends_at_s": 1798761600},
    )
    page = administrator.get("/admin/condition").text
    assert "Bản tin của thiết bị chờ lưu bị dồn lại" in page
    for shown in ("12.3 MB", "the disk &lt;full&gt;", "42 %", "01/01/2027"):
        assert shown in page, shown
