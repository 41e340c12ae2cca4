"""Telling people of alarms: by mail (RFC 5321) and by a signed webhook, each message once, again while it lasts."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import cache
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx
import structlog
from babel.support import NullTranslations
from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.notifications.webhooks import parse_secret, sign
from app.ops import alarm_store
from app.ops.tables import AlarmRow
from app.ops.vocabulary import AlarmKind
from app.platform.labels import N_
from app.platform.trust import trusted
from app.settings import OperationsSettings
from app.web.i18n import format_time, load_catalogues
from geo.errors import InvalidInputError, UnavailableError

SEND_S: Final = 15.0

log = structlog.get_logger("alarms")


class AlarmMessage(BaseModel):
    """What a webhook is sent of an alarm; `state` is `raised`, `lasts` or `ended`."""

    type: str = "alarm"
    alarm_id: int
    kind: str
    subject: str
    value: float
    state: str
    raised_at: datetime
    ended_at: datetime | None
    text: str


@dataclass(frozen=True)
class Teller:
    """Tells of alarms by the channels that are configured."""

    operations: OperationsSettings

    @property
    def has_channels(self) -> bool:
        """Whether anybody is told."""
        return bool(self.operations.mail_to() or self.operations.alarm_webhook_url.get_secret_value())

    def tell(self, session: Session, now: datetime) -> int:
        """Tell of what is due; how many alarms. What cannot be sent is tried at the next round.

        Raises
        ------
        UnavailableError
            If a channel does not take it; others were told before.
        """
        if not self.has_channels:
            return 0
        due = alarm_store.to_be_told(session, now - timedelta(hours=self.operations.alarm_repeat_h))
        if not due:
            return 0
        messages = [self._message(row) for row in due]
        failures = []
        for send in (self._mail, self._post):
            try:
                send(messages, now)
            except (OSError, smtplib.SMTPException, httpx.HTTPError) as error:
                failures.append(f"{type(error).__name__}: {error}"[:200])
        if len(failures) == self._channels():
            raise UnavailableError("Nobody could be told of alarms: {reason}", reason="; ".join(failures))
        for failure in failures:  # somebody knows: it is not told twice to them for the sake of the other channel
            log.error("a channel of alarms does not work", reason=failure)
        for row in due:
            if row.ended_at is None:
                row.told_at = now
            else:
                row.end_told_at = now
        return len(due)

    def _channels(self) -> int:
        return bool(self.operations.mail_to()) + bool(self.operations.alarm_webhook_url.get_secret_value())

    def _message(self, row: AlarmRow) -> AlarmMessage:
        state = "ended" if row.ended_at is not None else "raised" if row.told_at is None else "lasts"
        return AlarmMessage(
            alarm_id=row.alarm_id,
            kind=row.kind,
            subject=row.subject,
            value=row.value,
            state=state,
            raised_at=row.raised_at,
            ended_at=row.ended_at,
            text=self._text(row, state),
        )

    def _text(self, row: AlarmRow, state: str) -> str:
        translate = _catalogues()[self.operations.alarm_language].gettext
        sentences = {"raised": N_("Alarm: {what}"), "lasts": N_("Alarm goes on: {what}"), "ended": N_("Over: {what}")}
        what = translate(AlarmKind.get(row.kind).label)
        return translate(sentences[state]).format(what=f"{what} ({row.subject})" if row.subject else what)

    def _mail(self, messages: Sequence[AlarmMessage], now: datetime) -> None:
        if not self.operations.mail_to():
            return
        language = self.operations.alarm_language
        mail = EmailMessage()
        first, more = messages[0].text, len(messages) - 1
        mail["Subject"] = f"Cửa Khẩu Số · {first}" + (f" (+{more})" if more else "")
        mail["From"], mail["To"] = self.operations.alarm_mail_from, ", ".join(self.operations.mail_to())
        mail["Date"], mail["Message-ID"] = format_datetime(now), make_msgid(domain="cuakhau.invalid")
        mail["Auto-Submitted"] = "auto-generated"
        lines = [f"{format_time(each.raised_at, language)}  {each.text}" for each in messages]
        mail.set_content("\n".join(lines) + "\n")
        with MailServer.parse(self.operations.smtp_url.get_secret_value()).open() as server:
            server.send_message(mail)

    def _post(self, messages: Sequence[AlarmMessage], now: datetime) -> None:
        url = self.operations.alarm_webhook_url.get_secret_value()
        if not url:
            return
        secret = self.operations.alarm_webhook_secret.get_secret_value()
        with httpx.Client(verify=trusted(), timeout=SEND_S, trust_env=False) as client:
            for each in messages:
                body = json.dumps(each.model_dump(mode="json"), ensure_ascii=False)
                name = f"alarm_{each.alarm_id}_{each.state}" + (f"_{now:%Y%m%dT%H}" if each.state == "lasts" else "")
                headers = sign(read_secret(secret), name, now, body) | {"Content-Type": "application/json"}
                client.post(url, content=body.encode(), headers=headers).raise_for_status()


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in."""

    host: str
    port: int
    username: str
    password: str
    tls: bool

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Of `smtp://[user:password@]host[:port]` or `smtps://…`.

        Raises
        ------
        InvalidInputError
            If it is none.
        """
        parts = urlsplit(url or "smtp://127.0.0.1:25")
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise InvalidInputError(
                "CUAKHAU_SMTP_URL is not smtp://host[:port] or smtps://host[:port].", field="smtp_url"
            )
        tls = parts.scheme == "smtps"
        port = parts.port or (465 if tls else 25)
        return cls(parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""), tls)

    def open(self) -> smtplib.SMTP:
        """A connection, encrypted where a server elsewhere offers that, and always before a password is sent."""
        context = ssl.create_default_context()
        if self.tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=SEND_S, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=SEND_S)
            server.ehlo_or_helo_if_needed()
            is_own = self.host in ("localhost", "127.0.0.1", "::1")  # its certificate is mostly nobody's
            if self.password or (server.has_extn("starttls") and not is_own):
                server.starttls(context=context)
        if self.password:
            server.login(self.username, self.password)
        return server


def read_secret(text: str) -> bytes:
    """The key of a `whsec_…` secret.

    Raises
    ------
    InvalidInputError
        If it is none: unsigned alarms could be anybody's.
    """
    try:
        key = parse_secret(text)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise InvalidInputError(
            "CUAKHAU_ALARM_WEBHOOK_SECRET is not whsec_ and at least 16 bytes in base64.", field="alarm_webhook_secret"
        )
    return key


@cache
def _catalogues() -> dict[str, NullTranslations]:
    return load_catalogues()
