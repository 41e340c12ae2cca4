"""What is answered of neighbours."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.integrations.customs_store import ListedDifference
from app.integrations.service import DeadLetter, NeighbourCondition


class NeighbourOut(BaseModel):
    """How a neighbour does: `off pushing unknown up slow down`, what waits, what was given up; `pushing` is neither
    asked nor told, and pushed last at `last_pushed_at`."""

    name: str = Field(examples=["customs"])
    health: str = Field(examples=["down"])
    simulated: bool
    down_since: datetime | None
    waiting: int
    dead: int
    last_exchange_at: datetime | None
    took_ms: int | None
    last_pushed_at: datetime | None

    @classmethod
    def of(cls, found: NeighbourCondition) -> NeighbourOut:
        """Made of a condition."""
        return cls(
            name=found.neighbour.name,
            health=found.health,
            simulated=found.is_simulated,
            down_since=found.since,
            waiting=found.waiting,
            dead=found.dead,
            last_exchange_at=found.ok_at,
            took_ms=found.took_ms,
            last_pushed_at=found.pushed_at,
        )


class NeighbourList(BaseModel):
    """How all neighbours do."""

    items: list[NeighbourOut]


class DeadLetterOut(BaseModel):
    """A message that was given up, `out` to a neighbour or `in` of one."""

    model_config = ConfigDict(from_attributes=True)

    direction: Literal["in", "out"]
    number: int
    neighbour: str
    message_id: str
    kind: str
    about: str
    body: str
    at: datetime
    tries: int
    error: str

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadLetterOut:
        """Made of a dead letter."""
        return cls.model_validate(letter)


class DeadLetterList(BaseModel):
    """Messages that were given up, the oldest first."""

    items: list[DeadLetterOut]


class CustomsDifferenceOut(BaseModel):
    """Something that was done here and that customs' system says otherwise; open while `settled_at` is null."""

    model_config = ConfigDict(from_attributes=True)

    difference_id: int
    trip_id: int
    code: str
    plate: str
    gate_id: str
    number: str
    kind: str = Field(examples=["channel"])
    ours: str
    theirs: str
    found_at: datetime
    settled_at: datetime | None
    reason: str

    @classmethod
    def of(cls, listed: ListedDifference) -> CustomsDifferenceOut:
        """Made of a difference with the names of its trip."""
        row = listed.difference
        return cls(
            difference_id=row.difference_id,
            trip_id=row.trip_id,
            code=listed.code,
            plate=listed.plate,
            gate_id=listed.gate_id,
            number=row.number,
            kind=row.kind,
            ours=row.ours,
            theirs=row.theirs,
            found_at=row.found_at,
            settled_at=row.settled_at,
            reason=row.reason,
        )


class DifferenceList(BaseModel):
    """Differences, those that are open first."""

    items: list[CustomsDifferenceOut]
