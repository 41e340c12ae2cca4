"""The simulated service of electronic seals: says what it is told of a seal, `PUT /records/SEAL-NUMBER`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.integrations.messages import Message
from app.integrations.simulators.storage import Planned, Storage, Unasked
from app.platform.json import JsonObject
from geo.clock import Clock

NAME: Final = "seals"
KIND: Final = "seal.event"


@dataclass(frozen=True)
class SealsScript(Unasked):
    """Seals at which something happens when somebody says so."""

    seed: int = 0
    name: str = NAME

    def keep(self, storage: Storage, key: str, data: JsonObject, clock: Clock) -> Sequence[Planned]:
        """Something happened at the seal `key`: `event` (locked, opened, tampered), `plate`, `lon`, `lat`; or several
        things, `story`, each `after_s` from now."""
        storage.keep_record(key, data)
        story, now, planned = data.get("story"), clock.now(), []
        told = [each for each in story if isinstance(each, dict)] if isinstance(story, list) else [data]
        for number, each in enumerate(told):
            given = each.get("after_s")
            after_s = float(given) if isinstance(given, int | float) else 0.0
            at = now + timedelta(seconds=after_s)
            said = {name: value for name, value in each.items() if name != "after_s"}
            body = {"seal_number": key, "at": at.isoformat(), **said}
            identity = f"{NAME}-{key}-{now:%Y%m%d%H%M%S%f}-{number}"
            planned.append(Planned(Message(id=identity, kind=KIND, about=key, sent_at=at, body=body), after_s))
        return planned
