"""Browsers that take push messages for a driver: the platform's key, subscribing, unsubscribing."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy.orm import Session

from app.notifications import reach_store
from app.notifications.push_crypto import BrowserKeys, encode, make_key, public_bytes, read_key
from app.notifications.reach_tables import PushSubscription
from app.notifications.webhooks import check_url
from app.platform.actions import ActionContext
from app.settings import Settings
from geo.errors import NotFoundError

MAX_SUBSCRIPTIONS: Final = 5
"""Browsers of one account: an old telephone, a new one, a tablet."""


def get_key(session: Session, now: datetime) -> str:
    """The platform's key pair (VAPID) as PEM, made once."""
    pem = reach_store.find_key(session)
    if pem is None:
        reach_store.insert_key(session, make_key(), now)
        pem = reach_store.find_key(session)
    assert pem is not None
    return pem


def public_key(session: Session, now: datetime) -> str:
    """What a browser is given to know the platform by, in base64url."""
    return encode(public_bytes(read_key(get_key(session, now))))


def subscribe(action: ActionContext, settings: Settings, *, endpoint: str, p256dh: str, auth: str) -> int:
    """Let a browser take push messages for the caller; its number. Saying it again changes nothing.

    Raises
    ------
    InvalidInputError
        If the address cannot be one of a push service, or the keys are none.
    """
    url = check_url(endpoint, allow_private=settings.webhook_allow_private)
    BrowserKeys.parse(p256dh, auth)
    subscription_id = reach_store.save_subscription(
        action.session,
        PushSubscription(
            account_id=action.actor.account_id,
            endpoint=url,
            endpoint_hash=sha256(url.encode()).hexdigest(),
            public_key=p256dh,
            secret=auth,
            language=action.actor.locale,
            created_at=action.now,
        ),
    )
    reach_store.drop_oldest(action.session, action.actor.account_id, keep=MAX_SUBSCRIPTIONS)
    return subscription_id


def unsubscribe(action: ActionContext, subscription_id: int) -> None:
    """Send no more push messages to a browser of the caller.

    Raises
    ------
    NotFoundError
        If the caller has no such subscription.
    """
    if not reach_store.delete_subscription(action.session, subscription_id, action.actor.account_id):
        raise NotFoundError("You have no push subscription {number}.", number=subscription_id)
