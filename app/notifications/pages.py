"""The pages behind the bell: notifications for everybody, webhooks for enterprises."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.accounts.viewpoints import of_enterprise
from app.notifications import service, texts, webhooks
from app.notifications.vocabulary import DeliveryStatus
from app.notifications.webhook_endpoints import DeliveryId, WebhookId
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, RuntimeDep, SessionDep
from app.platform.paging import PageRequest
from app.platform.permissions import Principal, Role
from app.web.pages import render
from geo.errors import CuaKhauError

router = APIRouter(include_in_schema=False)

ReaderDep = Annotated[Principal, Depends(allow("notifications.read"))]
OwnDep = Annotated[Principal, Depends(allow("account.own"))]
WebhooksDep = Annotated[Principal, Depends(allow("webhooks.write"))]
WebhooksPageDep = Annotated[Principal, Depends(of_enterprise("/enterprise/webhooks"))]
WebhooksAction = Annotated[ActionContext, Depends(acting("webhooks.write"))]
PAGE_SIZE = 30
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


@router.get("/notifications")
def show_notifications(request: Request, principal: ReaderDep, session: SessionDep, before: Before = None) -> Response:
    """What the caller was told, newest first."""
    gettext = partial(request.app.state.gettext, request)
    language = request.app.state.pages.language(request)
    page = service.list_notifications(session, principal, gettext, language, PageRequest(before, PAGE_SIZE))
    return render(
        request,
        "notifications/notifications.html",
        items=page.items,
        following=page.next_before,
        icons=texts.ICONS,
        unread=service.count_unread(session, principal),
        trip_page="/enterprise/trips/" if principal.role is Role.ENTERPRISE else "",
    )


@router.post("/notifications/read")
def mark_read(
    principal: OwnDep, session: SessionDep, clock: ClockDep, until: Annotated[int, Form(ge=1, le=2**63 - 1)]
) -> Response:
    """Mark all that the page shows as read."""
    service.mark_read(session, principal, until, now=clock.now())
    return RedirectResponse("/notifications", 303)


@router.get("/enterprise/webhooks")
def show_webhooks(request: Request, principal: WebhooksPageDep, session: SessionDep) -> Response:
    """The webhooks of the enterprise, each with the end of its log."""
    return _show(request, principal, session)


@router.post("/enterprise/webhooks")
def create_webhook(
    request: Request,
    action: WebhooksAction,
    runtime: RuntimeDep,
    url: Annotated[str, Form(max_length=1000)] = "",
    events: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a webhook and show its secret, this once."""
    now = runtime.clock.now()
    try:
        made = webhooks.create_webhook(
            ActionContext(action.session, action.actor, now, action.address),
            runtime.settings,
            url=url,
            events=events or [],
        )
    except CuaKhauError as error:
        return _show(request, action.actor, action.session, error=error, written=url)
    return _show(request, action.actor, action.session, made=made.webhook_id, secret=made.secret)


@router.get("/enterprise/webhooks/{webhook_id}")
def show_log(
    request: Request, webhook_id: WebhookId, principal: WebhooksPageDep, session: SessionDep, before: Before = None
) -> Response:
    """The log of one webhook."""
    webhook = webhooks.get_webhook(session, principal, webhook_id)
    page = webhooks.list_deliveries(session, principal, webhook_id, PageRequest(before, PAGE_SIZE))
    return render(
        request,
        "notifications/webhook_log.html",
        webhook=webhook,
        log=page.items,
        following=page.next_before,
        statuses=DeliveryStatus.by_name(),
    )


@router.post("/enterprise/webhooks/{webhook_id}/remove")
def remove_webhook(webhook_id: WebhookId, action: WebhooksAction) -> Response:
    """Take a webhook away."""
    webhooks.remove_webhook(action, webhook_id)
    return RedirectResponse("/enterprise/webhooks", 303)


@router.post("/enterprise/webhooks/{webhook_id}/test")
def send_test(webhook_id: WebhookId, principal: WebhooksDep, session: SessionDep, clock: ClockDep) -> Response:
    """Send a test message."""
    webhooks.send_test(session, principal, webhook_id, now=clock.now())
    return RedirectResponse(f"/enterprise/webhooks/{webhook_id}", 303)


@router.post("/enterprise/webhooks/{webhook_id}/retry/{delivery_id}")
def retry_delivery(
    webhook_id: WebhookId, delivery_id: DeliveryId, principal: WebhooksDep, session: SessionDep, clock: ClockDep
) -> Response:
    """Send a message that was given up once more."""
    webhooks.retry(session, principal, webhook_id, delivery_id, now=clock.now())
    return RedirectResponse(f"/enterprise/webhooks/{webhook_id}", 303)


def _show(
    request: Request,
    principal: Principal,
    session: SessionDep,
    *,
    error: CuaKhauError | None = None,
    written: str = "",
    made: int | None = None,
    secret: str = "",
) -> Response:
    return render(
        request,
        "notifications/webhooks.html",
        status=422 if error else 200,
        webhooks=webhooks.list_webhooks(session, principal),
        types=webhooks.TYPES,
        error=error,
        written=written,
        made=made,
        secret=secret,
    )
