"""Exchanging with neighbours: one effect each, growing pauses, dead letters that a person mends, a circuit breaker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.integrations import exchange as exchange_module
from app.integrations import service, store
from app.integrations.adapter import HttpAdapter
from app.integrations.circuit import OPEN_AFTER, Circuit
from app.integrations.exchange import Exchanger
from app.integrations.messages import Body, JsonCodec, Message
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.integrations.registration import registration
from app.integrations.registration_messages import NAME, RegistrationQuery
from app.integrations.simulators.registration import RegistrationScript
from app.integrations.simulators.server import Simulator
from app.integrations.tables import InMessageRow, OutMessageRow
from app.integrations.vocabulary import Health, InStatus, OutStatus
from app.platform.runtime import Runtime
from app.registers import official
from geo.errors import InvalidInputError
from tests.app.neighbouring import FAULTY, connect, exchange, simulated

SignIn = Callable[..., TestClient]
PLATES = [f"29C{number:05d}" for number in range(10001, 10026)]


@pytest.fixture
def simulator(runtime: Runtime, tmp_path: Path) -> Iterator[Simulator]:
    with simulated(runtime, RegistrationScript(), tmp_path) as simulator:
        yield simulator


@pytest.fixture
def exchanger(runtime: Runtime, simulator: Simulator) -> Exchanger:
    return connect(runtime, registration(), simulator.url)


def ask(runtime: Runtime, *plates: str) -> list[bool]:
    with runtime.sessions() as session:
        now = runtime.clock.now()
        asked = [
            service.send(session, NAME, RegistrationQuery(plate=plate), about=plate, subject=f"record {plate}", now=now)
            for plate in plates
        ]
        session.commit()
    return asked


def out_rows(runtime: Runtime) -> list[OutMessageRow]:
    with runtime.sessions() as session:
        return list(session.scalars(select(OutMessageRow).order_by(OutMessageRow.out_id)))


def in_rows(runtime: Runtime) -> list[InMessageRow]:
    with runtime.sessions() as session:
        return list(session.scalars(select(InMessageRow).order_by(InMessageRow.in_id)))


def health(runtime: Runtime) -> Health:
    with runtime.sessions() as session:
        return service.health_of(session, NAME)


def test_a_question_is_sent_once_and_its_answer_taken_in_once(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger
) -> None:
    simulator.storage.keep_record("29C10001", {"inspection_expires": "2026-03-03", "payload_kg": 12000, "axles": 3})
    assert ask(runtime, "29C10001", "29C10001") == [True, False]
    exchange(exchanger)
    with runtime.sessions() as session:
        record = official.find_record(session, "29C10001")
        row = store.find_neighbour(session, NAME)
    assert record is not None
    assert (record.inspection_expires, record.payload_kg, record.axles) == (date(2026, 3, 3), 12000, 3)
    assert record.is_simulated
    assert row is not None
    assert row.is_simulated
    assert [each.status for each in out_rows(runtime)] == [OutStatus.SENT]
    assert [each.status for each in in_rows(runtime)] == [InStatus.TAKEN]
    assert health(runtime) is Health.UP


def test_nothing_is_put_down_for_whom_nobody_connected(runtime: Runtime) -> None:
    assert ask(runtime, "29C10001") == [False]
    assert out_rows(runtime) == []
    assert health(runtime) is Health.OFF


def test_an_act_that_is_undone_tells_nobody(runtime: Runtime, exchanger: Exchanger) -> None:
    with runtime.sessions() as session:
        now = runtime.clock.now()
        service.send(session, NAME, RegistrationQuery(plate="29C1"), about="29C1", subject="x", now=now)
        session.rollback()
    assert out_rows(runtime) == []


def test_a_neighbour_that_fails_repeats_and_mixes_acts_once_and_so_do_we(runtime: Runtime, tmp_path: Path) -> None:
    with simulated(runtime, RegistrationScript(), tmp_path, faults=FAULTY, seed=3) as simulator:
        exchanger = connect(runtime, registration(), simulator.url)
        ask(runtime, *PLATES)
        for _ in range(60):
            exchanger.run_round()
            runtime.clock.advance(90)  # type: ignore[attr-defined]
        figures = simulator.storage.figures()
    assert (figures.received, figures.acted, figures.acted_twice) == (25, 25, 0)
    assert figures.repeats > 0, "answers were lost and messages came again"
    assert {row.status for row in out_rows(runtime)} == {OutStatus.SENT}
    received = in_rows(runtime)
    assert [row.status for row in received] == [InStatus.TAKEN] * 25
    assert sum(row.repeats for row in received) > 0


def test_an_older_word_has_no_effect_after_a_newer(runtime: Runtime, exchanger: Exchanger) -> None:
    now = runtime.clock.now()
    for name, minutes, payload in (("new", 0, 9000), ("old", 5, 8000)):
        body = {"plate": "29C10001", "payload_kg": payload}
        message = Message(
            id=name, kind="registration.record", about="x", sent_at=now - timedelta(minutes=minutes), body=body
        )
        with runtime.sessions() as session:
            store.receive(session, NAME, [message], now)
            session.commit()
        exchanger.take_in()
    with runtime.sessions() as session:
        record = official.find_record(session, "29C10001")
    assert record is not None
    assert record.payload_kg == 9000
    assert [row.status for row in in_rows(runtime)] == [InStatus.TAKEN, InStatus.SUPERSEDED]


def test_messages_outlast_an_outage_of_any_length_and_the_neighbour_is_left_alone(
    runtime: Runtime, tmp_path: Path
) -> None:
    with simulated(runtime, RegistrationScript(), tmp_path) as simulator:
        url, port = simulator.url, simulator.port
    exchanger = connect(runtime, registration(), url)
    ask(runtime, *PLATES[:3])
    since = runtime.clock.now()
    for _ in range(16 * 4):  # sixteen hours, as in August 2024
        exchanger.run_round()
        runtime.clock.advance(15 * 60)  # type: ignore[attr-defined]
    assert health(runtime) is Health.DOWN
    with runtime.sessions() as session:
        assert service.healths(session)[NAME][1] == since
    assert {(row.status, row.tries) for row in out_rows(runtime)} == {(OutStatus.WAITING, 0)}
    with simulated(runtime, RegistrationScript(), tmp_path, port=port) as simulator:
        runtime.clock.advance(90)  # type: ignore[attr-defined]
        exchange(exchanger, rounds=6)
        assert simulator.storage.figures().acted == 3
    assert health(runtime) is Health.UP
    with runtime.sessions() as session:
        row = store.find_neighbour(session, NAME)
    assert row is not None
    assert row.away_since == since
    assert row.returned_at == runtime.clock.now()


def test_pauses_grow_are_spread_and_have_a_longest(runtime: Runtime) -> None:
    now = runtime.clock.now()
    circuit, pauses = Circuit(), []
    for _ in range(9):
        circuit = circuit.after_failure(now, 0.0)
        assert circuit.retry_at is not None
        pauses.append((circuit.retry_at - now).total_seconds())
    assert pauses == [1, 2, 5, 10, 20, 40, 60, 60, 60]
    spread = Circuit().after_failure(now, 0.8)
    assert spread.retry_at == now + timedelta(seconds=1.2)
    assert circuit.after_answer(now, 5).health(is_connected=True) is Health.UP
    assert circuit.after_answer(now, 5000).health(is_connected=True) is Health.SLOW
    assert Circuit(failures=OPEN_AFTER - 1, ok_at=now).health(is_connected=True) is Health.UP


class Order(Body):
    """A body for tests."""

    KIND: ClassVar[str] = "test.order"

    number: int


def refuser(takes: Callable[..., Taken]) -> Neighbour:
    """A neighbour whose messages are taken in by `takes`."""
    return Neighbour("registration", "Test", "x", sends=(Order,), takes=(Incoming(Order, takes),))


def test_what_cannot_be_taken_in_leaves_no_trace_and_is_given_up(runtime: Runtime, simulator: Simulator) -> None:
    def take(action: Any, _message: Message, body: Order) -> Taken:
        record = official.OfficialRecord("29C1", True, "", body.number, None, None, "", action.now)
        official.keep_record(action.session, record)
        if body.number == 1:
            raise RuntimeError("half done")
        return Taken()

    exchanger = connect(runtime, refuser(take), simulator.url)
    now = runtime.clock.now()
    messages = [
        Message(id=f"m{number}", kind="test.order", about="", sent_at=now, body={"number": number}) for number in (1, 2)
    ]
    with runtime.sessions() as session:
        store.receive(session, NAME, messages[:1], now)
        session.commit()
    for _ in range(len(exchange_module.TAKE_RETRIES.pauses) + 1):
        exchanger.take_in()
        runtime.clock.advance(600)  # type: ignore[attr-defined]
    (row,) = in_rows(runtime)
    assert row.status == InStatus.DEAD
    assert "half done" in row.note
    with runtime.sessions() as session:
        assert official.find_record(session, "29C1") is None
        store.receive(session, NAME, messages[1:], now)
        session.commit()
    exchanger.take_in()
    with runtime.sessions() as session:
        assert official.find_record(session, "29C1") is not None, "the next goes past the one that was given up"


def test_a_refused_message_is_given_up_at_once_mended_and_sent_again(
    runtime: Runtime, simulator: Simulator, sign_in: SignIn
) -> None:
    exchanger = connect(runtime, registration(), simulator.url)
    ask(runtime, "29C10001")
    with runtime.sessions() as session:
        row = session.scalars(select(OutMessageRow)).one()
        row.body = json.dumps({"plate": None})
        session.commit()
    exchange(exchanger)
    (row,) = out_rows(runtime)
    assert (row.status, row.tries) == (OutStatus.DEAD, 1)
    assert "422" in row.error
    assert health(runtime) is Health.UP, "a message that is wrong is no outage"
    administrator = sign_in("administrator")
    listed = administrator.get("/api/v1/neighbours/dead-letters").json()["items"]
    assert [(each["direction"], each["kind"], each["about"]) for each in listed] == [
        ("out", "registration.query", "29C10001")
    ]
    path = f"/api/v1/neighbours/dead-letters/out/{listed[0]['number']}"
    wrong = administrator.post(f"{path}/mend", json={"body": '{"plate": 5'})
    assert wrong.status_code == 422
    unfit = administrator.post(f"{path}/mend", json={"body": '{"registration": "29C10001"}'})
    assert unfit.status_code == 422
    assert "plate" in unfit.json()["detail"]
    assert administrator.post(f"{path}/mend", json={"body": '{"plate": "29C10001"}'}).status_code == 204
    assert administrator.post(f"{path}/mend", json={"body": '{"plate": "29C10001"}'}).status_code == 409
    exchange(exchanger)
    (after,) = out_rows(runtime)
    assert (after.status, after.message_id) == (OutStatus.SENT, row.message_id)
    assert simulator.storage.figures().acted == 1


def test_only_the_administrator_mends_and_the_auditor_reads(runtime: Runtime, sign_in: SignIn) -> None:
    assert sign_in("auditor").get("/api/v1/neighbours").status_code == 200
    assert sign_in("auditor").post("/api/v1/neighbours/dead-letters/out/1/drop").status_code == 403
    assert sign_in("customs").get("/api/v1/neighbours").status_code == 403
    assert sign_in("administrator").post("/api/v1/neighbours/dead-letters/out/1/drop").status_code == 404


def test_an_address_or_secret_that_cannot_be_used_is_named() -> None:
    with pytest.raises(InvalidInputError, match="ftp://customs"):
        HttpAdapter("ftp://customs")
    with pytest.raises(InvalidInputError, match=r"example\.org"):
        HttpAdapter("https://example.org", "whsec_!")


def test_an_answer_that_cannot_be_read_is_an_error_that_says_where(runtime: Runtime) -> None:
    with pytest.raises(InvalidInputError, match="sent_at"):
        JsonCodec().decode(b'[{"id": "1", "kind": "x", "about": ""}]')
    assert JsonCodec().decode(b"  ") == []


def test_two_exchanges_at_once_act_once(runtime: Runtime, simulator: Simulator, exchanger: Exchanger) -> None:
    from concurrent.futures import ThreadPoolExecutor

    ask(runtime, *PLATES)
    with closing(HttpAdapter(simulator.url)) as adapter, ThreadPoolExecutor(2) as pool:
        other = Exchanger(runtime, registration(), adapter)
        list(pool.map(lambda each: [each.run_round() for _ in range(4)], (exchanger, other)))
    assert simulator.storage.figures().acted == 25
    assert [row.status for row in in_rows(runtime)] == [InStatus.TAKEN] * 25


def test_dropping_is_for_what_was_given_up_only(runtime: Runtime, exchanger: Exchanger, sign_in: SignIn) -> None:
    ask(runtime, "29C10001")
    path = f"/api/v1/neighbours/dead-letters/out/{out_rows(runtime)[0].out_id}/drop"
    assert sign_in("administrator").post(path).status_code == 409


def test_the_page_says_how_each_does_and_what_was_given_up(
    runtime: Runtime, simulator: Simulator, exchanger: Exchanger, sign_in: SignIn
) -> None:
    ask(runtime, "29C10001")
    with runtime.sessions() as session:
        session.scalars(select(OutMessageRow)).one().body = "{}"
        session.commit()
    exchange(exchanger)
    page = sign_in("administrator").get("/admin/neighbours").text
    assert 'data-neighbour="registration" data-health="up"' in page
    assert page.count('data-testid="dead-letter"') == 1
    assert "/mend" in page
    assert "ti-flask" in page, "it says that it is simulated"
    read_only = sign_in("auditor").get("/admin/neighbours").text
    assert "/mend" not in read_only
    assert 'data-testid="dead-letter"' in read_only


def test_an_answer_without_end_is_read_so_far_and_says_so(runtime: Runtime, simulator: Simulator) -> None:
    for plate in PLATES:
        simulator.tell(plate, {"owner": "x" * 300})
    exchanger = connect(runtime, registration(), simulator.url)
    assert exchanger.adapter is not None
    exchanger.adapter.max_answer = 200
    ask(runtime, *PLATES[:3])
    exchange(exchanger)
    with runtime.sessions() as session:
        row = store.find_neighbour(session, NAME)
    assert row is not None
    assert "larger than 200 bytes" in row.error
    assert "CUAKHAU_NEIGHBOUR_MAX_ANSWER" in row.error
    assert in_rows(runtime) == []
    exchanger.adapter.max_answer = 1_000_000
    runtime.clock.advance(300)  # type: ignore[attr-defined]
    exchange(exchanger)
    assert len(in_rows(runtime)) == 3, "nothing is lost by it"
