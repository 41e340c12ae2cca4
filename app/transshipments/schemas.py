"""What the API of transshipments takes and answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from app.platform.fields import PlainText
from app.platform.permissions import Role
from app.procedures.readers import project_noted
from app.procedures.steps import VehicleRole
from app.transshipments.balance import Amount, Line, Move
from app.transshipments.receivers import Receiver
from app.transshipments.store import NamedReceiver
from app.transshipments.tables import TransshipmentMove
from app.transshipments.vocabulary import TransshipmentStatus
from ingest.plates import display_plate

MAX_MOVES: Final = 200
MAX_RECEIVERS: Final = 20
MAX_TEXT_LENGTH: Final = 500

Weight = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=18, decimal_places=6)]
GRAM: Final = Decimal("0.001")

EXAMPLE: dict[str, JsonValue] = {
    "trip_id": 12,
    "moves": [{"line": 1, "to_plate": "桂F·A1234", "packages": 600, "weight_kg": "9000"}],
    "receivers": [{"plate": "桂F·A1234", "trailer_plate": "桂F·1234挂", "driver_name": "王伟", "payload_kg": 26000}],
    "note": "Còn 400 thùng trên xe",
}


def shown_kg(weight_kg: Decimal) -> Decimal:
    """A weight with three decimals, or as many as it has."""
    in_grams = weight_kg.quantize(GRAM)
    return in_grams if in_grams == weight_kg else weight_kg.normalize()


class MoveIn(BaseModel):
    """Some goods of one declared line to one vehicle. `from_plate` is the trip's truck unless it is the trailer."""

    model_config = ConfigDict(extra="forbid")

    line: int = Field(ge=1, le=50)
    from_plate: PlainText = Field(default="", max_length=40)
    to_plate: PlainText = Field(min_length=1, max_length=40)
    packages: int = Field(default=0, ge=0, le=10_000_000)
    weight_kg: Weight

    def as_move(self) -> Move:
        """The move for the balance, its plates as written."""
        return Move(self.line, self.from_plate, self.to_plate, Amount(self.packages, self.weight_kg))


class ReceiverIn(BaseModel):
    """A vehicle that takes over goods, with what its own declaration says of it. What is not known stays out: the
    stations ask for it, and the tariff asks the collector."""

    model_config = ConfigDict(extra="forbid")

    plate: PlainText = Field(min_length=1, max_length=40)
    trailer_plate: PlainText = Field(default="", max_length=40)
    driver_name: PlainText = Field(default="", max_length=100)
    driver_phone: PlainText = Field(default="", max_length=30)
    driver_paper_number: PlainText = Field(default="", max_length=30)
    container: Literal["", "none", "20", "40", "45"] = ""
    refrigerated: bool | None = None
    payload_kg: int | None = Field(default=None, ge=1, le=200_000)

    def as_receiver(self) -> Receiver:
        """The vehicle for the registration, its plates as written."""
        known = self.model_dump(exclude={"plate", "trailer_plate"}, exclude_defaults=True)
        return Receiver(self.plate, self.trailer_plate.strip() or None, known)


class TransshipmentIn(BaseModel):
    """What goes where. The sum of a line's moves is at most what the declaration has left of it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    trip_id: int = Field(ge=1, le=2**31 - 1)
    moves: list[MoveIn] = Field(min_length=1, max_length=MAX_MOVES)
    receivers: list[ReceiverIn] = Field(default_factory=list, max_length=MAX_RECEIVERS)
    note: PlainText = Field(default="", max_length=MAX_TEXT_LENGTH)


class CarriedOut(BaseModel):
    """What was moved, counted again; it must be what was approved."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"moves": EXAMPLE["moves"]}]})

    moves: list[MoveIn] = Field(min_length=1, max_length=MAX_MOVES)


class Refusal(BaseModel):
    """Why it is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Xe nhận chưa đăng ký"}]})

    reason: PlainText = Field(min_length=1, max_length=MAX_TEXT_LENGTH)


class MoveOut(BaseModel):
    """Some goods of one declared line from one vehicle to another."""

    line: int
    goods: str
    from_plate: str
    to_plate: str
    packages: int
    weight_kg: Decimal

    @classmethod
    def of(cls, move: TransshipmentMove) -> Self:
        """A move, its plates as people write them."""
        return cls(
            line=move.line,
            goods=move.goods,
            from_plate=display_plate(move.from_plate),
            to_plate=display_plate(move.to_plate),
            packages=move.packages,
            weight_kg=shown_kg(move.weight_kg),
        )


class Received(BaseModel):
    """What one vehicle receives altogether."""

    plate: str
    weight_kg: Decimal


class ReceiverOut(BaseModel):
    """A receiving vehicle, what it gets altogether, and its own trip once the goods were moved."""

    plate: str
    trailer_plate: str | None
    driver_name: str
    driver_phone: str
    packages: int
    weight_kg: Decimal
    trip_id: int | None
    code: str | None
    stage: str | None

    @classmethod
    def of(cls, named: NamedReceiver, amount: Amount, role: Role) -> Self:
        """A receiver as a role reads it, its plates as people write them."""
        receiver = named.receiver
        told = project_noted(receiver.details, role)
        return cls(
            plate=display_plate(receiver.plate),
            trailer_plate=display_plate(receiver.trailer_plate) if receiver.trailer_plate else None,
            driver_name=str(told.get("driver_name", "")),
            driver_phone=str(told.get("driver_phone", "")),
            packages=amount.packages,
            weight_kg=shown_kg(amount.weight_kg),
            trip_id=receiver.trip_id,
            code=named.code,
            stage=named.stage,
        )


class LinkOut(BaseModel):
    """Another vehicle under the same goods: its trip if the reader may know it, and what went from one to the other."""

    transshipment_id: int
    status: TransshipmentStatus
    plate: str
    trip_id: int | None
    code: str | None
    carried_out_at: AwareDatetime | None
    packages: int
    weight_kg: Decimal
    goods: list[str]


class RestOut(BaseModel):
    """What of a declared line is on the vehicle now."""

    line: int
    goods: str
    packages: int
    weight_kg: Decimal

    @classmethod
    def of(cls, line: Line) -> Self:
        """What is left of a line."""
        amount = line.amount
        return cls(line=line.number, goods=line.goods, packages=amount.packages, weight_kg=shown_kg(amount.weight_kg))


class TransshipmentOnSheet(BaseModel):
    """What the sheet of a trip shows of transshipments: links both ways, and what is on its vehicle now."""

    vehicle_role: VehicleRole
    received_from: list[LinkOut]
    given_to: list[LinkOut]
    left: list[RestOut]
    left_kg: Decimal


class TransshipmentOut(BaseModel):
    """A transshipment; its `version` is its ETag."""

    transshipment_id: int
    trip_id: int
    code: str
    gate_id: str
    plate: str
    organisation: str
    status: TransshipmentStatus
    note: str
    reason: str
    version: int
    registered_at: AwareDatetime
    registered_by: str
    decided_at: AwareDatetime | None
    decided_by: str | None
    begun_at: AwareDatetime | None
    begun_by: str | None
    carried_out_at: AwareDatetime | None
    carried_out_by: str | None
    moves: list[MoveOut]
    received: list[Received]
    receivers: list[ReceiverOut]


class TransshipmentList(BaseModel):
    """A page, newest first; the header Link has the next one."""

    items: list[TransshipmentOut]
