"""What the API of intake bans and outages takes and answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from app.gates.notice import GateNotice, describe
from app.gates.vocabulary import GoodsClass, NoticeKind, NoticeState, Regime, System
from app.platform.fields import Moment, PlainText

Cause = Annotated[PlainText, Field(max_length=2000, examples=["Cửa khẩu bạn dừng tiếp nhận thanh long"])]


class BanIn(BaseModel):
    """What the gate is not to take; no `goods` or `regimes` means all of them, no `starts_at` at once."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "cause": "Cửa khẩu bạn dừng tiếp nhận thanh long",
                    "goods": ["fresh_fruit"],
                    "regimes": ["export"],
                    "ends_at": "2026-03-03T17:00:00+07:00",
                }
            ]
        },
    )

    cause: Cause
    goods: list[GoodsClass] = Field(default_factory=list, max_length=len(GoodsClass))
    regimes: list[Regime] = Field(default_factory=list, max_length=len(Regime))
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class OutageIn(BaseModel):
    """What is or will be out; `ends_at` is the expected end."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"system": "customs_system", "cause": "VNACCS dừng trên cả nước"}]},
    )

    system: System
    cause: Cause
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    paper_mode: bool = True


class NoticeChangeIn(BaseModel):
    """Another cause or expected end; of an outage also whether paper may be used."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"cause": "Mưa lũ", "ends_at": None}]})

    cause: Cause
    ends_at: Moment | None
    paper_mode: bool | None = None


class NoticeEndIn(BaseModel):
    """Why it is over; `at` when it was, if not just now."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Cửa khẩu bạn mở lại"}]})

    reason: Cause
    at: Moment | None = None


class NoticeOut(BaseModel):
    """An announcement; `text` says it in the caller's language."""

    model_config = ConfigDict(from_attributes=True)

    notice_id: int
    kind: NoticeKind
    gate_id: str
    state: NoticeState
    text: str
    cause: str
    starts_at: datetime
    ends_at: datetime | None
    over_at: datetime | None
    over_reason: str
    goods: list[str]
    regimes: list[str]
    system: str | None
    paper_mode: bool
    is_simulated: bool
    is_overdue: bool
    created_role: str
    created_at: datetime | None
    version: int

    @classmethod
    def of(cls, notice: GateNotice, now: datetime, gate: str, gettext: Callable[[str], str]) -> Self:
        """An announcement as it stands now; `gate` is the gate's name."""
        record = notice.to_record()
        names = ("created_role", "created_at")
        return cls(
            **record,
            **{name: getattr(notice, name) for name in names},
            state=notice.state(now),
            text=describe(notice, gate, gettext),
            is_overdue=notice.is_overdue(now),
        )


class NoticeList(BaseModel):
    """By their beginning."""

    items: list[NoticeOut]


class ConcernedTripOut(BaseModel):
    """An open trip that an announcement is about."""

    model_config = ConfigDict(from_attributes=True)

    trip_id: int
    code: str
    plate: str
    stage: str
    goods: str
    planned_arrival: datetime


class ConcernedTrips(BaseModel):
    """By their planned arrival."""

    items: list[ConcernedTripOut]
