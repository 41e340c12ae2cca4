"""Between a declaration of ours and what is said of it to other authorities. Pure.

Nothing about the driver or anybody's health leaves the platform.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from app.declarations import hs
from app.declarations.fields import MAX_LINES
from app.declarations.form import Form, Line
from app.gates.hazards import tidy_class, tidy_number
from app.integrations.forms.record import (
    Container,
    DeclarationMessage,
    GoodsLine,
    Packaging,
    Party,
    Seal,
    TransportMeans,
)
from app.integrations.forms.table import FormTable
from app.trips.vocabulary import Direction, Regime
from ingest import plates

HERE: Final = "VN"
THERE: Final = "CN"
ROAD: Final = "3"
"""Mode of transport, UN/ECE Recommendation 19."""
EXPORT: Final = "EX"
REFRIGERATED: Final = " refrigerated"
_SEAL_SEPARATORS = re.compile(r"[,;\n]+")


@dataclass(frozen=True)
class ExportedTrip:
    """What of a trip goes along with its declaration."""

    reference: str
    version: int
    function: str
    issued_at: datetime
    exporter: str
    exporter_number: str
    gate_id: str
    planned_arrival: datetime


def to_message(form: Form, trip: ExportedTrip, table: FormTable) -> DeclarationMessage:
    """An export of ours as it is said to others."""
    tractor, trailer = form.plate, form.trailer_plate
    return DeclarationMessage(
        function=trip.function,
        reference=trip.reference,
        number=form.customs_number,
        issued_at=trip.issued_at.replace(microsecond=0),
        type=EXPORT,
        version=trip.version,
        items=len(form.lines),
        gross_weight_kg=_decimal(form.gross_weight_kg),
        packages=sum(line.packages or 0 for line in form.lines),
        tractor=_means(tractor),
        border_mode=ROAD,
        planned_arrival=trip.planned_arrival.replace(microsecond=0),
        trailer=_means(trailer),
        exit_office=table.code_of("gate", trip.gate_id) or trip.gate_id[:17],
        exporter=Party(name=trip.exporter[:256], number=trip.exporter_number, country=HERE),
        in_container=form.container not in ("", "none"),
        containers=_containers(form, table),
        destination=THERE,
        export_country=HERE,
        lines=tuple(_goods(line, table) for line in form.lines),
    )


def to_form(record: DeclarationMessage, table: FormTable) -> Form:
    """What an export of the other side says of an import here: fields that it does not say are empty."""
    container = record.containers[0] if record.containers else Container()
    size, _, refrigerated = table.name_of("container", container.size_type).partition(" ")
    has_none = record.in_container is False and not record.containers
    return Form(
        gate_id=table.name_of("gate", record.exit_office),
        regime=Regime.IMPORT,
        direction=Direction.IMPORT,
        planned_arrival=record.planned_arrival,
        plate=record.tractor.plate,
        trailer_plate=record.trailer.plate,
        container=size or ("none" if has_none else ""),
        container_number=container.number,
        refrigerated=True if refrigerated else None,
        seal_numbers=", ".join(seal.number for each in record.containers for seal in each.seals if seal.number),
        lines=tuple(_line(line, table) for line in record.lines[:MAX_LINES]),
    )


def _means(plate: str) -> TransportMeans:
    if not plate:
        return TransportMeans()
    known = plates.find_plate(plate)
    return TransportMeans(plate=plate, country="" if known is None else plates.country(known))


def _containers(form: Form, table: FormTable) -> tuple[Container, ...]:
    seals = tuple(Seal(each.strip()[:35]) for each in _SEAL_SEPARATORS.split(form.seal_numbers) if each.strip())
    if form.container in ("", "none") and not seals:
        return ()
    size = f"{form.container}{REFRIGERATED}" if form.refrigerated else form.container
    return (Container(number=form.container_number[:17], size_type=table.code_of("container", size), seals=seals[:20]),)


def _goods(line: Line, table: FormTable) -> GoodsLine:
    packaging = Packaging(packages=line.packages, type=table.code_of("packaging", line.packaging))
    return GoodsLine(
        description=line.description,
        hs_code=hs.squeeze(line.hs_code),
        un_number=line.un_number,
        hazard_class=line.hazard_class,
        gross_weight_kg=_decimal(line.gross_weight_kg),
        net_weight_kg=_decimal(line.net_weight_kg),
        quantity=_decimal(line.quantity),
        unit=table.code_of("unit", line.unit),
        packagings=() if packaging == Packaging() else (packaging,),
    )


def _line(goods: GoodsLine, table: FormTable) -> Line:
    counted = [packaging.packages for packaging in goods.packagings if packaging.packages is not None]
    kinds = [name for packaging in goods.packagings if (name := table.name_of("packaging", packaging.type))]
    code = hs.squeeze(goods.hs_code or goods.tariff_code)
    return Line(
        hs_code=hs.show(code) if hs.is_well_formed(code) else "",
        description=goods.description[:300],
        un_number=tidy_number(goods.un_number),
        hazard_class=tidy_class(goods.hazard_class),
        quantity=_float(goods.quantity),
        unit=table.name_of("unit", goods.unit),
        gross_weight_kg=_float(goods.gross_weight_kg),
        net_weight_kg=_float(goods.net_weight_kg),
        packages=sum(counted) if counted else None,
        packaging=kinds[0] if kinds else "",
    )


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value)).quantize(Decimal("0.000001")).normalize()


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
