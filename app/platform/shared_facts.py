"""What is the same for everybody and changes seldom: read once, kept by the process until it changes.

Triggers of the database give a fact a new version, a random one, in the transaction that changes it, whoever does so.
Readers ask for the versions, one small query, and for the rest only if theirs is another. So nobody is told what was
true before a commit, not even for a moment; a transaction sees its own changes, and what is rolled back is gone. Facts
and their tables: migrations 0041 and 0109.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar, cast
from uuid import UUID

from sqlalchemy.orm import Session

from app.platform.shared_fact_store import fact_versions

Value = TypeVar("Value")
MAX_KEPT: Final = 1000
"""Values; the facts are of gates, so there are a few dozen."""
READ_ONLY: Final = "read_only"
"""In the `info` of a session whose request only reads: it asks for the versions once."""
_VERSIONS: Final = "fact_versions"


class SharedFact(StrEnum):
    """What is shared, as the triggers call it."""

    GATE_PROFILES = "gate_profile"
    GATE_NOTICES = "gate_notice"
    FORECASTS = "forecast"
    FORECAST_TRACKS = "forecast_track"
    CORRIDOR = "corridor"


@dataclass(frozen=True, slots=True)
class _Kept:
    version: UUID
    value: object


_kept: dict[tuple[SharedFact, Hashable], _Kept] = {}


def read_shared(
    session: Session,
    fact: SharedFact,
    key: Hashable,
    load: Callable[[], Value],
    *,
    holds: Callable[[Value], bool] | None = None,
) -> Value:
    """What `load` says of a fact, or what it said since the fact changed last.

    Arguments: `key` tells values of one fact apart; `holds` says of a kept value whether it may be used now, if that
    depends on the time. The value belongs to everybody: nobody may change it.
    """
    version = _versions(session).get(fact)
    kept = _kept.get((fact, key))
    if kept is not None and kept.version == version:
        value = cast(Value, kept.value)
        if holds is None or holds(value):
            return value
    value = load()
    if version is not None:
        if len(_kept) >= MAX_KEPT:
            _kept.clear()
        _kept[fact, key] = _Kept(version, value)
    return value


@contextmanager
def asked_once(session: Session) -> Iterator[None]:
    """Ask for the versions once for all facts that are read within; nothing may be written there."""
    if _VERSIONS in session.info or session.info.get(READ_ONLY):
        yield
        return
    session.info[_VERSIONS] = _versions(session)
    try:
        yield
    finally:
        del session.info[_VERSIONS]


def _versions(session: Session) -> Mapping[str, UUID]:
    found: Mapping[str, UUID] | None = session.info.get(_VERSIONS)
    if found is None:
        session.flush()
        found = fact_versions(session)
        if session.info.get(READ_ONLY):
            session.info[_VERSIONS] = found
    return found
