"""What the API of trips takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, with_config
from typing_extensions import TypedDict  # until Python 3.12 Pydantic reads no other

from app.platform.fields import Moment, PlainText
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Scope
from app.platform.personal_fields import REMARK, Left, replace_personal
from app.trips.store import TimelineLine
from app.trips.vocabulary import Direction, PartyRole, Regime, Stage

EXAMPLE: dict[str, JsonValue] = {
    "plate": "29C-123.45",
    "trailer_plate": "29R-012.34",
    "goods": "Thanh long tươi",
    "goods_class": "fresh_fruit",
    "regime": "export",
    "gate_id": "huu-nghi",
    "planned_arrival": "2026-03-02T15:00:00+07:00",
}


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class TripIn(BaseModel):
    """A trip to enter. `perishable` follows the goods class unless given; `direction` follows the regime if it can."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    plate: str = Field(min_length=1, max_length=40)
    trailer_plate: str | None = Field(default=None, max_length=40)
    driver_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    organisation_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    goods: PlainText = Field(max_length=1000)
    goods_class: str = Field(max_length=60)
    perishable: bool | None = None
    regime: Regime
    direction: Direction | None = None
    gate_id: str = Field(max_length=60)
    planned_arrival: Moment


@with_config(
    ConfigDict(extra="forbid", json_schema_extra={"examples": [{"planned_arrival": "2026-03-02T17:00:00+07:00"}]})
)
class TripChange(TypedDict, total=False):
    """What to change of a trip. What is left out stays."""

    trailer_plate: Annotated[str | None, Field(max_length=40)]
    driver_id: Annotated[int | None, Field(ge=1, le=2**31 - 1)]
    goods: Annotated[PlainText, Field(max_length=1000)]
    goods_class: Annotated[str, Field(max_length=60)]
    perishable: bool
    regime: Regime
    direction: Direction
    gate_id: Annotated[str, Field(max_length=60)]
    planned_arrival: Moment


class PositionOut(_FromRow):
    """Where the trip's truck was last, degrees and kilometre from the border."""

    time: datetime
    lon: float
    lat: float
    km: float | None
    edge_id: str | None
    speed_mps: float | None
    heading_deg: float | None
    site: str | None


class TripColumns(_FromRow):
    """A trip's own columns."""

    trip_id: int
    code: str
    vehicle_id: int
    trailer_plate: str | None
    driver_id: int | None
    organisation_id: int
    goods: str
    goods_class: str
    perishable: bool
    regime: Regime
    direction: Direction
    gate_id: str
    planned_arrival: datetime
    stage: Stage
    stage_since: datetime
    simulated: bool
    created_at: datetime
    version: int


class TripOut(TripColumns):
    """A trip."""

    plate: str
    organisation: str
    driver: str | None
    position: PositionOut | None


class TimelineOut(_FromRow):
    """One line of a trip's timeline; `actor` is `null` where the platform saw it."""

    at: datetime
    kind: str
    data: JsonObject
    actor: str | None

    @classmethod
    def of(cls, line: TimelineLine, principal: Principal) -> Self:
        """A line for a reader.

        What officers noted of the driver stands on the steps, for those whose steps ask for it. Why a sheet went back
        is for the driver and the enterprise, in the officer's own words.
        """
        own = principal.scope("trips.read") in (Scope.OWN, Scope.OWN_ORGANISATION)

        def shown(name: str, value: object) -> object:
            return value if own and name == REMARK and line.data.get("act") == "return" else Left.OUT

        told = cls.model_validate(line)
        return told.model_copy(update={"data": replace_personal(line.data, shown)})


class DeviceOut(_FromRow):
    """What reports for the trip's truck."""

    kind: str
    key_hint: str
    last_seen_at: datetime | None


class DriverToCall(BaseModel):
    """The driver of a trip and the telephone on file, "" if there is none."""

    driver: str
    telephone: str


class PartOut(_FromRow):
    """The part of an organisation in a trip."""

    role: PartyRole
    organisation_id: int
    organisation: str


class TripPage(BaseModel):
    """A page of trips, newest first; the header `Link` points to the next."""

    items: list[TripOut]


class TripDetail(TripOut):
    """A trip with its timeline, devices and parties; `vehicle_agreed`: its vehicle is open to the caller;
    `hazard_classes` of the dangerous goods on board."""

    timeline: list[TimelineOut]
    devices: list[DeviceOut]
    parties: list[PartOut]
    vehicle_agreed: bool
    hazard_classes: list[str]
