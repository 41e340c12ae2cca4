"""A Traccar server that positions are forwarded to, of vehicles whose owner agreed (`app.registers.forwarding`).

Spoken is the OsmAnd protocol of Traccar, one request a position: `id`, `timestamp` (s since 1970), `lat`, `lon`,
`speed` (knots), `bearing`, `accuracy`. Nothing is taken of the server; reading one is `cuakhau traccar`. What is told
twice changes nothing there: a position of a device at a moment is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final

from pydantic import Field
from sqlalchemy.orm import Session

from app.integrations import forwarding_store, service
from app.integrations.adapter import Answer, OneWayCarrier, nothing
from app.integrations.messages import Body, Codec, Message, read_body
from app.integrations.neighbour import Neighbour
from app.platform.fields import Moment, PlainText
from app.platform.labels import N_
from app.registers import forwarding

NAME: Final = "traccar"
KNOTS_PER_MPS: Final = 3600.0 / 1852.0
RECENT: Final = timedelta(minutes=15)
"""How far back each round looks for positions that are not put down yet."""
WHOLE: Final = timedelta(hours=24)
"""How far back the first round looks, and that of each hour: what ingest stored late goes out late."""
WHOLE_EVERY: Final = timedelta(hours=1)
MAX_A_ROUND: Final = 2000


class Position(Body):
    """Where a vehicle was; `plate` is what the receiver calls the device."""

    KIND: ClassVar[str] = "traccar.position"

    plate: PlainText = Field(min_length=1, max_length=40)
    time: Moment
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)
    speed_mps: float | None = None
    heading_deg: float | None = None
    accuracy_m: float | None = None


class OsmandAdapter(OneWayCarrier):
    """The adapter to a server that speaks the OsmAnd protocol; raises InvalidInputError as `Carrier`."""

    def send(self, message: Message, now: datetime) -> Answer:  # noqa: ARG002 - nothing is signed with it
        """Send a position; a device that the server does not know is refused by it (400)."""
        position = read_body(Position, message.body)
        assert isinstance(position, Position)
        return self.exchange(self.client.build_request("POST", self.url, params=as_query(position)), nothing)


def as_query(position: Position) -> Mapping[str, str]:
    """A position in the names and units of the OsmAnd protocol."""
    optional = {
        "speed": None if position.speed_mps is None else position.speed_mps * KNOTS_PER_MPS,
        "bearing": position.heading_deg,
        "accuracy": position.accuracy_m,
    }
    return {
        "id": position.plate,
        "timestamp": f"{position.time.timestamp():.0f}",
        "lat": f"{position.lat:.6f}",
        "lon": f"{position.lon:.6f}",
        **{name: f"{value:.1f}" for name, value in optional.items() if value is not None},
    }


def traccar() -> Neighbour:
    """The neighbour; it is told positions and says nothing."""
    return Neighbour(
        name=NAME,
        label=N_("Traccar server that positions are forwarded to"),
        icon="map-pin-share",
        sends=(Position,),
        is_polled=False,
        connect=_connect,
    )


def _connect(url: str, secret: str, _codec: Codec) -> OsmandAdapter:
    return OsmandAdapter(url, secret)


class Forwarder:
    """Puts positions down to be forwarded, round after round; nothing is lost while this or the server is away."""

    def __init__(self, receiver: str) -> None:
        self.receiver = receiver
        self._whole_at: datetime | None = None

    def forward(self, session: Session, now: datetime) -> int:
        """Put down what is new of the vehicles whose owner agreed; how many positions.

        What waits of a vehicle whose owner agrees no more is dropped first. A vehicle whose position was refused, as by
        a server that does not know its device, has to wait until a person sends that again or drops it; what it
        missed within `WHOLE` goes out with the next whole round.
        """
        agreed = forwarding.agreed_for(session, self.receiver) if self.receiver else []
        forwarding_store.drop_waiting(session, NAME, [each.plate for each in agreed], now)
        refused = forwarding_store.refused(session, NAME)
        agreed = [each for each in agreed if each.plate not in refused]
        if not agreed:
            return 0
        is_whole = self._whole_at is None or now - self._whole_at >= WHOLE_EVERY
        since = now - (WHOLE if is_whole else RECENT)
        begins = {each.vehicle_id: max(since, each.agreed_at) for each in agreed}
        plates = {each.vehicle_id: each.plate for each in agreed}
        fixes = forwarding_store.unsent_fixes(session, NAME, begins, MAX_A_ROUND)
        sent = 0
        for fix in fixes:
            plate = plates[fix.vehicle_id]
            body = Position(
                plate=plate,
                time=fix.time,
                lat=fix.lat,
                lon=fix.lon,
                speed_mps=fix.speed_mps,
                heading_deg=fix.heading_deg,
                accuracy_m=fix.accuracy_m,
            )
            sent += service.send(session, NAME, body, about=plate, subject=fix.subject, now=now)
        if is_whole and len(fixes) < MAX_A_ROUND:
            self._whole_at = now
        return sent
