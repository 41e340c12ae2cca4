"""Closed vocabularies: the names that data carries, and what belongs to each for those who read it.

A vocabulary stands with its feature (`app/<feature>/vocabulary.py`), one row a name; pages, API, tables and queries
take it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Self

from app.platform.json import JsonObject
from geo.errors import InvalidInputError


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark `message` for translation without translating it here."""
    return message


class Vocabulary(StrEnum):
    """Names of one kind, each a member `NAME = "name", label, icon, severity`; what a name has no use for is left out.

    `label` is a key of the translations, `icon` one of Tabler's, `severity` one of the theme's (`ok`, `notice`,
    `warning`, `alarm`). A member is its name: equal to it, stored and sent as it.
    """

    label: str
    icon: str
    severity: str

    def __new__(cls, name: str, *_spec: object) -> Self:
        """A member that is the string `name`."""
        member = str.__new__(cls, name)
        member._value_ = name
        return member

    def __init__(self, _name: str, label: str = "", icon: str = "", severity: str = "") -> None:
        self.label, self.icon, self.severity = label, icon, severity

    @classmethod
    def lookup(cls, name: str | None) -> Self | None:
        """The member of a name, `None` if there is none."""
        try:
            return None if name is None else cls(name)
        except ValueError:
            return None

    @classmethod
    def get(cls, name: str) -> Self:
        """The member of a name that the platform itself wrote; raises ValueError if there is none."""
        member = cls.lookup(name)
        if member is None:
            raise ValueError(f"{name} is not one of {', '.join(cls)}.")
        return member

    @classmethod
    def require(cls, name: str | None, field: str) -> Self:
        """The member of a name that came in as `field`.

        Raises
        ------
        InvalidInputError
            If the name is not one of the vocabulary.
        """
        member = cls.lookup(name)
        if member is None:
            known = ", ".join(sorted(cls))
            raise InvalidInputError(
                "{name} {value} is unknown; use one of {known}.", field=field, name=field, value=name, known=known
            )
        return member

    @classmethod
    def by_name(cls) -> dict[str, Self]:
        """Name → member, for templates."""
        return {str(member): member for member in cls}

    def texts(self) -> dict[str, str]:
        """What scripts show of it beside its label, by name; the values are keys of the translations."""
        return {}

    @classmethod
    def groups(cls) -> dict[str, Sequence[Self]]:
        """The groups of members that scripts ask for, by name."""
        return {}

    @classmethod
    def described(cls, translate: Callable[[str], str]) -> JsonObject:
        """The vocabulary as scripts read it, in the reader's language: `names` and `groups`."""
        names = {
            str(member): {
                "label": translate(member.label) if member.label else str(member),
                "icon": member.icon,
                "severity": member.severity,
                **{name: translate(text) for name, text in member.texts().items() if text},
            }
            for member in cls
        }
        return {"names": names, "groups": {name: list(members) for name, members in cls.groups().items()}}

    @classmethod
    def labels(cls) -> dict[str, str]:
        """Name → key of the translations."""
        return {str(member): member.label for member in cls}


class DocumentStatus(Vocabulary):
    """How a version of a document with versions stands."""

    DRAFT = "draft", N_("Draft")
    PUBLISHED = "published", N_("In force")
    RETIRED = "retired", N_("Retired")
