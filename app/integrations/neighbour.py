"""A neighbour: what the platform says to it, what it understands of it, and what comes of that. Pure but for the types.

Adding one is a file that makes a `Neighbour` and a line in `app.integrations.registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from app.gates.vocabulary import System
from app.integrations.adapter import Adapter, HttpAdapter
from app.integrations.messages import Body, Codec, JsonCodec, Message, read_body
from app.platform.actions import ActionContext
from geo.errors import InvalidInputError, NotFoundError

B = TypeVar("B", bound=Body)


@dataclass(frozen=True)
class Taken:
    """What came of a message: whether it had its effect, or something newer had it before (`superseded`)."""

    is_superseded: bool = False
    note: str = ""


@dataclass(frozen=True)
class Incoming(Generic[B]):
    """A kind of message that is understood: the model of its body, and what it does.

    `take` is called once for each message, in a transaction that ends with it; what it raises undoes what it did, and
    it is called again later. It must mind `Message.version` where messages of one thing can overtake each other.
    """

    model: type[B]
    take: Callable[[ActionContext, Message, B], Taken]

    def run(self, action: ActionContext, message: Message) -> Taken:
        """Read a message and do what it says; raises InvalidInputError if it cannot be read."""
        body = read_body(self.model, message.body)
        assert isinstance(body, self.model)
        return self.take(action, message, body)


@dataclass(frozen=True)
class Tried:
    """How a try to send a message went: it was taken (`is_sent`), given up (`is_over` alone), or comes again.

    `subject` is what it was put down under.
    """

    subject: str
    is_sent: bool
    is_over: bool
    error: str


@dataclass(frozen=True)
class Neighbour:
    """A system of somebody else that the platform exchanges messages with.

    `name` is what settings, tables and addresses call it, `label` what people do; `sends` are the bodies that it is
    sent, `takes` what is understood of it, by kind. `system` is what an outage of it is announced as. `is_polled` says
    whether it keeps messages for us to fetch.
    """

    name: str
    label: str
    icon: str
    sends: Sequence[type[Body]] = ()
    takes: Sequence[Incoming[Any]] = ()
    system: System | None = None
    is_polled: bool = True
    codec: Codec = field(default_factory=JsonCodec)
    connect: Callable[[str, str, Codec], Adapter] = HttpAdapter
    """Makes what carries messages to an address, signed with a secret, in the form of the codec."""
    tried: Callable[[Session, Tried, datetime], None] | None = None
    """Told of each try to send a message, in the transaction that notes it."""

    def model_of(self, kind: str) -> type[Body]:
        """The model of a kind of message, either way; raises InvalidInputError if it is not of this neighbour."""
        models = {model.KIND: model for model in (*self.sends, *(incoming.model for incoming in self.takes))}
        if kind not in models:
            known = ", ".join(sorted(models))
            raise InvalidInputError("There is no message {kind}; known are {known}.", kind=kind, known=known)
        return models[kind]

    def take(self, action: ActionContext, message: Message) -> Taken:
        """Do what a message says; raises InvalidInputError if it is not understood."""
        for incoming in self.takes:
            if message.kind == incoming.model.KIND:
                return incoming.run(action, message)
        known = ", ".join(incoming.model.KIND for incoming in self.takes)
        raise InvalidInputError("There is no message {kind}; known are {known}.", kind=message.kind, known=known)


@dataclass(frozen=True)
class Neighbours:
    """The neighbours that the platform can speak to, by name."""

    by_name: Mapping[str, Neighbour]

    @classmethod
    def of(cls, *neighbours: Neighbour) -> Neighbours:
        """Those given, in this order."""
        return cls({each.name: each for each in neighbours})

    def __iter__(self) -> Iterator[Neighbour]:
        return iter(self.by_name.values())

    def get(self, name: str) -> Neighbour:
        """A neighbour by name; raises NotFoundError if there is none."""
        if name not in self.by_name:
            known = ", ".join(self.by_name)
            raise NotFoundError("There is no neighbour {name}; known are {known}.", name=name, known=known)
        return self.by_name[name]
