"""Dispatch orders: preview, issue, list, read, cancel; the driver's delivery, confirmation and refusal."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import acting, allow
from app.dispatch import order_answers, order_drafts, order_reading, orders, texts
from app.dispatch.dependencies import MoverDep
from app.dispatch.order_drafts import Draft, Release
from app.dispatch.schemas import (
    DriverRecallOut,
    DriverRecalls,
    Locale,
    OrderOut,
    OrderPage,
    OrderPreviewOut,
    TemplatesOut,
)
from app.dispatch.selection import DIRECTIONS, Selection, Stretch
from app.dispatch.vocabulary import OrderKind
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment, PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.trips.places import Places
from app.trips.vocabulary import Regime, Stage
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/orders", tags=["dispatch"])

OrderId = Annotated[int, Path(ge=1, le=2**31 - 1)]
RowId = Annotated[int, Field(ge=1, le=2**31 - 1)]
ReaderDep = Annotated[Principal, Depends(allow("orders.read"))]
IssuerDep = Annotated[Principal, Depends(allow("orders.issue"))]
IssuerAction = Annotated[ActionContext, Depends(acting("orders.issue"))]
DriverDep = Annotated[Principal, Depends(allow("orders.respond"))]
DriverAction = Annotated[ActionContext, Depends(acting("orders.respond"))]

STRETCH_EXAMPLE: dict[str, JsonValue] = {"road": "QL1A", "km_from": 16.5, "km_to": 40, "direction": "to_border"}
EXAMPLE: dict[str, JsonValue] = {
    "kind": "hold",
    "selection": {"stretch": STRETCH_EXAMPLE, "gate_id": "huu-nghi", "limit_veh": 40},
    "parameters": {"site_id": "staging-lang-son", "reason": "queue"},
    "valid_to": "2026-03-02T16:30:00+07:00",
}


class StretchIn(BaseModel):
    """A stretch of road between two kilometres, counted from the border."""

    model_config = ConfigDict(extra="forbid")

    road: str = Field(max_length=40)
    km_from: float = Field(ge=0, le=10_000, allow_inf_nan=False)
    km_to: float = Field(ge=0, le=10_000, allow_inf_nan=False)
    direction: Literal["to_border", "from_border", "both"] = "to_border"


class AreaIn(BaseModel):
    """A GeoJSON geometry, EPSG:4326, longitude first."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: list[Any] = Field(max_length=1000)


class SelectionIn(BaseModel):
    """Which trucks: every criterion given must hold; `limit_veh` takes the nearest to the gate."""

    model_config = ConfigDict(extra="forbid")

    stretch: StretchIn | None = None
    gate_id: str | None = Field(default=None, max_length=60)
    area: AreaIn | None = None
    site_id: str | None = Field(default=None, max_length=60, description="Trucks that are now at this site.")
    goods_classes: list[str] = Field(default_factory=list, max_length=50)
    perishable: bool | None = None
    regimes: list[Regime] = Field(default_factory=list, max_length=6)
    stages: list[Stage] = Field(default_factory=list, max_length=4)
    vehicle_ids: list[RowId] | None = Field(default=None, max_length=5000)
    limit_veh: int | None = Field(default=None, ge=1, le=5000)

    def read(self) -> Selection:
        """As the domain takes it."""
        stretch = None
        if self.stretch is not None:
            limits = self.stretch
            stretch = Stretch(limits.road, limits.km_from, limits.km_to, DIRECTIONS[limits.direction])
        return Selection(
            stretch=stretch,
            gate_id=self.gate_id,
            site_id=self.site_id,
            area=None if self.area is None else self.area.model_dump(),
            goods_classes=tuple(self.goods_classes),
            perishable=self.perishable,
            regimes=tuple(self.regimes),
            stages=tuple(self.stages),
            limit_veh=self.limit_veh,
            vehicle_ids=None if self.vehicle_ids is None else tuple(self.vehicle_ids),
        )


class ReleaseIn(BaseModel):
    """Slow release: `veh` trucks at once, then as many every `every_s` seconds; or `groups` of a plan, some 0, then
    `veh` at a time."""

    model_config = ConfigDict(extra="forbid")

    veh: int = Field(ge=1, le=5000)
    every_s: int = Field(ge=60, le=86_400)
    groups: list[Annotated[int, Field(ge=0, le=5000)]] = Field(default_factory=list, max_length=300)


class ParametersIn(BaseModel):
    """What the kind needs: hold a staging area, divert a gate, yard a yard; `reason` is a code or free text."""

    model_config = ConfigDict(extra="forbid")

    site_id: str | None = Field(default=None, max_length=60)
    gate_id: str | None = Field(default=None, max_length=60)
    yard_id: str | None = Field(default=None, max_length=60)
    reason: PlainText = Field(default="", max_length=1000, examples=["queue"])
    release: ReleaseIn | None = None


class OrderIn(BaseModel):
    """An order. `text` replaces the standard templates by language; they may hold {place}, {until} and {reason}."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    kind: OrderKind
    selection: SelectionIn
    parameters: ParametersIn = ParametersIn()
    text: dict[Locale, PlainText] = Field(default_factory=dict)
    valid_from: Moment | None = None
    valid_to: Moment
    supersedes: RowId | None = None
    advisory_id: RowId | None = None

    def read(self) -> Draft:
        """As the domain takes it."""
        given = self.parameters
        release = (
            None
            if given.release is None
            else Release(given.release.veh, given.release.every_s, tuple(given.release.groups))
        )
        return Draft(
            kind=self.kind,
            selection=self.selection.read(),
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            site_id=given.site_id,
            gate_id=given.gate_id,
            yard_id=given.yard_id,
            reason=given.reason,
            release=release,
            text={str(locale): text for locale, text in self.text.items()},
            supersedes=self.supersedes,
            advisory_id=self.advisory_id,
        )


class RefusalIn(BaseModel):
    """Why the driver cannot follow."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "Xe hỏng lốp"}]})

    reason: PlainText = Field(max_length=1000)


@router.get("/templates", responses=problems())
def get_templates(_principal: IssuerDep) -> TemplatesOut:
    """The standard texts of orders, for the composer."""
    return TemplatesOut.model_validate({"templates": texts.TEMPLATES, "reasons": texts.REASONS})


@router.post("/preview", responses=problems())
def preview_order(
    body: OrderIn, _principal: IssuerDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep
) -> OrderPreviewOut:
    """Who would get an order and what it would say; nothing is sent."""
    found = order_drafts.preview(session, body.read(), Places.of(corridor), clock.now())
    return OrderPreviewOut.model_validate(found)


@router.post("", status_code=201, responses=problems(409))
def issue_order(
    body: OrderIn,
    response: Response,
    action: IssuerAction,
    corridor: CorridorDep,
    idempotency_key: IdempotencyKey = None,
) -> OrderOut:
    """Send an order to the trucks that meet its selection now; to many, it waits until a second person releases it."""

    def make() -> int:
        places = Places.of(corridor)
        return orders.issue(action, body.read(), places)

    order_id = idempotency.once(action, "orders.issue", idempotency_key, [body], make)
    response.headers["Location"] = f"/api/v1/orders/{order_id}"
    return with_etag(response, order_reading.get_order(action.session, action.actor, order_id))


@router.get("", responses=problems())
def list_orders(
    page: PageParams,
    answer: AnswerPage,
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    current: Annotated[bool | None, Query(description="Only those that stand; a driver's default.")] = None,
) -> OrderPage:
    """Orders the caller may see, newest first. A driver who fetches them has received them."""
    found = order_reading.list_orders(session, principal, current=current, page=page, now=clock.now())
    return OrderPage.model_validate(answer(found))


@router.get("/recalls", responses=problems())
def list_recalls(principal: DriverDep, session: SessionDep, clock: ClockDep) -> DriverRecalls:
    """Orders that had reached the driver and were taken back, until the driver has read it."""
    found = order_answers.list_recalls(session, principal, now=clock.now())
    return DriverRecalls(items=[DriverRecallOut.model_validate(recall) for recall in found])


@router.get("/{order_id}", responses=problems(404))
def get_order(order_id: OrderId, response: Response, principal: ReaderDep, session: SessionDep) -> OrderOut:
    """One order with its recipients."""
    return with_etag(response, order_reading.get_order(session, principal, order_id))


@router.post("/{order_id}/delivered", responses=problems(404))
def deliver_order(
    order_id: OrderId, response: Response, principal: DriverDep, session: SessionDep, clock: ClockDep
) -> OrderOut:
    """The driver's screen shows the order."""
    order_answers.deliver(session, principal, order_id, now=clock.now())
    return with_etag(response, order_reading.get_order(session, principal, order_id))


@router.post("/{order_id}/recall-read", responses=problems(404, 409))
def read_recall(order_id: OrderId, response: Response, action: DriverAction) -> OrderOut:
    """The driver has read that the order was taken back; a second tap changes nothing."""
    order_answers.read_recall(action, order_id)
    return with_etag(response, order_reading.get_order(action.session, action.actor, order_id))


@router.post("/{order_id}/acknowledge", responses=problems(404, 409))
def acknowledge_order(
    order_id: OrderId, response: Response, action: DriverAction, mover: MoverDep, corridor: CorridorDep
) -> OrderOut:
    """The driver confirms; a second tap changes nothing. A divert takes trip, sheet and fee to the other gate."""
    order_answers.acknowledge(action, order_id, mover, corridor)
    return with_etag(response, order_reading.get_order(action.session, action.actor, order_id))


@router.post("/{order_id}/refuse", responses=problems(404, 409))
def refuse_order(order_id: OrderId, body: RefusalIn, response: Response, action: DriverAction) -> OrderOut:
    """The driver cannot follow, and says why."""
    order_answers.refuse(action, order_id, body.reason)
    return with_etag(response, order_reading.get_order(action.session, action.actor, order_id))


@router.post("/{order_id}/approve", responses=problems(403, 404, 409, 412, 428))
def approve_order(
    order_id: OrderId, response: Response, action: IssuerAction, expected_version: ExpectedVersion
) -> OrderOut:
    """Release an order to many trucks as the second person; it is told in groups if it sets them in motion."""
    orders.approve(action, order_id, expected_version)
    return with_etag(response, order_reading.get_order(action.session, action.actor, order_id))


@router.post("/{order_id}/cancel", responses=problems(404, 409, 412, 428))
def cancel_order(
    order_id: OrderId, response: Response, action: IssuerAction, expected_version: ExpectedVersion
) -> OrderOut:
    """Take an order back."""
    orders.cancel(action, order_id, expected_version)
    return with_etag(response, order_reading.get_order(action.session, action.actor, order_id))
