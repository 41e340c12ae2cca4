"""What stations do beside the steps of a sheet: find a truck, set customs' channel."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.sheets.dependencies import SheetsDep
from app.stations import channel
from app.stations.search import MAX_TEXT_LENGTH, search
from app.trips.vocabulary import Channel

router = APIRouter(prefix="/api/v1", tags=["trips"])

ReaderDep = Annotated[Principal, Depends(allow("inspections.read"))]
CustomsAction = Annotated[ActionContext, Depends(acting("channels.set"))]


class Found(BaseModel):
    """A trip that what was written may mean; `matched` is the plate or code that fits, `match` how well."""

    trip_id: int
    code: str
    plate: str
    trailer_plate: str | None
    match: Literal["code", "plate", "lookalike", "part"]
    matched: str
    organisation: str
    goods: str
    stage: str
    direction: str
    km: float | None
    site: str | None
    is_declared: bool
    open_steps: list[str]


class FoundList(BaseModel):
    """The likeliest first."""

    items: list[Found]


class ChannelIn(BaseModel):
    """Customs' channel of a trip."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"channel": "green"}]})

    channel: Channel


class ChannelOut(BaseModel):
    """The channel given; `version` is the ETag of the sheet."""

    trip_id: int
    channel: Channel
    version: int = Field(examples=[7])


@router.get("/stations/search", response_model=FoundList, responses=problems())
def search_trips(
    session: SessionDep,
    principal: ReaderDep,
    text: Annotated[PlainText, Query(min_length=1, max_length=MAX_TEXT_LENGTH, examples=["29C-123.45"])],
) -> Any:
    """The open trips at your gate with this plate (or one that looks like it), a part of it, or this trip code."""
    return {"items": search(session, principal, text)}


@router.put("/trips/{trip_id}/channel", response_model=ChannelOut, responses=problems(404, 409, 412, 428))
def set_channel(
    trip_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    body: ChannelIn,
    response: Response,
    action: CustomsAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
) -> Any:
    """Customs: give a trip its channel. Green releases at once where the procedure says so."""
    version = channel.set_channel(action, sheets, trip_id, body.channel, expected_version=expected_version)
    return with_etag(response, {"trip_id": trip_id, "channel": body.channel, "version": version})
