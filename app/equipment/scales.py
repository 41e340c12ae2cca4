"""A weighing beside what was declared. `compare` is pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.gates.vocabulary import WeighingVerdict

TOLERANCE_SHARE: Final = 0.02
TOLERANCE_KG: Final = 200
"""The larger of the two counts (assumed; a scale's `config` may set `tolerance_share` and `tolerance_kg`). Class 0.5 of
OIML R 134 for weighing in motion would be 0.5 to 1 %; fuel, spare tyres and the crew come on top."""
MAX_GROSS_KG: Final = 200_000


@dataclass(frozen=True)
class Comparison:
    """What a scale found beside what was declared; `None` where there is nothing to compare.

    `difference_kg` = gross − tare − declared goods.
    """

    declared_kg: int | None
    difference_kg: int | None
    tolerance_kg: int | None
    verdict: WeighingVerdict


def compare(
    gross_kg: int,
    tare_kg: int | None,
    declared_kg: int | None,
    *,
    share: float = TOLERANCE_SHARE,
    least_kg: int = TOLERANCE_KG,
) -> Comparison:
    """Compare a truck's weight with its declaration.

    Arguments: `gross_kg` the whole truck; `tare_kg` the empty truck, if known; `declared_kg` the goods with their
    packaging, as declared. Tolerance is the larger of `share` of what was declared and `least_kg`.
    """
    if tare_kg is None or declared_kg is None:
        return Comparison(declared_kg, None, None, WeighingVerdict.NOT_COMPARABLE)
    difference_kg = gross_kg - tare_kg - declared_kg
    tolerance_kg = max(round(declared_kg * share), least_kg)
    if abs(difference_kg) <= tolerance_kg:
        return Comparison(declared_kg, difference_kg, tolerance_kg, WeighingVerdict.WITHIN)
    return Comparison(
        declared_kg, difference_kg, tolerance_kg, WeighingVerdict.OVER if difference_kg > 0 else WeighingVerdict.UNDER
    )


def declared_goods_kg(data: Mapping[str, object] | None) -> int | None:
    """The gross weight of all goods in a declaration (`lines[].gross_weight_kg`); `None` if a line names none."""
    lines = data.get("lines") if data else None
    if not isinstance(lines, list) or not lines:
        return None
    weights = [line.get("gross_weight_kg") if isinstance(line, Mapping) else None for line in lines]
    known = [
        weight for weight in weights if isinstance(weight, int | float) and not isinstance(weight, bool) and weight > 0
    ]
    return round(sum(known)) if len(known) == len(weights) else None
