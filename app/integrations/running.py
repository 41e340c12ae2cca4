"""The exchanges of a process: one thread a neighbour that the settings name, and what is told of them."""

from __future__ import annotations

import threading
from datetime import datetime

from sqlalchemy.orm import Session

from app.integrations import service, store
from app.integrations.exchange import Exchanger
from app.integrations.neighbour import Neighbours
from app.integrations.traccar import Forwarder
from app.platform.runtime import Runtime
from app.platform.steps import gauge
from app.settings import NeighbourSettings

STOP_S = 10.0


class Exchanges:
    """Exchanges with all neighbours that are connected.

    Raises
    ------
    NotFoundError, InvalidInputError
        If the settings name a neighbour that there is none of, or an address or secret that cannot be used.
    """

    def __init__(self, runtime: Runtime, neighbours: Neighbours, settings: NeighbourSettings) -> None:
        self.runtime, self.neighbours = runtime, neighbours
        self._exchangers = []
        for name, url in settings.neighbour_urls.items():
            neighbour = neighbours.get(name)
            secret = settings.neighbour_secrets.get(name)
            adapter = neighbour.connect(url, "" if secret is None else secret.get_secret_value(), neighbour.codec)
            adapter.max_answer = settings.neighbour_max_answer
            self._exchangers.append(Exchanger(runtime, neighbour, adapter))
        self.forwarder = Forwarder(runtime.settings.position_receiver)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Say who is connected, and begin."""
        with self.runtime.sessions() as session:
            store.set_connected(session, [exchanger.neighbour.name for exchanger in self._exchangers])
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
