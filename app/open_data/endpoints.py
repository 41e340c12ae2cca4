"""Open data for programs: files of a day, what was said last, the data dictionary, DATEX II. Nobody signs in."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from fastapi import Depends, Header, Path, Query, Request
from starlette.responses import Response

from app.open_data import datex, datex_parking, history, store
from app.open_data.datex_xml import MEDIA_TYPE
from app.open_data.dictionary import HISTORIES, DataSet
from app.open_data.history import FileFormat
from app.open_data.pace import check_pace
from app.open_data.schemas import DataPackage
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.json import JsonObject
from app.public.board import Board
from app.public.board_answers import get_keeper
from app.web.routers import ApiRouter
from geo.clock import LOCAL_ZONE
from geo.errors import NotFoundError

ROOT: Final = "/api/v1/open-data"
EVERYBODY: Final = {"Access-Control-Allow-Origin": "*"}
MINUTE_S, DAY_S = 60, 86_400

router = ApiRouter(prefix="/api/v1", tags=["open data"], dependencies=[Depends(check_pace)])

_FILE: Final[JsonObject] = {"schema": {"type": "string", "format": "binary"}}
FILES: Final[dict[int | str, JsonObject]] = {
    200: {
        "description": "The file.",
        "content": {"text/csv": {}, "application/geo+json": {}, "application/vnd.apache.parquet": _FILE},
    }
}
XML: Final[dict[int | str, JsonObject]] = {
    200: {"description": "A DATEX II v3 payload.", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
}
Name = Annotated[Literal["queues", "yards", "forecasts"], Path(description="Gates, yards, or forecasts.")]


def choose_format(
    form: Annotated[
        FileFormat | None, Query(alias="format", description="Before what `Accept` says; else CSV.")
    ] = None,
    accept: Annotated[str, Header()] = "",
) -> FileFormat:
    """The form that a caller asks for."""
    asked = (each for each in FileFormat if each.media_type.partition(";")[0] in accept)
    return form or next(asked, FileFormat.CSV)


FormatDep = Annotated[FileFormat, Depends(choose_format)]


def _data(name: str) -> DataSet:
    return next(data for data in HISTORIES if data.name == name)


def _file(
    data: DataSet, rows: list[history.PublicRow], corridor: CorridorDep, form: FileFormat, name: str, fresh_s: int
) -> Response:
    headers = {
        **EVERYBODY,
        "Content-Disposition": f'attachment; filename="{data.name}-{name}.{form}"',
        "Cache-Control": f"public, max-age={fresh_s}",
        "Vary": "Accept, Accept-Encoding",
    }
    return Response(history.write(data, rows, corridor, form), 200, headers, form.media_type)


@router.get("/open-data")
def read_dictionary(request: Request, response: Response) -> DataPackage:
    """The data dictionary: each table with its columns, types, units and meaning, as a Frictionless Data Package."""
    response.headers.update(EVERYBODY)
    return DataPackage.model_validate(history.describe(f"{str(request.base_url).rstrip('/')}{ROOT}"))


@router.get("/open-data/{name}/latest", response_class=Response, responses=problems(429) | FILES)
def read_latest_file(name: Name, session: SessionDep, corridor: CorridorDep, form: FormatDep) -> Response:
    """What was said last, a row for each gate, yard or forecast."""
    data = _data(name)
    return _file(data, list(history.read_latest(session, data)), corridor, form, "latest", MINUTE_S)


@router.get("/open-data/{name}/days/{day}", response_class=Response, responses=problems(404, 429) | FILES)
def read_day_file(
    name: Name, day: date, session: SessionDep, clock: ClockDep, corridor: CorridorDep, form: FormatDep
) -> Response:
    """A day of Lạng Sơn by five minutes; 404 if nothing was kept of it. Columns never change their names or places."""
    data = _data(name)
    rows = list(history.read_day(session, data, day)) if date(2000, 1, 1) <= day <= date(2199, 12, 31) else []
    if not rows:
        raise NotFoundError("Nothing was kept of {day}.", field="day", day=day.isoformat())
    is_over = day < clock.now().astimezone(LOCAL_ZONE).date()
    return _file(data, rows, corridor, form, day.isoformat(), DAY_S if is_over else MINUTE_S)


async def get_board(request: Request) -> Board:
    """The public board, as kept for everybody."""
    return (await get_keeper(request.app).get("vi")).board


BoardDep = Annotated[Board, Depends(get_board)]


def _xml(body: bytes) -> Response:
    return Response(body, 200, {**EVERYBODY, "Cache-Control": "public, max-age=30"}, MEDIA_TYPE)


@router.get("/datex/situations", response_class=Response, responses=problems(429) | XML)
async def read_situations(request: Request, board: BoardDep, corridor: CorridorDep) -> Response:
    """Queues, closed gates, intake bans, outages and diversions as a DATEX II v3 SituationPublication."""
    others = {language: (await get_keeper(request.app).get(language)).board for language in ("en", "zh")}
    return _xml(datex.situations({"vi": board, **others}, corridor))


@router.get("/datex/parking", response_class=Response, responses=problems(404, 429) | XML)
async def read_parking(board: BoardDep, corridor: CorridorDep) -> Response:
    """Free places of the yards as a DATEX II v3 ParkingStatusPublication; 404 where there are no yards."""
    _want_yards(board)
    return _xml(datex_parking.parking_status(board, corridor))


@router.get("/datex/parking-table", response_class=Response, responses=problems(404, 429) | XML)
async def read_parking_table(board: BoardDep, corridor: CorridorDep) -> Response:
    """The yards, their names, places and numbers of places, as a DATEX II v3 ParkingTablePublication; 404 where there
    are none. What is free of them is in `/datex/parking`, under the same identifiers and versions."""
    _want_yards(board)
    return _xml(datex_parking.parking_table(board, corridor))


def _want_yards(board: Board) -> None:
    if not any(gate.yards for gate in board.gates):
        raise NotFoundError("There are no yards yet.")


@router.get("/datex/travel-times", response_class=Response, responses=problems(404, 429) | XML)
def read_travel_times(board: BoardDep, session: SessionDep, corridor: CorridorDep) -> Response:
    """Travel times to the gates, measured and foreseen, as a DATEX II v3 ElaboratedDataPublication; 404 before the
    first is measured."""
    body = datex.travel_times(board, corridor, store.newest_gates(session))
    if body is None:
        raise NotFoundError("No travel time has been measured yet.")
    return _xml(body)
