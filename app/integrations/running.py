"""The exchanges of a process: one thread a neighbour that the settings name, and what is told of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.integrations import service, store
from app.integrations.exchange import Exchanger
from app.integrations.neighbour import Neighbours
from app.integrations.text_messages import NAME as TEXT_MESSAGES
from app.integrations.traccar import Forwarder
from app.platform.runtime import Runtime
from app.platform.steps import gauge
from app.settings import NeighbourSettings, Settings

STOP_S = 10.0


@dataclass(frozen=True)
class Address:
    """Where a neighbour is reached, and the secret that signs what goes there, empty for none."""

    url: str
    secret: str


def addresses(settings: Settings, of_neighbours: NeighbourSettings) -> dict[str, Address]:
    """The address of each neighbour that the settings name; that of text messages has settings of its own."""
    secrets = {name: secret.get_secret_value() for name, secret in of_neighbours.neighbour_secrets.items()}
    found = {name: Address(url, secrets.get(name, "")) for name, url in of_neighbours.neighbour_urls.items()}
    if texts_url := settings.text_messages_url.get_secret_value():
        found[TEXT_MESSAGES] = Address(texts_url, settings.text_messages_secret.get_secret_value())
    return found


class Exchanges:
    """Exchanges with all neighbours that are connected; takes in what those push whose secret alone is named.

    Raises
    ------
    NotFoundError, InvalidInputError
        If the settings name a neighbour that there is none of, or an address or secret that cannot be used.
    """

    def __init__(self, runtime: Runtime, neighbours: Neighbours, settings: NeighbourSettings) -> None:
        self.runtime, self.neighbours = runtime, neighbours
        self._exchangers = []
        for name, address in addresses(runtime.settings, settings).items():
            neighbour = neighbours.get(name)
            adapter = neighbour.connect(address.url, address.secret, neighbour.codec)
            adapter.max_answer = settings.neighbour_max_answer
            self._exchangers.append(Exchanger(runtime, neighbour, adapter))
        told = {exchanger.neighbour.name for exchanger in self._exchangers}
        for name in settings.neighbour_secrets.keys() - told:
            if (neighbour := neighbours.get(name)).takes:
                self._exchangers.append(Exchanger(runtime, neighbour, None))
        self.forwarder = Forwarder(runtime.settings.position_receiver)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Say who is connected, and begin."""
        with self.runtime.sessions() as session:
            connected = [each.neighbour.name for each in self._exchangers if each.adapter is not None]
            pushing = [each.neighbour.name for each in self._exchangers if each.adapter is None]
            store.set_connected(session, connected, pushing)
            session.commit()
        for exchanger in self._exchangers:
            name = f"neighbour-{exchanger.neighbour.name}"
            thread = threading.Thread(target=exchanger.run, args=(self._stop,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End; a message under way may finish."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=STOP_S)

    def tell(self, session: Session, _now: datetime) -> int:
        """Set the gauges behind /metrics; how many neighbours are connected. Called by control's tick."""
        gauge(self.runtime, service.gauges(service.read_conditions(session, self.neighbours)))
        return len(self._exchangers)
