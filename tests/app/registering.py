"""What tests of the registers begin with: enterprises, a desk, a truck that reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.platform.runtime import Runtime
from tests.app.dispatching import add_organisation, put_truck, trip_body
from tests.conftest import SignIn

PLATE = "29C-123.45"


@dataclass(frozen=True)
class Companies:
    """Two enterprises, a desk and a truck on the road that nobody has proven."""

    runtime: Runtime
    ours_id: int
    theirs_id: int
    ours: TestClient
    theirs: TestClient
    desk: TestClient
    vehicle_id: int

    def claim(self, client: TestClient, plate: str = PLATE, **more: Any) -> int:
        """A claim that waits; its number."""
        answer = client.post("/api/v1/claims", json={"plate": plate, **more})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["claim_id"])

    def prove(self, client: TestClient, plate: str = PLATE) -> None:
        """Let a desk accept a claim."""
        claim_id = self.claim(client, plate)
        decided = self.desk.post(f"/api/v1/claims/{claim_id}/decide", json={"accept": True})
        assert decided.status_code == 200, decided.text

    def rest(self) -> None:
        """The truck is on no trip but those that a test declares."""
        with self.runtime.sessions.begin() as session:
            session.execute(text("UPDATE app.trip SET stage = 'out' WHERE code LIKE 'OTHER-%'"))

    def declare(self, client: TestClient, plate: str = PLATE, **more: Any) -> int:
        """A trip of the plate; its number."""
        body = trip_body(plate, self.runtime.clock.now() + timedelta(hours=5), **more)
        answer = client.post("/api/v1/trips", json=body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["trip_id"])


def sees(client: TestClient, vehicle_id: int) -> bool:
    """Whether somebody sees where a vehicle is, on the map."""
    features = client.get("/api/v1/positions").json()["features"]
    return vehicle_id in [feature["properties"]["vehicle_id"] for feature in features]


def be_on_a_trip(
    session: Session, vehicle_id: int, now: datetime, *, since: datetime | None = None, gate_id: str = "tan-thanh"
) -> int:
    """Goods of somebody else are under way with the truck; the trip. Between trips its holder does not see where it is.

    The trip was declared at `since`, now unless given.
    """
    session.execute(
        text("INSERT INTO app.organisation (name, kind) VALUES ('Kho Hữu Lũng', 'enterprise') ON CONFLICT DO NOTHING")
    )
    query = text(
        """
        INSERT INTO app.trip (code, vehicle_id, organisation_id, goods, goods_class, perishable, regime, direction,
                              gate_id, planned_arrival, stage, stage_since, created_at)
        SELECT 'OTHER-' || :vehicle_id, :vehicle_id, organisation_id, 'x', 'general', false, 'export', 'export',
               :gate_id, :now, 'on_the_road', :now, :since FROM app.organisation WHERE name = 'Kho Hữu Lũng'
        RETURNING trip_id
        """
    )
    return int(session.scalar(query, {"vehicle_id": vehicle_id, "now": now, "since": since or now, "gate_id": gate_id}))


def make_companies(runtime: Runtime, sign_in: SignIn) -> Companies:
    """The enterprises, the desk and the truck."""
    ours_id, theirs_id = add_organisation(runtime, "Nông sản Đồng Đăng"), add_organisation(runtime, "Vận tải Bắc Sơn")
    with runtime.sessions() as session:
        vehicle_id = put_truck(session, runtime.corridor, PLATE, time=runtime.clock.now())
        be_on_a_trip(session, vehicle_id, runtime.clock.now())
        session.commit()
    return Companies(
        runtime,
        ours_id,
        theirs_id,
        sign_in("enterprise", organisation_id=ours_id),
        sign_in("enterprise", organisation_id=theirs_id),
        sign_in("support", gate_id="huu-nghi"),
        vehicle_id,
    )
