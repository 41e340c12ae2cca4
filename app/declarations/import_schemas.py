"""Files of declarations as programs read and answer them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.declarations.documents import StoredProblem
from app.declarations.import_columns import MAX_ROWS
from app.declarations.schemas import NoteOut
from app.declarations.tables import DeclarationImport, DeclarationImportRow
from app.declarations.vocabulary import ImportStatus, RowState

Hidden = Literal["skip", "take"]
Doubles = Literal["once", "each"]


class ImportedRow(BaseModel):
    """What came of one declaration of a file: the rows it stands in, what is wrong, its trip once it is made."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    state: RowState
    rows: list[int]
    plate: str
    goods: str
    problems: list[NoteOut]
    notes: list[NoteOut]
    trip_id: int | None

    @classmethod
    def of(cls, row: DeclarationImportRow, say: Callable[[list[StoredProblem]], list[NoteOut]]) -> ImportedRow:
        """A row, with what was found in the reader's language."""
        named = {name: getattr(row, name) for name in ("number", "state", "rows", "plate", "goods", "trip_id")}
        return cls.model_validate({**named, "problems": say(row.problems), "notes": say(row.notes)})


class QuestionOut(BaseModel):
    """What a file leaves open; `places` are the first of `count` rows or columns (`14 = 9`: row 14 repeats row 9)."""

    kind: Literal["hidden_rows", "hidden_columns", "doubles"]
    count: int
    places: list[str]


class RemarksOut(BaseModel):
    """What of a file was not read."""

    unread: list[str]
    other_pages: list[str]
    passed_over: list[int]
    already_made: int


class ImportOut(BaseModel):
    """A file of declarations. `progress` is the share that is worked on already, 0 to 1."""

    import_id: int
    file_name: str
    status: ImportStatus
    created_at: datetime
    done_at: datetime | None
    progress: float
    counts: dict[RowState, int]
    questions: list[QuestionOut]
    remarks: RemarksOut | None
    rows: list[ImportedRow]

    @classmethod
    def of(cls, found: DeclarationImport, rows: list[ImportedRow], counts: Mapping[RowState, int]) -> ImportOut:
        """An import with rows of it."""
        named = {name: getattr(found, name) for name in cls.model_fields if name not in {"progress", "counts", "rows"}}
        progress = RowState.progress(counts)
        return cls.model_validate({**named, "rows": rows, "counts": dict(counts), "progress": progress})


class ImportAnswers(BaseModel):
    """What is to be done with hidden rows and columns, and whether what is there twice counts once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"hidden": "skip", "doubles": "once"}]})

    hidden: Hidden | None = None
    doubles: Doubles | None = None


class ImportChoice(BaseModel):
    """Which declarations of a file to make: by `number`, or each that can be made; without either all or none."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"numbers": [1, 3], "submit": True}]})

    numbers: list[Annotated[int, Field(ge=1, le=100_000)]] | None = Field(default=None, max_length=MAX_ROWS)
    all_fine: bool = False
    submit: bool = True
