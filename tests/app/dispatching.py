"""Rows that tests of trips and orders begin with: enterprises, trucks, where they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from app.accounts.tables import Organisation
from app.platform.runtime import Runtime
from app.registers import claims
from geo.corridor import Corridor
from ingest.store import get_or_add_vehicle
from ingest.tables import LastPosition, SiteEvent


def add_organisation(runtime: Runtime, name: str) -> int:
    """A new enterprise; its id."""
    with runtime.sessions() as session:
        found = session.scalars(
            insert(Organisation).values(name=name, kind="enterprise").returning(Organisation.organisation_id)
        ).one()
        session.commit()
    return int(found)


def put_truck(
    session: Session,
    corridor: Corridor,
    plate: str,
    *,
    time: datetime,
    road: str = "QL1A",
    km: float = 30.0,
    direction: int = 1,
    speed_mps: float = 12.0,
    site_id: str | None = None,
    motion: str | None = None,
    organisation_id: int | None = None,
) -> int:
    """A truck at a kilometre of a road (or moved there); its id."""
    norm = plate.replace("-", "").replace(".", "")
    vehicle = get_or_add_vehicle(session, norm, plate=plate, kind="truck", now=time)
    if organisation_id is not None:
        claims.carry_over(session, [(vehicle.vehicle_id, organisation_id)], time)
    way = "to_border" if direction >= 0 else "from_border"
    (road_id,), (offset_m,) = corridor.place_at(road, [km], way)
    (lon,), (lat,) = corridor.position(road, [km], way)
    session.execute(
        text("DELETE FROM ingest.last_position WHERE vehicle_id = :vehicle_id"), {"vehicle_id": vehicle.vehicle_id}
    )
    session.execute(
        insert(LastPosition).values(
            vehicle_id=vehicle.vehicle_id,
            device_id=1,
            geom=f"SRID=4326;POINT({lon} {lat})",
            speed_mps=speed_mps,
            road_id=int(road_id),
            offset_m=float(offset_m),
            km=km,
            direction=direction,
            status=0,
            flags=0,
            received_at=time,
            time=time,
            edge_id=corridor.roads[int(road_id)].edge_id,
            site_id=site_id,
            motion=motion or ("moving" if speed_mps > 3 else "slow"),
        )
    )
    return int(vehicle.vehicle_id)


def pass_site(session: Session, vehicle_id: int, site_id: str, kind: str, time: datetime) -> None:
    """A truck enters or leaves a site."""
    session.execute(
        insert(SiteEvent).values(vehicle_id=vehicle_id, site_id=site_id, kind=kind, time=time, source="gps")
    )


def trip_body(plate: str, planned_arrival: datetime, **changes: Any) -> dict[str, Any]:
    """The body of a trip that is fine."""
    return {
        "plate": plate,
        "goods": "Thanh long tươi",
        "goods_class": "fresh_fruit",
        "regime": "export",
        "gate_id": "huu-nghi",
        "planned_arrival": planned_arrival.isoformat(),
        **changes,
    }


@dataclass
class Stage:
    """A platform with an enterprise, one truck of its on the road, its driver, and an officer."""

    runtime: Runtime
    organisation_id: int
    vehicle_id: int
    trip_id: int
    enterprise: TestClient
    driver: TestClient
    police: TestClient

    def order(self, **changes: Any) -> dict[str, Any]:
        """The body of a hold for the truck."""
        end = self.runtime.clock.now() + timedelta(hours=2)
        return {
            "kind": "hold",
            "selection": {"vehicle_ids": [self.vehicle_id]},
            "valid_to": end.isoformat(),
            "parameters": {"site_id": "staging-lang-son", "reason": "queue"},
            **changes,
        }

    def issue(self, **changes: Any) -> int:
        """Issue an order; its id."""
        answer = self.police.post("/api/v1/orders", json=self.order(**changes))
        assert answer.status_code == 201, answer.text
        return int(answer.json()["order_id"])

    def move(self, km: float, *, road: str = "QL1A", after: timedelta = timedelta(minutes=5), **place: Any) -> None:
        """Let time pass and the truck be somewhere else."""
        self.runtime.clock.advance(after.total_seconds())  # type: ignore[attr-defined]
        with self.runtime.sessions() as session:
            now = self.runtime.clock.now()
            put_truck(session, self.runtime.corridor, "29C-123.45", time=now, road=road, km=km, **place)
            session.commit()


def set_stage(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Stage:
    """Prepare a `Stage`."""
    now = runtime.clock.now()
    organisation_id = add_organisation(runtime, "Nông sản Lạng Sơn")
    with runtime.sessions() as session:
        vehicle_id = put_truck(session, runtime.corridor, "29C-123.45", time=now, organisation_id=organisation_id)
        session.commit()
    enterprise = sign_in("enterprise", organisation_id=organisation_id)
    driver = sign_in("driver", organisation_id=organisation_id, vehicle_id=vehicle_id)
    answer = enterprise.post("/api/v1/trips", json=trip_body("29C-123.45", now + timedelta(hours=3)))
    assert answer.status_code == 201, answer.text
    trip_id = answer.json()["trip_id"]
    return Stage(runtime, organisation_id, vehicle_id, trip_id, enterprise, driver, sign_in("traffic_police"))
