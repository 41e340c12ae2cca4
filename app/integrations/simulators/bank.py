"""The simulated bank: says of transfers that it is told of, `PUT /records/REFERENCE`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.integrations.messages import Message
from app.integrations.simulators.storage import Planned, Storage, Unasked
from app.platform.json import JsonObject
from geo.clock import Clock

NAME: Final = "bank"
KIND: Final = "bank.transfer"


@dataclass(frozen=True)
class BankScript(Unasked):
    """A bank at which money comes in when somebody says so."""

    seed: int = 0
    name: str = NAME

    def keep(self, storage: Storage, key: str, data: JsonObject, clock: Clock) -> Sequence[Planned]:
        """Money came in under the bank's reference `key`: `account_number amount_vnd content payer`."""
        storage.keep_record(key, data)
        now = clock.now()
        body = {"bank_ref": key, "received_at": now.isoformat(), **data}
        return [Planned(Message(id=f"{NAME}-{key}", kind=KIND, about=key, sent_at=now, body=body))]
