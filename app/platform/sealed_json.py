"""JSON documents in which what concerns persons is encrypted, and the rest can be queried.

A column is declared once, by its type, and its feature reads and writes clear documents:

    data: Mapped[JsonObject] = mapped_column(SealedJson)

In the database each object of the document holds its personal entries (`app.platform.personal_fields`) together, as
text under the name `SEALED`, encrypted with the installation's keys; a query finds them no more, so whoever must find
a document by one of them keeps a digest beside it. SQL of one's own reads documents as they are kept: `unseal` opens
them, and leaves those alone in which nothing is sealed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from app.platform.encryption import KeyRing, key_ring
from app.platform.personal_fields import GOODS, QUOTING, is_personal, is_state, quoted_field
from geo.text import nfc

SEALED: Final = "~sealed"


class SealedJson(TypeDecorator[object]):
    """A JSON document whose personal entries are encrypted in the database; clear in Python.

    `also` names entries that this column seals beside those that are personal by their name, such as an officer's note.
    Replace a document, changes inside are not seen.
    """

    impl = JSONB
    cache_ok = True

    def __init__(self, also: tuple[str, ...] = ()) -> None:
        super().__init__(none_as_null=True)
        self.also = also

    def process_bind_param(self, value: object, _dialect: Dialect) -> object:
        """What the database holds of a document."""
        return seal(value, self.also)

    def process_result_value(self, value: object, _dialect: Dialect) -> object:
        """The document; raises as `KeyRing.decrypt`."""
        return unseal(value)


def seal(value: object, also: Sequence[str] = (), ring: KeyRing | None = None, *, within: str = "") -> object:
    """A JSON value with its personal entries encrypted, however deep; what is sealed already is sealed once more.

    `within`: the name under which it stands.
    """
    if isinstance(value, Mapping):
        quotes = quoted_field(value) is not None
        private = {
            name: inner
            for name, inner in value.items()
            if name == SEALED
            or (
                inner not in (None, "", [], {})
                and not is_state(name, inner, within)
                and (is_personal(name) or name in also or (quotes and name in QUOTING))
            )
        }
        public = {
            name: inner if name == GOODS else seal(inner, also, ring, within=name)
            for name, inner in value.items()
            if name not in private
        }
        if not private:
            return public
        written = nfc(json.dumps(private, ensure_ascii=False))
        return {**public, SEALED: (ring or key_ring()).encrypt(written)}
    if isinstance(value, list | tuple):
        return [seal(inner, also, ring) for inner in value]
    return value


def unseal(value: object, ring: KeyRing | None = None) -> object:
    """The JSON value that was sealed; raises as `KeyRing.decrypt`."""
    if isinstance(value, Mapping):
        opened = {name: unseal(inner, ring) for name, inner in value.items() if name != SEALED}
        token = value.get(SEALED)
        return opened if token is None else {**opened, **json.loads((ring or key_ring()).decrypt(str(token)))}
    if isinstance(value, list):
        return [unseal(inner, ring) for inner in value]
    return value


def unseal_object(value: Mapping[str, object]) -> dict[str, object]:
    """The JSON object that was sealed; raises as `KeyRing.decrypt`."""
    opened = unseal(value)
    assert isinstance(opened, dict)
    return opened


def rewrite_tokens(value: object, rewrite: Callable[[str], str]) -> object:
    """A sealed JSON value with each encrypted text replaced by what `rewrite` makes of it."""
    if isinstance(value, Mapping):
        return {
            name: rewrite(inner) if name == SEALED and isinstance(inner, str) else rewrite_tokens(inner, rewrite)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [rewrite_tokens(inner, rewrite) for inner in value]
    return value
