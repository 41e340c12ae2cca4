"""The people and things of the demonstration: organisations, accounts, trucks, devices, trips, gate settings.

Everything is invented and marked so: names end in "(mô phỏng)" (simulated), trips carry `simulated`. Calling it again
touches nothing that is right.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from app.accounts import passwords, service
from app.demo import store
from app.demo.recording import DemoDay, DemoTruck, RecordedDwell, RecordedGate, Recording, Timeline
from app.demo.state import ACCOUNTS_FILE, DEVICES_FILE, DemoState
from app.gates.profile import DirectionProfile, Hours
from app.gates.service import profiles, publish_simulated
from app.ops.server_user import write_private
from app.platform.actions import ActionContext
from app.platform.permissions import Role
from app.procedures import service as _procedures  # noqa: F401 - a trip refers to a table of it
from app.registers import claims
from app.registers import store as register_store
from app.settings import Settings
from app.trips.codes import new_code
from app.trips.vocabulary import Stage
from capacity.store import close_stays
from geo.corridor import Corridor
from geo.database import make_engine, make_session_factory
from geo.errors import InvalidInputError
from geo.opening_hours import OpeningHours
from geo.store import load_corridor
from ingest.keys import hash_key
from ingest.plates import display_plate, normalise_plate

log = structlog.get_logger("demo")

PLAN_AHEAD = timedelta(hours=12)
"""How long before it sets out a truck's trip is declared."""
GRACE = timedelta(minutes=70)
"""How long after its last fix a truck's trip may still be open: the platform takes an hour of silence for the end."""
PAST = timedelta(hours=4)
"""How far back trips are declared at a first start: a little more than is fed."""
GATE = "huu-nghi"
"""Where the demo accounts of the stations work."""

AUTHORITY = "Cơ quan chức năng cửa khẩu (mô phỏng)"
YARD_COMPANY = "Bến bãi Xuân Cương (mô phỏng)"
ENTERPRISES = (
    "Nông sản Biên Giới",
    "Trái cây Tây Nguyên",
    "Logistics Kỳ Cùng",
    "Vận tải Mẫu Sơn",
    "Xuất khẩu Lục Ngạn",
    "Thương mại Đồng Đăng",
    "Nông sản Chi Lăng",
    "Giao nhận Bắc Giang",
    "Hoa quả Cửu Long",
    "Thủy sản Hạ Long",
    "Vận tải Hữu Lũng",
    "Kho vận Lạng Giang",
    "Nông sản Đắk Lắk",
    "Logistics Sông Thương",
    "Thương mại Kinh Bắc",
    "Vận tải Cao Lộc",
    "Giao nhận Thăng Long",
    "Xuất nhập khẩu Hải Phòng",
    "Dệt may Sông Hồng",
    "Linh kiện Yên Phong",
    "Lâm sản Đông Bắc",
    "Nông sản Tiền Giang",
    "Vận tải Ải Nam Quan",
    "Thương mại Kỳ Lừa",
)

ACCOUNTS: Mapping[Role, str] = {
    Role.TRAFFIC_POLICE: "Cảnh sát giao thông (mô phỏng)",
    Role.DRIVER: "Lái xe (mô phỏng)",
    Role.ENTERPRISE: "Doanh nghiệp Nông sản Biên Giới (mô phỏng)",
    Role.PLANNER: "Ban Quản lý Khu kinh tế cửa khẩu (mô phỏng)",
    Role.YARD_OPERATOR: "Điều hành bến bãi (mô phỏng)",
    Role.BORDER_GUARD: "Bộ đội biên phòng (mô phỏng)",
    Role.HEALTH_QUARANTINE: "Kiểm dịch y tế (mô phỏng)",
    Role.ANIMAL_QUARANTINE: "Kiểm dịch động vật (mô phỏng)",
    Role.PLANT_QUARANTINE: "Kiểm dịch thực vật (mô phỏng)",
    Role.CUSTOMS: "Hải quan (mô phỏng)",
    Role.GATE_MANAGEMENT: "Trung tâm Quản lý cửa khẩu (mô phỏng)",
    Role.TAX: "Cơ quan thuế (mô phỏng)",
    Role.SUPPORT: "Hỗ trợ khai báo (mô phỏng)",
    Role.ADMINISTRATOR: "Quản trị hệ thống (mô phỏng)",
    Role.AUDITOR: "Giám sát (mô phỏng)",
}
WITHOUT_GATE = frozenset(
    {Role.TRAFFIC_POLICE, Role.DRIVER, Role.ENTERPRISE, Role.PLANNER, Role.ADMINISTRATOR, Role.AUDITOR}
)


@dataclass(frozen=True)
class Fleet:
    """The demo trucks in the database, in the order of the recording: their vehicles, devices and drivers."""

    vehicle_ids: list[int]
    identifiers: list[str]
    driver_ids: list[int]
    organisation_ids: list[int]


def seed_demo(settings: Settings, recording: Recording | None = None) -> None:
    """Make what the demonstration needs in the configured database and data directory."""
    recording = recording or Recording.load().thinned(settings.demo_every)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=1, application_name="cuakhau-demo")
    try:
        with make_session_factory(engine).begin() as session:
            seed(session, load_corridor(session), settings.clock().now(), recording, settings.data_dir)
    finally:
        engine.dispose()


def seed(session: Session, corridor: Corridor, now: datetime, recording: Recording, data_dir: Path) -> Fleet:
    """Organisations, accounts, trucks with devices and drivers, gate settings, trips of the coming hours.

    Raises
    ------
    InvalidInputError
        If the corridor in use has not the gates of the recording.
    """
    missing = set(recording.about["gates"]) - {site.site_id for site in corridor.gates()}
    if missing:
        raise InvalidInputError(
            "The corridor in use has no gate {gates}, where the demo day was recorded; start with --no-demo.",
            gates=", ".join(sorted(missing)),
        )
    state = DemoState.load(data_dir, now, recording.start_s)
    fleet = seed_fleet(session, recording, data_dir, now)
    set_gates(session, recording.about, now)
    plan_trips(session, recording, state.timeline, fleet, now, state.shifts)
    return fleet


def seed_fleet(session: Session, recording: Recording, data_dir: Path, now: datetime) -> Fleet:
    """Organisations, accounts and trucks; what is already there is left alone."""
    authority = _organisation(session, AUTHORITY, "authority", now)
    yard = _organisation(session, YARD_COMPANY, "yard", now)
    enterprises = [_organisation(session, f"{name} (mô phỏng)", "enterprise", now) for name in ENTERPRISES]
    organisations = {
        Role.DRIVER: enterprises[0],
        Role.ENTERPRISE: enterprises[0],
        Role.YARD_OPERATOR: yard,
    }
    driver_name = _seed_accounts(session, data_dir, now, organisations, authority)

    trucks = recording.trucks
    norms = [normalise_plate(truck.plate) for truck in trucks]
    owners = [enterprises[truck.enterprise] for truck in trucks]
    ids = store.add_vehicles(
        session,
        [store.NewVehicle(display_plate(norm), norm) for norm in norms],
        now,
    )
    vehicle_ids = [ids[norm] for norm in norms]
    claims.carry_over(session, list(zip(vehicle_ids, owners, strict=True)), now)
    identifiers = _seed_devices(session, recording, norms, vehicle_ids, data_dir, now)
    store.bind_vehicle(session, driver_name, vehicle_ids[recording.driver_truck], enterprises[0])
    driver_ids = _seed_drivers(session, recording, vehicle_ids, owners, now, driver_name)
    _put_on_file(session, recording, vehicle_ids, driver_ids, owners, now)
    return Fleet(vehicle_ids, identifiers, driver_ids, owners)


def _put_on_file(
    session: Session,
    recording: Recording,
    vehicle_ids: list[int],
    driver_ids: list[int],
    owners: list[int],
    now: datetime,
) -> None:
    """The file of each enterprise: its trucks, whose inspections end on days spread over a year, and its drivers."""
    today = now.date()
    kept = [
        (vehicle_ids[recorded.truck], driver_ids[recorded.truck], owners[recorded.truck], recorded)
        for recorded in recording.trucks
    ]
    vehicles = [
        {
            "organisation_id": owner,
            "vehicle_id": vehicle_id,
            "vehicle_class": "tractor",
            "payload_kg": 26_000,
            "axles": 3,
            "chassis_number": f"MPHDEM{vehicle_id:011d}",
            "inspection_expires": today + timedelta(days=20 + 37 * truck.truck % 340),
            "created_at": now,
        }
        for vehicle_id, _, owner, truck in kept
    ]
    drivers = [
        {
            "organisation_id": owner,
            "account_id": driver_id,
            "usual_vehicle_id": vehicle_id,
            "full_name": f"{truck.driver} (mô phỏng)",
            "licence_expires": today + timedelta(days=400),
            "created_at": now,
        }
        for vehicle_id, driver_id, owner, truck in kept
    ]
    register_store.put_on_file(session, vehicles, drivers)


def _organisation(session: Session, name: str, kind: str, now: datetime) -> int:
    found = service.find_organisation_by_name(session, name)
    return (
        found or service.create_organisation(ActionContext(session, None, now), name=name, kind=kind)
    ).organisation_id


def _seed_accounts(
    session: Session, data_dir: Path, now: datetime, organisations: Mapping[Role, int], authority: int
) -> str:
    """One account of each role, its password in `demo-accounts.json`; the driver's user name."""
    path = data_dir / ACCOUNTS_FILE
    kept: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    written = dict(kept)
    for role, full_name in ACCOUNTS.items():
        username = kept.get(role, {}).get("username", f"demo.{role}")
        password = kept.get(role, {}).get("password") or secrets.token_urlsafe(12)
        found = service.find_account_by_name(session, username)
        if found is None:
            service.create_account(
                ActionContext(session, None, now),
                username=username,
                password=password,
                full_name=full_name,
                role=role,
                organisation_id=organisations.get(role, authority),
                gate_id=None if role in WITHOUT_GATE else GATE,
            )
        elif role not in kept:  # the file was lost: the old password is nowhere else
            found.password_hash = passwords.HASHER.hash(password)
        written[str(role)] = {"username": username, "password": password}
    session.flush()
    if written != kept:
        write_private(path, json.dumps(written, indent=1, ensure_ascii=False))
    return written[str(Role.DRIVER)]["username"]


def _seed_devices(
    session: Session, recording: Recording, norms: list[str], vehicle_ids: list[int], data_dir: Path, now: datetime
) -> list[str]:
    """An enrolled device for each truck; identifiers are kept in `demo-devices.json`, so that restarts reuse them."""
    path = data_dir / DEVICES_FILE
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    identifiers = [kept.get(norm) or secrets.token_hex(16) for norm in norms]
    written = dict(zip(norms, identifiers, strict=True))
    if written != kept:
        write_private(path, json.dumps(written, indent=0, ensure_ascii=False))
    hashes = [hash_key(identifier) for identifier in identifiers]
    known = store.known_devices(session, hashes)
    devices = [
        store.NewDevice(key_hash, identifier[-4:], vehicle_id, truck.device_kind)
        for truck, key_hash, identifier, vehicle_id in zip(
            recording.trucks, hashes, identifiers, vehicle_ids, strict=True
        )
        if key_hash not in known
    ]
    if devices:
        store.add_devices(session, devices, now)
    return identifiers


def _seed_drivers(
    session: Session, recording: Recording, vehicle_ids: list[int], owners: list[int], now: datetime, driver_name: str
) -> list[int]:
    """A driver's account for each truck. Nobody can sign in to them: the password behind their hash was thrown away."""
    names = [f"demo.driver.{truck.truck:04d}" for truck in recording.trucks]
    names[recording.driver_truck] = driver_name
    known = store.accounts_by_name(session, names)
    missing = [truck for truck in recording.trucks if names[truck.truck] not in known]
    if missing:
        unusable = passwords.HASHER.hash(secrets.token_urlsafe(32))
        drivers = [
            store.NewAccount(
                names[truck.truck],
                f"{truck.driver} (mô phỏng)",
                str(Role.DRIVER),
                owners[truck.truck],
                vehicle_id=vehicle_ids[truck.truck],
            )
            for truck in missing
        ]
        store.add_accounts(session, drivers, unusable, now)
        known = store.accounts_by_name(session, names)
    return [known[name] for name in names]


def set_gates(session: Session, about: DemoDay, now: datetime) -> None:
    """Let the platform's gates work as those of the recording did, round the clock, so that the forecast is honest.

    It is published as a version of each gate's profile with the source "simulated", unless a person has set one.
    """
    for gate_id, profile in profiles(session, now).items():
        recorded = about["gates"].get(gate_id)
        if recorded is None:
            continue
        values = profile.values()
        directions = {
            name: _recorded_direction(recorded, about["dwell"][direction], checked=direction == "export")
            for name, direction in (("exports", "export"), ("imports", "import"))
        }
        publish_simulated(session, gate_id, values.model_copy(update=directions), now=now)


def _recorded_direction(gate: RecordedGate, dwell: RecordedDwell, *, checked: bool) -> DirectionProfile:
    return DirectionProfile(
        hours=Hours.of(OpeningHours.always()),
        lanes=gate["lanes"],
        service_mean_s=10.0,
        service_cv=0.0,
        entrance_lanes=gate["lanes"],
        entrance_service_mean_s=gate["service_mean_s"] if checked else 5.0,
        entrance_service_cv=gate["service_cv"] if checked else 0.0,
        dwell_mean_s=float(dwell["mean_s"]),
        dwell_cv=dwell["cv"],
    )


DECLARED_AHEAD = timedelta(hours=2)
"""Trips that are under way at the first start were declared so long before their truck set out."""


def plan_trips(
    session: Session,
    recording: Recording,
    timeline: Timeline,
    fleet: Fleet,
    now: datetime,
    delayed: Collection[int] = (),
) -> int:
    """Declare the trips of trucks that are under way or set out soon, and end those left over; how many were declared.

    Called again and again while the days go by; a journey is declared once. `delayed` are trucks that are not where
    the recording has them: their trips take as long as they take.
    """
    journeys = [_journey(truck, timeline, now - GRACE) for truck in recording.trucks]
    arrivals = {
        fleet.vehicle_ids[truck.truck]: arrival
        for truck, (_, arrival) in zip(recording.trucks, journeys, strict=True)
        if truck.truck not in delayed
    }
    over = store.forget_trips(session, arrivals, now)
    if over:
        close_stays(session, over, now)
    newest = store.newest_arrivals(session, fleet.vehicle_ids)
    trips = []
    for truck, (departure, arrival), vehicle_id in zip(recording.trucks, journeys, fleet.vehicle_ids, strict=True):
        if departure > now + PLAN_AHEAD or truck.truck in delayed:
            continue
        if vehicle_id in newest and newest[vehicle_id] > arrival - store.SAME_JOURNEY:
            continue
        made_at = min(now, departure - DECLARED_AHEAD)
        trips.append(_trip(truck, fleet, arrival, Stage.PLANNED, made_at, made_at))
    if not newest:  # the first start: journeys that ended in the hours that are fed first belong to trips as well
        for truck in recording.trucks:
            day = timeline.journey_at(truck, now - GRACE) - 1
            end = timeline.moment(day, truck.end_s)
            if end > now - PAST:
                made_at = timeline.moment(day, truck.depart_s) - DECLARED_AHEAD
                arrival = timeline.moment(day, truck.planned_arrival_s)
                trips.insert(0, _trip(truck, fleet, arrival, Stage.OUT, end, made_at))
    made = store.add_trips(session, trips, now)
    if made or over:
        log.info("demo trips", declared=made, ended=len(over))
    return made


def _trip(
    truck: DemoTruck, fleet: Fleet, arrival: datetime, stage: str, stage_since: datetime, created_at: datetime
) -> store.NewTrip:
    return store.NewTrip(
        code=new_code(),
        vehicle_id=fleet.vehicle_ids[truck.truck],
        driver_id=fleet.driver_ids[truck.truck],
        organisation_id=fleet.organisation_ids[truck.truck],
        goods=truck.goods,
        goods_class=truck.goods_class,
        perishable=truck.perishable,
        regime=truck.regime,
        direction=truck.direction,
        gate_id=truck.gate,
        planned_arrival=arrival,
        stage=stage,
        stage_since=stage_since,
        created_at=created_at,
    )


def _journey(truck: DemoTruck, timeline: Timeline, now: datetime) -> tuple[datetime, datetime]:
    """Departure and planned arrival of the journey a truck is on, or else of its next one."""
    day = timeline.journey_at(truck, now)
    return timeline.moment(day, truck.depart_s), timeline.moment(day, truck.planned_arrival_s)
