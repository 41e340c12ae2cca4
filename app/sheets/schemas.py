"""What the API of sheets and work lists takes and answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.checkpoints.schemas import CheckpointOut
from app.gates.vocabulary import PriorityClass
from app.platform.fields import Moment, PlainText, StorableJson
from app.platform.json import JsonObject
from app.platform.permissions import Role
from app.procedures.readers import project_noted
from app.procedures.steps import Step, StepStatus
from app.sheets.correction_store import NamedCorrection
from app.sheets.vocabulary import CorrectionKind, CorrectionStatus
from app.trips.schemas import TripOut
from geo.clock import parse_time
from ingest.plates import display_plate


class PaperIn(BaseModel):
    """An act done on paper: when, by whom, and why it is entered later."""

    model_config = ConfigDict(extra="forbid")

    at: Moment
    by: PlainText = Field(max_length=1000, examples=["Thượng úy Nguyễn Văn An"])
    reason: PlainText = Field(max_length=2000, examples=["Mất điện toàn cửa khẩu"])


class ConfirmIn(BaseModel):
    """What the officer noted, kept on the step; `reason` why, if it is warned of; `paper` if it was done on paper."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"data": {"temperature_c": 36.6}}]})

    data: Annotated[dict[str, str | int | float | bool | None], StorableJson] = Field(
        default_factory=dict, max_length=40
    )
    reason: PlainText = Field(default="", max_length=2000)
    paper: PaperIn | None = None


class ReturnIn(BaseModel):
    """Why the sheet goes back: codes of the list of reasons, words of one's own, or both."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reasons": ["plate_differs"], "text": "Rơ-moóc khác"}]}
    )

    to: str = Field(default=Step.DECLARATION.value, pattern=r"^[a-z_0-9]{1,40}$")
    reasons: list[Annotated[PlainText, Field(max_length=60)]] = Field(default_factory=list, max_length=20)
    text: PlainText = Field(default="", max_length=2000)


class TripOnSheet(TripOut):
    """A trip as its sheet shows it; `facts` are `app.procedures.procedure.Facts` as JSON."""

    channel: str | None
    facts: JsonObject
    arrived_at: datetime | None
    procedure_id: int | None


class StepOut(BaseModel):
    """A step: how it stands, whose it is, since when; `undo_until`, the caller can undo the own confirmation."""

    step: str
    status: StepStatus
    owners: list[str]
    since: datetime
    done_at: datetime | None
    done_by: str | None
    undo_until: datetime | None = None
    data: JsonObject


class NodeOut(BaseModel):
    """A step in the drawing: column and row."""

    step: str
    status: StepStatus
    owners: list[str]
    since: datetime
    layer: int
    row: int


class EdgeOut(BaseModel):
    """An arrow of the drawing."""

    model_config = ConfigDict(populate_by_name=True)

    from_: str = Field(alias="from")
    to: str


class GraphOut(BaseModel):
    """The drawing of a sheet."""

    nodes: list[NodeOut]
    edges: list[EdgeOut]
    layers: int


class CorrectionIn(BaseModel):
    """What is wrong with a confirmation: all of it (`reopen`), or what was noted (`record`: `new` holds instead)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"kind": "record", "new": {"temperature_c": 36.6}, "reason": "Ghi nhầm số"}]},
    )

    kind: CorrectionKind
    new: Annotated[dict[str, str | int | float | bool | None], StorableJson] = Field(
        default_factory=dict, max_length=40
    )
    reason: PlainText = Field(max_length=2000)


class DecisionIn(BaseModel):
    """What a second person says to a correction; a refusal needs a reason."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"approved": True}]})

    approved: bool
    reason: PlainText = Field(default="", max_length=2000)


class CorrectionOut(BaseModel):
    """A correction: `old` is the step as it stood (`status done_at done_by data`), `new` what holds instead.

    `done_at` is when that was confirmed; `is_own` says whether the reader asked for it.
    """

    model_config = ConfigDict(from_attributes=True)

    correction_id: int
    trip_id: int
    code: str
    plate: str
    step: str
    kind: CorrectionKind
    role: str
    status: CorrectionStatus
    old: JsonObject
    new: JsonObject
    done_at: datetime | None
    reason: str
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    is_own: bool

    @classmethod
    def of(cls, row: NamedCorrection, own: Collection[int]) -> Self:
        """A correction for a reader, whose accounts `own` are."""
        columns = {
            name: getattr(row.correction, name)
            for name in cls.model_fields
            if name not in {"code", "plate", "asked_by", "decided_by", "is_own", "done_at"}
        }
        done_at = row.correction.old.get("done_at")
        return cls(
            **columns,
            code=row.code,
            plate=row.plate,
            done_at=parse_time(str(done_at)) if done_at else None,
            asked_by=row.asked_by_name,
            decided_by=row.decided_by_name,
            is_own=row.correction.asked_by in own,
        )

    def for_role(self, role: Role) -> Self:
        """As a role reads what was noted with the step, before and after."""
        told = project_noted({"step": self.step, "old": self.old, "new": self.new}, role)
        return self.model_copy(update={"old": told["old"], "new": told["new"]})


class CorrectionList(BaseModel):
    """Corrections, newest first."""

    items: list[CorrectionOut]


class SheetOut(BaseModel):
    """A trip's sheet; `may` names, for each act, the steps with which the caller can do it now; `checkpoint` what those
    who compare are told.

    What other features show on it stands beside it under their names (`equipment`, `fee`).
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonObject | None]

    trip: TripOnSheet
    version: int
    is_declared: bool
    is_finished: bool
    steps: list[StepOut]
    graph: GraphOut
    may: dict[Literal["confirm", "return"], list[str]]
    declaration: JsonObject | None
    checkpoint: CheckpointOut | None = None
    corrections: list[CorrectionOut] = Field(default_factory=list)

    def part(self, name: str) -> JsonObject | None:
        """What another feature shows on the sheet beside the declaration; `None` if nothing to this reader."""
        return self.__pydantic_extra__.get(name)


@dataclass(slots=True)
class Entry:
    """A trip on a work list. `eta` is forecast (`eta_is_forecast`) or, without a forecast, planned.

    `has_finding` says that something seen does not belong to it, `priority` the classes of priority by which it goes
    first, `priority_lane` why it may use the priority lanes. A dataclass, for lists are long and come typed from the
    database: to validate each entry again took a quarter of the time of a list.
    """

    trip_id: int
    code: str
    version: int
    plate: str
    trailer_plate: str | None
    organisation: str
    direction: str
    regime: str
    goods: str
    goods_class: str
    perishable: bool
    channel: str | None
    collector: str | None
    stage: str
    status: str
    since: datetime
    planned_arrival: datetime
    arrived_at: datetime | None
    eta: datetime
    eta_is_forecast: bool
    position_time: datetime | None
    km: float | None
    site_id: str | None
    simulated: bool
    has_finding: bool
    priority: tuple[PriorityClass, ...]
    priority_lane: str | None

    def __post_init__(self) -> None:
        """Write the trailer's plate as people do."""
        if self.trailer_plate:
            self.trailer_plate = display_plate(self.trailer_plate)


@dataclass(slots=True)
class NextEntry(Entry):
    """A trip that comes later: whether its truck is at the gate already, and the steps it waits for."""

    is_here: bool
    waits_for: list[str]


class WorkList(BaseModel):
    """A station's work; `undeclared` are trucks at the gate for the temporary yard."""

    station: str
    gate_id: str
    as_of: datetime
    here: list[Entry]
    next: list[NextEntry]
    undeclared: list[Entry]
