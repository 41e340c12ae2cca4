"""All neighbours are killed for an hour: the gate goes on and says what is missing; when they are back, all that was
said on either side has its effect once, and the page says so. Each neighbour is a process of its own."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from app.integrations.exchange import Exchanger
from app.integrations.export_tables import ExportRow
from app.integrations.registry import make_neighbours
from app.integrations.simulators.faults import Faults
from app.integrations.simulators.running import run_simulator
from app.integrations.vocabulary import ExportDirection
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.clock import LOCAL_ZONE, Clock
from tests.app.collecting import Counter, open_counter
from tests.app.neighbouring import connect
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
NAMES: Final = ("customs", "registration", "single-window", "nanning", "bank", "seals")
NUMBER, OTHER = "305123456780", "305123456791"
PLATE: Final = "29C-123.45"
FORK: Final = multiprocessing.get_context("fork")
"""A process each, without the seconds that a new Python takes to begin."""


@dataclass
class Process:
    """A simulated neighbour in a process of its own, which is killed and begins again on its port with what it kept."""

    name: str
    folder: Path
    clock: Clock
    port: int = 0
    _running: Any = None

    def start(self) -> None:
        """Begin, and answer."""
        here, there = FORK.Pipe()
        given = {"port": self.port, "faults": Faults(repeats=0.3, shuffles=True), "seed": 3, "tell": there.send}
        self._running = FORK.Process(target=run_simulator, args=(self.name, self.folder, self.clock), kwargs=given)
        self._running.start()
        assert here.poll(60.0), f"{self.name} does not begin"
        self.port = int(here.recv().rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL."""
        self._running.kill()
        self._running.join(60.0)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def tell(self, key: str, record: dict[str, Any]) -> None:
        """Let it know something from now on."""
        httpx.put(f"{self.url}/records/{key}", json=record, trust_env=False).raise_for_status()

    def figures(self) -> dict[str, int]:
        """What it counts."""
        return dict(httpx.get(f"{self.url}/status", trust_env=False).json())


@dataclass
class Neighbourhood:
    """A gate, its counter, and all neighbours beside them."""

    gate: Gate
    counter: Counter
    processes: dict[str, Process]
    exchangers: list[Exchanger] = field(default_factory=list)

    def pass_time(self, seconds: float, rounds: int) -> None:
        """Let time pass, with exchanges in it."""
        for _ in range(rounds):
            self.gate.runtime.clock.advance(seconds / rounds)  # type: ignore[attr-defined]
            for exchanger in self.exchangers:
                exchanger.run_round()

    def cards(self) -> dict[str, str]:
        """What the administrator reads of each neighbour, without markup, and of all (`""`)."""
        page = self.gate.sign_in("administrator", locale="vi").get("/admin/neighbours")
        assert page.status_code == 200
        before, *cards = page.text.split('data-neighbour="')
        found = {card.partition('"')[0]: words(card.partition("</section>")[0]) for card in cards}
        return {**found, "": words(before.partition('data-testid="neighbours-say"')[2])}


def words(html: str) -> str:
    """The text of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def story(state: str, channel: str) -> dict[str, Any]:
    return {"story": [{"state": state, "channel": channel, "lines": [{"number": 1, "gross_kg": 19500}]}]}


@pytest.fixture
def beside(runtime: Runtime, sheets: Sheets, sign_in: SignIn, tmp_path: Path) -> Iterator[Neighbourhood]:
    processes = {name: Process(name, tmp_path, runtime.clock) for name in NAMES}
    gate = Gate.open(runtime, sign_in)
    counter = open_counter(runtime, sheets, sign_in, organisation_id=gate.organisation_id)
    try:
        for process in processes.values():
            process.start()
        found = Neighbourhood(gate, counter, processes)
        neighbours = make_neighbours(sheets)
        found.exchangers = [connect(runtime, neighbours.get(name), process.url) for name, process in processes.items()]
        yield found
    finally:
        for process in processes.values():
            process.kill()


@pytest.mark.long
def test_the_gate_goes_on_for_an_hour_without_any_neighbour_and_all_is_reconciled(
    beside: Neighbourhood, runtime: Runtime
) -> None:
    gate, counter, processes = beside.gate, beside.counter, beside.processes
    customs = processes["customs"]
    customs.tell(NUMBER, story("registered", "yellow"))
    before = gate.declare("29C-111.11", customs_number=NUMBER)
    beside.pass_time(60, 3)
    assert gate.sheet(before)["trip"]["channel"] == "yellow"
    cards = beside.cards()
    assert [name for name in NAMES if "Hoạt động" not in cards[name]] == []
    assert "Mọi hệ thống đã kết nối đều trả lời, hai bên khớp nhau." in cards[""]

    # what they have to say waits with them, and they die
    fee = counter.due("29C-777.77")
    account = counter.enterprise.get(f"/api/v1/fees/{fee['fee_id']}/vietqr").json()["account_number"]
    money = {"account_number": account, "amount_vnd": 100_000, "content": fee["reference"], "payer": "CTY A"}
    processes["bank"].tell("FT990001", money)
    processes["seals"].tell("VN7", {"event": "tampered", "plate": PLATE})
    processes["nanning"].tell("NN00000000017", {"consignee": "Nông sản Lạng Sơn", "gate": "huu-nghi"})
    customs.tell(OTHER, story("registered", "red"))
    since = runtime.clock.now().astimezone(LOCAL_ZONE)
    for process in processes.values():
        process.kill()
    other = gate.declare(PLATE, customs_number=OTHER)
    beside.pass_time(300, 6)
    cards = beside.cards()
    for name in NAMES:
        assert "Không trả lời" in cards[name], name
        assert f"từ {since:%H:%M}" in cards[name], cards[name]
    assert "Thông báo sự cố cho các cửa khẩu" in cards["customs"]
    assert f"Không trả lời: Hải quan (VNACCS/VCIS) (từ {since:%H:%M %d/%m})" in cards[""]
    assert "Cửa khẩu vẫn làm việc bằng tay và giấy." in cards[""]

    # the gate goes on: what is missing is said, customs' step is done on paper
    outage = {"system": "customs_system", "cause": "VNACCS không trả lời", "paper_mode": True}
    assert gate.person("customs").post("/api/v1/gates/huu-nghi/outages", json=outage).status_code == 201
    gate.after_quarantine(other)
    station = gate.person("customs").get(f"/station/sheet/{other}?at=customs")
    assert station.status_code == 200
    sheet = words(station.text)
    for sentence in (
        "Customs' system does not answer since",
        "The register of vehicles does not answer since",
        "The gate goes on: what is missing is decided by hand with a reason",
        f"The service of electronic seals does not answer since {since:%H:%M %d/%m}. Look at the seal itself",
        "No answer of customs' system yet",
        "National customs system (VNACCS) out from",
    ):
        assert sentence in sheet, (sentence, sheet)
    assert "The bank does not answer" not in sheet, "which is no matter of customs"
    cashier = words(gate.person("gate_management").get(f"/station/sheet/{other}").text)
    assert f"The bank does not answer since {since:%H:%M %d/%m}. Transfers that come in now are shown" in cashier
    headers = {"If-Match": f'"{gate.sheet(other)["version"]}"'}
    by_hand = {"channel": "yellow", "reason": "xem tờ khai giấy"}
    answer = gate.person("customs").put(f"/api/v1/trips/{other}/channel", json=by_hand, headers=headers)
    assert answer.status_code == 200, answer.text
    beside.pass_time(1800, 6)
    acted_at = runtime.clock.now().isoformat()
    beside.pass_time(1500, 6)
    paper = {"at": acted_at, "by": "Nguyễn Văn B", "reason": "tờ khai giấy"}
    answer = gate.act("customs", other, "customs", paper=paper)
    assert answer.status_code == 200, answer.text
    assert gate.state(other)["customs"] == "done"
    assert counter.fee(fee["trip_id"])["outstanding_vnd"] == 100_000

    # all return, with what they had kept
    for process in processes.values():
        process.start()
    beside.pass_time(600, 10)
    cards = beside.cards()
    for name in NAMES:
        assert "Hoạt động" in cards[name], cards[name]
        assert f"Lần gần nhất mất liên lạc từ {since:%H:%M}" in cards[name], cards[name]
        assert "Chờ gửi 0" in cards[name] or name in ("bank", "seals"), cards[name]
        assert "Phần đã chờ đều đã gửi nhận xong." in cards[name], cards[name]
        assert processes[name].figures()["acted_twice"] == 0
    assert "quyết định ở đây khác với bên kia: 1" in cards[""]
    administrator = gate.sign_in("administrator", locale="vi")
    assert "ở đây Vàng, bên kia Đỏ" in words(administrator.get("/admin/neighbours").text)
    shown = gate.person("customs").get(f"/api/v1/trips/{other}/sheet").json()["neighbours"]
    assert (shown["customs_health"], shown["declarations"][0]["channel"]) == ("up", "red")
    assert shown["away"] == []
    assert [record["found"] for record in shown["records"]] == [True]
    assert counter.fee(fee["trip_id"])["outstanding_vnd"] == 0
    assert [amount for amount, *_ in counter.money()] == [100_000], "the bank's word counts once"
    with runtime.sessions() as session:
        seals = session.execute(text("SELECT seal_number, kind, trip_id FROM app.seal_event")).all()
        said = session.scalars(select(ExportRow).where(ExportRow.direction == ExportDirection.OUT)).all()
        dead = session.execute(
            text(
                "SELECT neighbour, note FROM app.neighbour_inbox WHERE status NOT IN ('taken', 'superseded') UNION ALL "
                "SELECT neighbour, error FROM app.neighbour_outbox WHERE status <> 'sent'"
            )
        ).all()
    assert [tuple(row) for row in seals] == [("VN7", "tampered", other)]
    assert {(row.neighbour, row.receipt_at is not None) for row in said} == {("single-window", True), ("nanning", True)}
    assert len(said) == 4, "two exports, to both"
    offers = gate.person("enterprise").get("/api/v1/declarations/prefilled").json()["items"]
    assert "NN00000000017" in {offer["reference"] for offer in offers}
    assert dead == []
