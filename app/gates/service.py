"""Gate profiles: what is in force, drafts, publication, and the planners' view of one direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.gates import store
from app.gates.profile import GateProfile, GateValues, Source, default_profiles
from app.gates.store import StoredProfile
from app.platform.actions import ActionContext
from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version
from routing.gates import GateSetting


@dataclass(frozen=True)
class DirectionSetting:
    """One direction of a gate as planners edit it: `version` is the gate's revision, for `If-Match`.

    Hours are local; equal ones mean round the clock, and of several intervals they are the first and the last.
    """

    gate_id: str
    direction: str
    lanes: int
    open_from: time
    open_to: time
    service_mean_s: float
    service_cv: float
    entrance_lanes: int
    entrance_service_mean_s: float
    entrance_service_cv: float
    dwell_mean_s: float
    dwell_cv: float
    version: int
    updated_at: datetime
    updated_by: int | None


# Reading


def seed_profiles(session: Session, corridor: Corridor, *, now: datetime) -> None:
    """Give the corridor's gates the profile that their sites describe, where they have none."""
    store.insert_first_versions(session, default_profiles(corridor), since=now)


def profiles(session: Session, now: datetime, corridor: Corridor | None = None) -> dict[str, GateProfile]:
    """The profile in force of each gate.

    Arguments: with a `corridor`, exactly its gates, those without a stored profile as their sites describe them.
    """
    stored = {one.gate_id: one.profile for one in store.profiles_in_force(session, now)}
    if corridor is None:
        return stored
    missing = [gate for gate in corridor.gates() if gate.site_id not in stored]
    defaults = default_profiles(corridor) if missing else {}
    return {gate.site_id: stored.get(gate.site_id) or defaults[gate.site_id] for gate in corridor.gates()}


def gate_settings(session: Session, now: datetime) -> tuple[GateSetting, ...]:
    """All gates as the engine takes them, by gate, exports first."""
    found = store.profiles_in_force(session, now)
    return tuple(setting for one in found for setting in one.profile.settings(one.gate_id))


def get_profile(session: Session, gate_id: str, now: datetime) -> StoredProfile:
    """The version in force of a gate.

    Raises
    ------
    NotFoundError
        If the gate has none.
    """
    found = store.profiles_in_force(session, now, gate_id)
    if not found:
        raise NotFoundError("Gate {gate_id} has no profile.", gate_id=gate_id)
    return found[0]


def list_versions(session: Session, gate_id: str) -> list[StoredProfile]:
    """All versions of a gate, newest first; raises NotFoundError if it has none."""
    found = store.list_versions(session, gate_id)
    if not found:
        raise NotFoundError("Gate {gate_id} has no profile.", gate_id=gate_id)
    return found


def revision(session: Session, gate_id: str) -> int:
    """What the ETag of a gate's profile names: the number of changes to its versions."""
    return store.revisions(session).get(gate_id, 0)


def list_settings(session: Session, now: datetime) -> tuple[DirectionSetting, ...]:
    """Both directions of every gate as planners edit them, by gate, exports first."""
    found, revisions = store.profiles_in_force(session, now), store.revisions(session)
    return tuple(
        _setting(one, direction, revisions[one.gate_id]) for one in found for direction in ("export", "import")
    )


def get_setting(session: Session, gate_id: str, direction: str, now: datetime) -> DirectionSetting:
    """One direction of a gate as planners edit it; raises NotFoundError."""
    return _setting(get_profile(session, gate_id, now), direction, revision(session, gate_id))


def _setting(stored: StoredProfile, direction: str, version: int) -> DirectionSetting:
    part = stored.profile.of(direction)
    return DirectionSetting(
        gate_id=stored.gate_id,
        direction=direction,
        open_from=part.open_from,
        open_to=part.open_to,
        version=version,
        updated_at=stored.published_at or stored.created_at,
        updated_by=stored.published_by,
        **part.model_dump(exclude={"hours"}),
    )


# Editing


def change_direction(
    action: ActionContext, gate_id: str, direction: str, changes: Mapping[str, Any], *, expected_version: int
) -> DirectionSetting:
    """Publish a version with one direction changed, in force at once.

    Raises
    ------
    InvalidInputError, NotFoundError, StaleError
        If a value is not possible, the gate has no profile, or it was changed since.
    """
    session, now = action.session, action.now
    present = _lock(action, gate_id, expected_version)
    try:
        values = present.profile.with_direction(direction, changes)
    except ValidationError as error:
        raise _refusal(error) from None
    profile = present.profile.edited(values)
    _publish(session, action.actor_id, gate_id, profile, revision=expected_version + 1, now=now, effective_from=now)
    before, after = _setting(present, direction, expected_version), get_setting(session, gate_id, direction, now)
    action.record(
        "gate.setting",
        "gate",
        f"{gate_id}/{direction}",
        {name: getattr(before, name) for name in changes},
        {name: getattr(after, name) for name in changes},
    )
    return after


def save_draft(action: ActionContext, gate_id: str, values: GateValues, *, expected_version: int) -> StoredProfile:
    """Write the gate's draft, in place of the one before.

    Raises
    ------
    NotFoundError, StaleError
        If the gate has no profile, or it was changed since.
    """
    session = action.session
    present = _lock(action, gate_id, expected_version)
    profile = present.profile.edited(values)
    store.delete_draft(session, gate_id)
    newest = max(one.version for one in store.list_versions(session, gate_id))
    store.insert_version(
        session,
        {
            "gate_id": gate_id,
            "version": newest + 1,
            "revision": expected_version + 1,
            "status": "draft",
            "profile": profile,
            "based_on": newest,
            "created_by": action.actor.account_id,
            "created_at": action.now,
        },
    )
    before, after = changed_values(present.profile, profile)
    action.record("gate.draft", "gate", gate_id, before, after)
    return store.list_versions(session, gate_id)[0]


def publish_draft(
    action: ActionContext, gate_id: str, *, expected_version: int, effective_from: datetime | None = None
) -> StoredProfile:
    """Publish the gate's draft, in force from `effective_from` on (`None`: at once).

    Raises
    ------
    NotFoundError, StaleError
        If the gate has no profile, or it was changed since.
    ConflictError
        If it has no draft, or another version was published after the draft was written.
    InvalidInputError
        If `effective_from` has passed.
    """
    session, now = action.session, action.now
    present = _lock(action, gate_id, expected_version)
    found = {one.status: one for one in reversed(store.list_versions(session, gate_id))}
    draft = found.get("draft")
    if draft is None:
        raise ConflictError("Gate {gate_id} has no draft; save one first.", gate_id=gate_id)
    if draft.based_on != found["published"].version:
        raise ConflictError(
            "The draft was written on version {based_on}, and version {newest} was published since; look at it again "
            "and save the draft.",
            based_on=draft.based_on,
            newest=found["published"].version,
        )
    if effective_from is not None and effective_from < now:
        raise InvalidInputError(
            "{value} has passed; give a moment to come, or none for at once.",
            field="effective_from",
            value=effective_from.isoformat(),
        )
    store.delete_draft(session, gate_id)
    since = effective_from or now
    published = _publish(
        session, action.actor_id, gate_id, draft.profile, revision=expected_version + 1, now=now, effective_from=since
    )
    before, after = changed_values(present.profile, draft.profile)
    after["effective_from"] = since.isoformat()
    action.record("gate.publish", "gate", gate_id, before, after)
    return published


def publish_simulated(session: Session, gate_id: str, values: GateValues, *, now: datetime) -> bool:
    """Let a gate of the demonstration work as recorded, unless a person has set its profile; whether it is new."""
    store.lock_gate(session, gate_id)
    found = store.list_versions(session, gate_id)
    if not found or any(one.created_by is not None for one in found):
        return False
    present = found[0].profile
    simulated = present.edited(values, Source.SIMULATED)
    if simulated == present:
        return False
    number = revision(session, gate_id) + 1
    _publish(session, None, gate_id, simulated, revision=number, now=now, effective_from=now)
    return True


def changed_values(before: GateProfile, after: GateProfile) -> tuple[dict[str, Any], dict[str, Any]]:
    """What differs between two profiles, by name, as plain values."""
    old, new = (_flat(one) for one in (before, after))
    names = [name for name in new if old[name] != new[name]]
    return {name: old[name] for name in names}, {name: new[name] for name in names}


def _flat(profile: GateProfile) -> dict[str, Any]:
    return {
        name: value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        for name, value in profile.leaves()
    }


def _lock(action: ActionContext, gate_id: str, expected_version: int) -> StoredProfile:
    store.lock_gate(action.session, gate_id)
    present = get_profile(action.session, gate_id, action.now)
    check_version(revision(action.session, gate_id), expected_version)
    return present


def _publish(
    session: Session,
    account_id: int | None,
    gate_id: str,
    profile: GateProfile,
    *,
    revision: int,
    now: datetime,
    effective_from: datetime,
) -> StoredProfile:
    found = store.list_versions(session, gate_id)
    by = account_id
    number = max(one.version for one in found) + 1
    store.insert_version(
        session,
        {
            "gate_id": gate_id,
            "version": number,
            "revision": revision,
            "status": "published",
            "profile": profile,
            "effective_from": effective_from,
            "created_by": by,
            "created_at": now,
            "published_by": by,
            "published_at": now,
        },
    )
    return next(one for one in store.list_versions(session, gate_id) if one.version == number)


def _refusal(error: ValidationError) -> InvalidInputError:
    first = error.errors(include_url=False, include_context=False)[0]
    name = str(first["loc"][-1]) if first["loc"] else ""
    return InvalidInputError(
        "The value of {name} is not possible: {reason}", field=name, name=name, reason=first["msg"]
    )


# Naming


def get_gate_id(corridor: Corridor, gate_id: str) -> str:
    """The gate's id if the corridor has it; raises NotFoundError."""
    if gate_id not in {site.site_id for site in corridor.gates()}:
        raise NotFoundError("There is no gate {gate_id}.", field="gate", gate_id=gate_id)
    return gate_id
