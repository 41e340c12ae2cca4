"""What a transshipment leaves on one side and puts on the other. Pure: standard library only.

For every line of goods and each of the two measures, packages and weight, what the receiving vehicles get and what
stays behind together make what was there. Amounts are whole packages and exact decimals of kilograms; nothing is
rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from geo.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Amount:
    """So many packages that weigh so much."""

    packages: int
    weight_kg: Decimal

    def __add__(self, other: Self) -> Self:
        return type(self)(self.packages + other.packages, self.weight_kg + other.weight_kg)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.packages - other.packages, self.weight_kg - other.weight_kg)

    @property
    def is_nothing(self) -> bool:
        """Whether there is neither a package nor weight."""
        return self.packages == 0 and self.weight_kg == 0


NOTHING = Amount(0, Decimal(0))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of goods as declared: its number on the declaration, what it is, how much."""

    number: int
    goods: str
    amount: Amount
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """Some goods of one line from one vehicle to another; plates in normal form."""

    line: int
    from_plate: str
    to_plate: str
    amount: Amount


@dataclass(frozen=True)
class Balance:
    """Both sides afterwards: what is left of each line, and what each receiving vehicle has of each line."""

    left: Mapping[int, Amount]
    received: Mapping[str, Mapping[int, Amount]]

    @property
    def is_partial(self) -> bool:
        """Whether goods stay on the vehicle they came with."""
        return any(not amount.is_nothing for amount in self.left.values())

    @property
    def is_emptied(self) -> bool:
        """Whether nothing stays on the vehicle that gave."""
        return not self.is_partial


def balance(lines: Sequence[Line], moves: Sequence[Move]) -> Balance:
    """Both sides after all moves, from what the lines held before.

    Raises
    ------
    InvalidInputError
        If there is no move, a move takes from a line that is not there, takes nothing, takes more than is left, leaves
        packages without weight or weight without packages, goes back to a vehicle that gives, or comes twice.
    """
    if not moves:
        raise InvalidInputError("Name at least one line of goods to move and the vehicle it goes to.", field="moves")
    left = {line.number: line.amount for line in lines}
    received: dict[str, dict[int, Amount]] = defaultdict(lambda: defaultdict(lambda: NOTHING))
    givers = {move.from_plate for move in moves}
    seen: set[tuple[int, str, str]] = set()
    for move in moves:
        _check_move(move, left, givers, seen)
        left[move.line] -= move.amount
        received[move.to_plate][move.line] += move.amount
    for line in lines:
        _check_rest(line, left[line.number])
    return Balance(left, {plate: dict(amounts) for plate, amounts in received.items()})


def differences(approved: Sequence[Move], carried_out: Sequence[Move]) -> list[tuple[Move, Amount]]:
    """Each approved move that was done otherwise, with what was done of it, and each done that nobody approved.

    A move of the latter kind comes with the amount nothing in its place.
    """
    wanted = {(move.line, move.from_plate, move.to_plate): move for move in approved}
    done: dict[tuple[int, str, str], Amount] = defaultdict(lambda: NOTHING)
    strangers: list[tuple[Move, Amount]] = []
    for move in carried_out:
        key = (move.line, move.from_plate, move.to_plate)
        done[key] += move.amount
        if key not in wanted:
            strangers.append((move, NOTHING))
    return [(move, done[key]) for key, move in wanted.items() if done[key] != move.amount] + strangers


def _check_move(move: Move, left: Mapping[int, Amount], givers: set[str], seen: set[tuple[int, str, str]]) -> None:
    there = left.get(move.line)
    if there is None:
        raise InvalidInputError(
            "The declaration has no line {line}; choose one of {lines}.",
            field="moves",
            line=move.line,
            lines=", ".join(map(str, left)) or "–",
        )
    if move.to_plate in givers:
        raise InvalidInputError(
            "{plate} gives goods and cannot receive them too; name another vehicle.", field="moves", plate=move.to_plate
        )
    key = (move.line, move.from_plate, move.to_plate)
    if key in seen:
        raise InvalidInputError(
            "Line {line} goes to {plate} twice; put both amounts together.",
            field="moves",
            line=move.line,
            plate=move.to_plate,
        )
    seen.add(key)
    amount = move.amount
    if amount.packages < 0 or amount.weight_kg <= 0 or (there.packages > 0 and amount.packages == 0):
        raise InvalidInputError(
            "Line {line} to {plate}: say how many packages and how many kilograms; both must be more than nothing.",
            field="moves",
            line=move.line,
            plate=move.to_plate,
        )
    if amount.packages > there.packages or amount.weight_kg > there.weight_kg:
        raise InvalidInputError(
            "Line {line} has {packages} packages and {weight_kg} kg left, and {plate} would get {asked_packages} and "
            "{asked_kg} kg; move at most what is left.",
            field="moves",
            line=move.line,
            packages=there.packages,
            weight_kg=there.weight_kg,
            plate=move.to_plate,
            asked_packages=amount.packages,
            asked_kg=amount.weight_kg,
        )


def _check_rest(line: Line, rest: Amount) -> None:
    """Packages that weigh nothing, or weight in no package, cannot stay behind: one of the two figures is wrong."""
    if line.amount.packages > 0 and (rest.packages == 0) != (rest.weight_kg == 0):
        raise InvalidInputError(
            "Line {line} would keep {packages} packages of {weight_kg} kg; correct the packages or the kilograms.",
            field="moves",
            line=line.number,
            packages=rest.packages,
            weight_kg=rest.weight_kg,
        )
