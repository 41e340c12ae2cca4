"""What a step is not confirmed against without a reason: one home for API, page and log of overrides. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from app.checkpoints.case import OPENED, Case, day_of, normal_values
from app.checkpoints.combination import NOTHING
from app.checkpoints.vocabulary import Part, WarningKind
from app.platform.json import JsonObject
from app.platform.labels import N_
from app.platform.personal_fields import digest
from app.trips.presence_rules import Contradiction, Source
from ingest.plates import display_plate, lookalike_key

FEVER_C: Final = 37.5
"""From this body temperature on somebody has a fever (Ministry of Health, decision 2008/QĐ-BYT of 2021)."""
TEMPERATURES: Final = ("temperature_c", "body_temperature_c", "health_temperature_c")
"""What officers call the body temperature that they note at a step."""
_AROUND_DEGREES: Final = str.maketrans("", "", " °Cc℃")
OF_DRIVER: Final = tuple(f"{kind}:{Part.DRIVER}:" for kind in (WarningKind.COMBINATION, WarningKind.TWO_PLACES))
"""How the identity of a warning begins whose values hold the number of a driver's paper."""
PAPERS: Final = {
    "inspection_expires": N_("The vehicle's inspection expired on {day}."),
    "driver_licence_expires": N_("The driving licence expired on {day}."),
    "driver_paper_expires": N_("The driver's identity paper expired on {day}."),
}
_WEIGHTS: Final = {
    "over": (WarningKind.OVERWEIGHT, N_("The scale showed {difference_kg} kg more than declared.")),
    "under": (WarningKind.UNDERWEIGHT, N_("The scale showed {difference_kg} kg less than declared.")),
}


STOPS: Final = {
    "held": N_("Customs hold the declaration {number}: {reason}"),
    "cancelled": N_("The customs declaration {number} is cancelled: {reason}"),
    "unknown": N_("Customs do not know the declaration {number}."),
}
"""What is said of a declaration that customs' system stops, by its state."""


@dataclass(frozen=True)
class StepWarning:
    """A warning: its kind, what tells it from others of its kind, and what it says (gettext key and values)."""

    kind: WarningKind
    key: str
    message: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What the log of overrides knows it by."""
        return f"{self.kind}:{self.key}"


def warnings_at(
    step: str,
    case: Case,
    *,
    today: date,
    noted: Mapping[str, object] | None = None,
    contradictions: Collection[Contradiction] = (),
) -> list[StepWarning]:
    """What a step is warned of; `noted` is what the officer is about to keep with it, `today` the day at the border."""
    return [each for each in all_warnings(case, today=today, noted=noted, contradictions=contradictions, step=step)]


def all_warnings(
    case: Case,
    *,
    today: date,
    noted: Mapping[str, object] | None = None,
    contradictions: Collection[Contradiction] = (),
    step: str | None = None,
) -> list[StepWarning]:
    """Every warning of a trip, or those that a step answers for, each once."""
    found: dict[str, StepWarning] = {}
    for each in _warnings(case, today, noted or {}, contradictions):
        if step is None or step in each.kind.steps:
            found.setdefault(each.identity, each)
    return list(found.values())


def _warnings(
    case: Case, today: date, noted: Mapping[str, object], contradictions: Collection[Contradiction]
) -> Iterator[StepWarning]:
    declared = case.declared or {}
    yield from _combination(case)
    yield from _two_places(case, contradictions)
    for part, number in case.shared:
        key = f"{part}:{digest(number) if part is Part.DRIVER else number}"
        yield StepWarning(WarningKind.TWO_PLACES, key, SHARED[part], {"seen": number})
    for plate in case.odd_reads:
        if lookalike_key(plate) not in {lookalike_key(own) for own in (case.tractor, case.trailer) if own}:
            values = {"seen": display_plate(plate), "declared": display_plate(case.tractor)}
            yield StepWarning(
                WarningKind.PLATES_DIFFER, plate, N_("A camera read {seen}; declared is {declared}."), values
            )
    yield from _seals(case)
    if case.scan == "suspicious":
        yield StepWarning(WarningKind.SCAN_SUSPICIOUS, "", N_("The scanner image is suspicious."))
    if case.weighing is not None and case.weighing[0] in _WEIGHTS:
        kind, message = _WEIGHTS[case.weighing[0]]
        yield StepWarning(kind, "", message, {"difference_kg": abs(case.weighing[1])})
    yield from _symptoms(case, declared, noted)
    if case.declared is not None and not declared.get("customs_number"):
        yield StepWarning(WarningKind.NO_CUSTOMS_NUMBER, "", N_("No customs declaration number is declared."))
    for name, message in PAPERS.items():
        until = day_of(declared, name)
        if until is not None and until < today:
            yield StepWarning(WarningKind.PAPERS_EXPIRED, name, message, {"day": until.strftime("%d/%m/%Y")})
    for stop in case.stops:
        values = {"number": stop.number, "reason": stop.reason or "–"}
        yield StepWarning(WarningKind.CUSTOMS_STOPS, f"{stop.number} {stop.state}", STOPS[stop.state], values)
    yield from _records(case, today)


def _records(case: Case, today: date) -> Iterator[StepWarning]:
    """What the register of vehicles says against truck and trailer."""
    for record in case.records:
        plate = display_plate(record.plate)
        until = record.inspection_expires
        if not record.is_found:
            message = N_("{plate} is not in the register of vehicles.")
            yield StepWarning(WarningKind.NOT_REGISTERED, record.plate, message, {"plate": plate})
        elif until is not None and until < today:
            values = {"plate": plate, "day": until.strftime("%d/%m/%Y")}
            message = N_("By the register the inspection of {plate} expired on {day}.")
            yield StepWarning(WarningKind.PAPERS_EXPIRED, f"record {record.plate}", message, values)
    allowed_kg, declared_kg = case.allowed_kg(), round(case.declared_kg())
    if allowed_kg is not None and declared_kg > allowed_kg:
        weights = {"declared_kg": declared_kg, "allowed_kg": allowed_kg}
        message = N_("Declared are {declared_kg} kg; by the register the vehicle may carry {allowed_kg} kg.")
        yield StepWarning(WarningKind.OVERLOADED, "", message, weights)


def _combination(case: Case) -> Iterator[StepWarning]:
    for finding in case.findings:
        if not finding.is_open:
            continue
        values = {"seen": shown(finding.part, finding.seen), "declared": shown_all(finding.part, finding.declared)}
        is_missing = finding.seen == NOTHING
        says = (finding.part, finding.other_trip_id is not None, bool(finding.declared))
        message = MISSING[finding.part] if is_missing else SAYS[says]
        # the log of overrides keeps what tells a warning from others: of a person's paper a digest
        seen = digest(finding.seen) if finding.part is Part.DRIVER and not is_missing else finding.seen
        yield StepWarning(WarningKind.COMBINATION, f"{finding.part}:{seen}", message, values)


def _two_places(case: Case, contradictions: Collection[Contradiction]) -> Iterator[StepWarning]:
    for pair in contradictions:
        if not asks(pair):
            continue
        minutes = round(pair.gap_s / 60.0)
        aside = max(pair.first, pair.second, key=lambda each: (-each.trust, each.moment, each.identity))
        key = aside.ref or f"{aside.source} {aside.moment.isoformat()}"  # presence sets it aside: one question each
        found = StepWarning(
            WarningKind.TWO_PLACES,
            key,
            N_("The plate was seen at two places {distance_km} km apart within {minutes} min: it cannot be one truck."),
            {"distance_km": round(pair.distance_m / 1000.0), "minutes": minutes},
        )
        if found.identity not in case.answered:
            yield found
            return


def asks(pair: Contradiction) -> bool:
    """Whether two sights are of a plate: a phone that rides elsewhere says nothing of it, unless a camera saw it."""
    sources = {pair.first.source, pair.second.source}
    return Source.CAMERA in sources or Source.GPS not in sources


def _seals(case: Case) -> Iterator[StepWarning]:
    last = {report.number: report.kind for report in case.seals}
    tampered = {report.number for report in case.seals if report.kind == "tampered"}
    for number in sorted(tampered):
        yield StepWarning(WarningKind.SEAL_TAMPERED, number, N_("The seal {seal} was tampered with."), {"seal": number})
    for number, kind in sorted(last.items()):
        if kind in OPENED and number not in tampered:
            yield StepWarning(WarningKind.SEAL_MISSING, number, N_("The seal {seal} is open."), {"seal": number})
    entered = case.last_seals()
    if entered is not None:
        for number in normal_values(Part.SEAL, (case.declared or {}).get("seal_numbers")):
            if number not in entered:
                yield StepWarning(
                    WarningKind.SEAL_MISSING, number, N_("The declared seal {seal} is not there."), {"seal": number}
                )


def _symptoms(case: Case, declared: JsonObject, noted: Mapping[str, object]) -> Iterator[StepWarning]:
    if declared.get("health_symptoms") == "some":
        yield StepWarning(WarningKind.SYMPTOMS, "declared", N_("Symptoms are declared."))
    temperature_c = _temperature_c(declared)
    if temperature_c is not None and temperature_c >= FEVER_C:
        values = {"temperature_c": temperature_c}
        yield StepWarning(WarningKind.SYMPTOMS, "fever", N_("Declared is a temperature of {temperature_c} °C."), values)
    for record in (*(case.noted or {}).values(), noted):
        measured_c = _temperature_c(record)
        if measured_c is not None and measured_c >= FEVER_C:
            values = {"temperature_c": measured_c}
            message = N_("A temperature of {temperature_c} °C was measured.")
            yield StepWarning(WarningKind.SYMPTOMS, f"measured {digest(measured_c)}", message, values)


def _temperature_c(record: Mapping[str, object]) -> float | None:
    for name in TEMPERATURES:
        value = record.get(name)
        try:
            text = str(value).translate(_AROUND_DEGREES).replace(",", ".")
            found = float(text) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
        except ValueError:
            found = None
        if found is not None:
            return found
    return None


SAYS: Final = {
    (Part.TRACTOR, True, True): N_("The tractor {seen} of another trip was seen here; declared is {declared}."),
    (Part.TRACTOR, False, True): N_("The tractor is {seen}; declared is {declared}."),
    (Part.TRAILER, True, True): N_("The trailer {seen} of another trip was seen here; declared is {declared}."),
    (Part.TRAILER, True, False): N_("The trailer {seen} of another trip was seen here; none is declared."),
    (Part.TRAILER, False, True): N_("The trailer is {seen}; declared is {declared}."),
    (Part.TRAILER, False, False): N_("There is a trailer {seen}; none is declared."),
    (Part.CONTAINER, True, True): N_("The container {seen} of another trip was seen here; declared is {declared}."),
    (Part.CONTAINER, True, False): N_("The container {seen} of another trip was seen here; none is declared."),
    (Part.CONTAINER, False, True): N_("The container is {seen}; declared is {declared}."),
    (Part.SEAL, True, True): N_("The seal {seen} of another trip was seen here; declared is {declared}."),
    (Part.SEAL, True, False): N_("The seal {seen} of another trip was seen here; none is declared."),
    (Part.SEAL, False, True): N_("The seal is {seen}; declared is {declared}."),
    (Part.DRIVER, True, True): N_("The driver with paper {seen} is on another trip; declared is {declared}."),
    (Part.DRIVER, True, False): N_("The driver with paper {seen} is on another trip; none is declared."),
    (Part.DRIVER, False, True): N_("The driver's paper is {seen}; declared is {declared}."),
    (Part.CUSTOMS_NUMBER, True, True): N_("The customs declaration {seen} is of another trip; declared is {declared}."),
    (Part.CUSTOMS_NUMBER, True, False): N_("The customs declaration {seen} is of another trip; none is declared."),
    (Part.CUSTOMS_NUMBER, False, True): N_("The customs declaration is {seen}; declared is {declared}."),
}
"""What a finding says: by part, whether another trip declared it, whether this one declared anything."""
SHARED: Final = {
    Part.CONTAINER: N_("The container {seen} is declared by another trip that is under way too."),
    Part.DRIVER: N_("The driver with paper {seen} is declared by another trip that is under way too."),
}
"""What is said of a part that another truck under way declares too."""
MISSING: Final = {
    Part.TRAILER: N_("The declared trailer {declared} is not there."),
    Part.CONTAINER: N_("The declared container {declared} is not there."),
}
"""What a finding says of a part that is not there at all."""


def shown(part: Part, value: str) -> str:
    """A value as people write it."""
    return (display_plate(value) if part in (Part.TRACTOR, Part.TRAILER) else value) or "–"


def shown_all(part: Part, values: Collection[str]) -> str:
    """Values as people write them."""
    return ", ".join(shown(part, value) for value in values) or "–"
