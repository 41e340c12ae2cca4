"""Push subscriptions of drivers, and whom an order has not reached."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.authorisation import acting, allow
from app.dispatch.vocabulary import ReachState
from app.notifications import push, reach
from app.notifications.vocabulary import ReachKind
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, RuntimeDep, SessionDep
from app.platform.errors import problems
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["dispatch"])

DriverDep = Annotated[Principal, Depends(allow("orders.respond"))]
DriverAction = Annotated[ActionContext, Depends(acting("orders.respond"))]
IssuerDep = Annotated[Principal, Depends(allow("orders.issue"))]
RowId = Annotated[int, Path(ge=1, le=2**31 - 1)]


class PushKeyOut(BaseModel):
    """The platform's public key (P-256, uncompressed, base64url), for `PushManager.subscribe`."""

    public_key: str


class PushKeysIn(BaseModel):
    """The browser's keys in base64url."""

    model_config = ConfigDict(extra="ignore")

    p256dh: str = Field(max_length=200)
    auth: str = Field(max_length=100)


class PushSubscriptionIn(BaseModel):
    """As `PushSubscription.toJSON()` gives it."""

    model_config = ConfigDict(extra="ignore")

    endpoint: str = Field(max_length=500)
    keys: PushKeysIn


class PushSubscriptionOut(BaseModel):
    """The number by which a subscription is ended."""

    subscription_id: int


class ReachedOut(BaseModel):
    """How far an order or its recall has come to a truck; `error`: why the last message failed."""

    model_config = ConfigDict(from_attributes=True)

    vehicle_id: int
    plate: str
    state: ReachState
    error: str


class ReachedList(BaseModel):
    """Each truck that was told."""

    items: list[ReachedOut]


@router.get("/push/key", responses=problems())
def get_push_key(_principal: DriverDep, session: SessionDep, clock: ClockDep) -> PushKeyOut:
    """What a browser needs to let the platform push."""
    return PushKeyOut(public_key=push.public_key(session, clock.now()))


@router.post("/push/subscriptions", status_code=201, responses=problems())
def add_push_subscription(body: PushSubscriptionIn, action: DriverAction, runtime: RuntimeDep) -> PushSubscriptionOut:
    """Let this browser take push messages for the caller; a second time changes nothing."""
    number = push.subscribe(
        action, runtime.settings, endpoint=body.endpoint, p256dh=body.keys.p256dh, auth=body.keys.auth
    )
    return PushSubscriptionOut(subscription_id=number)


@router.delete("/push/subscriptions/{subscription_id}", status_code=204, responses=problems(404))
def remove_push_subscription(subscription_id: RowId, action: DriverAction) -> Response:
    """Send no more push messages to a browser."""
    push.unsubscribe(action, subscription_id)
    return Response(status_code=204)


@router.get("/orders/{order_id}/reach", responses=problems())
def get_reach(
    order_id: RowId,
    principal: IssuerDep,
    session: SessionDep,
    clock: ClockDep,
    kind: ReachKind = ReachKind.ORDER,
) -> ReachedList:
    """How far an order, or its recall, has come to each truck: shown, pushed, texted, or not at all."""
    found = reach.list_reached(session, principal, order_id, kind, now=clock.now())
    return ReachedList(items=[ReachedOut.model_validate(each) for each in found])
