"""An exchange with a neighbour whose every effect is counted: the adapter and the simulator as processes of their own.

`python -m bench.rig.exchanging simulator PORT FOLDER` and `… adapter URL` (with `DATABASE_URL` and `REDIS_URL`).
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.integrations.adapter import HttpAdapter
from app.integrations.exchange import Exchanger
from app.integrations.messages import Body, Message, read_body
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.integrations.simulators.faults import Faults
from app.integrations.simulators.server import Simulator
from app.integrations.simulators.storage import Planned, Storage
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.runtime import Runtime
from app.settings import get_settings
from geo.clock import Clock, SystemClock

NAME: Final = "ledger"
FAULTS: Final = Faults(slow=0.002, slow_s=1.0, fails=0.03, repeats=0.3, wrong=0.01, shuffles=True)


class Entry(Body):
    """Something that happened here once, and must be known there once."""

    KIND: ClassVar[str] = "ledger.entry"

    number: int


class Receipt(Body):
    """It is known there; that must have one effect here."""

    KIND: ClassVar[str] = "ledger.receipt"

    number: int


def ledger() -> Neighbour:
    """A neighbour whose receipts are counted in a table that keeps every effect, doubled ones too."""

    def take(action: ActionContext, _message: Message, body: Receipt) -> Taken:
        action.session.execute(text("INSERT INTO app.bench_ledger (number) VALUES (:number)"), {"number": body.number})
        return Taken()

    return Neighbour(NAME, "Ledger", "book", sends=(Entry,), takes=(Incoming(Receipt, take),))


class LedgerScript:
    """The other side: notes entries, sends receipts within two seconds."""

    name = NAME

    def answer(self, _storage: Storage, message: Message, clock: Clock, generator: random.Random) -> Sequence[Planned]:
        """A receipt."""
        entry = read_body(Entry, message.body)
        assert isinstance(entry, Entry)
        receipt = Message(
            id=f"receipt-{entry.number}",
            kind=Receipt.KIND,
            about=message.about,
            sent_at=clock.now(),
            body={"number": entry.number},
        )
        return [Planned(receipt, generator.uniform(0.0, 2.0))]

    def keep(self, _storage: Storage, _key: str, _data: JsonObject, _clock: Clock) -> Sequence[Planned]:
        """It is told nothing."""
        return []


def run_simulator(port: int, folder: Path) -> None:
    """Simulate until killed."""
    simulator = Simulator(LedgerScript(), folder / "ledger.sqlite", SystemClock(), port=port, faults=FAULTS)
    simulator.serve()


def run_adapter(url: str) -> None:
    """Exchange until killed or told to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while True:
        try:
            runtime = Runtime.open(get_settings(), part="bench-adapter")
            break
        except SQLAlchemyError:  # the database is being started again
            time.sleep(0.2)
    Exchanger(runtime, ledger(), HttpAdapter(url)).run(stop)


if __name__ == "__main__":
    if sys.argv[1] == "simulator":
        run_simulator(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        run_adapter(sys.argv[2])
