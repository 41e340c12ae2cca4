"""The gateway of MQTT: one client with a session that the broker keeps, acknowledging each message once it is taken in.

QoS 1, a fixed client id and no clean session: what is published while the gateway is away waits in the broker, what was
delivered and not acknowledged is delivered again. Messages that cannot be kept now (a server is away) are tried again
until they can, and stay unacknowledged; what cannot be read is counted or logged, and acknowledged: it never will be.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import orjson
import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from app.tracking.commands import CommandDesk
from geo.errors import CuaKhauError, UnavailableError
from ingest.formats import owntracks
from ingest.formats.gps_format import RawMessage
from ingest.intake import FixIntake

KEEPALIVE_S = 30
MAX_BACKOFF_S = 10.0
FIRST_BACKOFF_S = 0.25
OWNTRACKS_TOPIC = "owntracks/#"
_COMMANDS = "/cmd"

log = structlog.get_logger("mqtt")


@dataclass(frozen=True)
class Subscription:
    """What is listened to, and who takes a message in: its topic and payload; raises `TRANSIENT` if it must come again.

    With `in_order` one message is taken in after the other.
    """

    topic: str
    receive: Callable[[str, bytes], Awaitable[object]]
    in_order: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


TRANSIENT = (UnavailableError, RedisError, DBAPIError, OSError)
"""A server is away: waiting helps."""


Publisher = Callable[[str, bytes], object]


def owntracks_subscription(
    intake: FixIntake, commands: CommandDesk | None = None, publish: Publisher | None = None
) -> Subscription:
    """Locations and transitions of OwnTracks; the topic names the device, and who may publish there the broker says.

    With `commands`, what waits for a phone is published to its topic once it was heard.
    """

    async def receive(topic: str, payload: bytes) -> None:
        if topic.endswith(_COMMANDS):
            return  # those that we send
        try:
            message = RawMessage(payload, topic=topic)
            result = await intake.receive(owntracks.FORMAT, message)
            if commands is not None and publish is not None and await commands.waiting():
                taken = await commands.take(result.vehicle_ids)
                for command in owntracks.write_commands([item.text for item in taken]) if taken else ():
                    publish("/".join(topic.split("/")[:3]) + _COMMANDS, orjson.dumps(command))
        except UnavailableError:
            raise
        except CuaKhauError as error:
            log.info("message not accepted", format=owntracks.FORMAT.name, reason=str(error)[:200])

    return Subscription(OWNTRACKS_TOPIC, receive)


class MqttGateway:
    """One connection to `broker`: `mqtt://[user:password@]host[:port]` or `mqtts://…`. Lives in one event loop.

    Two gateways need two values of `client_id`: a broker lets only one be connected by each.
    """

    def __init__(self, broker: str, subscriptions: Sequence[Subscription] = (), *, client_id: str) -> None:
        parts = urlsplit(broker)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise ValueError(f"{parts.scheme}: not an MQTT address")
        self.host, self.port = parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        self.subscriptions = list(subscriptions)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        if parts.username:
            self.client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self.client.tls_set()
        self.client.reconnect_delay_set(1, 10)
        self.client.on_connect, self.client.on_message = self._on_connect, self._on_message

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop` is set; while the broker is away the client keeps trying to come back."""
        self._loop = asyncio.get_running_loop()
        self.client.connect_async(self.host, self.port, keepalive=KEEPALIVE_S)
        self.client.loop_start()
        try:
            await stop.wait()
        finally:
            self.client.on_message = None
            for task in list(self._tasks):  # what is not acknowledged yet the broker keeps
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.client.disconnect()
            await asyncio.to_thread(self.client.loop_stop)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send a message at QoS 1; whether there is a connection to send it by."""
        return self.client.is_connected() and self.client.publish(topic, payload, qos=1).rc == mqtt.MQTT_ERR_SUCCESS

    def _on_connect(self, client: mqtt.Client, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refuses", reason=str(reason))
            return
        client.subscribe([(subscription.topic, 1) for subscription in self.subscriptions])
        log.info("listening", topics=[item.topic for item in self.subscriptions], resumed=bool(flags.session_present))

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        """In the client's thread: hand over to the event loop."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: the broker keeps the message
            self._loop.call_soon_threadsafe(self._begin, message)

    def _begin(self, message: mqtt.MQTTMessage) -> None:
        task = asyncio.ensure_future(self._take(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, message: mqtt.MQTTMessage) -> None:
        for subscription in self.subscriptions:
            if mqtt.topic_matches_sub(subscription.topic, message.topic):
                await self._deliver(subscription, message.topic, bytes(message.payload))
        if message.qos:
            self.client.ack(message.mid, message.qos)

    async def _deliver(self, subscription: Subscription, topic: str, payload: bytes) -> None:
        """Have a message taken in, however long the servers are away."""
        backoff_s = FIRST_BACKOFF_S
        async with subscription.turn if subscription.in_order else contextlib.nullcontext():
            while True:
                try:
                    await subscription.receive(topic, payload)
                    return
                except TRANSIENT as error:
                    log.warning("waiting for a server", reason=str(error).splitlines()[0][:200], retry_in_s=backoff_s)
                except Exception:  # whatever it is, the next message must be taken in
                    log.exception("message lost", topic=topic[:200])
                    return
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)


class Runs(Protocol):
    """What runs until it is told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set."""
        ...


async def run_until_signal(gateway: Runs, stop: asyncio.Event | None = None) -> None:
    """Listen until SIGTERM or SIGINT."""
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, RuntimeError):  # only the main thread may
            loop.add_signal_handler(number, stop.set)
    await gateway.run(stop)
