"""What may report: enrolment, revocation, gateways, and the directory that the intake looks identifiers up in.

An identifier is 128 random bits, handed out once; only its SHA-256 is kept (it is too long to guess, so it needs no
slow hash). An IMEI, or the number that a tracker names itself by, can be read off a device's case, so it counts only
when a gateway with a token names it, or one of the platform's own gateways for trackers. Zeros before a number are
how protocols fill it up to a fixed length and mean nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from sqlalchemy.orm import Session

from geo.errors import ConflictError, InvalidInputError, NotFoundError
from ingest import store
from ingest.keys import hash_key, new_identifier
from ingest.plates import display_plate, normalise_plate, vehicle_kind
from ingest.store import DeviceBinding
from ingest.tables import Device, Vehicle

DeviceKind = Literal["phone", "tracker"]
Bindings: TypeAlias = dict[str, DeviceBinding | None]
"""Identifier → device; `None` for an identifier that is nobody's."""

_IMEI = re.compile(r"0*[0-9]{6,20}", re.ASCII)
MAX_IMEI_LENGTH = 20
_NAMES_AT_ONCE = 5_000
"""Identifiers that one query asks for."""


@dataclass(frozen=True)
class Enrolment:
    """A new device and the only copy of its identifier."""

    identifier: str
    device: Device
    vehicle: Vehicle


def enrol(
    session: Session,
    plate: str,
    kind: DeviceKind,
    *,
    now: datetime,
    imei: str | None = None,
    created_by: int | None = None,
) -> Enrolment:
    """Bind a new device to the vehicle with `plate`, which is created if it is new.

    Whether the caller may is asked before. Enrolling a plate again gives one more device.

    Raises
    ------
    InvalidInputError
        If the plate or the IMEI is none.
    ConflictError
        If the IMEI is already enrolled.
    """
    plate_norm = normalise_plate(plate)
    if imei is not None and (not _IMEI.fullmatch(imei) or len(imei) > MAX_IMEI_LENGTH or not imei.strip("0")):
        raise InvalidInputError(
            "{value} is not an IMEI or number of a tracker: it has 6 to 20 digits.", field="imei", value=imei[:40]
        )
    vehicle = store.find_vehicle(session, plate_norm)
    if vehicle is None:
        vehicle = store.add_vehicle(
            session,
            plate_norm,
            plate=display_plate(plate_norm),
            kind=vehicle_kind(plate_norm),
            now=now,
        )
    if imei is not None and store.find_imei(session, imei) is not None:
        raise ConflictError("IMEI {imei} is already enrolled; revoke its device first.", field="imei", imei=imei)
    identifier = new_identifier()
    device = Device(
        key_hash=hash_key(identifier),
        key_hint=identifier[-4:],
        vehicle_id=vehicle.vehicle_id,
        kind=kind,
        imei=imei,
        created_by=created_by,
        created_at=now,
    )
    session.add(device)
    session.flush()
    return Enrolment(identifier, device, vehicle)


def revoke(session: Session, identifier: str, *, now: datetime, visible: Callable[[Device, Vehicle], bool]) -> Device:
    """End a device, named by its identifier or by its number in the list; its IMEI is free again.

    Raises
    ------
    NotFoundError
        If there is no such device, or not for this caller.
    """
    found = store.find_device(session, hash_key(identifier), int(identifier) if identifier.isdecimal() else None)
    if found is None or not visible(*found):
        raise NotFoundError("There is no device {value}.", value=identifier[:40])
    device = found[0]
    if device.revoked_at is None:
        device.revoked_at, device.imei = now, None
        session.flush()
    return device


class DeviceDirectory:
    """Identifiers → devices, remembered in this process for at most `MAX_AGE_S`, so that a revocation counts by then.

    Well before that age, one query renews all devices that were asked for since the last one; until it has answered,
    what is remembered serves. `None` marks an identifier known to be nobody's: only so many are remembered, until the
    next renewal, so that whoever makes them up displaces no device. Lives in one event loop; `load` may run in a
    thread.
    """

    MAX_AGE_S = 5.0
    RENEW_AFTER_S = 2.5
    MAX_REMEMBERED = 200_000
    MAX_UNKNOWN = 20_000

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.forget()

    def forget(self) -> None:
        """Look everything up again."""
        self._born = self._monotonic()
        self._known: dict[bool, Bindings] = {False: {}, True: {}}
        self._asked: dict[bool, set[str]] = {False: set(), True: set()}
        self._unknown_count = 0
        self._gateways: dict[str, bool] = {}

    def known(self, identifiers: set[str], *, by_imei: bool = False) -> Bindings:
        """What is remembered; of `identifiers` some may be missing."""
        if self._monotonic() - self._born > self.MAX_AGE_S or len(self._known[by_imei]) > self.MAX_REMEMBERED:
            self.forget()
        known = self._known[by_imei]
        self._asked[by_imei].update(name for name in identifiers if known.get(name) is not None)
        return known

    def wants_renewal(self) -> bool:
        """Whether it is time to `renew`."""
        return self._monotonic() - self._born > self.RENEW_AFTER_S

    def renew(self, session: Session) -> None:
        """Ask the database again for all that was asked for lately, and forget the rest."""
        born = self._monotonic()
        asked, self._asked = self._asked, {False: set(), True: set()}
        known = {by_imei: _load(session, identifiers, by_imei=by_imei) for by_imei, identifiers in asked.items()}
        self._known, self._gateways, self._born, self._unknown_count = known, {}, born, 0

    def load(self, session: Session, identifiers: set[str], *, by_imei: bool = False) -> Bindings:
        """Learn `identifiers` from the database; what was learned."""
        found = _load(session, identifiers, by_imei=by_imei)
        devices = {name: bound for name, bound in found.items() if bound is not None}
        self._known[by_imei].update(devices)
        self._asked[by_imei].update(devices)
        unknown_count = len(found) - len(devices)
        if 0 < unknown_count <= self.MAX_UNKNOWN - self._unknown_count:
            self._known[by_imei].update(found)
            self._unknown_count += unknown_count
        return found

    def is_gateway(self, token: str) -> bool | None:
        """Whether `token` is a gateway's; `None` if that must be looked up first."""
        return self._gateways.get(token)

    def load_gateway(self, session: Session, token: str) -> bool:
        """Learn from the database whether `token` is a gateway's."""
        self._gateways[token] = answer = store.is_gateway(session, hash_key(token))
        return answer


class GatewayDirectory(DeviceDirectory):
    """That of a process which is itself a gateway: a device's IMEI or number counts without a token.

    It remembers longer than a door: thousands of terminals stay connected, and a database that takes seconds to renew
    what is known of them must not be asked for each by itself in the middle of it.
    """

    MAX_AGE_S = 60.0
    RENEW_AFTER_S = 5.0
    TOKEN = "this process"  # noqa: S105 - no secret, only what stands for one

    def is_gateway(self, token: str) -> bool | None:
        """Whether `token` is this process', or a gateway's; `None` if that must be looked up first."""
        return True if token == self.TOKEN else super().is_gateway(token)


def _load(session: Session, identifiers: set[str], *, by_imei: bool) -> Bindings:
    found: Bindings = dict.fromkeys(identifiers)
    names = list(identifiers)
    for start in range(0, len(names), _NAMES_AT_ONCE):
        wanted = {hash_key(name): name for name in names[start : start + _NAMES_AT_ONCE]}
        for key_hash, binding in store.find_devices(session, list(wanted)).items():
            found[wanted[key_hash]] = binding
    if by_imei:
        numbers = [name for name, bound in found.items() if bound is None and name.isdecimal()]
        for start in range(0, len(numbers), _NAMES_AT_ONCE):
            found |= store.find_imeis(session, numbers[start : start + _NAMES_AT_ONCE])
    return found
