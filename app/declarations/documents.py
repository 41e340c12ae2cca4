"""The JSON documents that rows of declarations hold, beside the declaration itself (`app.declarations.form`)."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from app.platform.json import JsonObject


class ReturnReasons(TypedDict):
    """Why a declaration was returned: the step that did, codes of `app.procedures.return_reasons`, what was said."""

    step: str
    reasons: list[str]
    text: str


class StoredProblem(TypedDict):
    """A `Problem` of a form: its field, message, what fills its placeholders, and whether it is a note."""

    field: str
    message: str
    values: JsonObject
    is_note: NotRequired[bool]


QuestionKind = Literal["hidden_rows", "hidden_columns", "doubles"]


class Question(TypedDict):
    """What a file leaves open: rows or columns that it hides, lines or declarations that are there twice.

    `places` are the first of `count`: numbers of rows, names of columns, or `14 = 9` for row 14 that says what 9 says.
    """

    kind: QuestionKind
    count: int
    places: list[str]


class Remarks(TypedDict):
    """What of a file was not read: unknown headings, further sheets, rows with sums, rows that are declared."""

    unread: list[str]
    other_pages: list[str]
    passed_over: list[int]
    already_made: int
