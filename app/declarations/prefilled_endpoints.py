"""Declarations that the other side's export data fill in: listed, read, declared with."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from app.declarations import prefilled
from app.declarations.endpoints import DeclarantAction, WriterDep
from app.declarations.schemas import ChangedDeclaration
from app.declarations.vocabulary import PrefillSource, PrefillState
from app.platform import idempotency
from app.platform.dependencies import SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.json import JsonObject
from app.platform.page_links import AnswerPage, PageParams
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/declarations/prefilled", tags=["declarations"])

PrefilledId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class PrefilledOut(BaseModel):
    """A pre-filled declaration: `data` is what the authority says, in the fields of a declaration; `filled` names those
    that it fills (`lines.1.hs_code`); `trip_id` is what was declared with it."""

    model_config = ConfigDict(from_attributes=True)

    prefilled_id: int
    source: PrefillSource
    state: PrefillState
    reference: str
    version: int
    number: str
    organisation_id: int | None
    consignee: str
    consignor: str
    gate_id: str
    plate: str
    goods: str
    data: JsonObject
    filled: set[str]
    is_simulated: bool
    received_at: datetime
    changed_at: datetime
    withdrawn_at: datetime | None
    trip_id: int | None


class PrefilledPage(BaseModel):
    """A page of them, newest first; the header `Link` points to the next."""

    items: list[PrefilledOut]


class TakenOver(BaseModel):
    """The trip that was declared; `/api/v1/declarations/{trip_id}` reads it."""

    trip_id: int


class AssignedIn(BaseModel):
    """The name of an enterprise, as it is kept."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Nông sản Lạng Sơn"}]})

    name: PlainText = Field(min_length=1, max_length=200)


@router.get("", responses=problems())
def list_prefilled(page: PageParams, answer: AnswerPage, principal: WriterDep, session: SessionDep) -> PrefilledPage:
    """What was sent for the caller's enterprise, or comes to the desk's gate."""
    return PrefilledPage.model_validate(answer(prefilled.list_prefilled(session, principal, page)))


@router.get("/{prefilled_id}", responses=problems(404))
def get_prefilled(prefilled_id: PrefilledId, principal: WriterDep, session: SessionDep) -> PrefilledOut:
    """One of them."""
    return PrefilledOut.model_validate(prefilled.get(session, principal, prefilled_id))


@router.post("/{prefilled_id}/declare", status_code=201, responses=problems(404, 409))
def declare_prefilled(
    prefilled_id: PrefilledId,
    body: ChangedDeclaration,
    response: Response,
    action: DeclarantAction,
    idempotency_key: IdempotencyKey = None,
) -> TakenOver:
    """Declare with it: the body is the whole declaration as the caller checked and completed it."""
    written: dict[str, object] = dict(body.model_dump(exclude={"submit"}))
    make = partial(prefilled.take_over, action, prefilled_id, written, submit=body.submit)
    trip_id = idempotency.once(action, "declarations.take_over", idempotency_key, [prefilled_id, body], make)
    response.headers["Location"] = f"/api/v1/declarations/{trip_id}"
    return TakenOver(trip_id=trip_id)


@router.post("/{prefilled_id}/assign", status_code=204, responses=problems(403, 404, 409))
def assign_prefilled(prefilled_id: PrefilledId, body: AssignedIn, action: DeclarantAction) -> None:
    """Say which enterprise the goods are for; a desk does, where nobody knew the consignee."""
    prefilled.assign(action, prefilled_id, body.name)
