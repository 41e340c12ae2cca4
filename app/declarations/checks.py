"""What must hold of a declaration before it is submitted, field by field. Pure: what others declared is the service's.

Limits that no rule gives are set so wide that only a slip of the keyboard lies outside; they are assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from app.declarations import hs
from app.declarations.form import Form, Line
from app.gates.hazards import is_number
from app.gates.holidays import unsettled
from app.gates.profile import GateValues
from app.registers import papers
from app.registers.container_number import normalise_container_number
from app.registers.papers import MAX_LOAD_KG, MIN_PAYLOAD_KG
from app.trips.customs_numbers import parse_customs_numbers
from app.trips.declaration import check_arrival, check_direction
from app.web.forms import Problem
from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError
from geo.opening_hours import OpeningHours
from ingest.plates import find_plate, vehicle_kind

USUAL_LOAD_KG: Final = 40_000.0
MAX_QUANTITY: Final = 1_000_000.0
COLDEST_C, WARMEST_C = -60.0, 60.0
BODY_C: Final = (34.0, 43.0)


@dataclass(frozen=True)
class Surroundings:
    """What a declaration is checked against.

    `kept_arrival` is a planned arrival declared before, which may have passed since: it is not asked for again.
    `declared` is what was submitted of the trip before: an intake ban that began since does not stop it being mended.
    """

    now: datetime
    gates: Mapping[str, GateValues] = field(default_factory=dict)
    kept_arrival: datetime | None = None
    declared: Form | None = None

    def has_declared(self, form: Form, line: Line) -> bool:
        """Whether goods of this class were declared before for the same gate under the same regime."""
        before = self.declared
        return (
            before is not None
            and (before.gate_id, before.regime) == (form.gate_id, form.regime)
            and any(known.goods_class == line.goods_class for known in before.lines)
        )


def check_draft(form: Form, gate: GateValues | None = None) -> list[Problem]:
    """Why a draft cannot be kept as a trip: truck, gate, regime, arrival or goods are missing, or not taken there.

    Arguments: `gate`, the profile of the form's gate; an unknown gate is refused by the trip.
    """
    problems = [
        _missing(name, "A draft needs this too; fill it in.")
        for name in ("plate", "gate_id", "regime", "planned_arrival")
        if not getattr(form, name)
    ]
    if not form.lines or not form.lines[0].description:
        problems.append(Problem("lines.1.description", "Say what the truck carries; a draft needs it too."))
    return problems if gate is None else [*problems, *_check_taken(form, gate)]


def check(form: Form, around: Surroundings) -> list[Problem]:
    """Everything that is wrong with a declaration, then what deserves a second look (notes)."""
    found = [
        *_check_trip(form, around),
        *_check_gate(form, around),
        *_check_vehicle(form),
        *_check_driver(form),
        *_check_expiry(form, around),
        *_check_health(form),
        *_check_goods(form),
    ]
    return sorted(found, key=lambda problem: problem.is_note)


def _missing(name: str, what: str = "This field is missing; fill it in.") -> Problem:
    return Problem(name, what)


def _check_trip(form: Form, around: Surroundings) -> Iterator[Problem]:
    if not form.regime:
        yield _missing("regime", "Choose the regime under which the goods cross.")
    else:
        yield from _caught(lambda: check_direction(form.regime, form.direction or None))
    if form.planned_arrival is None:
        yield _missing("planned_arrival", "Give the time at which the truck will reach the gate.")
    elif form.planned_arrival != around.kept_arrival:
        arrival = form.planned_arrival
        yield from _caught(lambda: check_arrival(arrival, around.now))
    if not form.customs_number.strip():
        yield Problem("customs_number", "No customs declaration number yet; customs need it to inspect.", is_note=True)
    else:
        yield from _caught(lambda: parse_customs_numbers(form.customs_number))


def _caught(call: Any) -> Iterator[Problem]:
    try:
        call()
    except InvalidInputError as error:
        yield Problem(error.field or "", error.message, error.values)


def _check_gate(form: Form, around: Surroundings) -> Iterator[Problem]:
    gate = around.gates.get(form.gate_id)
    if gate is None:
        known = ", ".join(sorted(around.gates))
        yield Problem(
            "gate_id", "Choose the gate; {value} is not one of {known}.", {"value": form.gate_id or "–", "known": known}
        )
        return
    yield from _check_taken(form, gate)
    yield from _check_bans(form, gate, around)
    hours = gate.of(form.direction).opening_hours
    if form.planned_arrival is None:
        return
    if not hours.open_at(form.planned_arrival):
        yield _closed(hours, form.planned_arrival)
    day = form.planned_arrival.astimezone(LOCAL_ZONE).date()
    for holiday in unsettled(gate, form.direction, day):
        yield Problem(
            "planned_arrival",
            "{day} is a public holiday ({name}, {country}); ask whether the gate works then.",
            {"day": day.strftime("%d/%m"), "name": holiday.name["vi"], "country": holiday.country.value},
            is_note=True,
        )


def _check_bans(form: Form, gate: GateValues, around: Surroundings) -> Iterator[Problem]:
    """The intake bans that stand when the truck comes; of what was declared before them they are noted only."""
    arrival = form.planned_arrival
    if arrival is None:
        return
    for number, line in enumerate(form.lines, 1):
        refusal = gate.ban_refusal(
            form.gate_id,
            form.regime,
            line.goods_class,
            max(arrival, around.now),
            goods_field=f"lines.{number}.goods_class",
        )
        if refusal is None:
            continue
        is_known = arrival == around.kept_arrival and around.has_declared(form, line)
        assert refusal.field is not None
        yield Problem(refusal.field, refusal.message, refusal.values, is_note=is_known)
        if not refusal.field.startswith("lines."):
            return


def _check_taken(form: Form, gate: GateValues) -> Iterator[Problem]:
    goods = {f"lines.{number}.goods_class": line.goods_class for number, line in enumerate(form.lines, 1)}
    hazards = {f"lines.{number}.hazard_class": line.hazard for number, line in enumerate(form.lines, 1)}
    for error in gate.refusals(form.gate_id, form.regime, goods, hazards):
        yield Problem(error.field or "", error.message, error.values)


def _closed(hours: OpeningHours, arrival: datetime) -> Problem:
    """The note that a truck comes while its gate is closed, with when it opens next."""
    opens_at = hours.next_open(arrival)
    values = {"value": _local(arrival), "hours": str(hours)}
    if opens_at is None:
        return Problem("planned_arrival", "The gate is closed until further notice.", values, is_note=True)
    return Problem(
        "planned_arrival",
        "The gate is closed at {value} (open {hours}); the truck waits until {opens_at}.",
        {**values, "opens_at": _local(opens_at)},
        is_note=True,
    )


def _local(moment: datetime) -> str:
    return moment.astimezone(LOCAL_ZONE).strftime("%H:%M %d/%m")


def _check_vehicle(form: Form) -> Iterator[Problem]:
    truck, trailer = find_plate(form.plate), find_plate(form.trailer_plate)
    if truck is None:
        yield _missing("plate", "Give the truck's plate, such as 29C-123.45.")
    elif vehicle_kind(truck) == "trailer":
        yield Problem(
            "plate",
            "{plate} is the plate of a trailer; give the truck's plate here and the trailer's beside it.",
            {"plate": form.plate},
        )
    if trailer is not None and vehicle_kind(trailer) != "trailer":
        yield Problem(
            "trailer_plate",
            "{plate} is the plate of a truck; give the trailer's, such as 29R-012.34 or 桂A·1234挂.",
            {"plate": form.trailer_plate},
        )
    if not form.container:
        yield _missing("container", "Choose the size of the container, or none.")
    if form.container_number:
        yield from _caught(lambda: normalise_container_number(form.container_number))
    if form.refrigerated is None:
        yield _missing("refrigerated", "Say whether truck or container is refrigerated.")
    if form.payload_kg is not None and not MIN_PAYLOAD_KG <= form.payload_kg <= MAX_LOAD_KG:
        yield Problem(
            "payload_kg",
            "A payload of {value} kg cannot be; copy it from the registration, in kilograms.",
            {"value": form.payload_kg},
        )
    elif form.payload_kg is not None and form.gross_weight_kg > form.payload_kg:
        yield Problem(
            "payload_kg",
            "The goods weigh {weight_kg:.0f} kg, more than the payload of {payload_kg} kg; check both.",
            {"weight_kg": form.gross_weight_kg, "payload_kg": form.payload_kg},
        )


def _check_driver(form: Form) -> Iterator[Problem]:
    if not re.search(r"\w{2}", form.driver_name) or re.search(r"\d", form.driver_name):
        yield _missing("driver_name", "Give the driver's name as it stands in the papers.")
    if not papers.is_phone(form.driver_phone):
        yield _missing("driver_phone", "Give the driver's phone with 8 to 15 digits, such as 0912 345 678 or +86 138….")
    if not form.driver_paper:
        yield _missing("driver_paper", "Choose the paper with which the driver crosses.")
    else:
        shape = papers.PAPERS[form.driver_paper][1]
        if not papers.has_form_of(form.driver_paper, form.driver_paper_number):
            yield Problem(
                "driver_paper_number",
                "{value} does not have the form of this paper ({form}); copy it from the paper.",
                {"value": form.driver_paper_number or "–", "form": shape},
            )
    if form.driver_paper not in {"", "id_card"} and form.driver_paper_expires is None:
        yield _missing("driver_paper_expires", "Give the date to which the paper is valid.")
    if not papers.is_licence(form.driver_licence_number):
        yield _missing("driver_licence_number", "Give the number of the driving licence, 6 to 20 letters and digits.")
    if form.driver_licence_expires is None:
        yield _missing("driver_licence_expires", "Give the date to which the driving licence is valid.")
    if form.inspection_expires is None:
        yield _missing("inspection_expires", "Give the date to which the vehicle inspection is valid.")


def _check_expiry(form: Form, around: Surroundings) -> Iterator[Problem]:
    arrival = (form.planned_arrival or around.now).astimezone(LOCAL_ZONE).date()
    for name in ("inspection_expires", "driver_paper_expires", "driver_licence_expires"):
        until: date | None = getattr(form, name)
        if until is None:
            continue
        if not papers.can_be(until, arrival):
            yield Problem(
                name,
                "The date {value} cannot be; write it again with four digits of the year.",
                {"value": until.strftime("%d/%m/%Y")},
            )
        elif until < arrival:
            yield Problem(
                name,
                "It expires on {value}, before the planned arrival on {arrival}; renew it or send another.",
                {"value": until.strftime("%d/%m/%Y"), "arrival": arrival.strftime("%d/%m/%Y")},
            )


def _check_health(form: Form) -> Iterator[Problem]:
    if not form.health_symptoms:
        yield _missing("health_symptoms", "Say whether the driver has had symptoms; ask the driver.")
    elif form.health_symptoms == "some" and not form.health_note:
        yield _missing("health_note", "Describe the symptoms and since when.")
    if form.health_temperature_c is not None and not BODY_C[0] <= form.health_temperature_c <= BODY_C[1]:
        yield Problem(
            "health_temperature_c",
            "A body temperature of {value} °C cannot be; measure again.",
            {"value": form.health_temperature_c},
        )


def _check_goods(form: Form) -> Iterator[Problem]:
    if not form.lines:
        yield _missing(
            "lines.1.description",
            "Enter at least one line of goods; for an empty truck choose the kind Empty.",
        )
    for number, line in enumerate(form.lines, 1):
        for problem in _check_line(line, form):
            yield Problem(f"lines.{number}.{problem.field}", problem.message, problem.values, problem.is_note)
    if form.gross_weight_kg > MAX_LOAD_KG:
        yield Problem(
            "lines.1.gross_weight_kg",
            "All goods together weigh {value:.0f} kg, more than any truck carries; check the units.",
            {"value": form.gross_weight_kg},
        )
    elif form.gross_weight_kg > USUAL_LOAD_KG:
        yield Problem(
            "lines.1.gross_weight_kg",
            "All goods together weigh {value:.0f} kg; check that they are kilograms.",
            {"value": form.gross_weight_kg},
            is_note=True,
        )


def _check_line(line: Line, form: Form) -> Iterator[Problem]:
    if not line.description:
        yield _missing("description", "Describe the goods.")
    if not line.goods_class:
        yield _missing("goods_class", "Choose the kind of goods.")
    if line.goods_class == "empty":
        return
    yield from _check_code(line)
    yield from _check_amounts(line)
    if line.temperature_c is not None and not COLDEST_C <= line.temperature_c <= WARMEST_C:
        yield Problem(
            "temperature_c",
            "A transport temperature of {value} °C cannot be; give degrees Celsius.",
            {"value": line.temperature_c},
        )
    elif line.temperature_c is None and line.spoils and form.refrigerated:
        yield Problem("temperature_c", "No transport temperature is given for goods that spoil.", is_note=True)

    yield from _check_hazard(line)


def _check_hazard(line: Line) -> Iterator[Problem]:
    """Dangerous goods have a UN number and a class; one of them alone says too little."""
    number, written = line.un_number, line.hazard_class
    if number and not is_number(number):
        message = "{value} is not a UN number; write its four digits, such as 1203."
        yield Problem("un_number", message, {"value": number})
    elif written and not number:
        yield _missing("un_number", "Give the UN number of the dangerous goods.")
    if written and line.hazard is None:
        message = "{value} is no class of dangerous goods; write 1 to 9, or a division such as 2.1."
        yield Problem("hazard_class", message, {"value": written})
    elif number and not written:
        yield _missing("hazard_class", "Give the class of the dangerous goods.")


def _check_code(line: Line) -> Iterator[Problem]:
    code = hs.squeeze(line.hs_code)
    if not code:
        yield _missing("hs_code", "Give the HS code, or search it by the name of the goods.")
    elif code.isascii() and code.isdigit() and len(code) % 2:
        message = "{value} has an odd number of digits; a spreadsheet may have dropped a leading 0."
        yield Problem("hs_code", message, {"value": line.hs_code})
    elif not hs.is_well_formed(code):
        yield Problem(
            "hs_code",
            "{value} is not an HS code; write 4, 6, 8 or 10 digits, such as 0810.90.",
            {"value": line.hs_code},
        )
    elif hs.find(code) is None:
        known = hs.chapter(code)
        yield Problem(
            "hs_code",
            "We do not know the code {value} beyond its chapter ({chapter}); it is accepted, check it.",
            {"value": hs.show(code), "chapter": known.code if known else "–"},
            is_note=True,
        )


def _check_amounts(line: Line) -> Iterator[Problem]:
    if line.quantity is None or not 0 < line.quantity <= MAX_QUANTITY:
        yield _missing("quantity", "Give the quantity, more than 0 and at most a million.")
    if not line.unit:
        yield _missing("unit", "Choose the unit of the quantity.")
    if line.packages is not None and not 0 < line.packages <= MAX_QUANTITY:
        yield _missing("packages", "Give the number of packages, more than 0, or leave it empty.")
    if not line.packaging:
        yield _missing("packaging", "Choose the packaging.")
    gross, net = line.gross_weight_kg, line.net_weight_kg
    for name, weight in (("gross_weight_kg", gross), ("net_weight_kg", net)):
        if weight is None or weight <= 0:
            yield _missing(name, "Give the weight in kilograms, more than 0.")
        elif weight > MAX_LOAD_KG:
            yield Problem(
                name,
                "{value:.0f} kg are more than any truck carries; check that they are kilograms.",
                {"value": weight},
            )
    if gross is not None and net is not None and net > gross:
        yield Problem(
            "net_weight_kg",
            "The net weight {net_kg:.0f} kg exceeds the gross weight {gross_kg:.0f} kg; they may be swapped.",
            {"net_kg": net, "gross_kg": gross},
        )
    weighed_kg = {"kg": 1.0, "tonne": 1000.0}.get(line.unit, 0.0) * (line.quantity or 0.0)
    if gross is not None and weighed_kg > gross * 1.001:
        yield Problem(
            "quantity",
            "The quantity makes {value:.0f} kg, more than the gross weight {gross_kg:.0f} kg; check unit and weight.",
            {"value": weighed_kg, "gross_kg": gross},
        )
