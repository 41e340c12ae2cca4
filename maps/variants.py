"""The variants of a study: what each is called, the study as of one of them alone, and what all of them come to.

A record as `maps.comparison` takes it; `variants` (name, title by language, summary) in the study's order, of older
records missing. Curves of the first are kept under `variant`, of the others under their names; older records have none
of these. Texts here are gettext ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from maps.comparison import Figure, Record, conclude, key_figures

UNNAMED: Final = "variant"
"""Name of a first variant that nobody named."""
ONLY: Final = "Variant"
NUMBERED: Final = "Variant {number}"
BEST: Final = "Of {count} variants the best is {title}: {better}."
BEST_WITH_HARM: Final = "Of {count} variants the best is {title}: {better}; but it harms: {worse}."
NONE_HELPS: Final = "None of {count} variants surely saves truck-hours."
OTHERS: Final = {
    "better": "Also better: {titles}.",
    "unclear": "May be chance: {titles}.",
    "same": "Changes nothing: {titles}.",
    "worse": "Worse: {titles}.",
}
"""By what a variant makes of the truck-hours."""
RANKED_BY: Final = "Truck-hours on the corridor"

Translate = Callable[[str], str]
Number = Callable[[float, int], str]


def variants_of(record: Record) -> Sequence[Record]:
    """What was compared with the base; of an older record, its one variant."""
    return record.get("variants") or [{"name": UNNAMED, "title": {}, "summary": record["summary"]}]


def titles_of(record: Record, language: str, translate: Translate) -> list[str]:
    """What each variant is called in a language, in the study's order; its name where it has no title there."""
    variants = variants_of(record)

    def title(number: int, name: str, titles: Mapping[str, str]) -> str:
        given = titles.get(language) or titles.get("en") or next(iter(titles.values()), "")
        if given or name != UNNAMED:
            return given or name
        return translate(ONLY) if len(variants) == 1 else translate(NUMBERED).format(number=number)

    return [title(number, own["name"], own["title"]) for number, own in enumerate(variants, 1)]


def as_of(record: Record, number: int) -> Record:
    """The record as if the variant `number`, counted from 0, were the only one: its totals and its curves.

    Raises
    ------
    IndexError
        If there is no such variant.
    """
    variant = variants_of(record)[number]
    key = curves_key(record, number)
    places: dict[str, object] = {}
    for kind in ("gates", "yards"):
        kept = {
            place: {
                measure: {"base": worlds["base"], "variant": worlds[key]}
                for measure, worlds in own.items()
                if key in worlds
            }
            for place, own in record[kind].items()
        }
        places[kind] = {place: own for place, own in kept.items() if own}
    return {**record, "summary": variant["summary"], **places}


def curves_key(record: Record, number: int) -> str:
    """What the curves of a variant, counted from 0, are kept under."""
    return UNNAMED if number == 0 else str(variants_of(record)[number]["name"])


def changes_of(record: Record) -> list[Mapping[str, Any]]:
    """What each variant changes, in the study's order."""
    scenario = record["scenario"]
    more = [variant.get("change", {}) for variant in scenario.get("variants", ())]
    return [scenario.get("change", {}), *more][-len(variants_of(record)) :]


def ranking(record: Record) -> list[int]:
    """The numbers of the variants, those that save the most truck-hours first."""
    variants = variants_of(record)
    return sorted(range(len(variants)), key=lambda number: variants[number]["summary"]["truck_hours"]["difference"])


def say_conclusion(record: Record, language: str, translate: Translate, number: Number) -> str:
    """What a study comes to, in a few sentences: the best of its variants by truck-hours, and how the others fare."""
    titles = titles_of(record, language, translate)
    if len(titles) == 1:
        return conclude(key_figures(as_of(record, 0))).said(translate, number)
    order = ranking(record)
    verdicts = {index: _verdict(key_figures(as_of(record, index))) for index in order}
    best = order[0] if verdicts[order[0]] == "better" else None
    if best is None:
        said = [translate(NONE_HELPS).format(count=len(titles))]
    else:
        found = conclude(key_figures(as_of(record, best)))
        sentence = BEST_WITH_HARM if found.worse else BEST
        told = {
            "better": found.told(found.better, translate, number),
            "worse": found.told(found.worse, translate, number),
        }
        said = [translate(sentence).format(count=len(titles), title=titles[best], **told)]
    for verdict, message in OTHERS.items():
        those = [titles[index] for index in order if index != best and verdicts[index] == verdict]
        if those:
            said.append(translate(message).format(titles=", ".join(those)))
    return " ".join(said)


def _verdict(figures: Sequence[Figure]) -> str:
    return next((figure.verdict for figure in figures if figure.label == RANKED_BY), "same")
