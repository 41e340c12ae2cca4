"""The gateway of trackers over TCP: one process for each protocol of `ingest.formats.registry.TERMINAL_FORMATS`.

A terminal is known by its number (the `imei` of an enrolled device), or authenticates itself by a device's identifier.
Positions go through the intake that every door uses, and a message is acknowledged once they are durable; while they
cannot be kept, the terminal is told to send again. Whatever a terminal sends, the server lives; its connection ends
when a newer one of the same number begins, when it stays silent, sends too slowly, or sends nothing that can be read.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.platform.limits import max_connections
from app.tracking.commands import LOOK_S, CommandDesk
from app.tracking.terminal_state import PartStore, note_unknown
from geo.errors import InvalidInputError, MalformedError, NotFoundError, UnavailableError
from ingest.devices import Bindings, GatewayDirectory
from ingest.formats.report import RefusalReason
from ingest.formats.terminal_format import Conversation, MessageKind, Outcome, TerminalFormat, TerminalMessage
from ingest.intake import FixIntake
from ingest.store import DeviceBinding
from ingest.stream import RETRY_AFTER_S, refused

SECRET_LENGTH = 16
MAX_CONNECTIONS = 20_000
"""Beyond these, or what the process may open, those who showed no enrolled terminal make room, the first that came."""
MAX_UNREADABLE = 20
"""Messages in a row that cannot be read, before a connection ends."""
_READ_BYTES = 16 * 1024
_GATHER_S = 0.01

log = structlog.get_logger("terminals")


@dataclass(frozen=True)
class Patience:
    """How long a connection may take: silent at its start, between messages, within one, to read answers."""

    first_s: float = 60.0
    idle_s: float = 1_200.0
    """Longer than the 15 min in which a standing truck reports (TT 09/2015 art. 4)."""
    message_s: float = 30.0
    write_s: float = 30.0


@dataclass(eq=False)
class _Connection:
    conversation: Conversation
    writer: asyncio.StreamWriter
    address: str
    identifiers: dict[str, str] = field(default_factory=dict)
    """Number of a terminal → what its device is known by to the intake, once it has registered or authenticated."""
    rejected: set[str] = field(default_factory=set)
    """Numbers whose terminals gave a wrong secret here."""
    is_known: bool = False
    is_enrolled: bool = False
    """Whether it has sent what a terminal of ours sends: a secret that is right, a report that was taken."""
    sent: dict[int, int] = field(default_factory=dict)
    """Number of a command as the protocol counts → the command, until the terminal answers."""
    unreadable: int = 0
    unfinished_since: float | None = None


class TerminalGateway:
    """Serves one protocol. Lives in one event loop.

    `key` signs the secrets that registrations hand out, so that they need no table; with `must_authenticate` a number
    alone is not enough.
    """

    def __init__(
        self,
        terminal_format: TerminalFormat,
        intake: FixIntake,
        *,
        parts: PartStore,
        sessions: Callable[[], AbstractContextManager[Session]],
        key: bytes,
        commands: CommandDesk | None = None,
        must_authenticate: bool = False,
        patience: Patience | None = None,
    ) -> None:
        self.format, self.intake, self.parts = terminal_format, intake, parts
        self.patience = patience or Patience()
        self.connections: dict[str, _Connection] = {}
        """The open connection of each terminal, by its number."""
        self.commands = commands
        self._sessions, self._key, self._must_authenticate = sessions, key, must_authenticate
        self._tasks: dict[asyncio.Task[None], _Connection] = {}
        """In the order in which they came."""
        self._wanted: set[str] = set()
        self._lookup: asyncio.Task[Bindings] | None = None
        self._asking = asyncio.Semaphore(2)

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Listen; port 0 is any that is free."""
        return await asyncio.start_server(self.serve, host, port, backlog=1024, limit=_READ_BYTES)

    async def close(self) -> None:
        """End all connections; messages being kept are finished first."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one connection until it ends."""
        task = asyncio.current_task()
        assert task is not None
        peer = writer.get_extra_info("peername")
        connection = _Connection(self.format.open(), writer, str(peer[0]) if peer else "")
        self._tasks[task] = connection
        try:
            if len(self._tasks) <= min(MAX_CONNECTIONS, max_connections()) or self._make_room(task):
                await self._hold(reader, connection)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # it went away, or took too long
        except Exception:  # whatever it is, the other terminals are served
            log.exception("connection lost", protocol=self.format.name, address=connection.address)
        finally:
            self._tasks.pop(task, None)
            for number in connection.identifiers.keys() | {n for n, c in self.connections.items() if c is connection}:
                if self.connections.get(number) is connection:
                    del self.connections[number]
            writer.close()

    def _make_room(self, newest: asyncio.Task[None]) -> bool:
        """End the connection of a stranger; whether there was one, else there is no room for the newest."""
        strangers = (task for task, held in self._tasks.items() if not held.is_enrolled and task is not newest)
        oldest = next(strangers, None)
        if oldest is None:
            return False
        del self._tasks[oldest]
        oldest.cancel()
        return True

    async def _hold(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        while connection.unreadable < MAX_UNREADABLE:
            async with asyncio.timeout(self._wait_s(connection)):
                data = await reader.read(_READ_BYTES)
            if not data:
                if connection.conversation.pending_bytes:
                    await self._count(RefusalReason.MALFORMED)
                return
            for message in connection.conversation.feed(data):
                connection.unfinished_since = None
                answer = await self._take(connection, message)
                if answer is None:
                    return
                connection.writer.write(answer)
                if connection.unreadable >= MAX_UNREADABLE:
                    break
            async with asyncio.timeout(self.patience.write_s):
                await connection.writer.drain()

    def _wait_s(self, connection: _Connection) -> float:
        """How long the next bytes may take to come."""
        now = asyncio.get_running_loop().time()
        if connection.conversation.pending_bytes:
            if connection.unfinished_since is None:
                connection.unfinished_since = now
            return max(0.0, connection.unfinished_since + self.patience.message_s - now)
        connection.unfinished_since = None
        return self.patience.idle_s if connection.is_known else self.patience.first_s

    async def _take(self, connection: _Connection, message: TerminalMessage) -> bytes | None:
        """Take in one message; the bytes to answer it by.

        `None` ends the connection: the protocol has no other way to say that the terminal must send again.
        """
        if message.kind is MessageKind.UNREADABLE:
            connection.unreadable += 1
            await self._count(message.reason or RefusalReason.MALFORMED)
            return message.answer(Outcome.UNREADABLE, "")
        connection.unreadable = 0
        try:
            outcome, told = await self._judge(connection, message)
        except UnavailableError:
            outcome, told = Outcome.SEND_AGAIN, ""
        if outcome is Outcome.UNKNOWN_TERMINAL:
            await self._note_unknown(connection, message.terminal)
        elif outcome is Outcome.DONE and message.terminal:
            self._follow(connection, message)
        answer = message.answer(outcome, told)
        return None if outcome is Outcome.SEND_AGAIN and not answer else answer

    async def _judge(self, connection: _Connection, message: TerminalMessage) -> tuple[Outcome, str]:
        match message.kind:
            case MessageKind.REGISTER:
                return await self._register(connection, message)
            case MessageKind.AUTHENTICATE:
                return await self._authenticate(connection, message), ""
            case MessageKind.REPORTS:
                return await self._receive(connection, message), ""
            case MessageKind.PART:
                return await self._receive_part(connection, message), ""
            case MessageKind.TIME:
                return Outcome.DONE, self.intake.clock.now().strftime("%y%m%d%H%M%S")
            case MessageKind.UNSUPPORTED:
                if message.reason is not None:
                    await self._count(message.reason)
                return Outcome.UNSUPPORTED, ""
            case MessageKind.COMMAND_ANSWER:
                command_id = connection.sent.pop(-1 if message.command is None else message.command, None)
                if command_id is not None and self.commands is not None:
                    await self.commands.answer(command_id, is_obeyed=message.is_obeyed)
            case MessageKind.LOGOUT:
                connection.identifiers.pop(message.terminal, None)
        return Outcome.DONE, ""

    async def _register(self, connection: _Connection, message: TerminalMessage) -> tuple[Outcome, str]:
        device = await self._find(message.terminal)
        if device is None:
            await self._count(RefusalReason.UNKNOWN_DEVICE)
            return Outcome.UNKNOWN_TERMINAL, ""
        connection.rejected.discard(message.terminal)
        return Outcome.DONE, self._secret(device)

    async def _authenticate(self, connection: _Connection, message: TerminalMessage) -> Outcome:
        """By the secret of a registration, or by a device's identifier as the secret of whatever number."""
        device = await self._find(message.terminal)
        is_right = device is not None and hmac.compare_digest(
            self._secret(device).encode(), message.secret.encode("utf-8", "replace")
        )
        identifier = message.terminal
        if not is_right and len(message.secret) > SECRET_LENGTH:
            identifier, is_right = message.secret, await self._find(message.secret) is not None
        if is_right:
            connection.rejected.discard(message.terminal)
            connection.identifiers[message.terminal] = identifier
            connection.is_enrolled = True
            return Outcome.DONE
        connection.identifiers.pop(message.terminal, None)
        connection.rejected.add(message.terminal)
        await self._count(RefusalReason.UNKNOWN_DEVICE)
        return Outcome.UNKNOWN_TERMINAL if device is None else Outcome.WRONG_SECRET

    async def _receive(self, connection: _Connection, message: TerminalMessage) -> Outcome:
        identifier = self._identifier(connection, message.terminal)
        if identifier is None:
            await self._count(RefusalReason.UNKNOWN_DEVICE)
            return Outcome.WRONG_SECRET
        raw = replace(message.raw(identifier), gateway_token=GatewayDirectory.TOKEN)
        await self._find(identifier)  # so that the intake need not ask for each by itself
        try:
            await self.intake.receive(self.format.gps_format, raw)
        except NotFoundError:
            return Outcome.UNKNOWN_TERMINAL
        except (MalformedError, InvalidInputError):
            return Outcome.UNREADABLE
        connection.is_enrolled = True
        return Outcome.DONE

    async def _receive_part(self, connection: _Connection, message: TerminalMessage) -> Outcome:
        """Keep a piece of a long message, and take the message in with the last one that was missing."""
        assert message.part is not None
        identifier = self._identifier(connection, message.terminal)
        if identifier is None or await self._find(identifier) is None:
            await self._count(RefusalReason.UNKNOWN_DEVICE)
            return Outcome.WRONG_SECRET if identifier is None else Outcome.UNKNOWN_TERMINAL
        part = message.part
        try:
            pieces = await self.parts.add(part, message.payload)
            missing = [index for index in range(1, part.total + 1) if index not in pieces]
            if missing:
                if part.index == part.total:
                    connection.writer.write(connection.conversation.missing(message, missing))
                return Outcome.DONE
            whole = connection.conversation.join(message, [pieces[index] for index in range(1, part.total + 1)])
            outcome = await self._receive(connection, whole)
            await self.parts.forget(part)
        except (RedisError, OSError):
            return Outcome.SEND_AGAIN
        return outcome

    async def send_commands(self) -> int:
        """Send what waits for the terminals that are connected here; how many commands left."""
        if self.commands is None or not await self.commands.waiting():
            return 0
        known = self.intake.directory.known(set(), by_imei=True)
        connected: dict[int, tuple[str, _Connection]] = {}
        for number, connection in self.connections.items():
            device = known.get(connection.identifiers.get(number, number))
            if device is not None and number not in connection.rejected:
                connected[device.vehicle_id] = (number, connection)
        count = 0
        for command in await self.commands.take(connected.keys()):
            number, connection = connected[command.vehicle_id]
            made = connection.conversation.text(number, command.text)
            if made is None or connection.writer.is_closing():
                await self.commands.answer(command.command_id, is_obeyed=False)
                continue
            connection.sent[made[0]] = command.command_id
            connection.writer.write(made[1])
            count += 1
        return count

    async def keep_sending(self) -> None:
        """Look for commands again and again."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.send_commands()
            except Exception:  # whatever it is, the terminals are served
                log.exception("commands not sent", protocol=self.format.name)

    def _identifier(self, connection: _Connection, number: str) -> str | None:
        """What the sender `number` is known by; `None` if it has to authenticate first."""
        if number in connection.rejected or (self._must_authenticate and number not in connection.identifiers):
            return None
        return connection.identifiers.get(number, number)

    def _follow(self, connection: _Connection, message: TerminalMessage) -> None:
        """From now on this is the connection of the terminal; an older one is left over.

        Not for who has to authenticate first: a stranger would end the terminal's own connection and get its commands.
        """
        if self._identifier(connection, message.terminal) is None:
            return
        connection.is_known = True
        older = self.connections.get(message.terminal)
        if message.kind is MessageKind.LOGOUT:
            self.connections.pop(message.terminal, None)
            return
        if older is not connection:
            self.connections[message.terminal] = connection
            if older is not None:
                older.writer.close()

    async def _find(self, identifier: str) -> DeviceBinding | None:
        """The device with an identifier or number.

        Raises
        ------
        UnavailableError
            If the database does not answer.
        """
        known = self.intake.directory.known({identifier}, by_imei=True)
        if identifier in known:
            return known[identifier]
        self._wanted.add(identifier)
        if self._lookup is None:
            self._lookup = asyncio.create_task(self._look_up())
        return (await asyncio.shield(self._lookup))[identifier]

    async def _look_up(self) -> Bindings:
        """Ask for all that are wanted at once: after an outage thousands of terminals come back in the same second."""
        await asyncio.sleep(_GATHER_S)
        wanted, self._wanted, self._lookup = self._wanted, set(), None

        def load() -> Bindings:
            with self._sessions() as session:
                return self.intake.directory.load(session, wanted, by_imei=True)

        async with self._asking:
            try:
                return await asyncio.to_thread(load)
            except SQLAlchemyError:
                raise UnavailableError(
                    "The database does not answer; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
                ) from None

    def _secret(self, device: DeviceBinding) -> str:
        """What a registration gives the terminal of a device to authenticate itself by."""
        said = f"{self.format.name}:{device.device_id}"
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()[:SECRET_LENGTH]

    async def _note_unknown(self, connection: _Connection, number: str) -> None:
        with contextlib.suppress(RedisError, OSError):
            await note_unknown(
                self.intake.writer.redis,
                number[:40],
                protocol=self.format.name,
                address=connection.address,
                now=self.intake.clock.now(),
            )

    async def _count(self, reason: RefusalReason) -> None:
        await self.intake.writer.count({refused(reason): 1})


async def run(gateway: TerminalGateway, host: str, port: int, *, stop: asyncio.Event | None = None) -> None:
    """Serve until told to stop by `stop`, SIGTERM or SIGINT."""
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, RuntimeError):  # only the main thread may
            loop.add_signal_handler(number, stop.set)
    server = await gateway.start(host, port)
    log.info("listening", protocol=gateway.format.name, host=host, port=server.sockets[0].getsockname()[1])
    sender = asyncio.create_task(gateway.keep_sending())
    async with server:
        await stop.wait()
        sender.cancel()
        server.close()
        await gateway.close()
