"""Customs' system and the register of vehicles on the sheet: channel, release, hold, several trucks and declarations,
what is warned of, and gates that go on while they are away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.integrations import on_sheet
from app.integrations.customs import customs
from app.integrations.exchange import Exchanger
from app.integrations.registration import registration
from app.integrations.simulators.customs import CustomsScript
from app.integrations.simulators.registration import RegistrationScript
from app.integrations.simulators.server import Simulator
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import InvalidInputError
from tests.app.declaring import declaration_body
from tests.app.equipping import bearer, set_up
from tests.app.neighbouring import connect, exchange, simulated
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
NUMBER, OTHER = "305123456780", "305123456791"
LINE = {"number": 1, "hs_code": "081090", "description": "Thanh long", "unit": "kg", "gross_kg": 39000}


def story(state: str = "registered", channel: str | None = "yellow", **more: Any) -> dict[str, Any]:
    return {"story": [{"state": state, "channel": channel, "lines": [LINE], **more}]}


@dataclass
class Neighbourhood:
    """A gate with customs' system and the register of vehicles beside it."""

    gate: Gate
    customs: Simulator
    register: Simulator
    exchangers: list[Exchanger]

    def exchange(self) -> None:
        """Let messages go to and fro until nothing is left to be done."""
        for exchanger in self.exchangers:
            exchange(exchanger)

    def shown(self, trip_id: int, role: str = "customs") -> dict[str, Any]:
        """What the sheet shows of neighbours."""
        answer = self.gate.person(role).get(f"/api/v1/trips/{trip_id}/sheet")
        return dict(answer.json()["neighbours"])

    def channel(self, trip_id: int) -> str | None:
        """The trip's channel."""
        return self.gate.sheet(trip_id)["trip"]["channel"]  # type: ignore[no-any-return]

    def set_channel(self, trip_id: int, channel: str, reason: str = "") -> Any:
        """An officer types the channel."""
        headers = {"If-Match": f'"{self.gate.sheet(trip_id)["version"]}"'}
        body = {"channel": channel, "reason": reason}
        return self.gate.person("customs").put(f"/api/v1/trips/{trip_id}/channel", json=body, headers=headers)


@pytest.fixture
def beside(runtime: Runtime, sheets: Sheets, sign_in: SignIn, tmp_path: Path) -> Iterator[Neighbourhood]:
    with (
        simulated(runtime, CustomsScript(), tmp_path) as system,
        simulated(runtime, RegistrationScript(), tmp_path) as register,
    ):
        exchangers = [
            connect(runtime, customs(sheets), system.url),
            connect(runtime, registration(), register.url),
        ]
        system.tell(NUMBER, story())
        yield Neighbourhood(Gate.open(runtime, sign_in), system, register, exchangers)


def test_the_channel_and_the_release_come_from_customs(beside: Neighbourhood) -> None:
    gate = beside.gate
    trip_id = gate.declare(customs_number=NUMBER)
    assert beside.channel(trip_id) is None
    (waiting,) = beside.shown(trip_id)["declarations"]
    assert (waiting["number"], waiting["state"]) == (NUMBER, None)
    beside.exchange()
    assert beside.channel(trip_id) == "yellow"
    refused = beside.set_channel(trip_id, "green", "I know better")
    assert refused.status_code == 409
    assert "while it answers" in refused.json()["detail"]
    gate.after_quarantine(trip_id)
    assert gate.state(trip_id)["customs"] == "ready"
    beside.customs.tell(NUMBER, story("released"))
    beside.exchange()
    assert gate.state(trip_id)["customs"] == "done"
    (declared,) = beside.shown(trip_id)["declarations"]
    assert (declared["state"], declared["channel"], declared["simulated"]) == ("released", "yellow", True)
    assert (declared["carried_kg"], declared["total_kg"]) == (19500, 39000)


def test_a_release_that_comes_first_counts_when_the_step_is_ready(beside: Neighbourhood) -> None:
    trip_id = beside.gate.declare(customs_number=NUMBER)
    beside.customs.tell(NUMBER, {"story": [*story()["story"], {"state": "released"}]})
    beside.exchange()
    assert beside.gate.state(trip_id)["customs"] == "waiting"
    beside.gate.after_quarantine(trip_id)
    assert beside.gate.state(trip_id)["customs"] == "done"


def test_green_releases_at_once(beside: Neighbourhood) -> None:
    beside.customs.tell(NUMBER, story(channel="green"))
    trip_id = beside.gate.declare(customs_number=NUMBER)
    beside.exchange()
    beside.gate.after_quarantine(trip_id)
    assert beside.gate.state(trip_id)["customs"] == "done"


def test_a_hold_is_warned_of_and_confirmed_with_a_reason_only(beside: Neighbourhood) -> None:
    gate = beside.gate
    trip_id = gate.declare(customs_number=NUMBER)
    beside.exchange()
    gate.after_quarantine(trip_id)
    beside.customs.tell(NUMBER, story("held", hold_reason="nghi ngờ trị giá"))
    beside.exchange()
    refused = gate.act("customs", trip_id, "customs")
    assert refused.status_code == 422
    assert "nghi ngờ trị giá" in refused.text
    assert gate.state(trip_id)["customs"] == "ready"
    assert gate.act("customs", trip_id, "customs", reason="lãnh đạo đội đồng ý").status_code == 200


def test_several_declarations_on_a_truck_take_the_strictest_channel(beside: Neighbourhood) -> None:
    beside.customs.tell(NUMBER, story(channel="green"))
    beside.customs.tell(OTHER, story(channel="red"))
    trip_id = beside.gate.declare(customs_number=f"{NUMBER} = 12000 kg; {OTHER} = 7.500")
    beside.exchange()
    assert beside.channel(trip_id) == "red"
    shares = {each["number"]: each["gross_kg"] for each in beside.shown(trip_id)["declarations"]}
    assert shares == {NUMBER: 12000, OTHER: 7500}


def test_a_declaration_on_several_trucks_counts_what_they_carry(beside: Neighbourhood) -> None:
    first = beside.gate.declare("29C-111.11", customs_number=NUMBER)
    second = beside.gate.declare("29C-222.22", customs_number=f"{NUMBER}=20000")
    beside.exchange()
    for trip_id in (first, second):
        (declared,) = beside.shown(trip_id)["declarations"]
        assert (declared["trips"], declared["carried_kg"], declared["total_kg"]) == (2, 39500, 39000)
        assert beside.channel(trip_id) == "yellow"


@pytest.mark.parametrize(
    ("written", "named"), [("30512345678", "30512345678"), (f"{NUMBER} = viel", "viel"), (f"{NUMBER} = 0", "0")]
)
def test_a_number_or_weight_that_cannot_be_is_named(beside: Neighbourhood, written: str, named: str) -> None:
    from app.trips.customs_numbers import parse_customs_numbers

    with pytest.raises(InvalidInputError) as caught:
        parse_customs_numbers(written)
    assert named in str(caught.value)


def test_passages_weighings_containers_and_seals_go_to_customs_once(beside: Neighbourhood) -> None:
    gate = beside.gate
    trip_id = gate.declare(
        customs_number=NUMBER, trailer_plate="29R-012.34", container_number="MSKU0000006", seal_numbers="AB12345"
    )
    gate.to_quarantine(trip_id)
    beside.exchange()
    beside.exchange()
    (passage,) = beside.customs.storage.acts("customs.passage")
    assert passage["numbers"] == [NUMBER]
    assert passage["container_numbers"] == ["MSKU0000006"]
    assert passage["seal_numbers"] == ["AB12345"]
    assert (passage["plate"], passage["trailer_plate"], passage["step"]) == ("29C12345", "29R01234", "barrier_1")
    scale = set_up(gate.person("administrator"), "scale", site_id="huu-nghi")
    weighing = {"ref": "late", "gross_kg": 41000, "plate": "29C-123.45"}
    answer = gate.person("customs").post("/equipment/weighings", json=weighing, headers=bearer(scale))
    assert answer.json()["trip_id"] == trip_id
    runtime = gate.runtime
    with runtime.sessions() as session:  # no step is confirmed any more that would tell of it
        assert on_sheet.tell_late_weighings(session, runtime.clock.now()) == 0, "the next step may tell of it"
        runtime.clock.advance(120)  # type: ignore[attr-defined]
        assert on_sheet.tell_late_weighings(session, runtime.clock.now()) == 1
        assert on_sheet.tell_late_weighings(session, runtime.clock.now()) == 0
        session.commit()
    beside.exchange()
    (told,) = beside.customs.storage.acts("customs.weighing")
    assert (told["gross_kg"], told["numbers"]) == (41000, [NUMBER])


def test_without_customs_the_gate_goes_on_by_hand_and_is_reconciled(
    beside: Neighbourhood, runtime: Runtime, sign_in: SignIn, tmp_path: Path, sheets: Sheets
) -> None:
    gate = beside.gate
    trip_id = gate.declare(customs_number=NUMBER)
    port = beside.customs.port
    beside.customs.server.shutdown()
    beside.customs.server.server_close()
    since = runtime.clock.now()
    for _ in range(3):
        beside.exchangers[0].run_round()
        runtime.clock.advance(30)  # type: ignore[attr-defined]
    shown = beside.shown(trip_id)
    assert (shown["customs_health"], shown["declarations"][0]["state"]) == ("down", None)
    assert shown["customs_down_since"].startswith(since.strftime("%Y-%m-%dT%H:%M"))
    gate.after_quarantine(trip_id)
    assert beside.set_channel(trip_id, "green").status_code == 422, "by hand with a reason only"
    assert beside.set_channel(trip_id, "green", "VNACCS không trả lời, xem tờ khai giấy").status_code == 200
    assert gate.state(trip_id)["customs"] == "done"
    runtime.clock.advance(120)  # type: ignore[attr-defined]
    beside.customs.storage.close()
    with simulated(runtime, CustomsScript(), tmp_path, port=port) as again:
        exchange(connect(runtime, customs(sheets), again.url), rounds=6)
        assert again.storage.figures().acted >= 2
    administrator = sign_in("administrator", locale="en")
    page = administrator.get("/admin/neighbours").text
    assert 'data-testid="difference"' in page
    assert "Away the last time" in page
    (difference,) = administrator.get("/api/v1/neighbours/differences").json()["items"]
    assert (difference["kind"], difference["ours"], difference["theirs"]) == ("channel", "green", "yellow")
    path = f"/api/v1/neighbours/differences/{difference['difference_id']}/settle"
    assert administrator.post(path, json={"reason": ""}).status_code == 422
    assert administrator.post(path, json={"reason": "hồ sơ giấy đã nộp"}).status_code == 204
    assert administrator.post(path, json={"reason": "hồ sơ giấy đã nộp"}).status_code == 409


def test_what_was_typed_before_the_step_is_taken_over(beside: Neighbourhood, runtime: Runtime) -> None:
    trip_id = beside.gate.declare(customs_number=NUMBER)
    assert beside.set_channel(trip_id, "red", "chưa có trả lời").status_code == 200
    beside.exchange()
    assert beside.channel(trip_id) == "yellow"
    (difference,) = beside.shown(trip_id)["differences"]
    assert (difference["ours"], difference["theirs"]) == ("red", "yellow")
    assert difference["settled_at"] is not None


def test_declared_again_the_known_channel_counts_again(beside: Neighbourhood) -> None:
    gate = beside.gate
    trip_id = gate.declare(customs_number=NUMBER)
    beside.exchange()
    gate.after_quarantine(trip_id)
    returned = gate.act("customs", trip_id, "customs", "return", reasons=["customs_number_wrong"])
    assert returned.status_code == 200, returned.text
    enterprise = gate.person("enterprise")
    beside.customs.tell(OTHER, story(channel="red"))
    current = enterprise.get(f"/api/v1/declarations/{trip_id}")
    arrival = gate.runtime.clock.now() + timedelta(hours=2)
    body = declaration_body(arrival, trailer_plate="", customs_number=OTHER) | {"submit": True}
    headers = {"If-Match": current.headers["etag"]}
    again = enterprise.put(f"/api/v1/declarations/{trip_id}", json=body, headers=headers)
    assert again.status_code == 200, again.text
    beside.exchange()
    assert beside.channel(trip_id) == "red"
    assert [each["number"] for each in beside.shown(trip_id)["declarations"]] == [OTHER]


# The register of vehicles


def test_the_register_is_asked_and_its_age_is_shown(beside: Neighbourhood, runtime: Runtime) -> None:
    beside.register.tell("29C12345", {"inspection_expires": "2026-03-03", "owner": "Công ty A", "axles": 3})
    trip_id = beside.gate.declare(customs_number=NUMBER, trailer_plate="29R-012.34")
    assert [each["found"] for each in beside.shown(trip_id)["records"]] == [None, None]
    beside.exchange()
    truck, _ = beside.shown(trip_id)["records"]
    assert (truck["plate"], truck["axles"], truck["owner"]) == ("29C-123.45", 3, "Công ty A")
    assert date.fromisoformat(truck["inspection_expires"]) == runtime.clock.now().date() + timedelta(days=1)
    assert beside.shown(trip_id, "plant_quarantine")["records"][0]["owner"] is None


def test_a_declaration_notes_an_inspection_that_ends_before_the_truck_comes(beside: Neighbourhood) -> None:
    beside.register.tell("29C12345", {"inspection_expires": "2026-03-01"})
    trip_id = beside.gate.declare(customs_number=NUMBER)
    beside.exchange()
    declared = beside.gate.person("enterprise").get(f"/api/v1/declarations/{trip_id}").json()
    assert [note["field"] for note in declared["notes"]] == ["plate"]
    assert "01/03/2026" in declared["notes"][0]["detail"]


def test_an_expired_inspection_and_too_much_load_are_warned_of_at_the_barrier(
    beside: Neighbourhood, runtime: Runtime
) -> None:
    beside.register.tell("29C12345", {"inspection_expires": "2026-03-01", "payload_kg": 15000})
    trip_id = beside.gate.declare(customs_number=NUMBER)
    beside.exchange()
    beside.gate.pass_steps(trip_id, ("health_quarantine", "health"))
    refused = beside.gate.act("border_guard", trip_id, "barrier_1")
    assert refused.status_code == 422
    assert "01/03/2026" in refused.text
    assert "15000" in refused.text
    assert beside.gate.act("border_guard", trip_id, "barrier_1", reason="đã nộp giấy mới").status_code == 200


def test_a_chinese_plate_is_not_asked_of_the_register(beside: Neighbourhood) -> None:
    trip_id = beside.gate.declare("桂F·A1234", customs_number=NUMBER)
    beside.exchange()
    assert beside.shown(trip_id)["records"] == []
    assert beside.register.storage.figures().received == 0


def test_a_young_record_is_not_asked_for_again_an_old_is(beside: Neighbourhood, runtime: Runtime) -> None:
    trip_id = beside.gate.declare(customs_number=NUMBER)
    beside.exchange()
    beside.gate.pass_steps(trip_id, ("health_quarantine", "health"))
    beside.exchange()
    assert beside.register.storage.figures().received == 1
    runtime.clock.advance(13 * 3600)  # type: ignore[attr-defined]
    runtime.settings.session_hours = 48
    beside.gate.people.clear()
    beside.gate.pass_steps(trip_id, ("border_guard", "barrier_1"))
    beside.exchange()
    assert beside.register.storage.figures().received == 2
