"""An act: who does it, when and from where; and one call that writes down all that it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.platform import audit, outbox
from app.platform.outbox import Audience
from app.platform.permissions import Principal
from geo.errors import ForbiddenError


@dataclass(frozen=True)
class Event:
    """An event for people, of `type` with `data`; see `outbox`."""

    type: str
    audience: Audience
    data: Mapping[str, object]


class Entry(Protocol):
    """A line of a timeline. The feature that owns the timeline gives it, since the platform knows none."""

    def write(self, action: ActionContext) -> None:
        """Write the line in the transaction of `action`."""


@dataclass(frozen=True)
class ActionContext:
    """Who acts, when, from which network address, in which transaction.

    `principal` is `None` where the platform itself acts. `session` is the transaction of the request or the task;
    whoever made it commits.
    """

    session: Session
    principal: Principal | None
    now: datetime
    address: str = ""

    @property
    def actor(self) -> Principal:
        """The person who acts.

        Raises
        ------
        ForbiddenError
            If the platform itself acts in what only people may do.
        """
        if self.principal is None:
            raise ForbiddenError("Sign in first.")
        return self.principal

    @property
    def actor_id(self) -> int | None:
        """The account of the person who acts; `None`: the platform itself."""
        return None if self.principal is None else self.principal.account_id

    def by_platform(self) -> ActionContext:
        """What the platform does of itself in the course of this act."""
        return ActionContext(self.session, None, self.now)

    def without_address(self) -> ActionContext:
        """The same act where it reaches a thing that another act brought along: its lines carry no address."""
        return ActionContext(self.session, self.principal, self.now)

    def record(
        self,
        action: str,
        object_type: str,
        object_id: object,
        before: Any = None,
        after: Any = None,
        *,
        event: Event | None = None,
        timeline: Entry | None = None,
    ) -> None:
        """Write down what was done: in the audit log, and as an event and a line of a timeline where given.

        Arguments: `action`, such as `fees.confirm`; `before` and `after`, what changed, as JSON values, never a
        password or a key. All of it exists exactly if the transaction commits.
        """
        if event is not None:
            self.publish_event(event)
        if timeline is not None:
            timeline.write(self)
        audit.record(
            self.session,
            self.principal,
            action,
            object_type,
            object_id,
            before,
            after,
            at=self.now,
            address=self.address,
        )

    def publish_event(self, event: Event) -> None:
        """Let people know; see `outbox`."""
        outbox.publish_event(self.session, event.type, event.audience, event.data, at=self.now)
