"""Devices: who may report, what they are set up with, when they were last heard of, alarms when they fall silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from app.equipment import store
from app.equipment.config_secrets import config_of, keep_hidden, split
from app.equipment.schemas import EquipmentOut
from app.equipment.tables import BarrierCommand, Equipment, Weighing
from app.equipment.vocabulary import CameraMovement, CommandStatus
from app.gates.vocabulary import EquipmentKind
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Role, Scope
from app.procedures.steps import Step
from geo.corridor import Corridor
from geo.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from geo.versions import check_version
from ingest.formats.registry import CAMERA_FORMATS
from ingest.keys import hash_key, new_identifier

UNANSWERED: Final = timedelta(seconds=30)
"""A barrier command nobody answered for this long has failed; it is never sent again by itself."""
WATCHERS: Final = (str(Role.ADMINISTRATOR), str(Role.BORDER_GUARD), str(Role.YARD_OPERATOR), str(Role.CUSTOMS))


# Setting up


def register(action: ActionContext, corridor: Corridor, values: Mapping[str, Any]) -> tuple[Equipment, str]:
    """A new device, and its key, which is shown only now.

    Arguments: `values` holds `kind name vendor site_id gate_id station config`; the gate follows the site.

    Raises
    ------
    InvalidInputError
        If a value is none the platform knows.
    """
    checked = _check(corridor, values)
    key = new_identifier()
    device = Equipment(**_columns(checked), key_hash=hash_key(key), created_at=action.now)
    store.insert_equipment(action.session, device)
    action.record("equipment.register", "equipment", device.equipment_id, None, _record(device))
    return device, key


def change(
    action: ActionContext, corridor: Corridor, equipment_id: int, expected_version: int, changes: Mapping[str, Any]
) -> Equipment:
    """Change a device's name, place or set-up, or take it out of use (`disabled`).

    Raises
    ------
    NotFoundError, StaleError, InvalidInputError
        If there is none, it was changed since, or a value is none the platform knows.
    """
    device = _lock(action.session, equipment_id, expected_version)
    before = _record(device)
    wanted = {spec.name: changes.get(spec.name, getattr(device, spec.name)) for spec in fields(Setup)}
    wanted["config"] = keep_hidden(device, changes["config"]) if "config" in changes else config_of(device)
    for name, value in _columns(_check(corridor, wanted)).items():
        setattr(device, name, value)
    if "disabled" in changes:
        device.disabled_at = (device.disabled_at or action.now) if changes["disabled"] else None
        device.alarm_since = None
    device.version += 1
    action.session.flush()
    action.record("equipment.change", "equipment", equipment_id, before, _record(device))
    _publish_status(action.session, device, "changed", action.now)
    return device


def renew_key(action: ActionContext, equipment_id: int) -> tuple[Equipment, str]:
    """A new key for a device; the old one ends at once."""
    device = get_equipment(action.session, action.actor, equipment_id, act="equipment.write")
    key = new_identifier()
    device.key_hash = hash_key(key)
    device.version += 1
    action.session.flush()
    action.record("equipment.key", "equipment", equipment_id)
    return device, key


@dataclass(frozen=True)
class Setup:
    """What a device is set up with, checked."""

    kind: EquipmentKind
    name: str
    vendor: str
    site_id: str | None
    gate_id: str | None
    station: str | None
    config: JsonObject


def _check(corridor: Corridor, values: Mapping[str, Any]) -> Setup:
    kind, vendor = EquipmentKind.require(values.get("kind"), "kind"), values.get("vendor")
    if vendor not in kind.vendors:
        raise _unknown("vendor", vendor, kind.vendors)
    name = " ".join(str(values.get("name") or "").split())
    if not 1 <= len(name) <= 100:
        raise InvalidInputError("Give the device a name of 1 to 100 characters.", field="name")
    station, site_id, gate_id = values.get("station"), values.get("site_id"), values.get("gate_id")
    if station is not None and station not in Step.with_equipment():
        raise _unknown("station", station, Step.with_equipment())
    if site_id is not None:
        if site_id not in corridor.sites:
            raise _unknown("site_id", site_id, corridor.sites)
        gate_id = corridor.sites[site_id].gate_id
    elif gate_id is not None and gate_id not in corridor.sites:
        raise _unknown("gate_id", gate_id, [gate.site_id for gate in corridor.gates()])
    if kind is EquipmentKind.BARRIER and (gate_id is None or station is None):
        raise InvalidInputError("A barrier stands at a gate and serves a station; name both.", field="station")
    config = values.get("config") or {}
    _check_config(kind, vendor, config)
    return Setup(kind, name, vendor, site_id, gate_id, station, config)


def _check_config(kind: str, vendor: str, config: Mapping[str, Any]) -> None:
    movement = config.get("movement")
    if movement is not None and CameraMovement.lookup(movement) is None:
        raise _unknown("config.movement", movement, CameraMovement)
    over_mqtt = {name: ("camera_id",) for name, item in CAMERA_FORMATS.items() if item.mqtt_topic}
    needed = ({"http": ("url",), "mqtt": ("broker", "topic")} | over_mqtt).get(vendor, ())
    for name in needed:
        if not isinstance(config.get(name), str) or not config[name]:
            raise InvalidInputError(
                "{kind} of the kind {vendor} needs {name} in its config.",
                field=f"config.{name}",
                kind=kind,
                vendor=vendor,
                name=name,
            )
    if vendor == "http" and not str(config["url"]).startswith(("http://", "https://")):
        raise InvalidInputError("The address of the barrier begins with http:// or https://.", field="config.url")
    for name in ("silent_after_s", "tolerance_share", "tolerance_kg", "enter_heading_deg", "timeout_s"):
        value = config.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise InvalidInputError("{name} is a number from 0 on.", field=f"config.{name}", name=name)


def _columns(checked: Setup) -> JsonObject:
    """The columns of `Equipment` of a set-up."""
    config, secrets = split(checked.config)
    return {**asdict(checked), "config": config, "secrets": secrets}


def _unknown(field: str, value: object, known: Iterable[str]) -> InvalidInputError:
    return InvalidInputError(
        "{name} {value} is unknown; use one of {known}.",
        field=field,
        name=field,
        value=str(value)[:60],
        known=", ".join(sorted(known)),
    )


def _lock(session: Session, equipment_id: int, expected_version: int) -> Equipment:
    if store.find_equipment(session, true(), equipment_id) is None:
        raise _none(equipment_id)
    device = store.lock_equipment(session, equipment_id)
    check_version(device.version, expected_version)
    return device


# Reading


def visible_equipment(principal: Principal, act: str) -> ColumnElement[bool]:
    """The condition on `Equipment` for what a principal may do `act` with: all, or the devices of the own gate."""
    scope = principal.scope(act)
    return true() if scope is Scope.ALL else store.of_gate(principal.gate_id if scope is Scope.OWN_GATE else None)


def get_equipment(session: Session, principal: Principal, equipment_id: int, *, act: str) -> Equipment:
    """A device for which the caller may do `act`; raises NotFoundError."""
    device = store.find_equipment(session, visible_equipment(principal, act), equipment_id)
    if device is None:
        raise _none(equipment_id)
    return device


def list_equipment(session: Session, principal: Principal) -> list[EquipmentOut]:
    """The devices the caller may see."""
    visible = visible_equipment(principal, "equipment.read")
    return [EquipmentOut.of(device) for device in store.list_equipment(session, visible)]


def _record(device: Equipment) -> JsonObject:
    """A device for the audit log."""
    return EquipmentOut.of(device).model_dump()


def _none(equipment_id: int) -> NotFoundError:
    return NotFoundError("There is no device {equipment_id} that you may see.", equipment_id=equipment_id)


def door_url(base: str, device: Equipment) -> str | None:
    """Where a device reports; `None` for one that is only told."""
    kind = EquipmentKind.get(device.kind)
    path = CAMERA_FORMATS[device.vendor].path if kind is EquipmentKind.PLATE_CAMERA else kind.report_path
    return base.rstrip("/") + path if path else None


# Being heard of


def authenticate(
    session: Session,
    key: str | None,
    *,
    kind: str | None = None,
    vendor: str | None = None,
    challenge: str = "Bearer",
) -> Equipment:
    """The device that bears a key; `challenge` tells one without how to prove itself.

    Raises
    ------
    UnauthenticatedError
        If no device in use has it, or one of another kind or make.
    """
    device = store.find_by_key(session, hash_key(key)) if key else None
    if device is None or (kind is not None and device.kind != kind) or (vendor is not None and device.vendor != vendor):
        raise UnauthenticatedError(
            "No device of this kind has this key; take the one shown when it was set up.", challenge=challenge
        )
    return device


def heard(session: Session, device: Equipment, now: datetime) -> None:
    """A device was heard of now; its alarm, if it had one, is over."""
    if device.last_seen_at is None or now > device.last_seen_at:
        device.last_seen_at = now
    if device.alarm_since is not None:
        device.alarm_since = None
        _publish_status(session, device, "ok", now)


def sweep(session: Session, now: datetime) -> int:
    """Raise alarms for devices that fell silent, and fail barrier commands nobody answered; how many of both.

    For control, on its fast tick. A barrier is never opened and never told again from here.
    """
    raised = 0
    for device in store.in_use(session):
        if device.alarm_since is None and is_silent(device, now):
            device.alarm_since = now
            _publish_status(session, device, "silent", now)
            raised += 1
    for command in store.unanswered_commands(session, now - UNANSWERED):
        command.status, command.answered_at, command.detail = CommandStatus.FAILED, now, "The barrier did not answer."
        publish_command(session, command, now)
        raised += 1
    return raised


def silent_devices(session: Session) -> list[str]:
    """The names of devices in use that raised an alarm because they are silent."""
    return [device.name for device in store.in_use(session) if device.alarm_since is not None]


def is_silent(device: Equipment, now: datetime) -> bool:
    """Whether a device should have been heard of since."""
    limit_s = device.setting("silent_after_s", 0.0) or EquipmentKind.get(device.kind).silent_after_s
    return (now - (device.last_seen_at or device.created_at)).total_seconds() > limit_s


def weighings_of(session: Session, trip_id: int) -> list[Weighing]:
    """The weighings of a trip, oldest first."""
    return [found.report for found in store.reports_of_trip(session, Weighing, trip_id)]


def publish_command(session: Session, command: BarrierCommand, now: datetime) -> None:
    """Tell how a barrier command stands."""
    data = {
        "equipment_id": command.equipment_id,
        "status": command.status,
        "command_id": command.command_id,
        "trip_id": command.trip_id,
    }
    device = session.get_one(Equipment, command.equipment_id)
    outbox.publish_event(session, "equipment", audience_of(device, WATCHERS), data, at=now)


def audience_of(device: Equipment, roles: tuple[str, ...]) -> Audience:
    """Who hears of a device: people of these roles at its gate, or anywhere if it stands along the road."""
    return Audience(roles=roles, gates=() if device.gate_id is None else (device.gate_id,))


def _publish_status(session: Session, device: Equipment, status: str, now: datetime) -> None:
    data = {"equipment_id": device.equipment_id, "status": status}
    outbox.publish_event(session, "equipment", audience_of(device, WATCHERS), data, at=now)
