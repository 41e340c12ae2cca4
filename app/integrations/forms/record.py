"""What a message says of a declaration, in our names; empty or `None` is what it does not say. Pure.

Texts are in composed form and otherwise as they were written: plates, names and numbers of any country stay what they
are. Codes of the lists in the table are kept as codes; `FormTable.name_of` says what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

Value: TypeAlias = str | int | bool | Decimal | datetime | None


@dataclass(frozen=True)
class Party:
    """An exporter, consignee, declarant or agent."""

    name: str = ""
    number: str = ""
    city: str = ""
    country: str = ""
    street: str = ""
    postcode: str = ""


@dataclass(frozen=True)
class TransportMeans:
    """A tractor or a trailer: its plate as written, and the country that registered it (ISO 3166, two letters)."""

    plate: str = ""
    country: str = ""


@dataclass(frozen=True)
class Seal:
    """A seal."""

    number: str = ""


@dataclass(frozen=True)
class Container:
    """A container with its seals."""

    number: str = ""
    size_type: str = ""
    seals: tuple[Seal, ...] = ()


@dataclass(frozen=True)
class Packaging:
    """Packages of a kind."""

    marks: str = ""
    packages: int | None = None
    type: str = ""


@dataclass(frozen=True)
class Procedure:
    """The customs procedure that goods are placed under, and the one before."""

    current: str = ""
    previous: str = ""


@dataclass(frozen=True)
class GoodsLine:
    """One kind of goods."""

    description: str = ""
    hs_code: str = ""
    tariff_code: str = ""
    un_number: str = ""
    hazard_class: str = ""
    gross_weight_kg: Decimal | None = None
    net_weight_kg: Decimal | None = None
    quantity: Decimal | None = None
    unit: str = ""
    procedures: tuple[Procedure, ...] = ()
    origin: str = ""
    packagings: tuple[Packaging, ...] = ()


@dataclass(frozen=True)
class DeclarationMessage:
    """A declaration on its way between authorities.

    `reference` is the same in every message about one declaration, `version` counts them; `number` is what customs
    gave it. Times are aware and in whole seconds.
    """

    function: str = ""
    reference: str = ""
    number: str = ""
    issued_at: datetime | None = None
    type: str = ""
    version: int | None = None
    items: int | None = None
    office: str = ""
    gross_weight_kg: Decimal | None = None
    packages: int | None = None
    agent: Party = Party()
    tractor: TransportMeans = TransportMeans()
    border_mode: str = ""
    planned_arrival: datetime | None = None
    declarant: Party = Party()
    exit_office: str = ""
    exporter: Party = Party()
    consignee: Party = Party()
    in_container: bool | None = None
    trailer: TransportMeans = TransportMeans()
    containers: tuple[Container, ...] = ()
    destination: str = ""
    export_country: str = ""
    lines: tuple[GoodsLine, ...] = ()
