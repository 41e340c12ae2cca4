"""What changes on the public board, published to an MQTT broker where `CUAKHAU_PUBLIC_MQTT_URL` is set.

CloudEvents in structured mode (JSON) by topic `cuakhau/v1/{gate}/{type}`, QoS 1, the last of each topic retained, so
that who comes later knows the present state. The place of the reader lies in the database and moves when the broker has
acknowledged: what was published twice has the same `id`.
"""

from __future__ import annotations

import threading
from typing import Final
from urllib.parse import unquote, urlsplit

import orjson
import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from app.equipment.drivers import address
from app.notifications import store as feeds
from app.open_data.events import EVENT, PREFIX
from app.platform.runtime import Runtime
from geo.errors import UnavailableError

FEED: Final = "public_mqtt"
TOPIC: Final = "cuakhau/v1"
MAX_AT_ONCE: Final = 500
ACKNOWLEDGED_WITHIN_S: Final = 10.0
LOOK_S: Final = 1.0
RETRY_S: Final = 10.0

log = structlog.get_logger("public_mqtt")


class BoardPublisher:
    """Reads the board's events off the outbox and publishes them; `url` is `mqtt(s)://[user:password@]host[:port]`."""

    def __init__(self, runtime: Runtime, url: str) -> None:
        self._runtime = runtime
        self._url = urlsplit(url)
        self._address = address(url)
        self._client: mqtt.Client | None = None

    def keep_publishing(self, over: threading.Event) -> None:
        """Publish until told to stop; a broker that is away is tried again."""
        wait_s = 0.0
        while not over.wait(wait_s):
            try:
                wait_s = 0.0 if self.publish_new() else LOOK_S
            except Exception as problem:  # whatever it is, the next round may be better
                log.warning("not published", reason=repr(problem)[:200])
                self.close()
                wait_s = RETRY_S
        self.close()

    def publish_new(self) -> int:
        """Publish what is new; how many events.

        Raises
        ------
        UnavailableError
            If the broker is away or acknowledges nothing; nothing counts as published then.
        """
        with self._runtime.sessions.begin() as session:
            position = feeds.lock_feed(session, FEED)
            rows = feeds.events_between(session, position, feeds.newest_event(session), (EVENT,))[:MAX_AT_ONCE]
            if not rows:
                return 0
            client = self._connected()
            sent = [client.publish(topic_of(row.data), orjson.dumps(row.data), qos=1, retain=True) for row in rows]
            for each in sent:
                each.wait_for_publish(ACKNOWLEDGED_WITHIN_S)
            if not all(each.is_published() for each in sent):
                raise UnavailableError("The MQTT broker does not answer.")
            feeds.move_feed(session, FEED, rows[-1].event_id)
            return len(rows)

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _connected(self) -> mqtt.Client:
        if self._client is None:
            client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="cuakhau-board")
            if self._url.username:
                client.username_pw_set(unquote(self._url.username), unquote(self._url.password or ""))
            if self._url.scheme == "mqtts":
                client.tls_set()
            client.connect(*self._address, keepalive=30)
            client.loop_start()
            self._client = client
        return self._client


def topic_of(event: dict[str, object]) -> str:
    """Where an event goes: by its gate and what it is about."""
    return f"{TOPIC}/{event['subject']}/{str(event['type']).removeprefix(PREFIX)}"
