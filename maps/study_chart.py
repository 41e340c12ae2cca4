"""A study as one picture, to paste into a letter: what each variant makes of the totals, and the queues."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from matplotlib.figure import Figure

from maps.comparison import Record, median

BASE, VARIANT, CHANCE = "#6c7a89", "#0b6e4f", "#b0b7bf"
DPI: Final = 150
HOURS_LABEL: Final = "Truck-hours more (+) or less (−) than the base, with 95 % interval; grey: may be chance"
NO_GLYPHS: Final = frozenset({"zh"})
"""Languages whose letters the typeface of the pictures does not have; English stands in."""

Translate = Callable[[str], str]


def study_png(record: Record, *, locale: str = "en", translate: Translate = str) -> bytes:
    """The picture of a finished study (PNG).

    On top the truck-hours of each variant less those of the base, mean and 95 % interval, grey where chance alone may
    have made it; below the median queue at each gate, base and first variant.
    """
    if locale in NO_GLYPHS:
        locale, translate = "en", str
    variants = record.get("variants") or [{"name": "variant", "title": {}, "summary": record["summary"]}]
    gates: Mapping[str, Any] = record["gates"]
    figure = Figure(figsize=(9.0, 1.6 + 0.45 * len(variants) + 2.4), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=[1.0 + 0.45 * len(variants), 2.4])
    _draw_variants(halves[0].subplots(), variants, locale, translate)
    hours = [i * record["step_s"] / 3600.0 for i in range(len(next(iter(gates.values()))["queue_veh"]["base"][0]))]
    for axes, (gate_id, series) in zip(
        halves[1].subplots(1, len(gates), sharey=True, squeeze=False)[0], gates.items(), strict=True
    ):
        for world, colour, label in (("base", BASE, "Base"), ("variant", VARIANT, "Variant")):
            values = median(series["queue_veh"][world], record["quantiles"])
            axes.plot(hours, values, color=colour, label=translate(label))
        axes.set_title(gate_id, fontsize=9)
        axes.set_xlabel(translate("hours since the start"))
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    halves[1].supylabel(translate("Queue, trucks"), fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _draw_variants(axes: Any, variants: Sequence[Record], locale: str, translate: Translate) -> None:
    found = [variant["summary"]["truck_hours"] for variant in variants]
    names = [variant["title"].get(locale) or translate(variant["name"].capitalize()) for variant in variants]
    means = [total["difference"] for total in found]
    below = [total["difference"] - total["interval95"][0] for total in found]
    above = [total["interval95"][1] - total["difference"] for total in found]
    colours = [VARIANT if total["significant"] else CHANCE for total in found]
    axes.barh(names, means, xerr=[below, above], color=colours, ecolor="black", capsize=3)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel(translate(HOURS_LABEL), fontsize=8, loc="right")
    axes.spines[["top", "right"]].set_visible(False)
