"""Values that people set for the whole platform, such as the thresholds of the advice: one versioned value a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from app.platform import policy_store
from app.platform.actions import ActionContext
from app.platform.policy_store import StoredValue
from geo.versions import stale

Value = TypeVar("Value", bound=BaseModel)


@dataclass(frozen=True)
class InForce(Generic[Value]):
    """The value of a policy in force; version 0 while nobody has set it."""

    value: Value
    version: int
    updated_at: datetime | None
    updated_by: int | None


class InForceOut(BaseModel, Generic[Value]):
    """The value of a policy in force; version 0 while nobody has set it."""

    model_config = ConfigDict(from_attributes=True)

    value: Value
    version: int
    updated_at: datetime | None
    updated_by: int | None


@dataclass(frozen=True)
class Policy(Generic[Value]):
    """A value of the platform that people set, kept under `key`; setting it is the audit log's `action`."""

    key: str
    model: type[Value]
    action: str

    def get(self, session: Session) -> InForce[Value]:
        """The value in force; one saved before a field existed has that field's default."""
        row = get_value(session, self.key)
        if row is None:
            return InForce(self.model(), 0, None, None)
        known = {name: row.value[name] for name in self.model.model_fields if name in row.value}
        return InForce(self.model.model_validate(known), row.version, row.updated_at, row.updated_by)

    def set(self, action: ActionContext, value: Value, expected_version: int) -> InForce[Value]:
        """Put a value in force.

        Raises
        ------
        StaleError
            If somebody set another one since version `expected_version`.
        """
        before, after = self.get(action.session).value.model_dump(mode="json"), value.model_dump(mode="json")
        set_value(action, self.key, after, expected_version)
        action.record(self.action, "policy", self.key, before, after)
        return self.get(action.session)


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
