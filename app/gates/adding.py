"""A gate that comes to the corridor: the features of its file beside those that are there, its yards, its profile.

What was added counts everywhere within seconds: each process takes the corridor up by itself
(`app.platform.runtime`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from app.gates import store
from app.gates.service import seed_profiles
from app.platform.actions import ActionContext
from capacity.store import seed_yards
from geo.corridor import Corridor
from geo.elements import Site
from geo.errors import InvalidInputError, MalformedError
from geo.geojson import read_collection
from geo.store import load_corridor, save_corridor

MAX_FILE_BYTES: Final = 8 * 2**20


def join_corridor(present: Corridor, more: Mapping[str, Any]) -> Corridor:
    """The present corridor with the features of a FeatureCollection, its roads before the new ones.

    Raises
    ------
    InvalidInputError
        If a feature lacks something or contradicts what is there.
    """
    collection = present.to_geojson()
    credit = " ".join(text for text in (present.attribution, str(more.get("attribution", ""))) if text)
    features = [*collection["features"], *more["features"]]
    return Corridor.from_geojson({**collection, "attribution": credit, "features": features})


def replace_corridor(session: Session, corridor: Corridor, *, now: datetime) -> None:
    """Put a corridor into the database in place of the present one; gates that are new get their yards and profiles."""
    save_corridor(session, corridor)
    seed_yards(session, corridor, now=now)
    seed_profiles(session, corridor, now=now)


def add_gates(action: ActionContext, content: bytes) -> Sequence[Site]:
    """Add the gates of a GeoJSON file to the corridor; the new ones.

    Raises
    ------
    MalformedError
        If the file is too large or no FeatureCollection.
    InvalidInputError
        If it has no gate, lacks something, or contradicts the present corridor; nothing is changed then.
    """
    if len(content) > MAX_FILE_BYTES:
        raise MalformedError("The file is larger than {most} bytes.", field="file", most=MAX_FILE_BYTES)
    try:
        read = json.loads(content)
    except ValueError as error:
        raise MalformedError("The file is not JSON: {error}.", field="file", error=str(error)) from None
    more = read_collection(read if isinstance(read, Mapping) else {})
    store.lock_corridor(action.session)
    present = load_corridor(action.session)
    joined = join_corridor(present, more)
    known = {gate.site_id for gate in present.gates()}
    added = [gate for gate in joined.gates() if gate.site_id not in known]
    if not added:
        raise InvalidInputError("The file has no gate; give one with its roads, barriers and yards.", field="file")
    replace_corridor(action.session, joined, now=action.now)
    for gate in added:
        yards = sorted(site.site_id for site in joined.sites.values() if site.gate_id == gate.site_id)
        action.record("gate.add", "gate", gate.site_id, None, {"name": dict(gate.name), "sites": yards})
    return added
