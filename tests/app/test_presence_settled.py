"""Trip, sheet, places and ledger on a database agree after every act and report, in whatever order they come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from app.procedures.steps import StepStatus
from app.sheets import corrections
from app.sheets.undoing import undo_step
from app.sheets.vocabulary import CorrectionKind
from app.stations.turning_back import turn_back
from app.trips import progress
from app.trips.vocabulary import PlaceKind, Stage
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement
from geo.errors import ConflictError
from tests.app.bordering import EXPORT_WAY, Border, Listener, SignIn, border, listener, sheets  # noqa: F401 - fixtures
from tests.app.dispatching import pass_site, put_truck
from tests.conftest import NOW
from tests.profiles import examples

OWNERS = {step: role for role, step in EXPORT_WAY}
SECOND = "second border_guard"
COUNTED = (PlaceKind.PLANNED, PlaceKind.UNKNOWN)
"""Places that say nothing of yards."""


@dataclass
class Life:
    """A trip to which things happen."""

    border: Border
    plate: str
    trip_id: int
    vehicle_id: int
    officers: dict[str, int]
    last: progress.Advanced | None = None

    def happen(self, what: int, choice: int) -> None:
        self.border.runtime.clock.advance(60.0 + 20.0 * choice)  # type: ignore[attr-defined]
        with self.border.runtime.sessions() as session:
            doing = (
                self._act,
                self._drive,
                self._pass,
                self._read,
                self._move,
                self._mistap,
                self._correct,
                self._turn_back,
            )
            try:
                doing[what % len(doing)](session, choice)
                session.commit()
            except ConflictError:
                session.rollback()  # what is not legal leaves nothing
        with self.border.runtime.sessions() as session:
            keeper = self.border.sheets.presence
            self.last = progress.advance(session, self.now, keeper=keeper, tails_km={"huu-nghi": 4.0}, last=self.last)
            session.commit()

    @property
    def now(self) -> Any:
        return self.border.runtime.clock.now()

    def _act(self, session: Session, choice: int) -> str | None:
        """The officer of a step that is ready confirms it."""
        rows = session.execute(
            text("SELECT step FROM app.trip_step WHERE trip_id = :id AND status = 'ready' AND is_live ORDER BY step"),
            {"id": self.trip_id},
        ).scalars()
        ready = [step for step in rows if step in OWNERS]
        if not ready:
            return None
        step = ready[choice % len(ready)]
        self.border.sheets.confirm_step(
            self._officer(session, OWNERS[step]),
            self.trip_id,
            step,
            expected_version=self._version(session),
            reason="Seen",
        )
        return step

    def _mistap(self, session: Session, choice: int) -> None:
        """An officer confirms a step, sees that it was the wrong truck, and undoes it."""
        step = self._act(session, choice)
        if step is None:
            return
        session.commit()
        self.border.runtime.clock.advance(10.0)  # type: ignore[attr-defined]
        action = self._officer(session, OWNERS[step])
        undo_step(action, self.border.sheets, self.trip_id, step, expected_version=self._version(session))

    def _correct(self, session: Session, choice: int) -> None:
        """Two border guards find that a barrier was confirmed wrongly: it is to be done again."""
        step = ("barrier_1", "barrier_2")[choice % 2]
        asking, deciding = self._officer(session, "border_guard"), self._officer(session, SECOND)
        number = corrections.ask(asking, self.trip_id, step, CorrectionKind.REOPEN, {}, "Wrong truck")
        corrections.decide(deciding, self.border.sheets, number, is_approved=True, reason="")

    def _turn_back(self, session: Session, choice: int) -> None:
        """Now and then the truck goes away, and the border guard says so."""
        if choice % 4 == 0:
            action = self._officer(session, "border_guard")
            version = self._version(session)
            turn_back(action, self.border.sheets, self.trip_id, "Turned round", expected_version=version)

    def _officer(self, session: Session, name: str) -> ActionContext:
        officer = Principal(
            account_id=self.officers[name],
            username=name,
            full_name=name,
            role=Role.get(name.removeprefix("second ")),
            organisation_id=None,
            gate_id="huu-nghi",
            vehicle_id=None,
            locale="vi",
            session_hash=b"",
            csrf_secret="",
        )
        return ActionContext(session, officer, self.now)

    def _version(self, session: Session) -> int:
        query = text("SELECT version FROM app.trip WHERE trip_id = :id")
        return int(session.execute(query, {"id": self.trip_id}).scalar_one())

    def _drive(self, session: Session, choice: int) -> None:
        """Its phone is somewhere, perhaps in another truck."""
        km = (60.0, 20.0, 4.0, 1.0, 0.8, 0.3)[choice % 6]
        site = {0.8: "xuan-cuong", 1.0: "huu-nghi"}.get(km)
        motion = {0.8: "yard", 1.0: "gate"}.get(km)
        corridor = self.border.runtime.corridor
        direction = -1 if choice % 7 == 0 else 1
        speed_mps = (0.0, 1.0, 12.0)[choice % 3]
        put_truck(
            session,
            corridor,
            self.plate,
            time=self.now,
            km=km,
            direction=direction,
            speed_mps=speed_mps,
            site_id=site,
            motion=motion,
        )

    def _pass(self, session: Session, choice: int) -> None:
        site_id = ("huu-nghi", "xuan-cuong", "bao-nguyen")[choice % 3]
        pass_site(session, self.vehicle_id, site_id, ("enter", "leave")[choice // 3 % 2], self.now)

    def _read(self, session: Session, choice: int) -> None:
        """A camera's read, up to two hours late."""
        values = {
            "gate": ("huu-nghi", "tan-thanh")[choice % 2],
            "station": ("barrier_1", "customs", "yard", "barrier_2")[choice // 2 % 4],
            "trip_id": self.trip_id,
            "time": self.now - timedelta(minutes=(choice % 5) * 30),
            "now": self.now,
            "plate": self.plate.replace("-", "").replace(".", ""),
        }
        equipment_id = session.execute(
            text(
                "INSERT INTO app.equipment (kind, name, gate_id, station, vendor, created_at) "
                "VALUES ('plate_camera', 'K', :gate, :station, 'rekor', :now) RETURNING equipment_id"
            ),
            values,
        ).scalar_one()
        session.execute(
            text(
                "INSERT INTO app.plate_read (equipment_id, time, received_at, plate_norm, confidence, status, trip_id, "
                "probability, source_ref) VALUES (:equipment_id, :time, :now, :plate, 0.97, 'matched', :trip_id, "
                "0.99, 'r')"
            ),
            {**values, "equipment_id": equipment_id},
        )

    def _move(self, session: Session, choice: int) -> None:
        """The yard's operator enters what was seen."""
        plate_norm = self.plate.replace("-", "").replace(".", "")
        yard_id = ("xuan-cuong", "bao-nguyen")[choice % 2]
        moved = Movement(
            LedgerTruck(self.vehicle_id, plate_norm), ("enter", "leave")[choice // 2 % 2], self.now, "manual"
        )
        self.border.sheets.presence.lock_trips_of(session, plate_norm)
        capacity_store.record_movements(session, [(yard_id, moved)])

    def check(self) -> None:
        """Nothing contradicts anything."""
        (trip,) = self.border.rows("SELECT * FROM app.trip WHERE trip_id = :id", id=self.trip_id)
        rows = self.border.rows("SELECT * FROM app.trip_place WHERE trip_id = :id ORDER BY began_at", id=self.trip_id)
        assert [row.ended_at for row in rows] == [*(row.began_at for row in rows[1:]), None]
        kind, place = PlaceKind.get(rows[-1].kind), rows[-1]
        is_elsewhere = place.gate_id not in {None, trip.gate_id} and kind not in PlaceKind.over()
        assert trip.stage == (Stage.ON_THE_ROAD if is_elsewhere else kind.stage)
        query = "SELECT status FROM app.trip_step WHERE trip_id = :id AND step = 'barrier_2'"
        (exit_step,) = self.border.rows(query, id=self.trip_id)
        handled = any(row.trust == 4 for row in rows)
        if exit_step.status == StepStatus.DONE:
            assert trip.stage == Stage.OUT
        elif handled and trip.stage == Stage.OUT:
            assert kind is PlaceKind.TURNED_BACK
        inside = self.border.rows(
            "SELECT yard_id FROM capacity.presence WHERE vehicle_id = :id AND left_at IS NULL", id=self.vehicle_id
        )
        yards = {row.yard_id for row in inside}
        if place.site_id is not None:
            assert yards == {place.site_id}
        elif kind not in (*COUNTED, PlaceKind.GATE_AREA, *PlaceKind.over()):  # over, it may come again without a trip
            assert not yards
        assert len(yards) <= 1


@pytest.fixture
def officers(border: Border, sign_in: SignIn) -> dict[str, int]:
    runtime = border.runtime
    runtime.settings.session_hours = 24 * 365
    with runtime.sessions() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        session.commit()
    second = border.sign_in("border_guard", gate_id="huu-nghi").account_id  # type: ignore[attr-defined]
    return {SECOND: second, **{role: border.officer(role).account_id for role in dict(EXPORT_WAY)}}


@examples(30, suppress=list(HealthCheck))
@given(st.binary(min_size=16, max_size=16))
def test_whatever_happens_nothing_contradicts(
    border: Border,
    officers: dict[str, int],
    raw: bytes,
) -> None:
    border.runtime.clock.moment = NOW  # type: ignore[attr-defined]
    number = len(border.rows("SELECT trip_id FROM app.trip"))
    plate = f"29C-{number // 100:03d}.{number % 100:02d}"
    trip_id = border.enter(plate)
    (trip,) = border.rows("SELECT vehicle_id FROM app.trip WHERE trip_id = :id", id=trip_id)
    life = Life(border, plate, trip_id, trip.vehicle_id, officers)
    for what, choice in zip(raw[::2], raw[1::2], strict=True):
        life.happen(what, choice)
        life.check()
    with border.runtime.sessions() as session:  # what comes later looks at its own trip only
        session.execute(text("UPDATE app.trip SET stage = 'cancelled'"))
        session.commit()
