"""Reaching drivers whose page is closed: push at once, a text message if nobody has looked, and who was not reached.

Control puts down every few seconds whom an order, its recall, or news of their booking has not reached. A thread pushes
what is due; text messages are handed to a port, which sends them and says how that went (`note_text`). What is put down
twice has one effect: a message is known by its subject, truck, kind and browser.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from gettext import NullTranslations
from typing import Final, TypeAlias

import httpx
from sqlalchemy.orm import Session

from app.dispatch import order_answers
from app.dispatch.vocabulary import ReachState
from app.notifications import delivery, push, reach_store
from app.notifications.push_crypto import BrowserKeys, encrypt, sender_headers
from app.notifications.reach_store import DueMessage, ReachLine, Settled
from app.notifications.reach_tables import PushSubscription
from app.notifications.text_messages import TextMessage, TextPort
from app.notifications.texts import text_of
from app.notifications.vocabulary import MessageStatus, ReachChannel, ReachKind
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.platform.retrying import Pauses, Rounds
from app.platform.runtime import Runtime
from app.platform.trust import trusted
from app.registers.service import Contact, Reaching, find_contacts
from app.settings import Settings
from app.web.i18n import DEFAULT_LANGUAGE, LANGUAGES, load_catalogues
from geo.errors import CuaKhauError, InvalidInputError

TEXT_AFTER: Final = timedelta(minutes=2)
"""A driver who has not looked so long after being told gets a text message."""
RETRIES: Final = Pauses.of_seconds((10, 60, 300))
LEASE: Final = timedelta(seconds=60)
MAX_AT_ONCE: Final = 40
MAX_TEXTS: Final = 500
"""Text messages that are handed over in one round."""
TEXT_TRIED: Final = timedelta(minutes=7)
"""A text message that has not left so long after it was put down does not count as being tried."""
NEEDLESS: Final = "It was read, taken back or over before it could leave."
TEXT_ID: Final = "reach_"
RECALL_LASTS: Final = timedelta(hours=24)
DeclaredTelephones: TypeAlias = Callable[[Session, Collection[int]], Mapping[int, str]]
"""The telephone of each trip's driver as declared, by trip."""
NO_TELEPHONE: Final = N_("Neither the declaration nor the register has a telephone of the driver.")
GONE: Final = frozenset({404, 410})
"""What a push service answers of a browser that takes no more messages (RFC 8030, section 7.3)."""


def put_down(session: Session, now: datetime, texts: TextPort, *, channel: str, declared: DeclaredTelephones) -> int:
    """Put down what is to be sent, by `channel` (`sms`, `zalo`) what is text; how many messages. Called every few
    seconds.

    A text goes to the telephone that the register has of the account that drives; without an account to the one that
    was declared, which is this trip's, else to that of who usually drives the truck.
    """
    recalled_since = now - order_answers.RECALL_TOLD
    found = reach_store.add_pushes(session, now, recalled_since=recalled_since)
    if texts.is_open(session):
        found += reach_store.add_texts(session, now, unread_since=now - TEXT_AFTER, recalled_since=recalled_since)
        needless = reach_store.end_needless_texts(session, now, recalled_since=recalled_since, error=NEEDLESS)
        if needless:
            texts.withdraw(session, [f"{TEXT_ID}{message_id}" for message_id in needless], now)
        _hand_over(session, now, texts, channel, declared)
    return found


def _hand_over(session: Session, now: datetime, texts: TextPort, channel: str, declared: DeclaredTelephones) -> None:
    """Give the text messages that were put down to the port, in the words and the language that they have now."""
    due = reach_store.claim_due(session, ReachChannel.TEXT, now, until=now + RECALL_LASTS, limit=MAX_TEXTS)
    whose = {each.message_id: Reaching(each.vehicle_id, each.driver_id, each.organisation_id) for each in due}
    contacts = find_contacts(session, whose.values())
    telephones = declared(session, {each.trip_id for each in due if each.trip_id})
    for each in due:
        contact = _contact(each, contacts.get(whose[each.message_id]), telephones.get(each.trip_id or 0))
        if contact is None:
            reach_store.settle_text(session, each.message_id, MessageStatus.FAILED, NO_TELEPHONE, now)
            continue
        language = _shown(contact.language)
        said = f"{title_of(each.kind, language)}: {text_in(each, language)}"
        try:
            texts.send(session, TextMessage(f"{TEXT_ID}{each.message_id}", channel, contact.phone, said), now)
        except InvalidInputError as error:
            reach_store.settle_text(session, each.message_id, MessageStatus.FAILED, str(error), now)


def note_text(session: Session, text_id: str, *, is_sent: bool, is_over: bool, error: str, now: datetime) -> None:
    """Note how a try to send a text message went: it left, was given up (`is_over`), or will be tried again."""
    number = text_id.removeprefix(TEXT_ID)
    if number == text_id or not number.isdecimal():
        return  # somebody else's
    status = MessageStatus.SENT if is_sent else MessageStatus.FAILED if is_over else MessageStatus.WAITING
    row = reach_store.settle_text(session, int(number), status, error or None, now)
    if row is not None and is_sent and row.order_id is not None:
        order_answers.note_messaged(session, row.order_id, row.vehicle_id, now=now)


class Reacher(Rounds):
    """Sends what is due, round after round."""

    def __init__(self, runtime: Runtime, texts: TextPort, declared: DeclaredTelephones) -> None:
        self._texts, self._channel = texts, runtime.settings.text_messages_channel
        self._declared = declared
        super().__init__("reach", lambda: send_due(runtime, runtime.clock.now()))

    def put_down(self, session: Session, now: datetime) -> int:
        """Put down what is to be sent."""
        return put_down(session, now, self._texts, channel=self._channel, declared=self._declared)


@dataclass(frozen=True)
class _Prepared:
    """A message with all that pushing it needs: the browser and the platform's key."""

    due: DueMessage
    browser: PushSubscription | None
    key: str


def send_due(runtime: Runtime, now: datetime) -> int:
    """Push the messages that are due at `now`, each once; how many were taken."""
    with runtime.sessions() as session:
        due = reach_store.claim_due(session, ReachChannel.PUSH, now, until=now + LEASE, limit=MAX_AT_ONCE)
        browsers = reach_store.find_subscriptions(session, {message.subscription_id for message in due})
        key = push.get_key(session, now) if due else ""
        prepared = [_Prepared(message, browsers.get(message.subscription_id), key) for message in due]
        session.commit()
        session.expunge_all()
    if not prepared:
        return 0
    problems = asyncio.run(_push_all(runtime.settings, prepared, now))
    with runtime.sessions() as session:
        settled = [outcome(each.due, problem, now) for each, problem in zip(prepared, problems, strict=True)]
        reach_store.settle(session, settled, now)
        for each, problem in zip(prepared, problems, strict=True):
            if problem is None and each.due.order_id is not None:
                order_answers.note_messaged(session, each.due.order_id, each.due.vehicle_id, now=now)
            elif problem is not None and problem.is_gone:
                reach_store.delete_subscription(session, each.due.subscription_id)
        session.commit()
    return sum(problem is None for problem in problems)


def _contact(due: DueMessage, registered: Contact | None, telephone: str | None) -> Contact | None:
    if telephone is None or (registered is not None and due.driver_id is not None):
        return registered
    return Contact(telephone, DEFAULT_LANGUAGE if registered is None else registered.language)


@dataclass(frozen=True)
class Problem:
    """Why a message was not taken; `is_final`: another try would be in vain."""

    text: str
    is_final: bool = False
    is_gone: bool = False


def outcome(due: DueMessage, problem: Problem | None, now: datetime) -> Settled:
    """What is noted after a try: sent, to be tried again, or failed."""
    if problem is None:
        return Settled(due.message_id, MessageStatus.SENT, None, now)
    next_try_at = None if problem.is_final else RETRIES.next_try(due.tries, now)
    if next_try_at is None:
        return Settled(due.message_id, MessageStatus.FAILED, problem.text, now)
    return Settled(due.message_id, MessageStatus.WAITING, problem.text, next_try_at)


async def _push_all(settings: Settings, messages: Sequence[_Prepared], now: datetime) -> list[Problem | None]:
    timeout = httpx.Timeout(delivery.TRY_S, connect=delivery.TRY_S / delivery.MAX_ADDRESSES)
    async with httpx.AsyncClient(verify=trusted(), timeout=timeout, trust_env=False, follow_redirects=False) as client:
        return await asyncio.gather(*(_push(client, settings, each, now) for each in messages))


async def _push(client: httpx.AsyncClient, settings: Settings, each: _Prepared, now: datetime) -> Problem | None:
    browser, due = each.browser, each.due
    if browser is None:
        return Problem("The browser takes no more messages.", is_final=True)
    try:
        body = encrypt(push_payload(due, browser.language), BrowserKeys.parse(browser.public_key, browser.secret))
        lasts = due.valid_to - now if due.kind == ReachKind.ORDER and due.valid_to is not None else RECALL_LASTS
        headers = {
            **sender_headers(each.key, browser.endpoint, contact_of(settings), now),
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(max(0, int(lasts.total_seconds()))),
            "Urgency": "high",
            "Topic": tag_of(due),  # a recall takes the place of an order that still waits at the service
        }
        async with asyncio.timeout(delivery.TRY_S):
            allow_private = settings.webhook_allow_private
            requests = await delivery.prepare(client, browser.endpoint, body, headers, allow_private=allow_private)
            answer = await delivery.send_to_first(client, requests)
            await answer.aclose()
    except TimeoutError:
        return Problem("The push service did not answer.")
    except CuaKhauError as error:
        return Problem(str(error), is_final=True)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Problem(f"The push service: {type(error).__name__}")
    if answer.is_success:
        return None
    is_gone = answer.status_code in GONE
    is_final = is_gone or (400 <= answer.status_code < 500 and answer.status_code != 429)
    return Problem(f"The push service answered {answer.status_code}.", is_final=is_final, is_gone=is_gone)


def title_of(kind: str, language: str) -> str:
    """What a message is headed with."""
    return str(_catalogue(language).gettext(ReachKind.get(kind).label))


def text_in(due: DueMessage, language: str) -> str:
    """What a message says: of an order its own text, of a notification the sentence that its page shows."""
    if due.news is not None:
        return text_of(due.news, due.data or {}, _catalogue(language).gettext, language)
    text = due.text or {}
    return text.get(language) or text["vi"]


def tag_of(due: DueMessage) -> str:
    """What a message is about: a newer message about it takes the place of an older one."""
    if due.news is not None:
        return f"booking-{(due.data or {}).get('booking_id')}"
    return f"order-{due.order_id}"


def _shown(language: str) -> str:
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def _catalogue(language: str) -> NullTranslations:
    return load_catalogues()[language]


def push_payload(due: DueMessage, language: str) -> bytes:
    """What a browser is sent: JSON that the service worker shows."""
    language = _shown(language)
    return json.dumps(
        {
            "kind": due.kind,
            "tag": tag_of(due),
            "title": title_of(due.kind, language),
            "text": text_in(due, language),
            "language": language,
        },
        ensure_ascii=False,
    ).encode()


def contact_of(settings: Settings) -> str:
    """Whom push services ask when something is wrong."""
    return settings.push_contact or settings.security_contact or settings.public_url or "mailto:root@localhost"


@dataclass(frozen=True)
class Reached:
    """How far an order, or its recall, has come to a truck."""

    vehicle_id: int
    plate: str
    state: ReachState
    error: str


def list_reached(session: Session, principal: Principal, order_id: int, kind: str, *, now: datetime) -> list[Reached]:
    """How far an order or its recall has come to each truck, for who may issue orders."""
    principal.require("orders.issue")
    return [
        Reached(line.vehicle_id, line.plate, state_of(line, now), line.error or "")
        for line in reach_store.reach_of(session, order_id, kind, texts_since=now - TEXT_TRIED)
    ]


@dataclass(frozen=True)
class DriverReached:
    """How far the newest news of a trip's booking has come to its driver; `error` why the last message failed."""

    state: ReachState
    error: str


def reached_of_bookings(session: Session, trip_ids: Collection[int], now: datetime) -> dict[int, DriverReached]:
    """How far the newest news of bookings has come to the drivers, by trip, of news of the last hours."""
    lines = reach_store.reach_of_bookings(session, trip_ids, since=now - order_answers.RECALL_TOLD)
    return {trip_id: DriverReached(state_of(line, now), line.error or "") for trip_id, line in lines.items()}


def state_of(line: ReachLine, now: datetime) -> ReachState:
    """The best of what is known of a truck."""
    if line.is_read:
        return ReachState.READ
    if line.pushed_at is not None:
        return ReachState.PUSHED
    if line.texted_at is not None:
        return ReachState.TEXTED
    return ReachState.TRYING if line.waiting or now - line.told_at < TEXT_AFTER else ReachState.UNREACHED
