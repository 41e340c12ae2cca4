"""The versions of shared facts."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

_VERSIONS: Final = text("SELECT fact, version FROM app.shared_fact")


def fact_versions(session: Session) -> dict[str, UUID]:
    """The version of each fact; one that has none is not kept by anybody."""
    return {fact: version for fact, version in session.execute(_VERSIONS).all()}
