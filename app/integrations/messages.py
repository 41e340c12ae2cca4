"""What travels between the platform and a neighbour: messages with one identity each, and their form on the wire. Pure.

No neighbour's real specification is public. A message is what any of them can be led back to: who it is known by, its
kind, what it is about, and a body with a model of its own. A codec turns it into bytes and back; a real specification
brings another codec, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from app.platform.fields import Moment, PlainText
from app.platform.json import JsonObject
from geo.errors import InvalidInputError

MAX_ABOUT: Final = 200


class Body(BaseModel):
    """What a message of one kind says. `KIND` names it on the wire, `customs.status` say.

    What a neighbour sends beyond the fields that are known is left aside. `PERSONAL` are fields that those alone see
    who mend such messages, beside those whose name says that they are personal.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    KIND: ClassVar[str]
    PERSONAL: ClassVar[frozenset[str]] = frozenset()


class Message(BaseModel):
    """One message: `id` the same for every repeat of it, `about` what it is about (a declaration number, a plate).

    `version` counts what is said of the same thing: what is older than what was taken in before has no effect.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: PlainText = Field(min_length=1, max_length=200)
    kind: PlainText = Field(min_length=1, max_length=100)
    about: PlainText = Field(max_length=MAX_ABOUT)
    sent_at: Moment
    reply_to: PlainText | None = None
    version: int | None = Field(None, ge=0, le=2**62)
    body: JsonObject = Field(default_factory=dict)

    @field_validator("body")
    @classmethod
    def _refuse_numbers_without_end(cls, body: JsonObject) -> JsonObject:
        try:
            json.dumps(body, allow_nan=False)
        except ValueError:
            raise ValueError("a number is larger than any that can be kept") from None
        return body


class Codec(Protocol):
    """The form of messages on the wire."""

    @property
    def content_type(self) -> str:
        """The media type that it writes."""
        ...

    def encode(self, message: Message) -> bytes:
        """One message as bytes."""
        ...

    def encode_all(self, messages: Sequence[Message]) -> bytes:
        """Several messages as bytes, as a neighbour answers them."""
        ...

    def decode(self, data: bytes) -> list[Message]:
        """The messages in an answer of the neighbour, or in `encode`'s bytes, none if there are none.

        Raises
        ------
        InvalidInputError
            If it cannot be read.
        """
        ...


_MESSAGES: Final = TypeAdapter(list[Message])


class JsonCodec:
    """A message as a JSON object, an answer as an array of them. The form that the simulators speak."""

    content_type: Final = "application/json"

    def encode(self, message: Message) -> bytes:
        """One message as bytes."""
        return message.model_dump_json().encode()

    def encode_all(self, messages: Sequence[Message]) -> bytes:
        """Several messages as bytes."""
        return _MESSAGES.dump_json(list(messages))

    def decode(self, data: bytes) -> list[Message]:
        """The messages in an array, or the one that stands alone; raises InvalidInputError if it is neither."""
        data = data.strip()
        try:
            return _MESSAGES.validate_json(data if data[:1] != b"{" else b"[" + data + b"]") if data else []
        except ValidationError as error:
            raise InvalidInputError("The answer cannot be read: {reason}", reason=_first(error)) from None


def read_body(model: type[Body], body: object) -> Body:
    """The body of a message by its model.

    Raises
    ------
    InvalidInputError
        If it does not fit; the field is named.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise InvalidInputError("The message cannot be read: {reason}", reason=_first(error)) from None


def parse_body(text: str) -> JsonObject:
    """A body that a person wrote as JSON; raises InvalidInputError if it is no JSON object."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInputError("This is not JSON: {reason}", field="body", reason=str(error)) from None
    if not isinstance(found, dict):
        raise InvalidInputError("Write a JSON object, in braces.", field="body")
    return found


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc'])) or '–'}: {found['msg']}"
