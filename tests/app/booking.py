"""What tests of bookings begin with: a gate with yards, an enterprise whose trucks are proven and on file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from app.bookings import keeping
from app.gates import service as gates
from app.notifications import feed
from app.platform.runtime import Runtime
from app.registers import claims
from capacity import store as capacity_store
from tests.app.dispatching import add_organisation
from tests.app.stationing import Gate

HERE, THERE = "huu-nghi", "tan-thanh"
PLATE = "29C-123.45"


def chassis_of(plate: str) -> str:
    """A chassis number for a plate."""
    return "LZZ5" + plate.replace("-", "").replace(".", "")


@dataclass
class Desk:
    """The gate, and what an enterprise does there with bookings."""

    gate: Gate
    seen: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, runtime: Runtime, sign_in: Callable[..., TestClient]) -> Desk:
        """A gate with its yards and profile."""
        with runtime.sessions.begin() as session:
            capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
            gates.seed_profiles(session, runtime.corridor, now=runtime.clock.now())
        return cls(Gate.open(runtime, sign_in))

    @property
    def runtime(self) -> Runtime:
        """The platform's parts."""
        return self.gate.runtime

    @property
    def enterprise(self) -> TestClient:
        """Its person."""
        return self.gate.person("enterprise")

    def hour(self, ahead: float) -> datetime:
        """A whole hour so many hours ahead; the clock begins at one."""
        return self.runtime.clock.now() + timedelta(hours=ahead)

    def advance(self, hours: float) -> None:
        """Let time pass."""
        self.runtime.clock.advance(hours * 3600.0)  # type: ignore[attr-defined]

    def trip(self, plate: str = PLATE, *, on_file: bool = True, proven: bool = True, **changes: Any) -> int:
        """A declared trip of a truck that is proven and on file with its chassis number."""
        trip_id = self.gate.declare(plate, **changes)
        if on_file:
            body = {"plate": plate, "vehicle_class": "tractor", "chassis_number": chassis_of(plate)}
            answer = self.enterprise.post("/api/v1/registers/vehicles", json=body)
            assert answer.status_code in (201, 409), answer.text
        if proven:
            with self.runtime.sessions.begin() as session:
                vehicle_id = session.scalar(
                    text("SELECT vehicle_id FROM app.trip WHERE trip_id = :trip_id"), {"trip_id": trip_id}
                )
                claims.carry_over(session, [(int(vehicle_id), self.gate.organisation_id)], self.runtime.clock.now())
        return trip_id

    def hold(self, trip_id: int, ahead: float, **more: Any) -> Response:
        """Ask for a place so many hours ahead."""
        body = {"trip_id": trip_id, "starts_at": self.hour(ahead).isoformat(), **more}
        return self.enterprise.post("/api/v1/bookings", json=body)

    def act(self, booking_id: int, act: str, **body: Any) -> Response:
        """An act of the enterprise on a booking."""
        return self.enterprise.post(f"/api/v1/bookings/{booking_id}/{act}", json=body or None)

    def book(self, trip_id: int, ahead: float) -> int:
        """A booked place; its number."""
        held = self.hold(trip_id, ahead)
        assert held.status_code == 201, held.text
        confirmed = self.act(held.json()["booking_id"], "confirm")
        assert confirmed.json()["state"] == "booked", confirmed.text
        return int(held.json()["booking_id"])

    def state(self, booking_id: int) -> dict[str, Any]:
        """A booking as it stands."""
        items = self.enterprise.get("/api/v1/bookings").json()["items"]
        return dict(next(item for item in items if item["booking_id"] == booking_id))

    def minute(self, **queues_veh: float) -> keeping.Kept:
        """The control loop looks, with these queues at the gates."""
        with self.runtime.sessions.begin() as session:
            return keeping.keep_up(session, self.runtime.clock.now(), queues_veh)

    def set_rules(self, **changes: Any) -> None:
        """The planner sets rules."""
        planner = self.gate.sign_in("planner")
        tag = planner.get("/api/v1/settings/booking-rules").headers["ETag"]
        answer = planner.put("/api/v1/settings/booking-rules", json=changes, headers={"If-Match": tag})
        assert answer.status_code == 200, answer.text

    def set_places(self, places: int, yard_id: str = "xuan-cuong") -> None:
        """So many places an hour, however long trucks stay: a yard whose trucks stay an hour at most."""
        with self.runtime.sessions.begin() as session:
            session.execute(
                text("UPDATE capacity.yard SET capacity_veh = :places WHERE yard_id = :yard_id"),
                {"places": places, "yard_id": yard_id},
            )
            session.execute(
                text(
                    "UPDATE app.gate_profile SET profile = jsonb_set(profile, '{exports,dwell_mean_s}', '3600') "
                    "WHERE gate_id = 'huu-nghi'"
                )
            )

    def told(self) -> list[str]:
        """What the enterprise is told, in English, the newest first."""
        with self.runtime.sessions.begin() as session:
            feed.follow(session, self.runtime.clock.now())
        return [item["text"] for item in self.enterprise.get("/api/v1/notifications").json()["items"]]


def other_enterprise(desk: Desk) -> TestClient:
    """Somebody of another enterprise."""
    return desk.gate.sign_in("enterprise", organisation_id=add_organisation(desk.runtime, "Vận tải Bắc Sơn"))
