"""What a declaration takes over from the file of its enterprise, so that nobody types it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy.orm import Session

from app.registers import store
from app.registers.container_number import show_container_number
from app.registers.vocabulary import VehicleClass
from geo.errors import InvalidInputError

PICKS: Final = ("vehicle_entry", "trailer_entry", "driver_entry", "container_entry")
"""The fields that name an entry, as forms and programs send them."""
Taken: TypeAlias = Mapping[str, object]
"""Fields of a declaration, and what fills them."""


@dataclass(frozen=True)
class Choice:
    """An entry that can be picked: its number, what it is called, and the fields of a declaration that it fills."""

    entry_id: int
    shown: str
    fields: Taken


@dataclass(frozen=True)
class Choices:
    """Everything on file that a declaration can take over."""

    vehicles: tuple[Choice, ...]
    trailers: tuple[Choice, ...]
    drivers: tuple[Choice, ...]
    containers: tuple[Choice, ...]

    def of(self, pick: str) -> tuple[Choice, ...]:
        """The choices of one of `PICKS`."""
        return {
            "vehicle_entry": self.vehicles,
            "trailer_entry": self.trailers,
            "driver_entry": self.drivers,
            "container_entry": self.containers,
        }[pick]


def choices(session: Session, organisation_id: int) -> Choices:
    """What an enterprise has on file, as a declaration takes it over."""
    trucks, trailers = [], []
    for listed in store.vehicles(session, [organisation_id]):
        entry, known = listed.entry, VehicleClass.get(listed.entry.vehicle_class)
        if known.is_trailer:
            cooled = True if known is VehicleClass.REFRIGERATED_TRAILER else None
            taken = {"trailer_plate": listed.plate, "refrigerated": cooled}
            trailers.append(Choice(entry.entry_id, listed.plate, _given(taken)))
            continue
        fields = {
            "plate": listed.plate,
            "payload_kg": entry.payload_kg,
            "inspection_expires": entry.inspection_expires,
            "refrigerated": True if known is VehicleClass.REFRIGERATED else None,
        }
        trucks.append(Choice(entry.entry_id, listed.plate, _given(fields)))
    drivers = []
    for found in store.drivers(session, [organisation_id]):
        driver = found.entry
        fields = {
            "driver_id": driver.account_id,
            "driver_name": driver.full_name,
            "driver_phone": driver.phone,
            "driver_paper": driver.paper,
            "driver_paper_number": driver.paper_number,
            "driver_paper_expires": driver.paper_expires,
            "driver_licence_number": driver.licence_number,
            "driver_licence_expires": driver.licence_expires,
        }
        drivers.append(Choice(driver.entry_id, driver.full_name, _given(fields)))
    containers = [
        Choice(
            container.entry_id,
            show_container_number(container.number),
            {
                "container": container.size,
                "container_number": show_container_number(container.number),
                "refrigerated": container.refrigerated,
            },
        )
        for container in store.containers(session, [organisation_id])
    ]
    return Choices(tuple(trucks), tuple(trailers), tuple(drivers), tuple(containers))


def take_over(session: Session, organisation_id: int, picked: Mapping[str, int | None]) -> Taken:
    """The fields of a declaration that the picked entries fill; `picked` is by the names of `PICKS`.

    Raises
    ------
    InvalidInputError
        If an entry is not on the file of the enterprise.
    """
    fields: Taken = {}
    wanted = {name: entry_id for name, entry_id in picked.items() if entry_id is not None}
    known = choices(session, organisation_id) if wanted else None
    for name, entry_id in wanted.items():
        assert known is not None
        found = next((entry for entry in known.of(name) if entry.entry_id == entry_id), None)
        if found is None:
            raise InvalidInputError("There is no entry {value} on your file.", field=name, value=entry_id)
        fields = {**fields, **found.fields}
    return fields


def _given(fields: Taken) -> Taken:
    return {name: value for name, value in fields.items() if value is not None and value != ""}
