"""Ports of automatic barriers: one command out, one answer back, over HTTP or MQTT.

A command is tried once and says until when it may be obeyed. Whatever goes wrong (no connection, no answer in time, a
refusal) ends as a failure; nothing is repeated, queued or kept by a broker, so a barrier never opens later by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

import httpx
import orjson
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from geo.errors import InvalidInputError

TIMEOUT_S: Final = 5.0
VALID: Final = timedelta(seconds=10)
"""How long a barrier may obey a command after it was given."""
ANSWERS: Final = ("opened", "refused", "fault")


@dataclass(frozen=True)
class Command:
    """Open now: the number of the command, and the time after which it must no longer be obeyed."""

    command_id: int
    valid_until: datetime

    def encode(self) -> bytes:
        """As JSON `{"command", "command_id", "valid_until"}`."""
        return orjson.dumps({"command": "open", "command_id": self.command_id, "valid_until": self.valid_until})


@dataclass(frozen=True)
class Answer:
    """Whether the barrier says that it opened, and its words or what went wrong."""

    opened: bool
    detail: str


class BarrierPort(Protocol):
    """What opens a barrier."""

    def open(self, command: Command) -> Answer:
        """Give the command, wait for the answer; never raises for what a device or line does."""
        ...


@dataclass(frozen=True)
class HttpPort:
    """POSTs the command to a controller, which answers 2xx with JSON `{"status": "opened"}` once it has opened."""

    url: str
    secret: str | None = None
    timeout_s: float = TIMEOUT_S

    def open(self, command: Command) -> Answer:
        """Give the command, wait for the answer."""
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["Authorization"] = f"Bearer {self.secret}"
        try:
            answer = httpx.post(self.url, content=command.encode(), headers=headers, timeout=self.timeout_s)
        except httpx.HTTPError as error:
            return Answer(False, f"No answer: {type(error).__name__}")
        if not answer.is_success:
            return Answer(False, f"HTTP {answer.status_code}")
        return _read(answer.content, command.command_id, needs_id=False) or Answer(False, "The answer is not readable.")


@dataclass(frozen=True)
class MqttPort:
    """Publishes to `{topic}/command` and waits on `{topic}/state` for `{"command_id", "status": "opened"}`.

    `broker` is `mqtt://[user:password@]host[:port]` or `mqtts://…`. MQTT 5: the message expires in the broker with the
    command and is not retained, so a barrier that comes back later does not find it.
    """

    broker: str
    topic: str
    timeout_s: float = TIMEOUT_S

    def open(self, command: Command) -> Answer:
        """Give the command, wait for the answer."""
        answered = threading.Event()
        answers: list[Answer] = []
        failures: list[str] = []

        def on_connect(client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                failures.append(f"The broker refuses: {reason}")
                answered.set()
            else:
                client.subscribe(f"{self.topic}/state", qos=1)

        def on_subscribe(client: mqtt.Client, _userdata: Any, _mid: int, _reasons: Any, _properties: Any) -> None:
            expiry = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            expiry.MessageExpiryInterval = int(VALID.total_seconds())
            client.publish(f"{self.topic}/command", command.encode(), qos=1, retain=False, properties=expiry)

        def on_message(_client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
            answer = None if message.retain else _read(bytes(message.payload), command.command_id, needs_id=True)
            if answer is not None:
                answers.append(answer)
                answered.set()

        client = connect_client(self.broker)
        client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
        try:
            client.connect(*address(self.broker), keepalive=30)
        except (OSError, ValueError) as error:
            return Answer(False, f"No connection to the broker: {type(error).__name__}")
        client.loop_start()
        try:
            answered.wait(self.timeout_s)
        finally:
            client.disconnect()
            client.loop_stop()
        return answers[0] if answers else Answer(False, failures[0] if failures else "No answer in time.")


def make_port(vendor: str, config: Mapping[str, Any]) -> BarrierPort:
    """The port of a barrier by its driver and set-up.

    Raises
    ------
    InvalidInputError
        If there is no such driver.
    """
    timeout_s = min(float(config.get("timeout_s") or TIMEOUT_S), VALID.total_seconds())
    if vendor == "http":
        return HttpPort(str(config["url"]), config.get("secret"), timeout_s)
    if vendor == "mqtt":
        return MqttPort(str(config["broker"]), str(config["topic"]), timeout_s)
    raise InvalidInputError("There is no barrier driver {vendor}.", field="vendor", vendor=vendor)


def connect_client(broker: str) -> mqtt.Client:
    """An MQTT 5 client set up with the user and TLS of a broker's address, not connected yet."""
    parts = urlsplit(broker)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    if parts.scheme == "mqtts":
        client.tls_set()
    return client


def address(broker: str) -> tuple[str, int]:
    """Host and port of a broker's address; raises ValueError if it names none."""
    parts = urlsplit(broker)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise ValueError(f"{parts.scheme}: not an MQTT address")
    return parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883)


def _read(payload: bytes, command_id: int, *, needs_id: bool) -> Answer | None:
    """A barrier's answer to this command; `None` if it is something else."""
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or said.get("status") not in ANSWERS:
        return None
    if said.get("command_id", None if needs_id else command_id) != command_id:
        return None
    return Answer(said["status"] == "opened", str(said.get("detail") or said["status"])[:300])
