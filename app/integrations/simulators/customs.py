"""The simulated customs' system: declarations by number, their channel, release, hold, amendment."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.integrations.customs_messages import NAME, CustomsPassage, CustomsQuery, CustomsStatus, CustomsWeighing
from app.integrations.messages import Message, read_body
from app.integrations.simulators.storage import Planned, Storage
from app.platform.json import JsonObject
from geo.clock import Clock
from geo.errors import InvalidInputError

CHANNELS: Final = {"green": 0.6, "yellow": 0.3, "red": 0.1}
RELEASED_AFTER_S: Final = {"green": 0.0, "yellow": 60.0, "red": 180.0}
"""How long after a declaration is asked for it is released, by channel."""


@dataclass(frozen=True)
class CustomsScript:
    """Knows every declaration: what it was told of it, else what its seed makes up.

    A record is told as `{"story": [{"after_s": 0, "state": "registered", "channel": "yellow"}, {"after_s": 30,
    "state": "released"}]}`: each part of the story takes what it does not say from the part before.
    """

    seed: int = 0
    name: str = NAME

    def answer(self, storage: Storage, message: Message, clock: Clock, _generator: random.Random) -> Sequence[Planned]:
        """The story of a declaration that is asked for; passages and weighings are kept."""
        if message.kind in (CustomsPassage.KIND, CustomsWeighing.KIND):
            model = CustomsPassage if message.kind == CustomsPassage.KIND else CustomsWeighing
            read_body(model, message.body)
            return []
        if message.kind != CustomsQuery.KIND:
            raise InvalidInputError("There is no message {kind}.", kind=message.kind)
        query = read_body(CustomsQuery, message.body)
        assert isinstance(query, CustomsQuery)
        record = storage.find_record(query.number) or self._made_up(query)
        told = int(str(record.get("told", 0)))
        story = _parts(record)
        if told:  # asked again, by another truck: how it stands now
            story = [{**story[-1], "after_s": 0.0}]
        storage.keep_record(query.number, {**record, "told": told + len(story)})
        return self._statuses(query.number, message.id, story, told, clock)

    def keep(self, storage: Storage, key: str, data: JsonObject, clock: Clock) -> Sequence[Planned]:
        """Know a declaration; who asked for it before is told what is new of it."""
        told = int(str((storage.find_record(key) or {}).get("told", 0)))
        story = _parts(data) if told else []
        storage.keep_record(key, {**data, "told": told + len(story)})
        return self._statuses(key, None, story, told, clock)

    def _statuses(
        self, number: str, reply_to: str | None, story: Sequence[JsonObject], told: int, clock: Clock
    ) -> list[Planned]:
        return [self._status(number, reply_to, part, told + place, clock.now()) for place, part in enumerate(story, 1)]

    def _status(self, number: str, reply_to: str | None, part: JsonObject, version: int, now: datetime) -> Planned:
        after_s = float(str(part.pop("after_s", 0.0)))
        at = now + timedelta(seconds=after_s)
        if part.get("state") == "released":
            part.setdefault("released_at", at.isoformat())
        body = read_body(CustomsStatus, {"number": number, **part}).model_dump(mode="json")
        message = Message(
            id=f"{NAME}-{number}-{version}",
            kind=CustomsStatus.KIND,
            about=number,
            sent_at=at,
            reply_to=reply_to,
            version=version,
            body=body,
        )
        return Planned(message, after_s)

    def _made_up(self, query: CustomsQuery) -> JsonObject:
        generator = random.Random(f"{self.seed} {query.number}")
        channel = generator.choices(list(CHANNELS), list(CHANNELS.values()))[0]
        gross_kg = query.gross_kg or generator.randint(5, 25) * 1000
        line = {"number": 1, "description": "Hàng mô phỏng", "unit": "kg", "gross_kg": gross_kg}
        begin = {"after_s": 0.0, "state": "registered", "channel": channel, "lines": [line]}
        return {"story": [begin, {"after_s": RELEASED_AFTER_S[channel], "state": "released"}]}


def _parts(record: Mapping[str, object]) -> list[JsonObject]:
    """The parts of a story, each whole."""
    written = record.get("story")
    if not isinstance(written, list) or not written:
        raise InvalidInputError("A record needs a story.", field="story")
    parts: list[JsonObject] = []
    for part in written:
        before = dict(parts[-1]) if parts else {}
        parts.append({**before, **dict(part)})
    return parts
