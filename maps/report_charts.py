"""Charts for a page that stands alone: fans of two worlds as inline SVG, told apart by colour and by dash."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Final

from maps.comparison import WORLDS, Values

WIDTH: Final = 560
HEIGHT: Final = 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 26

Number = Callable[[float, int], str]


def fan_chart(
    worlds: Mapping[str, Sequence[Values]],
    *,
    title: str,
    clock: Callable[[int], str],
    number: Number,
    scale: float = 1.0,
) -> str:
    """Base and variant in one chart: the median as a line, the outer quantiles as a band.

    Arguments: `worlds`, [quantile][time] for "base" and "variant"; `clock` names the time of a sample; `number`
    writes a number with so many decimals; values are divided by `scale`. A missing value interrupts a line.
    """
    curves = {world: [[None if v is None else v / scale for v in row] for row in worlds[world]] for world in WORLDS}
    length = len(curves["base"][0])
    known = [v for rows in curves.values() for row in rows for v in row if v is not None]
    step, ticks = nice_ticks(max(known, default=1.0))
    top = ticks[-1]

    def x(index: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * index / max(1, length - 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / top)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    tick_digits = 0 if step >= 1 else 1
    for tick in ticks:
        at = y(tick)
        label = number(tick, tick_digits)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    for index in range(0, length, max(1, math.ceil(length / 6))):
        at = x(index)
        parts.append(f'<text class="tick" x="{at:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{clock(index)}</text>')
    for world in WORLDS:
        bands = _bands(curves[world][0], curves[world][-1], x, y)
        parts += [f'<path class="band {world}" d="{band}"/>' for band in bands]
    for world in WORLDS:
        middle = curves[world][len(curves[world]) // 2]
        parts.append(f'<path class="median {world}" d="{_line(middle, x, y)}"/>')
    return "".join([*parts, "</svg>"])


def nice_ticks(most: float) -> tuple[float, list[float]]:
    """A round step (1, 2 or 5 times a power of ten) and ticks from 0 to at least `most`, at most five steps."""
    if not most > 0:
        return 1.0, [0.0, 1.0]
    rough = most / 5.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))
    return step, [step * i for i in range(math.ceil(most / step - 1e-9) + 1)]


def _runs(*rows: Values) -> list[range]:
    """Stretches of indices where every row has a value."""
    found: list[range] = []
    start = None
    for index, values in enumerate([*zip(*rows, strict=True), (None,)]):
        is_there = all(value is not None for value in values)
        if is_there and start is None:
            start = index
        elif not is_there and start is not None:
            found.append(range(start, index))
            start = None
    return found


def _line(values: Values, x: Callable[[int], float], y: Callable[[float], float]) -> str:
    runs = ["M" + "L".join(f"{x(i):.1f} {y(values[i] or 0.0):.1f}" for i in run) for run in _runs(values)]
    return "".join(runs)


def _bands(low: Values, high: Values, x: Callable[[int], float], y: Callable[[float], float]) -> list[str]:
    found = []
    for run in _runs(low, high):
        upper = [f"{x(i):.1f} {y(high[i] or 0.0):.1f}" for i in run]
        lower = [f"{x(i):.1f} {y(low[i] or 0.0):.1f}" for i in reversed(run)]
        found.append("M" + "L".join([*upper, *lower]) + "Z")
    return found
