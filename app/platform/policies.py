"""Values that people set for the whole platform, such as the thresholds of the advice: one versioned value a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.platform import policy_store
from app.platform.actions import ActionContext
from app.platform.policy_store import StoredValue
from geo.versions import stale


def get_value(session: Session, key: str) -> StoredValue | None:
    """The value of a key with its version; `None` while nobody has set it, which is version 0."""
    return policy_store.find_value(session, key)


def set_value(action: ActionContext, key: str, value: Mapping[str, Any], expected_version: int) -> int:
    """Put a value in force, if its version still is `expected_version` (0: nobody has set it); the new version.

    Raises
    ------
    StaleError
        If somebody set another one since.
    """
    session = action.session
    if not policy_store.save_value(session, key, value, expected_version, by=action.actor.account_id, now=action.now):
        present = policy_store.find_value(session, key)
        raise stale(present.version if present else 0, expected_version)
    return expected_version + 1
