"""A border at which tests act on sheets: trips, an officer of every agency, a listener."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.procedures.procedure import Facts
from app.sheets.service import SheetChange, Sheets
from geo.errors import ConflictError
from tests.app.dispatching import add_organisation, trip_body

SignIn = Callable[..., TestClient]


@dataclass
class Border:
    """A gate with an enterprise and an officer of each role, signed in when first asked for."""

    runtime: Runtime
    sheets: Sheets
    sign_in: SignIn
    organisation_id: int
    enterprise: TestClient
    officers: dict[str, TestClient] = field(default_factory=dict)

    def officer(self, role: str, gate_id: str = "huu-nghi") -> TestClient:
        key = f"{role} {gate_id}"
        if key not in self.officers:
            self.officers[key] = self.sign_in(role, gate_id=gate_id)
        return self.officers[key]

    def enter(self, plate: str = "29C-123.45", *, declare: bool = True, **changes: Any) -> int:
        """A trip, declared or not; its id."""
        now = self.runtime.clock.now()
        made = self.enterprise.post("/api/v1/trips", json=trip_body(plate, now + timedelta(hours=1), **changes))
        assert made.status_code == 201, made.text
        trip = made.json()
        if declare:
            with self.runtime.sessions() as session:
                facts = Facts(
                    direction=trip["direction"], regime=trip["regime"], goods_class=frozenset({trip["goods_class"]})
                )
                self.sheets.open_sheet(ActionContext(session, None, now), trip["trip_id"], facts)
                session.commit()
        return int(trip["trip_id"])

    def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        """A service function in a transaction of its own."""
        with self.runtime.sessions() as session:
            found = function(ActionContext(session, None, self.runtime.clock.now()), *arguments, **named)
            session.commit()
        return found

    def sheet(self, trip_id: int) -> dict[str, Any]:
        answer = self.enterprise.get(f"/api/v1/trips/{trip_id}/sheet")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def state(self, trip_id: int) -> dict[str, str]:
        return {step["step"]: step["status"] for step in self.sheet(trip_id)["steps"]}

    def act(
        self, role: str, trip_id: int, step: str, act: str = "confirm", *, key: str | None = None, **more: Any
    ) -> Response:
        """An act at the present version (or `version`); the answer."""
        version = more.pop("version", None) or self.sheet(trip_id)["version"]
        headers = {"If-Match": f'"{version}"'} | ({"Idempotency-Key": key} if key else {})
        where = f"/api/v1/trips/{trip_id}/steps/{step}/{act}"
        body = more or ({"reasons": ["plate_differs"]} if act == "return" else {})
        return self.officer(role).post(where, json=body, headers=headers)

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        with self.runtime.sessions() as session:
            return list(session.execute(text(query), parameters).all())


EXPORT_WAY = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
    ("gate_management", "fee"),
    ("border_guard", "barrier_2"),
)


@dataclass
class Listener:
    """Another feature that takes part: it hears of every act, and refuses it if told to."""

    refusal: ConflictError | None = None
    heard: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, _session: Session, _sheets: Sheets, change: SheetChange) -> None:
        self.heard.append((change.act, change.step))
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def sheets(listener: Listener) -> Sheets:
    """Sheets without what the platform's features do when one changes; their own tests have both together."""
    return Sheets(listeners=(listener,), readers={})


@pytest.fixture
def border(runtime: Runtime, sheets: Sheets, sign_in: SignIn) -> Border:
    organisation_id = add_organisation(runtime, "Nông sản Lạng Sơn")
    return Border(runtime, sheets, sign_in, organisation_id, sign_in("enterprise", organisation_id=organisation_id))
