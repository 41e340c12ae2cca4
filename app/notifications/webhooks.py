"""What an enterprise's system is told, and where: webhooks and their log.

Messages follow the Standard Webhooks specification (standardwebhooks.com): the headers `webhook-id`,
`webhook-timestamp` and `webhook-signature`, the last `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from app.notifications import store
from app.notifications.feed import WEBHOOK_TYPES, new_delivery
from app.notifications.schemas import DeliveryOut, WebhookMade, WebhookOut
from app.notifications.tables import WebhookRow
from app.platform.actions import ActionContext
from app.platform.paging import Page, PageRequest, paginate
from app.platform.permissions import Principal
from app.settings import Settings
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError

TYPES: Final = tuple(WEBHOOK_TYPES.values())
MAX_WEBHOOKS: Final = 5
MAX_URL_LENGTH: Final = 500
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how the specification marks a secret


def create_webhook(action: ActionContext, settings: Settings, *, url: str, events: Sequence[str]) -> WebhookMade:
    """A webhook of the caller's enterprise, with the secret that signs its messages, told this once.

    Raises
    ------
    InvalidInputError
        If the address or the events cannot be accepted.
    ConflictError
        If the enterprise has as many as it may.
    """
    organisation_id = _organisation(action.actor)
    url = check_url(url, allow_private=settings.webhook_allow_private)
    unknown = [name for name in events if name not in TYPES]
    if unknown or not events:
        raise InvalidInputError("Choose one or more of: {allowed}.", field="events", allowed=", ".join(TYPES))
    if len(store.webhooks_of(action.session, [organisation_id])) >= MAX_WEBHOOKS:
        raise ConflictError("There are {most} webhooks already; remove one first.", most=MAX_WEBHOOKS)
    chosen = [name for name in TYPES if name in events]
    row = store.insert_webhook(
        action.session,
        WebhookRow(
            organisation_id=organisation_id,
            url=url,
            salt=secrets.token_bytes(32),
            events=chosen,
            created_by=action.actor.account_id,
            created_at=action.now,
        ),
    )
    after = {"host": urlsplit(url).hostname, "events": chosen}
    action.record("webhooks.create", "webhook", row.webhook_id, None, after)
    secret = format_secret(secret_of(settings, row.salt))
    return WebhookMade(**WebhookOut.model_validate(row).model_dump(), secret=secret)


def remove_webhook(action: ActionContext, webhook_id: int) -> None:
    """Take a webhook away; what waits for it is given up, its log stays.

    Raises
    ------
    NotFoundError
        If the enterprise has no such webhook.
    """
    row = _get(action.session, action.actor, webhook_id)
    row.removed_at = action.now
    store.drop_waiting(action.session, webhook_id)
    before = {"host": urlsplit(row.url).hostname, "events": row.events}
    action.record("webhooks.remove", "webhook", webhook_id, before)


def list_webhooks(session: Session, principal: Principal) -> list[WebhookOut]:
    """The webhooks of the caller's enterprise."""
    own = [] if principal.organisation_id is None else [principal.organisation_id]
    return [WebhookOut.model_validate(row) for row in store.webhooks_of(session, own)]


def get_webhook(session: Session, principal: Principal, webhook_id: int) -> WebhookOut:
    """A webhook of the caller's enterprise; raises NotFoundError if there is none."""
    return WebhookOut.model_validate(_get(session, principal, webhook_id))


def send_test(session: Session, principal: Principal, webhook_id: int, *, now: datetime) -> None:
    """Put a test message on a webhook's list; raises NotFoundError if there is no such webhook."""
    row = _get(session, principal, webhook_id)
    subject = f"test:{secrets.token_hex(8)}"
    store.insert_deliveries(
        session, [new_delivery(row.webhook_id, subject, "test", {"webhook_id": row.webhook_id}, at=now, now=now)]
    )


def list_deliveries(session: Session, principal: Principal, webhook_id: int, page: PageRequest) -> Page[DeliveryOut]:
    """A page of a webhook's log, newest first.

    Raises
    ------
    NotFoundError
        If the enterprise has no such webhook.
    """
    _get(session, principal, webhook_id)
    rows = store.list_deliveries(session, webhook_id, before=page.before, limit=page.fetch)
    return paginate(rows, page, "delivery_id", DeliveryOut.of)


def retry(session: Session, principal: Principal, webhook_id: int, delivery_id: int, *, now: datetime) -> None:
    """Try a message that was given up once more.

    Raises
    ------
    NotFoundError, ConflictError
        If the enterprise has no such webhook, or the message was not given up.
    """
    _get(session, principal, webhook_id)
    if not store.retry_delivery(session, webhook_id, delivery_id, now):
        raise ConflictError("Only a message that was given up can be sent again.")


def check_url(url: str, *, allow_private: bool) -> str:
    """The address tidied, if a message may go there by its form; where it leads is checked when one is sent.

    Raises
    ------
    InvalidInputError
        If it is no https address (http only where `allow_private`), or carries a user name.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInputError("{value} is no address.", field="url", value=url[:100]) from None
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not parts.hostname or len(url) > MAX_URL_LENGTH or not url.isprintable():
        raise InvalidInputError("Give an address that begins with https://.", field="url")
    if parts.username is not None or parts.password is not None or parts.fragment or port == 0 or " " in url:
        raise InvalidInputError("The address may not hold a user name, password, space or #.", field="url")
    return url


def secret_of(settings: Settings, salt: bytes) -> bytes:
    """The secret of a webhook: made from its salt and the platform's key, so that the database alone has none."""
    key = settings.secret_key.get_secret_value().encode()
    return hmac.new(key, b"webhook:" + salt, hashlib.sha256).digest()


def format_secret(secret: bytes) -> str:
    """The secret as its receiver enters it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def parse_secret(written: str) -> bytes:
    """The secret that somebody entered as `format_secret` writes it, its beginning left out or not; raises ValueError
    if it is not base64."""
    return base64.b64decode(written.removeprefix(SECRET_PREFIX), validate=True)


def sign(secret: bytes, message_id: str, sent_at: datetime, body: str) -> dict[str, str]:
    """The headers that show where a message comes from and that nobody changed it."""
    sent_at = sent_at.astimezone(UTC)  # the library takes the clock time of any zone for UTC
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, sent_at, body),
    }


def _organisation(principal: Principal) -> int:
    principal.require("webhooks.write")
    if principal.organisation_id is None:
        raise ForbiddenError("Your account belongs to no enterprise.")
    return principal.organisation_id


def _get(session: Session, principal: Principal, webhook_id: int) -> WebhookRow:
    row = store.find_webhook(session, _organisation(principal), webhook_id)
    if row is None:
        raise NotFoundError("Your enterprise has no webhook {webhook_id}.", webhook_id=webhook_id)
    return row
