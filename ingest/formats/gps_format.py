"""What a GPS format is: the one description from which every transport serves it.

A format is a file of this package that ends in its `FORMAT`, and its line in `registry.py`. Nothing here knows HTTP: a
gateway for MQTT or TCP hands the same `RawMessage` to `ingest.intake.FixIntake` and sends the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

import orjson

from ingest.formats.report import Refusal, RefusalReason, Report, ReportColumns

Method = Literal["GET", "POST"]

MAX_MESSAGE_BYTES = 2**20
"""Of a format that says nothing else: a day's backlog of a phone."""
PATH_PREFIX = "/gps/"


class Credential(StrEnum):
    """By what a message proves whose it is."""

    IDENTIFIER = "a device's identifier is the key"
    IDENTIFIER_OR_IMEI = "a device's identifier is the key; with a gateway's token its IMEI counts as well"


@dataclass(frozen=True, slots=True)
class RawMessage:
    """What a transport received: the payload, and what came beside it as far as the transport has such a thing.

    `query` is the raw query string of a URL, `headers` have names in lower case, `topic` is that of an MQTT message,
    `gateway_token` the token of the server that forwards the message, `path` what a URL has behind the format's own.
    """

    payload: bytes = b""
    query: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    topic: str | None = None
    gateway_token: str | None = None
    path: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        """The media type of the payload; empty if the transport names none."""
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What became of a message that could be read: how many fixes are durable now, and which reports were refused.

    `refusals` names the first of them, `counts` says how many there were for each reason; `vehicle_ids` are those of
    its sender, as far as it sent single reports.
    """

    accepted: int
    refusals: Sequence[Refusal] = ()
    counts: Mapping[RefusalReason, int] = field(default_factory=dict)
    vehicle_ids: frozenset[int] = field(default=frozenset(), compare=False)

    @property
    def refused_count(self) -> int:
        """How many reports were refused."""
        return max(len(self.refusals), sum(self.counts.values()))


Decoded: TypeAlias = list[Report] | ReportColumns
"""Few reports with all they say, or many as columns."""

_ACCEPTED = b'{"accepted":true}'


def answer_json(result: IntakeResult) -> bytes:
    """`{"accepted": true}`, or `{"accepted": false, "refused": reason}` with the first refusal's reason."""
    if not result.refusals:
        return _ACCEPTED
    return orjson.dumps({"accepted": False, "refused": result.refusals[0].reason})


@dataclass(frozen=True)
class GpsFormat:
    """A format in which GPS clients report.

    `name` is the last part of its URL `/gps/{name}`, `title` and `description` explain it in the API's documentation.
    `decode` makes reports of a message, and raises `MalformedError` or `EncryptedError` where it cannot. `answer` is
    what the client expects to hear once they are kept, of the media type `answer_type`; errors are the transport's to
    express. `answer_commands` is the answer that makes the client show texts, of formats that have such a thing.
    `methods` are those of HTTP, `max_bytes` limits a payload. With `takes_path` more may stand behind its
    path, `aliases` are other paths where clients look for it.
    """

    name: str
    title: str
    description: str
    decode: Callable[[RawMessage], Decoded]
    answer: Callable[[IntakeResult], bytes] = answer_json
    answer_commands: Callable[[Sequence[str]], bytes] | None = None
    answer_type: str = "application/json"
    methods: tuple[Method, ...] = ("POST",)
    takes_path: bool = False
    aliases: tuple[str, ...] = ()
    credential: Credential = Credential.IDENTIFIER_OR_IMEI
    max_bytes: int = MAX_MESSAGE_BYTES

    def answer_with(self, result: IntakeResult, texts: Sequence[str]) -> bytes:
        """The answer, with texts for the client to show if there are any and it can."""
        if texts and self.answer_commands is not None:
            return self.answer_commands(texts)
        return self.answer(result)

    @property
    def path(self) -> str:
        """Where it is served over HTTP."""
        return PATH_PREFIX + self.name

    @property
    def routes(self) -> tuple[str, ...]:
        """All paths where it is served, as the web framework writes them."""
        paths = (self.path, *self.aliases)
        return paths + tuple(f"{path}/{{rest:path}}" for path in paths if self.takes_path)
