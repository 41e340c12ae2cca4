"""A weather service: what it warns of at gates, as messages of a neighbour; announced of the gates, told to drivers.

The form of the message is assumed; its names are those of the Common Alerting Protocol (OASIS CAP 1.2), in which
weather services publish warnings: `msgType`, `onset`, `expires`, `headline`.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from app.integrations import store
from app.integrations.messages import Body, Message
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.notices.weather import WeatherWarning, take_warning
from app.platform.actions import ActionContext
from app.platform.fields import Moment, PlainText
from app.platform.labels import N_

NAME: Final = "weather"


class WeatherWarningBody(Body):
    """A warning that the service knows by `identifier`, all its updates under the same one; `gates` empty: of all."""

    KIND: ClassVar[str] = "weather.warning"

    identifier: PlainText = Field(min_length=1, max_length=100)
    msgType: Literal["Alert", "Update", "Cancel"] = "Alert"  # noqa: N815 - CAP's name
    headline: PlainText = Field(min_length=3, max_length=300)
    onset: Moment
    expires: Moment
    gates: list[PlainText] = Field(default_factory=list, max_length=100)


def weather() -> Neighbour:
    """The neighbour; it is told nothing."""
    return Neighbour(
        name=NAME,
        label=N_("Weather service"),
        icon="cloud-storm",
        takes=(Incoming(WeatherWarningBody, take),),
    )


def take(action: ActionContext, message: Message, body: WeatherWarningBody) -> Taken:
    """Announce, change or end the warning; raises InvalidInputError if a gate is unknown or it ends before it begins.

    Without a `version` the newest is what was sent last.
    """
    row = store.find_neighbour(action.session, NAME)
    warning = WeatherWarning(
        source_ref=f"{NAME}:{body.identifier}",
        version=round(message.sent_at.timestamp() * 1000) if message.version is None else message.version,
        gates=body.gates,
        text=body.headline,
        starts_at=body.onset,
        ends_at=body.expires,
        is_withdrawn=body.msgType == "Cancel",
        is_simulated=row is not None and row.is_simulated,
    )
    return Taken(is_superseded=not take_warning(action, warning))
