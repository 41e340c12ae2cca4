"""The daily bulletin: what crossed, turned back and stood at 20:00; as page, CSV and PDF."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.pdf import Document
from app.platform.runtime import Runtime
from app.reporting import bulletin
from app.reporting.statistics import begin_of
from app.trips.vocabulary import PlaceKind
from geo.clock import FixedClock
from tests.app.dispatching import add_organisation
from tests.app.placing import put_place

SignIn = Callable[..., TestClient]
DAY = date(2026, 3, 2)


class Day:
    """A day at the gates, made of trips that came and went."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.organisation_id = add_organisation(runtime, "A")
        self.count = 0

    def trip(
        self,
        *,
        goods_class: str = "fresh_fruit",
        direction: str = "export",
        gate_id: str = "huu-nghi",
        queued: datetime | None = None,
        yard: datetime | None = None,
        out: datetime | None = None,
        turned_back: bool = False,
        simulated: bool = False,
    ) -> None:
        self.count += 1
        ends = PlaceKind.OVER_THE_BORDER if direction == "export" else PlaceKind.INLAND
        end = PlaceKind.TURNED_BACK if turned_back else ends
        moments = [(PlaceKind.QUEUED, queued), (PlaceKind.GATE_AREA, yard), (end, out)]
        with self.runtime.sessions() as session:
            vehicle_id = session.execute(
                text(
                    "INSERT INTO ingest.vehicle (plate, plate_norm, kind, created_at) "
                    "VALUES (:plate, :plate, 'truck', now()) RETURNING vehicle_id"
                ),
                {"plate": f"29C{self.count:05d}"},
            ).scalar_one()
            trip_id = session.execute(
                text(
                    "INSERT INTO app.trip (code, vehicle_id, organisation_id, goods, goods_class, perishable, regime, "
                    "direction, gate_id, planned_arrival, stage_since, simulated, created_at) "
                    "VALUES (:code, :vehicle, :organisation, 'x', :goods_class, false, :direction, :direction, "
                    ":gate, :at, :at, :simulated, :at) RETURNING trip_id"
                ),
                {
                    "code": f"C{self.count}",
                    "vehicle": vehicle_id,
                    "organisation": self.organisation_id,
                    "goods_class": goods_class,
                    "direction": direction,
                    "gate": gate_id,
                    "at": begin_of(DAY) - timedelta(1),
                    "simulated": simulated,
                },
            ).scalar_one()
            for kind, moment in moments:
                if moment is not None:
                    put_place(session, trip_id, kind, moment)
            session.commit()


def at(hour: int, minute: int = 0) -> datetime:
    return begin_of(DAY) + timedelta(hours=hour, minutes=minute)


@pytest.fixture
def day(runtime: Runtime) -> Day:
    return Day(runtime)


def set_clock(runtime: Runtime, moment: datetime) -> None:
    assert isinstance(runtime.clock, FixedClock)
    runtime.clock.moment = moment


def figures(client: TestClient, **query: Any) -> dict[str, dict[str, int | None]]:
    answer = client.get("/api/v1/statistics/bulletins", params={"since": "2026-03-02", "until": "2026-03-02", **query})
    assert answer.status_code == 200, answer.text
    return {shown["gate_id"]: shown["figures"] for shown in answer.json()["items"]}


def fill(day: Day) -> None:
    day.trip(yard=at(9), out=at(12))
    day.trip(yard=at(9), out=at(23, 59))
    day.trip(yard=at(9), out=at(24, 1))
    day.trip(goods_class="timber", out=at(13))
    day.trip(goods_class="empty", out=at(13))
    day.trip(out=at(14), turned_back=True)
    day.trip(goods_class="machinery", direction="import", yard=at(8), out=at(15))
    day.trip(goods_class="vehicles", direction="import", out=at(15))
    day.trip(gate_id="tan-thanh", queued=at(10), yard=at(21))
    day.trip(gate_id="tan-thanh", queued=at(19))
    day.trip(gate_id="tan-thanh", queued=at(20, 30))


EXPECTED = {
    "huu-nghi": {
        "fruit_exports": 2,
        "other_exports": 1,
        "empty_exports": 1,
        "cargo_imports": 1,
        "new_vehicle_imports": 1,
        "empty_imports": 0,
        "turned_back": 1,
        "home_empty": 0,
        "standing_queue": 0,
        "standing_yard": 2,
    },
    "tan-thanh": {
        "fruit_exports": 0,
        "other_exports": 0,
        "empty_exports": 0,
        "cargo_imports": 0,
        "new_vehicle_imports": 0,
        "empty_imports": 0,
        "turned_back": 0,
        "home_empty": 0,
        "standing_queue": 2,
        "standing_yard": 0,
    },
}


def test_a_day_is_counted(day: Day, sign_in: SignIn) -> None:
    fill(day)
    set_clock(day.runtime, at(24, 30))
    assert figures(sign_in("planner")) == EXPECTED


def test_the_count_is_the_same_days_later(day: Day, sign_in: SignIn) -> None:
    fill(day)
    for days in (1, 2, 3, 5):
        set_clock(day.runtime, at(24 * days, 30))
        with day.runtime.sessions() as session:
            bulletin.sum_up(session, day.runtime.clock.now(), ["huu-nghi", "tan-thanh"])
            session.commit()
    planner = sign_in("planner")
    assert figures(planner) == EXPECTED
    with day.runtime.sessions() as session:
        session.execute(text("DELETE FROM app.stay"))
        session.commit()
    assert figures(planner) == EXPECTED, "kept, whatever became of the single stays"
    (first, _) = planner.get("/api/v1/statistics/bulletins?since=2026-03-02&until=2026-03-02").json()["items"]
    assert first["final"] is True


def test_before_eight_in_the_evening_nobody_knows_who_will_stand(day: Day, sign_in: SignIn) -> None:
    day.trip(yard=at(9), out=at(12))
    set_clock(day.runtime, at(13))
    found = figures(sign_in("planner"))["huu-nghi"]
    assert (found["fruit_exports"], found["standing_yard"], found["standing_queue"]) == (1, None, None)


def test_a_station_gets_its_own_gate(day: Day, sign_in: SignIn) -> None:
    set_clock(day.runtime, at(21))
    assert set(figures(sign_in("customs", gate_id="tan-thanh"))) == {"tan-thanh"}


def test_days_before_the_first_trip_have_no_bulletin(day: Day) -> None:
    with day.runtime.sessions() as session:
        assert bulletin.sum_up(session, at(10), ["huu-nghi"]) == 0


def test_simulated_trips_are_said_to_be(day: Day, sign_in: SignIn) -> None:
    day.trip(yard=at(9), out=at(12), simulated=True)
    set_clock(day.runtime, at(13))
    items = sign_in("planner").get("/api/v1/statistics/bulletins").json()["items"]
    assert {item["gate_id"]: item["simulated"] for item in items if item["day"] == "2026-03-02"} == {
        "huu-nghi": True,
        "tan-thanh": False,
    }


def test_as_page_csv_and_pdf(day: Day, sign_in: SignIn) -> None:
    fill(day)
    set_clock(day.runtime, at(24, 30))
    planner = sign_in("planner")
    query = "?since=2026-03-02&until=2026-03-02&gate=huu-nghi"
    page = planner.get(f"/statistics/bulletin{query}")
    assert "Xuất khẩu: trái cây tươi" in page.text
    sheet = planner.get(f"/statistics/bulletin.csv{query}")
    assert sheet.content.startswith(b"\xef\xbb\xbf")
    head, line = csv.reader(io.StringIO(sheet.content.decode("utf-8-sig")))
    assert dict(zip(head, line, strict=True))["Xuất khẩu: trái cây tươi"] == "2"
    document = planner.get(f"/statistics/bulletin.pdf{query}")
    assert document.headers["content-type"] == "application/pdf"
    assert document.content.startswith(b"%PDF-")
    assert "bulletin-2026-03-02-2026-03-02.pdf" in document.headers["content-disposition"]


def test_the_typeface_writes_every_vietnamese_sign() -> None:
    """No sign of Vietnamese is missing from the pieces of the typeface; fpdf would leave a box."""
    signs = "".join(
        vowel
        for base in (
            "aàáảãạ",
            "ăằắẳẵặ",
            "âầấẩẫậ",
            "eèéẻẽẹ",
            "êềếểễệ",
            "iìíỉĩị",
            "oòóỏõọ",
            "ôồốổỗộ",
            "ơờớởỡợ",
            "uùúủũụ",
            "ưừứửữự",
            "yỳýỷỹỵ",
            "đ₫–·",
        )
        for vowel in base
    )
    document = Document("Bản tin", made_at=at(9))
    covered = set().union(*(font.cmap for font in document.fonts.values()))  # type: ignore[union-attr]
    assert {ord(sign) for sign in signs + signs.upper()} <= covered
    document.paragraph(signs)
    assert document.to_bytes().startswith(b"%PDF-")


def test_the_same_content_gives_the_same_document() -> None:
    def make() -> bytes:
        document = Document("Bản tin", made_at=at(9))
        document.grid(["a", "b"], [["1", "2"]])
        return document.to_bytes()

    assert make() == make()
