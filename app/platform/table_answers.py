"""Lists answered as a table for spreadsheets, to who says so (`?format=csv` or `Accept: text/csv`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal

from fastapi import Depends, Header, Query
from pydantic import BaseModel
from starlette.responses import Response

from app.platform.json import JsonObject
from app.platform.tables_out import MEDIA_TYPE, write_csv

CSV: Final[dict[int | str, JsonObject]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "As JSON, or as a table."}
}


def wants_csv(
    form: Annotated[
        Literal["json", "csv"] | None, Query(alias="format", description="Before what `Accept` says.")
    ] = None,
    accept: Annotated[str, Header()] = "",
) -> bool:
    """Whether a table is asked for."""
    return form == "csv" if form else accept.strip().startswith("text/csv")


WantsCsv = Annotated[bool, Depends(wants_csv)]


def csv_answer(name: str, model: type[BaseModel], items: Iterable[BaseModel]) -> Response:
    """The items, all of `model`, as a file: a column for each of its fields, in the order in which it declares them."""
    columns = list(model.model_fields)
    return table_answer(name, columns, ([getattr(item, column) for column in columns] for item in items))


def table_answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Rows as a file called `name`."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Vary": "Accept"}
    return Response(write_csv(columns, rows), 200, headers, MEDIA_TYPE)
