"""What is said when a trip is entered, checked field by field and against what its gate takes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from app.gates.profile import GateValues
from app.gates.vocabulary import GoodsClass
from app.trips.vocabulary import Direction, Regime
from geo.errors import InvalidInputError, RefusedError
from ingest import plates

LATEST_ARRIVAL: Final = timedelta(days=60)
GOODS_LENGTH: Final = 300


@dataclass(frozen=True)
class Declaration:
    """A trip as its enterprise describes it; plates as written, `perishable` and `direction` `None` if left open."""

    plate: str
    gate_id: str
    goods: str
    goods_class: str
    regime: str
    planned_arrival: datetime
    trailer_plate: str | None = None
    driver_id: int | None = None
    perishable: bool | None = None
    direction: str | None = None
    organisation_id: int | None = None


def check_goods(goods: str, goods_class: str, perishable: bool | None) -> tuple[str, bool]:
    """The description tidied, and whether it spoils.

    Raises
    ------
    InvalidInputError
        If the description is missing or too long, or the class unknown.
    """
    tidy = " ".join(goods.split())
    if not tidy:
        raise InvalidInputError("The goods are missing; say what the truck carries.", field="goods")
    if len(tidy) > GOODS_LENGTH:
        raise InvalidInputError(
            "The goods take {length} characters; shorten them to {limit}.",
            field="goods",
            length=len(tidy),
            limit=GOODS_LENGTH,
        )
    spoils = GoodsClass.require(goods_class, "goods_class").perishable
    return tidy, spoils if perishable is None else perishable


def check_direction(regime: str, direction: str | None) -> str:
    """The direction of a crossing under a regime.

    Raises
    ------
    InvalidInputError
        If the regime is unknown, leaves the direction open and none is given, or has the other one.
    """
    fixed = Regime.require(regime, "regime").direction
    if direction is None and fixed is None:
        raise InvalidInputError(
            "The regime {regime} goes both ways; say whether this crossing is export or import.",
            field="direction",
            regime=regime,
        )
    given = None if direction is None else Direction.require(direction, "direction")
    if fixed is not None and given not in {None, fixed}:
        raise InvalidInputError(
            "The direction {value} contradicts the regime {regime}; leave it out or give {fixed}.",
            field="direction",
            value=direction,
            regime=regime,
            fixed=fixed,
        )
    return str(fixed or given)


def check_gate(gate_id: str, gates: Collection[str]) -> str:
    """The gate, if it is one of `gates`; raises InvalidInputError otherwise."""
    if gate_id not in gates:
        raise InvalidInputError(
            "{name} {value} is unknown; use one of {known}.",
            field="gate_id",
            name="gate_id",
            value=gate_id,
            known=", ".join(sorted(gates)),
        )
    return gate_id


def check_arrival(planned_arrival: datetime, now: datetime) -> datetime:
    """The planned arrival, if it can still be met.

    Raises
    ------
    InvalidInputError
        If it lies more than a day back or too far ahead: then most likely day and month were mixed up.
    """
    if planned_arrival < now - timedelta(days=1):
        raise InvalidInputError(
            "The planned arrival {value} is over; give the time at which the truck will reach the gate.",
            field="planned_arrival",
            value=planned_arrival.isoformat(),
        )
    if planned_arrival > now + LATEST_ARRIVAL:
        raise InvalidInputError(
            "The planned arrival {value} is more than {days} days ahead; check the date.",
            field="planned_arrival",
            value=planned_arrival.isoformat(),
            days=LATEST_ARRIVAL.days,
        )
    return planned_arrival


def check_trailer(written: str | None) -> str | None:
    """The plate of the trailer as it is kept, `None` if there is none; raises InvalidInputError."""
    if not written:
        return None
    try:
        return plates.normalise_plate(written)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, field="trailer_plate", **error.values) from None


def check_fields(declared: Declaration, gates: Mapping[str, GateValues]) -> Declaration:
    """A declaration as its trip keeps it, all but truck, driver, enterprise and time of arrival checked.

    Raises
    ------
    InvalidInputError
        If a value cannot be accepted.
    """
    goods, perishable = check_goods(declared.goods, declared.goods_class, declared.perishable)
    return replace(
        declared,
        goods=goods,
        perishable=perishable,
        direction=check_direction(declared.regime, declared.direction),
        gate_id=check_gate(declared.gate_id, gates),
        trailer_plate=check_trailer(declared.trailer_plate),
    )


def check_taken(declared: Declaration, gates: Mapping[str, GateValues]) -> None:
    """That the gate takes regime and goods.

    Raises
    ------
    RefusedError
        With every reason, if it does not.
    """
    goods = {"goods_class": declared.goods_class}
    refusals = list(gates[declared.gate_id].refusals(declared.gate_id, declared.regime, goods))
    if refusals:
        raise RefusedError(refusals)


def check_bans(declared: Declaration, gates: Mapping[str, GateValues], now: datetime) -> None:
    """That no intake ban stands when the truck comes; raises InvalidInputError."""
    coming_at = max(declared.planned_arrival, now)
    refusal = gates[declared.gate_id].ban_refusal(declared.gate_id, declared.regime, declared.goods_class, coming_at)
    if refusal is not None:
        raise refusal
