"""A study as one picture, to paste into a letter: what each variant makes of the totals, and the queues of all."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from matplotlib.figure import Figure

from maps.comparison import Record, median
from maps.variants import curves_key, titles_of, variants_of

BASE, VARIANT, CHANCE = "#6c7a89", "#0b6e4f", "#b0b7bf"
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of the variants' curves (Okabe and Ito); dashes tell them apart without colour."""
DASHES: Final = ("-", "--", "-.", ":")
DPI: Final = 150
HOURS_LABEL: Final = "Truck-hours more (+) or less (−) than the base, with 95 % interval; grey: may be chance"
NO_GLYPHS: Final = frozenset({"zh"})
"""Languages whose letters the typeface of the pictures does not have; English stands in."""

Translate = Callable[[str], str]


def study_png(
    record: Record,
    *,
    title: str = "",
    places: Mapping[str, str] | None = None,
    locale: str = "en",
    translate: Translate = str,
) -> bytes:
    """The picture of a finished study (PNG), under its title, gates called as `places` says.

    On top the truck-hours of each variant less those of the base, mean and 95 % interval, grey where chance alone may
    have made it; below the median queue at each gate, base and variants.
    """
    if locale in NO_GLYPHS:
        locale, translate = "en", str
    variants, titles = variants_of(record), [_plain(own) for own in titles_of(record, locale, translate)]
    gates: Mapping[str, Any] = record["gates"]
    figure = Figure(figsize=(9.0, 1.6 + 0.45 * len(variants) + 2.8), layout="constrained")
    figure.suptitle(_plain(title), fontsize=11, fontweight="bold")
    halves: Any = figure.subfigures(2, 1, height_ratios=[1.0 + 0.45 * len(variants), 2.4])
    _draw_variants(halves[0].subplots(), variants, titles, translate)
    hours = [i * record["step_s"] / 3600.0 for i in range(len(next(iter(gates.values()))["queue_veh"]["base"][0]))]
    for axes, (gate_id, series) in zip(
        halves[1].subplots(1, len(gates), sharey=True, squeeze=False)[0], gates.items(), strict=True
    ):
        worlds = series["queue_veh"]
        axes.plot(hours, median(worlds["base"], record["quantiles"]), color=BASE, linewidth=3, label=translate("Base"))
        for number, own in enumerate(titles):
            if (key := curves_key(record, number)) in worlds:
                values = median(worlds[key], record["quantiles"])
                look = {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}
                axes.plot(hours, values, label=own, **look)
        axes.set_title((places or {}).get(gate_id, gate_id), fontsize=9)
        axes.set_xlabel(translate("hours since the start"))
        axes.spines[["top", "right"]].set_visible(False)
    halves[1].legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    halves[1].supylabel(translate("Queue, trucks"), fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _plain(text: str) -> str:
    """A text in which Matplotlib sees no formula."""
    return text.replace("$", r"\$")


def _draw_variants(axes: Any, variants: Sequence[Record], names: Sequence[str], translate: Translate) -> None:
    found = [variant["summary"]["truck_hours"] for variant in variants]
    means = [total["difference"] for total in found]
    below = [total["difference"] - total["interval95"][0] for total in found]
    above = [total["interval95"][1] - total["difference"] for total in found]
    colours = [VARIANT if total["significant"] else CHANCE for total in found]
    axes.barh(range(len(names)), means, xerr=[below, above], color=colours, ecolor="black", capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel(translate(HOURS_LABEL), fontsize=8, loc="right")
    axes.spines[["top", "right"]].set_visible(False)
