"""The gateway of MQTT in a thread of the test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

from app.tracking.mqtt_gateway import MqttGateway, Subscription


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether `condition` comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def listen(
    broker: str,
    subscriptions: Callable[[], Sequence[Subscription]],
    stop: threading.Event,
    *,
    client_id: str = "cuakhau-test",
    use: Callable[[MqttGateway], object] = lambda _gateway: None,
) -> threading.Thread:
    """Listen in a thread until `stop`; `subscriptions` are made in its event loop."""

    async def run() -> None:
        gateway = MqttGateway(broker, subscriptions(), client_id=client_id)
        use(gateway)
        over = asyncio.Event()
        running = asyncio.create_task(gateway.run(over))
        while not stop.is_set():
            await asyncio.sleep(0.05)
        over.set()
        await running

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    return thread
