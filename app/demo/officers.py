"""The simulated enterprises and officers: they declare, check, confirm, return and take money, as the trucks go.

What is done is read from the database and what is to be done from the plan of the journey, so that a restart goes on
where it stopped and what people did by hand stays done. Every act goes through the public services, with the account
of a simulated person whom nobody can sign in as, at the moment at which it would have been done.
"""

from __future__ import annotations

import heapq
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.accounts import passwords
from app.declarations import desk
from app.declarations import service as declarations
from app.declarations.service import DeclarationAction
from app.demo import store
from app.demo.cashiers import act_on_fee
from app.demo.day import JourneyPlan, Passages, draw_plan, find_passages
from app.demo.officer_acts import HELD_UNDECLARED, ON_THE_ROAD, SIMULATED_REASON, Journey, People, next_act
from app.demo.papers import write_declaration
from app.demo.plate_cameras import MAX_AT_ONCE, PlateCameras
from app.demo.playback import Playback
from app.demo.recording import DAY_S
from app.demo.seed import WITHOUT_GATE, Fleet
from app.demo.store import NewAccount, TripPapers
from app.demo.transshipping import act_on_transshipment, lead_receivers
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Role
from app.procedures.steps import Step
from app.sheets.service import Sheets
from app.stations import channel
from geo.clock import Clock
from geo.corridor import Corridor
from geo.errors import CuaKhauError
from ingest.plates import display_plate, normalise_plate

log = structlog.get_logger("demo")

NAMES: Final[Mapping[Role, str]] = {
    Role.BORDER_GUARD: "Biên phòng",
    Role.HEALTH_QUARANTINE: "Kiểm dịch y tế",
    Role.ANIMAL_QUARANTINE: "Kiểm dịch động vật",
    Role.PLANT_QUARANTINE: "Kiểm dịch thực vật",
    Role.CUSTOMS: "Hải quan",
    Role.YARD_OPERATOR: "Bến bãi",
    Role.GATE_MANAGEMENT: "Trung tâm Quản lý cửa khẩu",
    Role.TAX: "Thuế",
    Role.SUPPORT: "Hỗ trợ khai báo",
}
REASONS: Final[Mapping[str, tuple[str, str]]] = {
    Step.BARRIER_1: ("weight_differs", "Trọng lượng thực tế khác tờ khai (mô phỏng)"),
    Step.CUSTOMS: ("quantity_differs", "Số kiện thực tế ít hơn tờ khai (mô phỏng)"),
}
OTHER_REASON: Final = ("goods_differ", "Hàng thực tế khác tờ khai (mô phỏng)")
WITHOUT_CUSTOMS: Final = "Hệ thống hải quan chưa trả lời (mô phỏng)"
"""Why the channel is set by hand, where customs' system is asked and has not answered."""
MAX_ACTS: Final = 20
"""What can be due on one trip at one look; beyond that something goes round in circles."""
BUDGET_S: Final = 3.0
"""How long one look may take; what is left waits for the next one."""
ROAD_BUDGET_S: Final = 0.5
"""How long of it may go to trucks that are not at a gate yet. At a first start a thousand of them have declarations to
make: done at one go these took a core of the machine for minutes, while nobody waits for them."""


@dataclass
class Officers:
    """All simulated people at the gates and in the enterprises' offices."""

    playback: Playback
    fleet: Fleet
    corridor: Corridor
    sessions: sessionmaker[Session]
    clock: Clock
    people: People
    sheets: Sheets
    cameras: PlateCameras | None = None
    is_behind: bool = False
    is_behind_at_gates: bool = False
    _failed: dict[int, datetime] = field(default_factory=dict)
    _drawn: dict[int, tuple[tuple[int, Passages], JourneyPlan]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        recording = self.playback.recording
        self.truck_of = {
            vehicle: truck for truck, vehicle in enumerate(self.fleet.vehicle_ids) if truck != recording.driver_truck
        }
        self.passages = find_passages(recording, self.corridor)

    def step(self) -> None:
        """Do what is due, longest overdue first, as far as the time given reaches."""
        now = self.clock.now()
        with self.sessions() as session:
            trips = store.papers(session, list(self.truck_of))
        due: list[tuple[int, datetime, str, Journey]] = []
        read = 0
        for papers in trips:
            journey = self.journey(papers)
            if journey is None or self._failed.get(papers.trip_id, now) > now:
                continue
            self._lead_aside(journey, now)
            if read < MAX_AT_ONCE:
                read += self._pass_cameras(journey, now)
            due += next_act(journey, now)
        heapq.heapify(due)
        began, done = time.monotonic(), 0
        road_began: float | None = None
        while due and time.monotonic() - began < BUDGET_S:
            urgency, at, name, journey = heapq.heappop(due)
            if urgency == ON_THE_ROAD:
                road_began = road_began or time.monotonic()
                if time.monotonic() - road_began > ROAD_BUDGET_S:
                    heapq.heappush(due, (urgency, at, name, journey))
                    break
            if self._act(journey, name, at, now):
                done += 1
                for act in next_act(journey, now):
                    heapq.heappush(due, act)
        lead_receivers(self.sessions, self.sheets, self.people, now)
        self.is_behind = bool(due)
        self.is_behind_at_gates = bool(due) and due[0][0] != ON_THE_ROAD
        if due:
            log.info("demo officers go on later", done=done, left=len(due))

    def journey(self, papers: TripPapers) -> Journey | None:
        """The journey that a trip belongs to, with what an order made different; `None` if it has none."""
        truck = self.truck_of.get(papers.vehicle_id)
        passages = self.passages[truck] if truck is not None else None
        if truck is None or passages is None:
            return None
        info, timeline = self.playback.recording.trucks[truck], self.playback.timeline
        day = round((timeline.seconds(papers.planned_arrival) - info.planned_arrival_s) / DAY_S)
        shift = self.playback.shifts.get(truck)
        shift = shift if shift is not None and shift.day == day else None
        if shift is not None and shift.donor is not None:
            other = self.passages[shift.donor]
            passages = other.later(shift.own_until_s - shift.donor_from_s) if other is not None else passages
        drawn = self._drawn.get(truck)
        if drawn is None or drawn[0] != (day, passages):
            plan = draw_plan(
                passages, truck=truck, day=day, direction=info.direction, gate_id=info.gate, depart_s=info.depart_s
            )
            drawn = self._drawn[truck] = ((day, passages), plan)
        plan = drawn[1]
        if shift is not None and shift.delay_s:
            plan = plan.later(shift.delay_s)
        stops_s = None if shift is None or shift.stop_s is None else shift.stop_s + shift.delay_s
        return Journey(papers, truck, day, plan, timeline.moment(day, 0.0), stops_s)

    def _pass_cameras(self, journey: Journey, now: datetime) -> int:
        papers, sent = journey.papers, 0
        if self.cameras is None:
            return sent
        for station, seconds in journey.plan.reads_s.items():
            at = journey.moment(seconds)
            if at is not None:
                plate = normalise_plate(papers.plate)
                sent += self.cameras.pass_by(papers.trip_id, plate, papers.gate_id, station, at, now)
        return sent

    def _act(self, journey: Journey, name: str, at: datetime, now: datetime) -> bool:
        """Do one act in a transaction of its own; whether the trip goes on. What fails is tried a minute later."""
        try:
            with self.sessions.begin() as session:
                self._do(session, journey, name, at)
        except (CuaKhauError, SQLAlchemyError) as error:
            self._failed[journey.papers.trip_id] = now + timedelta(minutes=1)
            log.warning("demo officer could not", trip_id=journey.papers.trip_id, act=name, error=str(error)[:300])
            return False
        with self.sessions() as session:
            trips = store.papers(session, [journey.papers.vehicle_id])
        if not trips:  # over the border
            return False
        journey.acts_done += 1
        journey.papers = trips[0]
        return journey.acts_done < MAX_ACTS

    def _do(self, session: Session, journey: Journey, name: str, at: datetime) -> None:
        papers = journey.papers
        kind, _, step = name.partition(":")
        if kind in ("declare", "redeclare"):
            self._declare(session, journey, at)
        elif kind == "arrive":
            self.sheets.note_arrival(ActionContext(session, None, at), papers.trip_id)
        elif kind in ("register", "open", "declare_there"):
            self._help(session, journey, kind, at)
        elif kind == "channel":
            channel.set_channel(
                ActionContext(session, self._person(Role.CUSTOMS, papers), at),
                self.sheets,
                papers.trip_id,
                journey.plan.channel,
                expected_version=papers.version,
                reason=WITHOUT_CUSTOMS,
            )
        elif kind == "return":
            reason, said = REASONS.get(step, OTHER_REASON)
            self.sheets.return_step(
                ActionContext(session, self._person(Step.get(step).agency(), papers), at),
                papers.trip_id,
                step,
                expected_version=None,
                reasons=[reason],
                text=said,
            )
        elif kind == "fee":
            act_on_fee(
                session, self.sheets, self._person(Step.FEE.agency(papers.collector), papers), papers, step, now=at
            )
        elif kind == "transshipment":
            act_on_transshipment(session, self.sheets, self.people, papers, step, seed=journey.truck, now=at)
        else:
            self.sheets.confirm_step(
                ActionContext(session, self._person(Step.get(step).agency(), papers), at),
                papers.trip_id,
                step,
                expected_version=None,
                data={"simulated": True},
                reason=SIMULATED_REASON,
            )

    def _declaring(self, session: Session, principal: Principal, at: datetime) -> DeclarationAction:
        return DeclarationAction(session, principal, at, corridor=self.corridor, sheets=self.sheets, simulated=True)

    def _declare(self, session: Session, journey: Journey, at: datetime) -> None:
        papers = journey.papers
        action = self._declaring(session, self.people[Role.ENTERPRISE, papers.organisation_id], at)
        if papers.declaration is None:
            declarations.create(action, self._form(journey, 0), submit=True)
            return
        form = self._form(journey, papers.returns)
        declarations.save(action, papers.trip_id, papers.declaration.version, form, submit=True)

    def _help(self, session: Session, journey: Journey, kind: str, at: datetime) -> None:
        papers = journey.papers
        action = self._declaring(session, self._person(Role.SUPPORT, papers), at)
        if papers.arrival is None:
            assert papers.arrived_at is not None, "who is registered has arrived"
            desk.register(action, plate=papers.plate, arrived_at=papers.arrived_at)
        elif kind == "open":
            desk.open_case(action, papers.arrival.arrival_id)
        else:
            desk.declare(
                action,
                papers.arrival.arrival_id,
                self._form(journey, 0),
                organisation_id=papers.organisation_id,
                new_name="",
                submit=True,
            )
            if self.playback.held().get(journey.truck) == HELD_UNDECLARED:
                self.playback.release(journey.truck, at)

    def _form(self, journey: Journey, correction: int) -> JsonObject:
        papers = journey.papers
        return write_declaration(
            self.playback.recording.trucks[journey.truck],
            plate=display_plate(normalise_plate(papers.plate)),
            gate_id=papers.gate_id,
            day=journey.day,
            planned_arrival=papers.planned_arrival,
            correction=correction,
        )

    def _lead_aside(self, journey: Journey, now: datetime) -> None:
        """Let a truck that comes undeclared go to the temporary yard, where it stands until it is declared."""
        papers, plan = journey.papers, journey.plan
        comes = journey.moment(plan.passages.near_s)
        if (
            plan.undeclared_s is None
            or papers.procedure_id is not None
            or papers.arrived_at is not None
            or comes is None
        ):
            return
        is_coming = comes - timedelta(minutes=10) <= now <= comes + timedelta(seconds=90)
        if not is_coming or journey.truck in self.playback.held():
            return
        for yard in self.corridor.temporary_yards(papers.gate_id):
            self.playback.hold(journey.truck, HELD_UNDECLARED, now, (yard.lon, yard.lat))

    def _person(self, role: Role, papers: TripPapers) -> Principal:
        return self.people[role, papers.gate_id]


def hire(session: Session, corridor: Corridor, fleet: Fleet, now: datetime) -> People:
    """The accounts of the simulated people, made if they are not there: one for each agency and gate and enterprise.

    Nobody can sign in to them: the password behind their hash was thrown away. Keyed by role and gate or organisation.
    """
    offices = store.offices(session)
    wanted: dict[tuple[Role, str | int | None], NewAccount] = {}
    for gate in corridor.gates():
        for role, name in NAMES.items():
            if role in WITHOUT_GATE:
                continue
            wanted[role, gate.site_id] = NewAccount(
                f"demo.{role}.{gate.site_id}",
                f"{name} {gate.name['vi']} (mô phỏng)",
                str(role),
                offices.get(str(role)),
                gate.site_id,
            )
    wanted[Role.ADMINISTRATOR, None] = NewAccount(
        "demo.administrator.sim",
        "Thiết lập mô phỏng",
        str(Role.ADMINISTRATOR),
        offices.get(str(Role.CUSTOMS)),
    )
    for organisation_id in sorted(set(fleet.organisation_ids)):
        wanted[Role.ENTERPRISE, organisation_id] = NewAccount(
            f"demo.enterprise.{organisation_id}",
            "Nhân viên khai báo (mô phỏng)",
            str(Role.ENTERPRISE),
            organisation_id,
        )
    names = [person.username for person in wanted.values()]
    known = store.accounts_by_name(session, names)
    missing = [person for person in wanted.values() if person.username not in known]
    if missing:
        unusable = passwords.HASHER.hash(secrets.token_urlsafe(32))
        store.add_accounts(session, missing, unusable, now)
        known = store.accounts_by_name(session, names)
    return {
        key: Principal(
            account_id=known[person.username],
            username=person.username,
            full_name=person.full_name,
            role=key[0],
            organisation_id=person.organisation_id,
            gate_id=person.gate_id,
            vehicle_id=None,
            locale="vi",
            session_hash=b"",
            csrf_secret="",
        )
        for key, person in wanted.items()
    }
