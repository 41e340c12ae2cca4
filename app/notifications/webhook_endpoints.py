"""Webhooks: where an enterprise's system is told of its trips."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import acting, allow
from app.notifications import webhooks
from app.notifications.schemas import DeliveryPage, EventType, WebhookMade, WebhookOut, Webhooks
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, RuntimeDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.page_links import AnswerPage, PageParams
from app.platform.permissions import Principal
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/webhooks", tags=["following"])

WriterDep = Annotated[Principal, Depends(allow("webhooks.write"))]
WriterAction = Annotated[ActionContext, Depends(acting("webhooks.write"))]
WebhookId = Annotated[int, Path(ge=1, le=2**31 - 1)]
DeliveryId = Annotated[int, Path(ge=1, le=2**63 - 1)]

EXAMPLE: dict[str, JsonValue] = {"url": "https://erp.example.vn/cuakhau", "events": ["trip.step", "trip.fee"]}


class WebhookIn(BaseModel):
    """A webhook to make."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    url: PlainText = Field(max_length=500)
    events: list[EventType] = Field(min_length=1, max_length=4)


@router.get("", responses=problems())
def list_webhooks(principal: WriterDep, session: SessionDep) -> Webhooks:
    """The webhooks of the caller's enterprise."""
    return Webhooks(items=webhooks.list_webhooks(session, principal))


@router.post("", status_code=201, responses=problems(409))
def create_webhook(body: WebhookIn, response: Response, action: WriterAction, runtime: RuntimeDep) -> WebhookMade:
    """Make a webhook. Messages are signed after the Standard Webhooks specification."""
    made = webhooks.create_webhook(
        ActionContext(action.session, action.actor, runtime.clock.now(), action.address),
        runtime.settings,
        url=body.url,
        events=body.events,
    )
    response.headers["Location"] = f"/api/v1/webhooks/{made.webhook_id}"
    return made


@router.get("/{webhook_id}", responses=problems(404))
def get_webhook(webhook_id: WebhookId, principal: WriterDep, session: SessionDep) -> WebhookOut:
    """One webhook."""
    return webhooks.get_webhook(session, principal, webhook_id)


@router.delete("/{webhook_id}", status_code=204, responses=problems(404))
def remove_webhook(webhook_id: WebhookId, action: WriterAction) -> None:
    """Remove a webhook; what waits for it is given up."""
    webhooks.remove_webhook(action, webhook_id)


@router.post("/{webhook_id}/test", status_code=202, responses=problems(404))
def send_test(webhook_id: WebhookId, principal: WriterDep, session: SessionDep, clock: ClockDep) -> None:
    """Send a test message."""
    webhooks.send_test(session, principal, webhook_id, now=clock.now())


@router.get("/{webhook_id}/deliveries", responses=problems(404))
def list_deliveries(
    webhook_id: WebhookId,
    page: PageParams,
    answer: AnswerPage,
    principal: WriterDep,
    session: SessionDep,
) -> DeliveryPage:
    """The log of a webhook: what was sent and what is to be sent."""
    return DeliveryPage.model_validate(answer(webhooks.list_deliveries(session, principal, webhook_id, page)))


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry", status_code=202, responses=problems(404, 409))
def retry_delivery(
    webhook_id: WebhookId, delivery_id: DeliveryId, principal: WriterDep, session: SessionDep, clock: ClockDep
) -> None:
    """Send a message that was given up once more."""
    webhooks.retry(session, principal, webhook_id, delivery_id, now=clock.now())
