"""What planners decide of orders to many trucks: from which number a second person, and in what groups."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from app.dispatch.vocabulary import OrderKind
from app.platform.labels import N_
from app.platform.policies import Policy


class OrderPolicy(BaseModel):
    """How orders to many trucks are sent. The defaults are assumed.

    A wrong call to everybody made a queue of 10 km at Kapıkule: so many trucks are called by two persons, and those
    that set trucks in motion reach them group by group, as many in half an hour as the advice lets go.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_alone_veh: int = Field(
        default=100,
        ge=1,
        le=5000,
        title=N_("One person alone may order, trucks"),
        description=N_("An order to more trucks waits until a second person has released it."),
    )
    group_veh: int = Field(
        default=10,
        ge=1,
        le=5000,
        title=N_("Trucks in a group"),
        description=N_("Orders to more trucks that set them in motion are told group by group, the nearest first."),
    )
    group_every_s: int = Field(
        default=600,
        ge=60,
        le=7200,
        title=N_("A group every"),
        description=N_("So long after one group the next is told."),
    )
    proposal_s: int = Field(
        default=1800,
        ge=60,
        le=7200,
        title=N_("A second person has"),
        description=N_("An order that nobody has released until then is over: the trucks have moved on."),
    )

    def needs_second(self, count: int) -> bool:
        """Whether an order to so many trucks needs a second person."""
        return count > self.max_alone_veh

    def tell_times(self, kind: str, count: int, *, has_release: bool, now: datetime) -> list[datetime] | None:
        """When each of so many trucks is told, the nearest first; `None`: all at once.

        An order with a release plan of its own tells each truck its time, and is sent at once.
        """
        if not self.needs_second(count) or has_release or kind not in IN_MOTION:
            return None
        pause = timedelta(seconds=self.group_every_s)
        return [now + pause * (rank // self.group_veh) for rank in range(count)]


IN_MOTION: Final = frozenset({OrderKind.PROCEED, OrderKind.DIVERT, OrderKind.YARD})
"""Kinds of orders that set trucks in motion."""
ORDER_POLICY: Final = Policy("orders", OrderPolicy, "settings.policy")
