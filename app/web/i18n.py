"""The interface's languages: gettext catalogues, the choice of language, local formats.

Message ids are English. Every `locale/<language>/*.po` is read at start and merged, so that each
part of the platform keeps its own catalogue; no compiled files are needed.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path
from typing import Final

from babel import dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from geo.clock import LOCAL_ZONE
from geo.opening_hours import DAY_S, OpeningHours

LANGUAGES = {"vi": "Tiếng Việt", "en": "English", "zh": "中文"}
DEFAULT_LANGUAGE = "vi"
SOURCE_LANGUAGE = "en"
"""Of the message ids."""
LANGUAGE_COOKIE = "language"
LOCALE_DIR = Path(__file__).with_name("locale")
MAX_DIGITS: Final = 5000
"""Python reads no whole number of more than 4,300."""
DAYS_FROM_H: Final = 48
"""So long a duration is told in days."""


_COUNT_NAMES: Final = """
    ahead arrivals before capacity changed complied count days drives engine_parts exports free given group groups
    held inside judged lanes least left length limit max most n num packages parts perishable points queue reached
    reasons recipients right runs size standing told total trips trucks veh waiting wanted with without
"""
COUNTS: Final = frozenset(_COUNT_NAMES.split())
"""What messages call their counts; a number that names something, such as a trip's, has another name."""
_FORMS: Final = re.compile(r"\{(\w+):([^|{}]*)\|([^|{}]*)\}")
_DECIMALS: Final = re.compile(r"\{(\w+):\.(\d)f\}")
_PLAIN: Final = re.compile(r"\{(\w+)(?:\}|:[^|{}]*\|)|%\((\w+)\)s")
_FILLED: Final = re.compile(r"\{(\w+)\}")


class CountedText(str):
    """A text with counts: they are written as its language writes numbers, and its words follow them.

    So are measures that are given with their decimals, as in `{value:.0f} kg`.

    `{count} {count:truck|trucks}` says 1 truck, 2 trucks and 1,000 trucks. The first form is for 1, the second for
    every other number. Only languages with a plural need it: the catalogue of English has such texts for messages whose
    id is the plural; `static/i18n.js` reads the same form.
    """

    __slots__ = ("language",)
    language: str

    @classmethod
    def of(cls, text: str, language: str) -> str:
        """A text of a language, counted if it has a count in it."""
        has_count = any((found[1] or found[2]) in COUNTS for found in _PLAIN.finditer(text))
        if not (has_count or _FORMS.search(text) or _DECIMALS.search(text)):
            return text
        counted = cls(text)
        counted.language = language
        return counted

    def counting(self, values: Mapping[str, object]) -> str:
        """The text with the forms that fit the values, which are still to be put in as they are `written`."""
        formed = _FORMS.sub(lambda found: found[2] if str(values.get(found[1])) == "1" else found[3], str(self))
        return _DECIMALS.sub(r"{\1}", formed)

    def written(self, values: Mapping[str, object]) -> dict[str, object]:
        """The values, counts that are whole numbers and measures as the language writes them."""
        plain = {found[1] or found[2] for found in _PLAIN.finditer(self)} & COUNTS
        digits = {found[1]: int(found[2]) for found in _DECIMALS.finditer(self)}

        def write(name: str, value: object) -> object:
            if name in digits and isinstance(value, int | float):
                return format_number(value, self.language, digits[name])
            return format_number(value, self.language) if name in plain and type(value) is int else value

        return {name: write(name, value) for name, value in values.items()}

    def format(self, *args: object, **values: object) -> str:
        """As `str.format`, with the counts and the forms that fit."""
        return self.counting(values).format(*args, **self.written(values))

    def format_map(self, values: Mapping[str, object], /) -> str:  # type: ignore[override]
        """As `str.format_map`, with the forms that fit; the counts are text already."""
        return self.counting(values).format_map(values)


def mark_counts(text: str) -> str:
    """A text for `static/i18n.js`, its counts marked as `{count:,}`: scripts know no names of counts of their own."""
    return _FILLED.sub(lambda found: f"{{{found[1]}:,}}" if found[1] in COUNTS else found[0], text)


class CountingTranslations(Translations):
    """Translations of which some are counted texts; `language` says how they write numbers."""

    language = SOURCE_LANGUAGE

    def gettext(self, message: str) -> str:
        """The translation, of a text with counts a `CountedText`."""
        found: str = super().gettext(message)
        return CountedText.of(found, self.language) if "{" in found or "%(" in found else found

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """The form for a count, its `%(num)s` written as the language writes numbers."""
        found: str = super().ngettext(singular, plural, n)
        return re.sub(r"%\(num\)[ds]", format_number(n, self.language), found)


@cache
def load_catalogues(directory: Path = LOCALE_DIR) -> dict[str, NullTranslations]:
    """The translations of each language, merged from all its `.po` files in name order; read once a process."""
    return {language: _load(sorted((directory / language).glob("*.po"))) for language in LANGUAGES}


def _load(paths: Iterable[Path]) -> NullTranslations:
    merged: NullTranslations = NullTranslations()
    for path in paths:
        with path.open("rb") as file:
            catalogue = read_po(file)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        translations = CountingTranslations(compiled)
        translations.language = path.parent.name
        if isinstance(merged, Translations):
            merged.merge(translations)
        else:
            merged = translations
    return merged


def choose_language(account: str | None, cookie: str | None, accept: str) -> str:
    """The language to show: the account's, else the cookie's, else the browser's first that we have, else Vietnamese.

    `accept` is the value of the header `Accept-Language` (RFC 9110, 12.5.4).
    """
    for choice in (account, cookie):
        if choice in LANGUAGES:
            return choice
    weighted: list[tuple[float, int, str]] = []
    for order, part in enumerate(accept.split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        weighted.append((-quality, order, tag.split("-")[0].lower()))
    return next((tag for _, _, tag in sorted(weighted) if tag in LANGUAGES), DEFAULT_LANGUAGE)


def format_time(moment: datetime | None, language: str, pattern: str = "HH:mm dd/MM") -> str:
    """A moment in the local zone (Asia/Ho_Chi_Minh), by a CLDR date pattern; an en dash for none."""
    if moment is None:
        return "–"
    return dates.format_datetime(moment, pattern, tzinfo=LOCAL_ZONE, locale=language)


def format_number(value: float | None, language: str, digits: int = 0) -> str:
    """A number with the language's separators and so many decimals, zero without a sign; an en dash for none."""
    if value is None:
        return "–"
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    written = _separated(value, pattern, language)
    return written if any("1" <= sign <= "9" for sign in written) else written.removeprefix("-")


def format_exactly(value: Decimal | float | None, language: str) -> str:
    """A number with the language's separators and as many decimals as it has, up to six; an en dash for none."""
    return "–" if value is None else _separated(value, "#,##0.######", language)


def _separated(value: Decimal | float, pattern: str, language: str) -> str:
    """Babel rounds in the context of the thread, which refuses what has more than 28 digits: what is told of a value
    that was refused may have more."""
    with localcontext(prec=MAX_DIGITS):
        return str(numbers.format_decimal(value, pattern, locale=language))


def format_km(length_m: float | None, language: str) -> str:
    """A length given in metres, shown in kilometres with one decimal."""
    return "–" if length_m is None else f"{format_number(length_m / 1000.0, language, 1)} km"


def format_hours(hours: OpeningHours, translations: NullTranslations) -> str:
    """Opening hours of a regular day, such as "07:00–11:30, 13:00–19:00", round the clock, or closed."""
    if hours.daily_open_s == DAY_S:
        return str(translations.gettext("round the clock"))
    return str(hours) or str(translations.gettext("closed"))


def format_duration(duration_s: float | None, translations: NullTranslations) -> str:
    """A duration as `say_duration` puts it; an en dash for none."""
    return "–" if duration_s is None else say_duration(duration_s, translations.gettext)


def say_duration(duration_s: float, gettext: Callable[[str], str]) -> str:
    """A duration in hours and minutes, such as "1 h 20 min", from two days on in days and hours."""
    minutes = round(duration_s / 60.0)
    hours, rest = divmod(minutes, 60)
    if hours == 0:
        return gettext("%(minutes)d min") % {"minutes": rest}
    if hours < DAYS_FROM_H:
        return gettext("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": rest}
    days, rest = divmod(round(minutes / 60), 24)
    return gettext("%(days)d d %(hours)d h") % {"days": days, "hours": rest}


def format_wait(wait_s: float | None, reach_s: float, language: str, translations: NullTranslations) -> str:
    """A wait that a forecast gives; of none and of an infinite one, that it is longer than the forecast reaches."""
    if wait_s is None or math.isinf(wait_s):
        hours = format_number(reach_s / 3600.0, language)
        return str(translations.gettext("more than %(hours)s h") % {"hours": hours})
    return format_duration(wait_s, translations)
