"""What a sign-in stands on: the transaction, Redis, who knocks, and where the platform is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from redis import Redis
from sqlalchemy.orm import Session

from app.accounts.service import Account, SessionRow
from app.accounts.sessions import Client, principal_of
from app.platform.actions import ActionContext
from app.settings import Settings
from app.signin.known_devices import find_device
from app.signin.throttle import Knock

Landing: TypeAlias = Callable[[Session, str, str], str]
"""(session, user name, page asked for) → the page that a sign-in leads to."""


def to_page_asked_for(_session: Session, _username: str, path: str) -> str:
    """A sign-in leads to the page that was asked for."""
    return path


@dataclass(frozen=True)
class Site:
    """Where a browser reaches the platform: the host that passkeys are bound to, and the origin it names."""

    host: str
    origin: str


@dataclass(frozen=True)
class Door:
    """One request of somebody who is signing in, or proves again who it is.

    `now` is the platform's clock, `wall_s` the seconds since 1970 by which an authenticator app counts: the clock of a
    demonstration may run faster, that of a phone does not. `device` is the cookie of a known browser,
    `old_session` the secret of the session that it still has; `after` says where somebody goes who has signed in.
    """

    session: Session
    redis: Redis
    settings: Settings
    client: Client
    site: Site
    now: datetime
    wall_s: float
    device: str = ""
    old_session: str = ""
    after: Landing = to_page_asked_for

    def knock(self, name: str, account: Account | None) -> Knock:
        """How this attempt counts."""
        return Knock(name, self.client.address, find_device(self.settings, self.device, account))

    def acting(self, account: Account) -> ActionContext:
        """The context in which somebody acts who has no session yet."""
        principal = principal_of(account, SessionRow(session_hash=b"", csrf_token=""))
        return ActionContext(self.session, principal, self.now, self.client.address)

    def by_nobody(self) -> ActionContext:
        """The context of what nobody known does."""
        return ActionContext(self.session, None, self.now, self.client.address)
