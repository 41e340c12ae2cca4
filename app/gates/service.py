"""Gate profiles: what is in force, drafts, publication, and the planners' view of one direction.

Published for whoever announces something of a gate (`app.notices`): `current_notices`, `find_notice`, `insert_notice`,
`known_notices`, `mark_announced`, `notices_to_announce`, `update_notice`; for the state of the corridor:
`learned_places`, `save_learned_places`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Final

from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.gates import store
from app.gates.in_force import current_notices as current_notices
from app.gates.in_force import defaults_of, profiles_in_force
from app.gates.notice import GateNotice
from app.gates.notice_store import find_notice as find_notice
from app.gates.notice_store import insert_notice as insert_notice
from app.gates.notice_store import known_notices as known_notices
from app.gates.notice_store import mark_announced as mark_announced
from app.gates.notice_store import notices_of_source as notices_of_source
from app.gates.notice_store import notices_to_announce as notices_to_announce
from app.gates.notice_store import update_notice as update_notice
from app.gates.priority import PriorityLanes
from app.gates.profile import DeclaredLanes, GateProfile, GateValues, Source, default_profiles, lanes_factor
from app.gates.schemas import GateSettingOut
from app.gates.served_place import check_place
from app.gates.store import StoredProfile
from app.gates.store import learned_places as learned_places
from app.gates.store import save_learned_places as save_learned_places
from app.gates.vocabulary import NoticeKind
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.shared_facts import asked_once
from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from geo.versions import check_version
from routing.gates import Direction, GateSetting

DIRECTIONS: Final[tuple[Direction, Direction]] = ("export", "import")


# Reading


def seed_profiles(session: Session, corridor: Corridor, *, now: datetime) -> None:
    """Give the corridor's gates the profile that their sites describe, where they have none."""
    store.insert_first_versions(session, default_profiles(corridor), since=now)


def profiles(session: Session, now: datetime, corridor: Corridor | None = None) -> dict[str, GateProfile]:
    """The profile in force of each gate, with its intake bans.

    Arguments: with a `corridor`, exactly its gates, those without a stored profile as their sites describe them.
    """
    bans: dict[str, list[GateNotice]] = {}
    with asked_once(session):
        for ban in current_notices(session, now, kind=NoticeKind.BAN):
            bans.setdefault(ban.gate_id, []).append(ban)
        found = profiles_without_bans(session, now, corridor)
    return {gate_id: profile.with_bans(bans.get(gate_id, ()), now) for gate_id, profile in found.items()}


def profiles_without_bans(session: Session, now: datetime, corridor: Corridor | None = None) -> dict[str, GateProfile]:
    """As `profiles`, for readers of hours and lanes alone."""
    stored = profiles_in_force(session, now)
    if corridor is None:
        return stored
    missing = [gate for gate in corridor.gates() if gate.site_id not in stored]
    defaults = defaults_of(corridor) if missing else {}
    return {gate.site_id: stored.get(gate.site_id) or defaults[gate.site_id] for gate in corridor.gates()}


def gate_settings(session: Session, now: datetime) -> tuple[GateSetting, ...]:
    """All gates as the engine takes them, by gate, exports first."""
    found = store.profiles_in_force(session, now)
    return tuple(setting for stored in found for setting in stored.profile.settings(stored.gate_id))


def declared_lanes(session: Session, *, since: datetime, until: datetime) -> tuple[DeclaredLanes, ...]:
    """How the lanes for exports were changed by profiles that came, or come, into force in (since, until], by time.

    Only lanes count: another service time corrects what is known of the gate, the gate itself works on.
    """
    found: list[DeclaredLanes] = []
    for gate_id in store.revisions(session):
        published = [version for version in store.list_versions(session, gate_id) if version.status == "published"]
        in_force = sorted(
            (version for version in published if version.effective_from is not None),
            key=lambda version: (version.effective_from, version.version),
        )
        for before, after in pairwise(in_force):
            assert after.effective_from is not None
            factor = lanes_factor(before.profile.exports, after.profile.exports)
            if since < after.effective_from <= until and factor != 1.0:
                found.append(DeclaredLanes(gate_id, after.effective_from, factor))
    return tuple(sorted(found, key=lambda notice: (notice.at, notice.gate_id)))


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


def list_settings(session: Session, now: datetime) -> tuple[GateSettingOut, ...]:
    """Both directions of every gate as planners edit them, by gate, exports first."""
    found, revisions = store.profiles_in_force(session, now), store.revisions(session)
    return tuple(
        GateSettingOut.of(stored, direction, revisions[stored.gate_id]) for stored in found for direction in DIRECTIONS
    )


def get_setting(session: Session, gate_id: str, direction: Direction, now: datetime) -> GateSettingOut:
    """One direction of a gate as planners edit it; raises NotFoundError."""
    return GateSettingOut.of(get_profile(session, gate_id, now), direction, revision(session, gate_id))


# Editing


def change_direction(
    action: ActionContext, gate_id: str, direction: Direction, changes: Mapping[str, object], *, expected_version: int
) -> GateSettingOut:
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
    before = GateSettingOut.of(present, direction, expected_version)
    after = get_setting(session, gate_id, direction, now)
    action.record(
        "gate.setting",
        "gate",
        f"{gate_id}/{direction}",
        {name: getattr(before, name) for name in changes},
        {name: getattr(after, name) for name in changes},
    )
    return after


def set_priority(action: ActionContext, gate_id: str, lanes: PriorityLanes, *, expected_version: int) -> StoredProfile:
    """Publish a version with other priority lanes, in force at once.

    Raises
    ------
    NotFoundError, StaleError
        If the gate has no profile, or it was changed since.
    """
    session, now = action.session, action.now
    present = _lock(action, gate_id, expected_version)
    values = present.profile.values().model_copy(update={"priority": lanes})
    profile, revision = present.profile.edited(values), expected_version + 1
    stored = _publish(session, action.actor_id, gate_id, profile, revision=revision, now=now, effective_from=now)
    before, after = changed_values(present.profile, profile)
    action.record("gate.priority", "gate", gate_id, before, after)
    return stored


def save_draft(
    action: ActionContext, gate_id: str, values: GateValues, *, expected_version: int, corridor: Corridor
) -> StoredProfile:
    """Write the gate's draft, in place of the one before.

    Raises
    ------
    NotFoundError, StaleError
        If the gate has no profile, or it was changed since.
    InvalidInputError
        If the place where trucks are served is not at the gate.
    """
    session = action.session
    check_place(corridor, gate_id, values.served_km)
    present = _lock(action, gate_id, expected_version)
    profile = present.profile.edited(values)
    store.delete_draft(session, gate_id)
    newest = max(version.version for version in store.list_versions(session, gate_id))
    store.insert_version(
        session,
        profile,
        {
            "gate_id": gate_id,
            "version": newest + 1,
            "revision": expected_version + 1,
            "status": "draft",
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
    found = {version.status: version for version in reversed(store.list_versions(session, gate_id))}
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
    if not found or any(version.created_by is not None for version in found):
        return False
    present = found[0].profile
    simulated = present.edited(values, Source.SIMULATED)
    if simulated == present:
        return False
    number = revision(session, gate_id) + 1
    _publish(session, None, gate_id, simulated, revision=number, now=now, effective_from=now)
    return True


def changed_values(before: GateProfile, after: GateProfile) -> tuple[JsonObject, JsonObject]:
    """What differs between two profiles, by name, as plain values."""
    old, new = (_flat(profile) for profile in (before, after))
    names = [name for name in new if old[name] != new[name]]
    return {name: old[name] for name in names}, {name: new[name] for name in names}


def _flat(profile: GateProfile) -> JsonObject:
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
    number = max(version.version for version in found) + 1
    store.insert_version(
        session,
        profile,
        {
            "gate_id": gate_id,
            "version": number,
            "revision": revision,
            "status": "published",
            "effective_from": effective_from,
            "created_by": by,
            "created_at": now,
            "published_by": by,
            "published_at": now,
        },
    )
    return next(stored for stored in store.list_versions(session, gate_id) if stored.version == number)


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


def gate_name(corridor: Corridor, gate_id: str, language: str) -> str:
    """What a gate is called; its id if the corridor has it no more."""
    site = corridor.sites.get(gate_id)
    return gate_id if site is None else site.name.get(language) or site.name.get("vi") or gate_id


def gate_ids(corridor: Corridor) -> tuple[str, ...]:
    """The gates of a corridor."""
    return tuple(site.site_id for site in corridor.gates())
