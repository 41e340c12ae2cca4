"""The simulated register of vehicles and their inspection."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.integrations.messages import Message, read_body
from app.integrations.registration_messages import NAME, RegistrationQuery, RegistrationRecord
from app.integrations.simulators.storage import Planned, Storage
from app.platform.json import JsonObject
from geo.clock import Clock
from geo.errors import InvalidInputError

CLASSES: Final = (("Xe đầu kéo", 0, 3), ("Xe tải", 30_000, 5), ("Xe tải đông lạnh", 30_000, 5))
TRAILERS: Final = (("Sơ mi rơ moóc", 31_000, 3), ("Sơ mi rơ moóc tải (chở container)", 30_000, 3))


@dataclass(frozen=True)
class RegistrationScript:
    """Knows every plate: what it was told of one, else what its seed makes up."""

    seed: int = 0
    name: str = NAME

    def answer(self, storage: Storage, message: Message, clock: Clock, _generator: random.Random) -> Sequence[Planned]:
        """The record of the plate that is asked for."""
        if message.kind != RegistrationQuery.KIND:
            raise InvalidInputError("There is no message {kind}.", kind=message.kind)
        query = read_body(RegistrationQuery, message.body)
        assert isinstance(query, RegistrationQuery)
        record = storage.find_record(query.plate) or self._made_up(query.plate, clock)
        body = read_body(RegistrationRecord, {"plate": query.plate, **record}).model_dump(mode="json")
        answer = Message(
            id=f"{NAME}-{message.id}",
            kind=RegistrationRecord.KIND,
            about=query.plate,
            sent_at=clock.now(),
            reply_to=message.id,
            body=body,
        )
        return [Planned(answer)]

    def keep(self, storage: Storage, key: str, data: JsonObject, _clock: Clock) -> Sequence[Planned]:
        """Know a plate; whoever asks next is told."""
        storage.keep_record(key, data)
        return []

    def _made_up(self, plate: str, clock: Clock) -> JsonObject:
        generator = random.Random(f"{self.seed} {plate}")
        kind, payload_kg, axles = generator.choice(TRAILERS if "R" in plate[2:4] else CLASSES)
        expires = clock.now().date() + timedelta(days=generator.randint(20, 360))
        return {
            "vehicle_class": kind,
            "payload_kg": payload_kg or None,
            "axles": axles,
            "inspection_expires": expires.isoformat(),
            "owner": f"Công ty vận tải mô phỏng {generator.randint(1, 99)}",
        }
