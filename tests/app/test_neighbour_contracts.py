"""What the platform counts on of a neighbour, asked of the simulators, and of a real test system where one is named.

`CUAKHAU_CONTRACT_URLS='{"customs": "https://test.example"}'` points the suite at real systems, and
`CUAKHAU_CONTRACT_ABOUT='{"customs": "305123456780", "registration": "29C12345"}'` names what they know;
`CUAKHAU_CONTRACT_SECRETS` holds their secrets. Nothing is asked that changes anything there.
"""

from __future__ import annotations

import base64
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select

from app.bootstrap import make_sheets
from app.integrations import store as neighbour_store
from app.integrations.adapter import Answer, HttpAdapter, Outcome
from app.integrations.customs_messages import CustomsQuery
from app.integrations.export_messages import DayQuery
from app.integrations.messages import Body, Message, read_body
from app.integrations.neighbour import Neighbour
from app.integrations.registration_messages import RegistrationQuery
from app.integrations.registry import make_neighbours
from app.integrations.simulators.faults import Faults
from app.integrations.simulators.registry import SIMULATED
from app.integrations.simulators.server import Simulator
from app.integrations.simulators.storage import Storage
from app.integrations.tables import InMessageRow
from app.notifications.webhooks import sign
from app.platform.json import JsonObject
from app.platform.runtime import Runtime
from geo.clock import SystemClock

URLS = json.loads(os.environ.get("CUAKHAU_CONTRACT_URLS", "{}"))
ABOUT = {
    "customs": "305123456780",
    "registration": "29C12345",
    "single-window": "2026-03-02",
    "nanning": "2026-03-02",
} | json.loads(os.environ.get("CUAKHAU_CONTRACT_ABOUT", "{}"))
SECRETS = json.loads(os.environ.get("CUAKHAU_CONTRACT_SECRETS", "{}"))
QUESTIONS: dict[str, Callable[[str], Body]] = {
    "customs": lambda about: CustomsQuery(number=about, trip_code="CONTRACT", plate="29C12345"),
    "registration": lambda about: RegistrationQuery(plate=about),
    "single-window": lambda about: DayQuery(day=date.fromisoformat(about)),
    "nanning": lambda about: DayQuery(day=date.fromisoformat(about)),
}
TOLD: dict[str, JsonObject] = {
    "bank": {"account_number": "0011001234567", "amount_vnd": 50_000, "content": "AAAA-AAAA-0001", "payer": "Minh An"},
    "seals": {"event": "locked", "plate": "29C-123.45", "lon": 106.7, "lat": 21.9},
    "weather": {"headline": "Mưa lớn", "gates": ["huu-nghi"]},
}
"""What a simulator that is asked nothing is told to say."""
PATIENCE_S = 60.0
PUSH_SECRET = "whsec_" + base64.b64encode(b"a secret of a neighbour!").decode()


@dataclass
class Contract:
    """A neighbour and the system that is to keep the contract with it."""

    neighbour: Neighbour
    adapter: HttpAdapter
    url: str
    seen: dict[str, list[Message]] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """What it is asked about."""
        return str(ABOUT[self.neighbour.name])

    def question(self) -> Message:
        """A question with an identity of its own."""
        body = QUESTIONS[self.neighbour.name](self.about)
        return Message(
            id=f"contract-{uuid4().hex}",
            kind=body.KIND,
            about=self.about,
            sent_at=datetime.now(UTC),
            body=body.model_dump(mode="json"),
        )

    def send(self, message: Message) -> Answer:
        """Send until it is taken, as the platform does."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self.adapter.send(message, datetime.now(UTC))
            if answer.outcome is Outcome.TAKEN or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)

    def answers_to(self, question: Message) -> list[Message]:
        """What is answered to a question, fetched from the beginning, each message as often as it came."""
        deadline, cursor, found = time.monotonic() + PATIENCE_S, "", []
        while time.monotonic() < deadline:
            answer = self.adapter.fetch(cursor, datetime.now(UTC))
            if answer.outcome is Outcome.TAKEN:
                found += [each for each in answer.messages if each.about == question.about]
                cursor = answer.cursor or cursor
                if found and not answer.messages:
                    return found
            time.sleep(0.05)
        return found


@pytest.fixture(params=["plain", "misbehaving"])
def faults(request: pytest.FixtureRequest) -> Faults:
    return Faults() if request.param == "plain" else Faults(fails=0.3, repeats=0.0, wrong=0.1, shuffles=True)


@pytest.fixture(params=sorted(QUESTIONS))
def contract(request: pytest.FixtureRequest, faults: Faults, tmp_path: Path) -> Iterator[Contract]:
    name: str = request.param
    neighbour = make_neighbours(make_sheets()).get(name)
    if name in URLS:
        adapter = HttpAdapter(URLS[name], SECRETS.get(name, ""), neighbour.codec)
        yield Contract(neighbour, adapter, URLS[name])
        adapter.close()
        return
    simulator = Simulator(SIMULATED[name](5), tmp_path / "it.sqlite", SystemClock(), faults=faults, seed=5)
    thread = threading.Thread(target=simulator.serve, daemon=True)
    thread.start()
    adapter = HttpAdapter(simulator.url, codec=neighbour.codec)
    yield Contract(neighbour, adapter, simulator.url)
    adapter.close()
    simulator.close()
    thread.join()


def test_a_question_is_taken_and_answered_in_words_that_are_understood(contract: Contract) -> None:
    question = contract.question()
    assert contract.send(question).outcome is Outcome.TAKEN
    answers = contract.answers_to(question)
    assert answers
    for each in answers:
        assert read_body(contract.neighbour.model_of(each.kind), each.body)


def test_the_same_question_again_brings_no_further_answer(contract: Contract) -> None:
    question = contract.question()
    contract.send(question)
    first = {each.id for each in contract.answers_to(question) if each.reply_to == question.id}
    assert contract.send(question).outcome is Outcome.TAKEN, "a repeat is no error"
    assert {each.id for each in contract.answers_to(question) if each.reply_to == question.id} == first


def test_what_was_fetched_does_not_come_again_after_its_cursor(contract: Contract) -> None:
    contract.send(contract.question())
    cursor, known = "", set[str]()
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = contract.adapter.fetch(cursor, datetime.now(UTC))
        if answer.outcome is not Outcome.TAKEN:
            continue
        assert known.isdisjoint(each.id for each in answer.messages)
        known |= {each.id for each in answer.messages}
        cursor = answer.cursor or cursor
        if known and not answer.messages:
            return
        time.sleep(0.05)
    pytest.fail("nothing came")


def test_what_it_cannot_understand_is_refused_not_failed_on(contract: Contract) -> None:
    message = contract.question().model_copy(update={"kind": "contract.nonsense"})
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = contract.adapter.send(message, datetime.now(UTC))
        if answer.outcome not in (Outcome.AWAY, Outcome.FAILED):
            break
    assert answer.outcome is Outcome.REFUSED
    assert answer.error


def test_a_body_that_is_none_is_refused(contract: Contract) -> None:
    deadline = time.monotonic() + PATIENCE_S
    status = 0
    while time.monotonic() < deadline and not 400 <= status < 500:
        try:
            status = httpx.post(f"{contract.url}/messages", content=b"\x00{", trust_env=False).status_code
        except httpx.HTTPError:
            continue
    assert 400 <= status < 500


@pytest.mark.parametrize("name", sorted({**QUESTIONS, **TOLD}))
def test_what_it_pushes_comes_in_as_what_is_fetched_does(
    runtime: Runtime, application: FastAPI, client: TestClient, name: str
) -> None:
    neighbour = make_neighbours(make_sheets()).get(name)
    application.state.neighbour_secrets = {name: SecretStr(PUSH_SECRET)}
    script, path = SIMULATED[name](5), f"/neighbours/{name}/messages"
    storage = Storage(runtime.settings.data_dir / f"{name}.sqlite")
    with storage.transaction():
        if name in TOLD:
            said = script.keep(storage, "1", TOLD[name], runtime.clock)
        else:
            question = Contract(neighbour, None, "").question()  # type: ignore[arg-type]
            said = script.answer(storage, question, runtime.clock, random.Random(5))
    storage.close()
    pushed = [each.message for each in said]
    assert all(read_body(neighbour.model_of(each.kind), each.body) for each in pushed)
    body = neighbour.codec.encode_all(pushed)

    def push(secret: str, *, sent_at: datetime | None = None, content: bytes = body) -> httpx.Response:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        headers = sign(key, "push-1", sent_at or runtime.clock.now(), body.decode())
        return client.post(path, content=content, headers=headers)

    assert push(PUSH_SECRET).status_code == 401, "nobody connected it"
    with runtime.sessions.begin() as session:
        neighbour_store.set_connected(session, [name])
    assert client.post(path, content=body).status_code == 401
    assert push("whsec_" + base64.b64encode(b"another secret of 24 bytes").decode()).status_code == 401
    assert push(PUSH_SECRET, content=body + b" ").status_code == 401, "what was changed on the way"
    assert push(PUSH_SECRET, sent_at=runtime.clock.now() - timedelta(minutes=6)).status_code == 401, "an old one again"
    for moment in ("999999999999", "9" * 30, "-1", "soon", ""):
        told = {"webhook-id": "push-1", "webhook-timestamp": moment, "webhook-signature": "v1,AAAA"}
        assert client.post(path, content=body, headers=told).status_code == 401, moment
    for unusable in ("", "whsec_", "whsec_no base64"):
        application.state.neighbour_secrets = {name: SecretStr(unusable)}
        assert push(PUSH_SECRET).status_code == 401, "what is no secret signs nothing"
    application.state.neighbour_secrets = {name: SecretStr(PUSH_SECRET)}
    first, again = push(PUSH_SECRET), push(PUSH_SECRET)
    assert (first.status_code, again.status_code) == (202, 202), first.text
    assert (first.json(), again.json()) == (
        {"received": len(pushed), "new": len(pushed)},
        {"received": len(pushed), "new": 0},
    )
    with runtime.sessions() as session:
        inbox = session.scalars(select(InMessageRow.message_id)).all()
    assert sorted(inbox) == sorted(each.id for each in pushed)
    assert client.post("/neighbours/nobody/messages", content=b"").status_code == 404
