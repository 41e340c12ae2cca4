"""A trip as a checkpoint judges it: what was declared, what was seen of it, and by whom. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from app.checkpoints.combination import CAN_BE_MISSING, NOTHING, Explanation, Sighting, Values
from app.checkpoints.vocabulary import Part, SeenBy, Verdict
from app.platform.json import JsonObject
from app.registers.container_number import squeeze
from app.trips.customs_numbers import numbers_in
from ingest.plates import find_plate

DECLARED_IN: Final = {
    Part.TRACTOR: "plate",
    Part.TRAILER: "trailer_plate",
    Part.CONTAINER: "container_number",
    Part.SEAL: "seal_numbers",
    Part.DRIVER: "driver_paper_number",
    Part.CUSTOMS_NUMBER: "customs_number",
}
"""The field of a declaration that holds each part."""
CAN_BE_SHARED: Final = (Part.CONTAINER, Part.DRIVER)
"""Parts that are of one truck under way alone, and that nothing stops two from declaring."""
SEAL_SEPARATORS: Final = r"[,;/+&|、，；\s]+"
"""What stands between the numbers of seals; PostgreSQL reads it alike."""
OPENED: Final = frozenset({"opened", "tampered"})


@dataclass(frozen=True, slots=True)
class Revision:
    """What was declared from `since` until `until` (`None`: still)."""

    data: JsonObject
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Observation:
    """What an officer entered of a part: its values in normal form; none if there is nothing."""

    part: Part
    values: tuple[str, ...]
    at: datetime
    step: str


@dataclass(frozen=True, slots=True)
class SealReport:
    """What an electronic seal reported."""

    number: str
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CustomsStop:
    """A declaration whose goods customs' system does not let go on: `state` is held, cancelled or unknown."""

    number: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlateRecord:
    """What the register of vehicles says of a plate; payload in kg, `None` where it says nothing."""

    plate: str
    is_found: bool
    inspection_expires: date | None
    payload_kg: int | None


@dataclass(frozen=True, slots=True)
class StandingFinding:
    """A finding as it is kept; `verdict` is `None` until somebody decided. The other trip by its code and truck."""

    finding_id: int
    trip_id: int
    part: Part
    seen: str
    declared: tuple[str, ...]
    by: SeenBy
    step: str | None
    seen_at: datetime
    other_trip_id: int | None
    verdict: Verdict | None
    reason: str
    decided_at: datetime | None
    decided_by: str | None

    @property
    def is_open(self) -> bool:
        """Whether it still asks: nobody let the truck go."""
        return self.verdict is None or not self.verdict.lets_go


@dataclass(frozen=True)
class Case:
    """A trip with what a checkpoint compares.

    `revisions` oldest first; `receivers` the plates that a transshipment moves goods to, each since when;
    `former_trailers` those that the trip had until its enterprise named another, each until when; `containers`
    what scanners read of it; `weighing` the last verdict with its difference in kg; `scan` what the last scan that was
    looked at found; `odd_reads` plates that a person gave to the trip though they are not its; `noted` what officers
    kept with done steps; `has_reads` whether a camera saw it; `answered` keys of warnings that were overridden;
    `shared` what another truck that is under way declares too, of `CAN_BE_SHARED`; `stops` what customs' system says
    against it, `records` what the register of vehicles knows of truck and trailer.
    """

    trip_id: int
    tractor: str
    trailer: str | None
    revisions: Sequence[Revision] = ()
    observations: Sequence[Observation] = ()
    seals: Sequence[SealReport] = ()
    receivers: Sequence[tuple[str, datetime]] = ()
    former_trailers: Sequence[tuple[str, datetime]] = ()
    containers: Sequence[tuple[str, datetime]] = ()
    weighing: tuple[str, int] | None = None
    scan: str | None = None
    odd_reads: Sequence[str] = ()
    noted: Mapping[str, JsonObject] | None = None
    findings: Sequence[StandingFinding] = ()
    has_reads: bool = False
    answered: frozenset[str] = frozenset()
    shared: Sequence[tuple[Part, str]] = ()
    stops: Sequence[CustomsStop] = ()
    records: Sequence[PlateRecord] = ()

    @property
    def declared(self) -> JsonObject | None:
        """What is declared now; `None` before anything was."""
        return self.revisions[-1].data if self.revisions else None

    @property
    def values(self) -> Values:
        """What is declared now of each part, in normal form; the trip itself says which truck it is of."""
        found = values_of(self.declared or {})
        own = {Part.TRACTOR: frozenset({self.tractor})}
        if self.trailer is not None or self.revisions:
            own[Part.TRAILER] = frozenset({self.trailer} if self.trailer is not None else ())
        return {**found, **own}

    def explanations(self) -> Iterator[Explanation]:
        """What records explain: earlier declarations while they were in force, vehicles that receive the goods."""
        for revision in self.revisions[:-1]:
            for part, values in values_of(revision.data).items():
                yield from (Explanation(part, value, revision.since, revision.until) for value in values)
            declared = values_of(revision.data)
            for part in CAN_BE_MISSING:
                if part not in declared:
                    yield Explanation(part, NOTHING, revision.since, revision.until)
        for plate, until in self.former_trailers:
            yield Explanation(Part.TRAILER, plate, datetime.min.replace(tzinfo=until.tzinfo), until)
        for plate, since in self.receivers:
            for part in (Part.TRACTOR, Part.TRAILER):
                yield Explanation(part, plate, since)
            for part in CAN_BE_MISSING:
                yield Explanation(part, NOTHING, since)

    def sightings(self) -> Iterator[Sighting]:
        """What was seen of it: by officers, scanners, and seals that were opened."""
        for entered in self.observations:
            missing = (NOTHING,) if entered.part in CAN_BE_MISSING else ()
            for value in entered.values or missing:
                yield Sighting(entered.part, value, entered.at, SeenBy.OFFICER, entered.step)
        for number, at in self.containers:
            yield Sighting(Part.CONTAINER, number, at, SeenBy.SCANNER)
        for seal in self.seals:
            yield Sighting(Part.SEAL, seal.number, seal.at, SeenBy.SEAL)

    def allowed_kg(self) -> int | None:
        """What truck and trailer may carry together by the register; `None` if that does not know both of them."""
        plates = {self.tractor, self.trailer} - {None}
        known = {record.plate: record.payload_kg or 0 for record in self.records if record.is_found}
        return sum(known.values()) or None if plates <= known.keys() else None

    def declared_kg(self) -> float:
        """What the declared goods weigh, gross."""
        lines = (self.declared or {}).get("lines")
        weights = (
            [line.get("gross_weight_kg") for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
        )
        return sum(float(weight) for weight in weights if isinstance(weight, int | float))

    def last_seals(self) -> tuple[str, ...] | None:
        """The seals that an officer entered last; `None` if nobody looked."""
        entered = [each for each in self.observations if each.part is Part.SEAL]
        return max(entered, key=lambda each: each.at).values if entered else None


def values_of(data: Mapping[str, object]) -> dict[Part, frozenset[str]]:
    """What a declaration says of each part, in normal form; parts of which it says nothing are left out."""
    found = {part: frozenset(normal_values(part, data.get(field))) for part, field in DECLARED_IN.items()}
    return {part: values for part, values in found.items() if values}


def normal_values(part: Part, written: object) -> tuple[str, ...]:
    """What was written of a part, in normal form; several only of seals and customs declarations."""
    text = written if isinstance(written, str) else ""
    if part is Part.SEAL:
        words = re.split(SEAL_SEPARATORS, text)
        return tuple(dict.fromkeys(number for word in words if (number := squeeze(word))))
    if part is Part.CUSTOMS_NUMBER:
        return numbers_in(text)
    plate = find_plate(text) if part in (Part.TRACTOR, Part.TRAILER) else None
    value = plate or squeeze(text)
    return (value,) if value else ()


def day_of(data: Mapping[str, object], field: str) -> date | None:
    """A date of a declaration."""
    written = data.get(field)
    try:
        return date.fromisoformat(written) if isinstance(written, str) and written else None
    except ValueError:
        return None
