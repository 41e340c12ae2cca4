"""A declaration as a typed record: read from what people, programs and files write, and kept as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS, MAX_LINES
from app.gates.hazards import HazardClass, find_class, tidy_class, tidy_number
from app.gates.vocabulary import GoodsClass
from app.platform.json import JsonObject
from app.web.form_values import is_given, read_fields
from app.web.forms import Problem


@dataclass(frozen=True)
class Line:
    """One kind of goods on the truck; what is not given is empty or `None`."""

    hs_code: str = ""
    description: str = ""
    goods_class: str = ""
    quantity: float | None = None
    unit: str = ""
    gross_weight_kg: float | None = None
    net_weight_kg: float | None = None
    packages: int | None = None
    packaging: str = ""
    perishable: bool | None = None
    temperature_c: float | None = None
    un_number: str = ""
    hazard_class: str = ""

    @property
    def hazard(self) -> HazardClass | None:
        """The class of dangerous goods that it is of, by what is written of it; `None` if of none."""
        return find_class(self.hazard_class)

    @property
    def spoils(self) -> bool:
        """Whether the goods spoil: as declared, else as their class does."""
        known = GoodsClass.lookup(self.goods_class)
        return self.perishable if self.perishable is not None else known is not None and known.perishable


@dataclass(frozen=True)
class Form:
    """A whole declaration; plates as people write them, `planned_arrival` aware UTC, dates those of the border."""

    gate_id: str = ""
    regime: str = ""
    direction: str = ""
    planned_arrival: datetime | None = None
    customs_number: str = ""
    service: str = ""
    plate: str = ""
    trailer_plate: str = ""
    container: str = ""
    container_number: str = ""
    refrigerated: bool | None = None
    seal_numbers: str = ""
    payload_kg: int | None = None
    inspection_expires: date | None = None
    driver_id: int | None = None
    driver_name: str = ""
    driver_phone: str = ""
    driver_paper: str = ""
    driver_paper_number: str = ""
    driver_paper_expires: date | None = None
    driver_licence_number: str = ""
    driver_licence_expires: date | None = None
    health_symptoms: str = ""
    health_temperature_c: float | None = None
    health_note: str = ""
    lines: tuple[Line, ...] = ()

    def to_record(self) -> JsonObject:
        """The declaration as JSON: times and dates as RFC 3339 text."""
        record = asdict(self)
        for name in HEAD_FIELDS:
            if isinstance(record[name], date):
                record[name] = record[name].isoformat()
        return {**record, "lines": [dict(line) for line in record["lines"]]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Form:
        """A declaration out of its JSON; what cannot be read is left out."""
        return read(record)[0]

    @property
    def main_line(self) -> Line | None:
        """The heaviest line: what the trip is said to carry."""
        return max(self.lines, key=lambda line: line.gross_weight_kg or 0.0, default=None)

    @property
    def gross_weight_kg(self) -> float:
        """The gross weight of all goods."""
        return sum(line.gross_weight_kg or 0.0 for line in self.lines)

    @property
    def is_empty_run(self) -> bool:
        """Whether the truck carries nothing."""
        return bool(self.lines) and all(line.goods_class == "empty" for line in self.lines)


def read(written: Mapping[str, Any]) -> tuple[Form, list[Problem]]:
    """Read a declaration; what cannot be read is left out and reported.

    Arguments: `written`, the names of `Form`; values as text (also with Vietnamese dates, decimal commas and words for
    yes and no) or already of their type; `lines`, a sequence of mappings. Lines that hold nothing are passed over.
    """
    problems: list[Problem] = []
    head = read_fields(HEAD_FIELDS, written, problems)
    lines = []
    given = [line for line in written.get("lines") or () if any(is_given(line.get(name)) for name in LINE_FIELDS)]
    if len(given) > MAX_LINES:
        problems.append(
            Problem(
                "lines",
                "There are {count} lines of goods; put them into at most {most}.",
                {"count": len(given), "most": MAX_LINES},
            )
        )
    for number, line in enumerate(given[:MAX_LINES], 1):
        found = Line(**read_fields(LINE_FIELDS, line, problems, prefix=f"lines.{number}."))
        un_number, hazard = tidy_number(found.un_number), tidy_class(found.hazard_class)
        lines.append(replace(found, un_number=un_number, hazard_class=hazard))
    return Form(**head, lines=tuple(lines)), problems


def problems_of(fields: Sequence[Problem], *, notes: bool = False) -> list[Problem]:
    """Only what stands in the way, or only the notes."""
    return [field for field in fields if field.is_note == notes]
