"""Why a sheet is returned: a list to choose from at each step, in three languages (data/return_reasons.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from geo.errors import InvalidInputError

OTHER = "other"


@dataclass(frozen=True)
class Reason:
    """A reason; `steps` are those where it is offered, empty for all of them."""

    code: str
    steps: tuple[str, ...]
    vi: str
    en: str
    zh: str

    @property
    def names(self) -> dict[str, str]:
        """What the reason is called in each language."""
        return {"vi": self.vi, "en": self.en, "zh": self.zh}


@cache
def all_reasons() -> Mapping[str, Reason]:
    """Every reason by its code."""
    source = resources.files("app.declarations").joinpath("data", "return_reasons.json")
    listed = json.loads(source.read_text(encoding="utf-8"))
    return {reason["code"]: Reason(**{**reason, "steps": tuple(reason["steps"])}) for reason in listed}


def reasons_for(step: str) -> list[Reason]:
    """The reasons to offer at a step."""
    return [reason for reason in all_reasons().values() if not reason.steps or step in reason.steps]


def check_reasons(codes: Sequence[str], text: str) -> list[str]:
    """The reasons of a return, each once; a text alone is a reason too.

    Raises
    ------
    InvalidInputError
        If there is none, one is unknown, or it is "other" and nothing is said.
    """
    unknown = sorted(set(codes) - set(all_reasons()))
    if unknown or not (codes or text.strip()):
        raise InvalidInputError(
            "Choose why the sheet is returned; {value} is not one of {known}.",
            field="reasons",
            value=", ".join(unknown) or "–",
            known=", ".join(all_reasons()),
        )
    if OTHER in codes and not text.strip():
        raise InvalidInputError("Say which other reason there is.", field="text")
    return list(dict.fromkeys(codes))
