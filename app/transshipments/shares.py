"""Which share of a declared line goes with the packages and kilograms that are moved. Pure.

Packages and gross weight are counted; quantity and net weight go with the weight: a move takes of what is on the
vehicle as much as its part of the weight, rounded down, and the last move all that is left. What a move took is kept,
and what stays is the difference. So the shares of all moves and what stays make exactly what was declared, in however
many transshipments, through however many vehicles, and also if a line was declared again in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from typing import Final, Self

from app.declarations.form import Line as DeclaredLine
from app.transshipments.balance import Amount, Move

THOUSANDTH: Final = Decimal("0.001")
COUNTED: Final = frozenset({"piece", "pair", "set", "head"})
"""Units of which there are no parts."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Quantity and net weight of some goods, as far as they are declared."""

    quantity: Decimal | None = None
    net_weight_kg: Decimal | None = None

    @classmethod
    def of(cls, line: DeclaredLine) -> Self:
        """Those of a declared line."""
        return cls(_exact(line.quantity), _exact(line.net_weight_kg))

    def __sub__(self, other: Self) -> Self:
        """What is left of the figures; nothing where a new declaration says less than was taken."""
        return type(self)(
            _less(self.quantity, other.quantity),
            _less(self.net_weight_kg, other.net_weight_kg),
        )


@dataclass(frozen=True, slots=True)
class Holding:
    """What of a line is on a vehicle."""

    amount: Amount
    figures: Figures

    def less(self, share: DeclaredLine, moved: Amount) -> Self:
        """What is left after a share was taken."""
        return type(self)(self.amount - moved, self.figures - Figures.of(share))


def split(
    declared: Sequence[DeclaredLine], holdings: Mapping[int, Holding], moves: Sequence[Move]
) -> list[DeclaredLine]:
    """What goes with each move, as it is declared.

    Arguments: `holdings`, what of each line, from 1, was on the vehicle before `moves`.
    """
    left = dict(holdings)
    shares = []
    for move in moves:
        share = part_of(declared[move.line - 1], left[move.line], move.amount)
        left[move.line] = left[move.line].less(share, move.amount)
        shares.append(share)
    return shares


def loads(moves: Sequence[Move], shares: Sequence[DeclaredLine]) -> dict[str, dict[int, DeclaredLine]]:
    """What each receiving vehicle gets altogether: by plate and by line."""
    found: dict[str, dict[int, DeclaredLine]] = defaultdict(dict)
    for move, share in zip(moves, shares, strict=True):
        known = found[move.to_plate].get(move.line)
        found[move.to_plate][move.line] = share if known is None else together(known, share)
    return dict(found)


def part_of(line: DeclaredLine, there: Holding, moved: Amount) -> DeclaredLine:
    """The share of a line that goes with `moved`, out of what is `there`."""
    is_counted = line.unit in COUNTED and line.quantity is not None and line.quantity.is_integer()
    is_gross = line.gross_weight_kg is not None
    net_weight_kg = _cut(there.figures.net_weight_kg, there.amount, moved, THOUSANDTH) if is_gross else moved.weight_kg
    quantity = _cut(there.figures.quantity, there.amount, moved, Decimal(1) if is_counted else THOUSANDTH)
    return replace(
        line,
        packages=None if line.packages is None else moved.packages,
        gross_weight_kg=float(moved.weight_kg) if is_gross else None,
        net_weight_kg=None if net_weight_kg is None else float(net_weight_kg),
        quantity=None if quantity is None else float(quantity),
    )


def together(line: DeclaredLine, more: DeclaredLine) -> DeclaredLine:
    """Two shares of one line as one."""
    return replace(
        line,
        packages=None if line.packages is None else line.packages + (more.packages or 0),
        gross_weight_kg=_sum(line.gross_weight_kg, more.gross_weight_kg),
        net_weight_kg=_sum(line.net_weight_kg, more.net_weight_kg),
        quantity=_sum(line.quantity, more.quantity),
    )


def added(
    lines: Sequence[DeclaredLine], places: Mapping[tuple[int, int], int], share: Mapping[tuple[int, int], DeclaredLine]
) -> list[DeclaredLine]:
    """The lines of a vehicle after more goods came onto it.

    Arguments: `places`, where among `lines` the goods of a giving trip and its line stand; `share`, what came, by the
    same keys; what stands nowhere yet comes at the end.
    """
    found = list(lines)
    for key, more in sorted(share.items()):
        place = places.get(key)
        if place is None:
            found.append(more)
        else:
            found[place] = together(found[place], more)
    return found


def _cut(figure: Decimal | None, there: Amount, moved: Amount, step: Decimal) -> Decimal | None:
    if figure is None or moved.weight_kg >= there.weight_kg:
        return figure
    return (figure * moved.weight_kg / there.weight_kg).quantize(step, ROUND_FLOOR)


def _less(figure: Decimal | None, taken: Decimal | None) -> Decimal | None:
    return None if figure is None else max(figure - (taken or 0), Decimal(0))


def _sum(amount: float | None, other: float | None) -> float | None:
    total = (_exact(amount) or Decimal(0)) + (_exact(other) or Decimal(0))
    return None if amount is None else float(total)


def _exact(value: float | None) -> Decimal | None:
    """The decimal that people wrote: the shortest that names the float."""
    return None if value is None else Decimal(str(value))
