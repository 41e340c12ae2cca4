"""Exchanging with a neighbour, round after round: send what is due, fetch what it keeps, take in what came.

Each part is a transaction that can be repeated. A message is sent at least once and known by its identity, so that the
neighbour acts once; what it answers is put down under its own identity and taken in together with its effect, so that
we act once, whatever dies in between, comes again, or overtakes.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.integrations import store
from app.integrations.adapter import Adapter, Answer, Outcome
from app.integrations.circuit import OPEN_AFTER, Circuit
from app.integrations.neighbour import Neighbour, Tried
from app.integrations.store import ClaimedMessage, Settled
from app.integrations.tables import NeighbourRow
from app.integrations.vocabulary import InStatus, OutStatus
from app.platform.actions import ActionContext
from app.platform.outbox import relay_after_commit
from app.platform.retrying import Pauses
from app.platform.runtime import Runtime
from app.platform.steps import count
from geo.errors import CuaKhauError

RETRIES: Final = Pauses.of_seconds((2, 10, 60, 300, 1800, 7200), spread=0.25)
"""Of a message that its receiver fails on; after the last a person mends it. An outage of the neighbour counts for
none: then all wait for its circuit."""
TAKE_RETRIES: Final = Pauses.of_seconds((1, 5, 30, 300), spread=0.25)
"""Of a message that cannot be taken in; after the last a person looks."""
LEASE: Final = timedelta(seconds=60)
MAX_AT_ONCE: Final = 64
SENDERS: Final = 8
MAX_TAKEN: Final = 500
"""Messages taken in in one round, so that sending has its turn."""
PAUSE_S: Final = 1.0
FRESH: Final = timedelta(seconds=15)
"""So long that a neighbour answers is not written down again where it has nothing to say."""

log = structlog.get_logger("neighbours")


@dataclass
class Exchanger:
    """Exchanges with one neighbour; several may run at once, on one machine or many.

    Without an `adapter` it is neither told nor asked: what it pushes is taken in.
    """

    runtime: Runtime
    neighbour: Neighbour
    adapter: Adapter | None
    generator: random.Random = field(default_factory=random.Random)

    def run(self, stop: threading.Event) -> None:
        """Rounds until told to stop; outlives the database and the neighbour."""
        while not stop.is_set():
            try:
                has_worked = self.run_round()
            except OperationalError as error:
                log.warning("the database is away", neighbour=self.neighbour.name, reason=str(error).splitlines()[0])
                has_worked = False
            except Exception:  # a fault must not end it for good; the next round begins again
                log.exception("exchange failed", neighbour=self.neighbour.name)
                has_worked = False
            if not has_worked:
                stop.wait(PAUSE_S)
        if self.adapter is not None:
            self.adapter.close()

    def run_round(self) -> bool:
        """Send, fetch, take in; whether there was anything to do."""
        sent = self.send_due()
        fetched = self.fetch()
        return bool(self.take_in() + sent + fetched)

    def send_due(self) -> int:
        """Send what is due unless the neighbour is left alone for now; how many messages were settled."""
        if (adapter := self.adapter) is None:
            return 0
        now = self.runtime.clock.now()
        with self.runtime.sessions() as session:
            row = store.find_neighbour(session, self.neighbour.name)
            circuit = None if row is None else store.circuit_of(row)
            if circuit is not None and not circuit.may_try(now):
                return 0
            limit = MAX_AT_ONCE if circuit is None or circuit.is_closed else 1
            claimed = store.claim_out(session, self.neighbour.name, now, until=now + LEASE, limit=limit)
            session.commit()
        if not claimed:
            return 0
        with ThreadPoolExecutor(min(SENDERS, len(claimed)), thread_name_prefix="neighbour") as pool:
            answers = list(pool.map(lambda each: adapter.send(each.message, now), claimed))
        self._settle(claimed, answers)
        return sum(answer.outcome is not Outcome.AWAY for answer in answers)

    def fetch(self) -> int:
        """Fetch what the neighbour keeps for us; how many messages were new."""
        if self.adapter is None or not self.neighbour.is_polled:
            return 0
        now = self.runtime.clock.now()
        with self.runtime.sessions() as session:
            row = store.find_neighbour(session, self.neighbour.name)
            circuit, cursor = Circuit() if row is None else store.circuit_of(row), "" if row is None else row.cursor
        if not circuit.may_try(now):
            return 0
        answer = self.adapter.fetch(cursor, now)
        if answer.outcome is not Outcome.TAKEN:  # whatever it says: nothing of it reaches us
            answer = replace(answer, outcome=Outcome.AWAY)
        self._measure([answer])
        is_fresh = circuit.ok_at is not None and timedelta() <= now - circuit.ok_at < FRESH
        if answer.outcome is Outcome.TAKEN and not answer.messages and circuit.is_closed and is_fresh:
            return 0  # nothing new, and that it answers is known
        with self.runtime.sessions() as session:
            row = store.lock_neighbour(session, self.neighbour.name)
            now = self.runtime.clock.now()
            new = store.receive(session, self.neighbour.name, answer.messages, now)
            if answer.cursor is not None and row.cursor == cursor:
                row.cursor = answer.cursor
            self._note(kept=row, answers=[answer], now=now)
            if row.returned_at == now:
                store.hurry_out(session, self.neighbour.name, now)
            session.commit()
        return new

    def take_in(self) -> int:
        """Take in what came, each message with its effect in one transaction; how many were settled."""
        taken = 0
        while taken < MAX_TAKEN and self._take_next():
            taken += 1
        return taken

    def _take_next(self) -> bool:
        now = self.runtime.clock.now()
        with self.runtime.sessions() as session:
            row = store.lock_next_in(session, self.neighbour.name, now)
            if row is None:
                return False
            result = ""
            try:
                with session.begin_nested():
                    taken = self.neighbour.take(ActionContext(session, None, now), store.message_of(row))
                row.status = InStatus.SUPERSEDED if taken.is_superseded else InStatus.TAKEN
                row.taken_at, row.note, result = now, taken.note, str(row.status)
            except OperationalError:
                raise
            except Exception as error:  # whatever it is: one message must not stop the others
                if not isinstance(error, CuaKhauError):
                    log.exception("a message cannot be taken in", neighbour=self.neighbour.name, message=row.message_id)
                row.tries += 1
                row.note = f"{type(error).__name__}: {error}"[:500].replace("\x00", "")
                next_try_at = TAKE_RETRIES.next_try(row.tries, now, self.generator.random())
                row.status = InStatus.DEAD if next_try_at is None else InStatus.WAITING
                row.next_try_at, result = next_try_at or now, "failed"
            session.commit()
            relay_after_commit(session, self.runtime.redis)
        count(self.runtime, f'neighbour_messages_in_total{{neighbour="{self.neighbour.name}",result="{result}"}}')
        return True

    def _settle(self, claimed: Sequence[ClaimedMessage], answers: Sequence[Answer]) -> None:
        with self.runtime.sessions() as session:
            row = store.lock_neighbour(session, self.neighbour.name)
            now = self.runtime.clock.now()
            circuit = self._note(kept=row, answers=answers, now=now)
            settled = [self._settled(each, answer, now, circuit) for each, answer in zip(claimed, answers, strict=True)]
            store.settle_out(session, settled, now)
            self._tell_tried(session, claimed, settled, now)
            for answer in answers:
                store.receive(session, self.neighbour.name, answer.messages, now)
            if row.returned_at == now:
                store.hurry_out(session, self.neighbour.name, now)
            session.commit()
        self._measure(answers)

    def _tell_tried(
        self, session: Session, claimed: Sequence[ClaimedMessage], settled: Sequence[Settled], now: datetime
    ) -> None:
        """Tell whoever wants to know how tries went; what is wrong there must not make a message be sent again."""
        if self.neighbour.tried is None:
            return
        for each, how in zip(claimed, settled, strict=True):
            is_sent, is_over = how.status is OutStatus.SENT, how.status is not OutStatus.WAITING
            try:
                with session.begin_nested():
                    self.neighbour.tried(session, Tried(each.subject, is_sent, is_over, how.error), now)
            except OperationalError:
                raise
            except Exception:  # the message has left: to undo that would send it again
                log.exception("a try cannot be noted", neighbour=self.neighbour.name, message=each.message.id)

    def _settled(self, claimed: ClaimedMessage, answer: Answer, now: datetime, retry_at: datetime | None) -> Settled:
        tries = claimed.tries
        status, next_try_at = OutStatus.WAITING, retry_at or now + timedelta(seconds=PAUSE_S)
        if answer.outcome is Outcome.TAKEN:
            status = OutStatus.SENT
        elif answer.outcome is not Outcome.AWAY:
            tries += 1
            again = RETRIES.next_try(tries, now, self.generator.random())
            if again is None or answer.outcome is Outcome.REFUSED:
                status = OutStatus.DEAD
            next_try_at = again or now
        return Settled(claimed.out_id, status, tries, answer.error, answer.took_ms, next_try_at)

    def _note(self, *, kept: NeighbourRow, answers: Sequence[Answer], now: datetime) -> datetime | None:
        """Note on a locked neighbour how exchanges went; when to try again if it is away."""
        circuit, was_down = store.circuit_of(kept), kept.down_since
        is_back = circuit.failures >= OPEN_AFTER
        answered = [answer for answer in answers if answer.outcome is not Outcome.AWAY]
        error = next((answer.error for answer in reversed(answers) if answer.error), "")
        if answered:
            circuit = circuit.after_answer(now, max(answer.took_ms for answer in answered))
            kept.is_simulated = any(answer.is_simulated for answer in answered)
            if is_back:
                kept.returned_at, kept.away_since = now, was_down
        else:
            circuit = circuit.after_failure(now, self.generator.random())
        store.keep_circuit(kept, circuit, error)
        return circuit.retry_at

    def _measure(self, answers: Sequence[Answer]) -> None:
        name = self.neighbour.name
        for outcome in Outcome:
            found = [answer for answer in answers if answer.outcome is outcome]
            if found:
                labels = f'{{neighbour="{name}",result="{outcome.name.lower()}"}}'
                count(self.runtime, f"neighbour_exchanges_total{labels}", len(found))
                count(self.runtime, f"neighbour_exchange_ms_total{labels}", sum(answer.took_ms for answer in found))
