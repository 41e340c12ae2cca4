"""A gate with an enterprise, officers, and trips declared through the API: what tests of the stations begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response

from app.platform.runtime import Runtime
from app.procedures import service as procedures
from app.sheets.presence import make_keeper
from app.trips import progress
from tests.app.declaring import declaration_body, declaration_line
from tests.app.dispatching import add_organisation, put_truck


@dataclass
class Gate:
    """One gate; people sign in when first asked for."""

    runtime: Runtime
    sign_in: Callable[..., TestClient]
    organisation_id: int
    people: dict[tuple[str, str], TestClient] = field(default_factory=dict)

    @classmethod
    def open(cls, runtime: Runtime, sign_in: Callable[..., TestClient]) -> Gate:
        """A gate with the shipped procedures and one enterprise."""
        with runtime.sessions() as session:
            procedures.add_shipped(session, runtime.clock.now())
            session.commit()
        return cls(runtime, sign_in, add_organisation(runtime, "Nông sản Lạng Sơn"))

    def person(self, role: str, gate_id: str = "huu-nghi") -> TestClient:
        """Somebody of a role who reads English, at the gate or of the enterprise."""
        if (role, gate_id) not in self.people:
            bound = {"organisation_id": self.organisation_id} if role == "enterprise" else {"gate_id": gate_id}
            self.people[role, gate_id] = self.sign_in(role, locale="en", **bound)
        return self.people[role, gate_id]

    def declare(self, plate: str = "29C-123.45", **changes: Any) -> int:
        """A trip declared and submitted; its id."""
        arrival = self.runtime.clock.now() + timedelta(hours=2)
        body = declaration_body(arrival, **{"plate": plate, "trailer_plate": "", **changes})
        answer = self.person("enterprise").post("/api/v1/declarations", json={**body, "submit": True})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["trip_id"])

    def arrive(self, plate: str, km: float = 0.5) -> None:
        """The truck stands at the gate, or elsewhere on its road."""
        site_id = "huu-nghi" if km < 1.0 else None
        with self.runtime.sessions() as session:
            now = self.runtime.clock.now()
            put_truck(session, self.runtime.corridor, plate, time=now, km=km, speed_mps=0.0, site_id=site_id)
            progress.advance(session, now, keeper=make_keeper(), tails_km={})
            session.commit()

    def sheet(self, trip_id: int) -> dict[str, Any]:
        """The sheet as the enterprise reads it."""
        answer = self.person("enterprise").get(f"/api/v1/trips/{trip_id}/sheet")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def state(self, trip_id: int) -> dict[str, str]:
        """The status of each step."""
        return {step["step"]: step["status"] for step in self.sheet(trip_id)["steps"]}

    def act(self, role: str, trip_id: int, step: str, act: str = "confirm", **body: Any) -> Response:
        """An act on a step at the sheet's present version."""
        headers = {"If-Match": f'"{self.sheet(trip_id)["version"]}"'}
        return self.person(role).post(f"/api/v1/trips/{trip_id}/steps/{step}/{act}", json=body, headers=headers)

    def pass_steps(self, trip_id: int, *steps: tuple[str, str]) -> None:
        """Confirm steps, each given as role and step."""
        for role, step in steps:
            answer = self.act(role, trip_id, step)
            assert answer.status_code == 200, answer.text

    def to_quarantine(self, trip_id: int) -> None:
        """Bring an export of fruit to the point where it is quarantined."""
        self.pass_steps(
            trip_id, ("health_quarantine", "health"), ("border_guard", "barrier_1"), ("yard_operator", "yard")
        )

    def after_quarantine(self, trip_id: int) -> None:
        """Bring an export of fruit past quarantine."""
        self.to_quarantine(trip_id)
        self.pass_steps(trip_id, ("plant_quarantine", "quarantine_plant"))


FRUIT = declaration_line(packages=1000, gross_weight_kg=18000.0)
"""A line that divides evenly: 18 kg a package."""
