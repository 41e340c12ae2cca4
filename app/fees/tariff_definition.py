"""Tariffs as people write them, in a file or on the page of a draft, read field by field so that a fault is named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Final

from app.fees.records import Fact
from app.fees.tariff import FACTS, LANGUAGES, MAX_AMOUNT_VND, Condition, Factor, Rate, StorageClock, Tariff
from app.gates.vocabulary import System
from geo.errors import InvalidInputError

MAX_FREE_H: Final = 8760
MAX_SHARE_TERM: Final = 10**6
"""Of the numerator and the denominator of a share."""


def read_tariff(definition: Mapping[str, object]) -> Tariff:
    """Read a tariff from its data; see `app/fees/tariffs_shipped`.

    Raises
    ------
    InvalidInputError
        If something is missing, unknown, or not a whole amount; `field` names it.
    """
    return _Reader(definition).read()


class _Reader:
    """Reads a definition field by field, so that a fault can be named."""

    def __init__(self, definition: Mapping[str, object]) -> None:
        self.definition = definition

    def read(self) -> Tariff:
        get = self.definition.get
        tariff = Tariff(
            code=self._text(get("code"), "code"),
            version=self._whole(get("version"), "version", 10**6),
            valid_from=self._day(get("valid_from"), "valid_from"),
            valid_to=None if get("valid_to") is None else self._day(get("valid_to"), "valid_to"),
            complete=self._bool(get("complete"), "complete"),
            source=self._text(get("source"), "source"),
            rates=tuple(
                self._rate(entry, f"rates.{number}") for number, entry in enumerate(self._list(get("rates"), "rates"))
            ),
            factors=tuple(
                self._factor(entry, f"factors.{number}")
                for number, entry in enumerate(self._list(get("factors") or [], "factors"))
            ),
            routing=tuple(
                self._route(entry, f"routing.{number}")
                for number, entry in enumerate(self._list(get("routing"), "routing"))
            ),
            rounding_unit_vnd=self._whole(get("rounding_unit_vnd"), "rounding_unit_vnd", 10**6),
            combine_factors=self._bool(get("combine_factors"), "combine_factors"),
            storage=None if get("storage") is None else self._storage(get("storage")),
        )
        if tariff.valid_to is not None and tariff.valid_to <= tariff.valid_from:
            raise _bad("valid_to", tariff.valid_to, "a day after valid_from")
        if tariff.storage is None and tariff.asks_for("storage_h"):
            raise InvalidInputError(
                "Rates or shares ask for the time in the gate area, but it is not counted: give its free hours.",
                field="storage",
            )
        names = [rate.rate_id for rate in tariff.rates] + [factor.factor_id for factor in tariff.factors]
        for name in names:
            if names.count(name) > 1:
                raise _bad("rates", name, "a name that is used once")
        return tariff

    def _rate(self, value: object, at: str) -> Rate:
        entry = self._mapping(value, at)
        amount = self._whole(entry.get("amount_vnd"), f"{at}.amount_vnd", MAX_AMOUNT_VND)
        when = None if entry.get("when") is None else self._condition(entry["when"], f"{at}.when")
        return Rate(self._text(entry.get("rate"), f"{at}.rate"), self._label(entry.get("label"), at), amount, when)

    def _factor(self, value: object, at: str) -> Factor:
        entry = self._mapping(value, at)
        share = Fraction(
            self._whole(entry.get("numerator"), f"{at}.numerator", MAX_SHARE_TERM),
            self._whole(entry.get("denominator"), f"{at}.denominator", MAX_SHARE_TERM),
        )
        when = self._condition(entry.get("when"), f"{at}.when")
        return Factor(self._text(entry.get("factor"), f"{at}.factor"), self._label(entry.get("label"), at), share, when)

    def _route(self, value: object, at: str) -> tuple[str, Condition]:
        entry = self._mapping(value, at)
        collector = self._text(entry.get("collector"), f"{at}.collector")
        if collector not in {"gate_management", "tax"}:
            raise _bad(f"{at}.collector", collector, "gate_management or tax")
        return collector, self._condition(entry.get("when") or {}, f"{at}.when")

    def _storage(self, value: object) -> StorageClock:
        entry = self._mapping(value, "storage")
        if unknown := sorted(set(map(str, entry)) - {"free_h", "frozen_by"}):
            raise _bad("storage", unknown[0], "free_h or frozen_by")
        free_h = entry.get("free_h", 0)
        if type(free_h) is not int or not 0 <= free_h <= MAX_FREE_H:
            raise _bad("storage.free_h", free_h, f"a whole number from 0 to {MAX_FREE_H}")
        frozen_by = [str(name) for name in self._list(entry.get("frozen_by") or [], "storage.frozen_by")]
        for name in frozen_by:
            if System.lookup(name) is None:
                raise _bad("storage.frozen_by", name, f"one of {', '.join(System)}")
        return StorageClock(free_h, frozenset(frozen_by))

    def _condition(self, when: object, at: str) -> Condition:
        values: dict[str, tuple[Fact, ...]] = {}
        ranges: dict[str, tuple[int | None, int | None]] = {}
        for name, wanted in self._mapping(when, at).items():
            if name not in FACTS:
                raise _bad(at, name, f"one of {', '.join(FACTS)}")
            if isinstance(wanted, Mapping):
                if FACTS[name] is not int or not wanted or not set(wanted) <= {"from", "below"}:
                    raise _bad(f"{at}.{name}", dict(wanted), "from and below of a number")
                low, high = (
                    None if wanted.get(end) is None else self._whole(wanted[end], f"{at}.{name}.{end}", 10**9)
                    for end in ("from", "below")
                )
                ranges[name] = (low, high)
                continue
            listed = self._list(wanted, f"{at}.{name}")
            facts = tuple(value for value in listed if isinstance(value, str | int) and type(value) is FACTS[name])
            if len(facts) < len(listed):
                raise _bad(f"{at}.{name}", listed, f"values of type {FACTS[name].__name__}")
            values[name] = facts
        return Condition(values, ranges)

    def _label(self, value: object, at: str) -> dict[str, str]:
        label = self._mapping(value, f"{at}.label")
        return {language: self._text(label.get(language), f"{at}.label.{language}") for language in LANGUAGES}

    @staticmethod
    def _mapping(value: object, at: str) -> Mapping[str, object]:
        if not isinstance(value, Mapping):
            raise _bad(at, value, "a mapping")
        return value

    @staticmethod
    def _list(value: object, at: str) -> list[object]:
        if not isinstance(value, list):
            raise _bad(at, value, "a list")
        return value

    @staticmethod
    def _text(value: object, at: str) -> str:
        if not isinstance(value, str) or not value.strip() or "\x00" in value:
            raise _bad(at, value, "a text")
        return value

    @staticmethod
    def _bool(value: object, at: str) -> bool:
        if not isinstance(value, bool):
            raise _bad(at, value, "true or false")
        return value

    @staticmethod
    def _whole(value: object, at: str, most: int) -> int:
        if type(value) is not int or not 1 <= value <= most:
            raise _bad(at, value, f"a whole number from 1 to {most}")
        return value

    @staticmethod
    def _day(value: object, at: str) -> date:
        if type(value) is date:
            return value
        if not isinstance(value, str):
            raise _bad(at, value, "a day such as 2025-05-08")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise _bad(at, value, "a day such as 2025-05-08") from None


def _bad(field: str, value: object, wanted: str) -> InvalidInputError:
    return InvalidInputError(
        "The tariff's {name} is {value}; it must be {wanted}.",
        field=field,
        name=field,
        value=str(value)[:80],
        wanted=wanted,
    )
