"""The simulated weather service: warns of what it is told, `PUT /records/WARNING`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.integrations.messages import Message
from app.integrations.simulators.storage import Planned, Storage, Unasked
from app.platform.json import JsonObject
from geo.clock import Clock

NAME: Final = "weather"
KIND: Final = "weather.warning"
LASTS: Final = timedelta(hours=6)


@dataclass(frozen=True)
class WeatherScript(Unasked):
    """A service that warns when somebody says so."""

    seed: int = 0
    name: str = NAME

    def keep(self, storage: Storage, key: str, data: JsonObject, clock: Clock) -> Sequence[Planned]:
        """A warning `key`, from now for six hours unless told otherwise: `headline gates onset expires msgType`; each
        time it is told of it counts as an update."""
        known = storage.find_record(key)
        told = known.get("version") if known is not None else 0
        version = (told if isinstance(told, int) else 0) + 1
        storage.keep_record(key, {**data, "version": version})
        now = clock.now()
        times = {"onset": now.isoformat(), "expires": (now + LASTS).isoformat()}
        body = {"identifier": key, "msgType": "Alert" if version == 1 else "Update", **times, **data}
        identity = f"{NAME}-{key}-{version}"
        return [Planned(Message(id=identity, kind=KIND, about=key, sent_at=now, version=version, body=body))]
