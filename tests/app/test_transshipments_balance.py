"""The balance of a transshipment: nothing is lost, nothing comes out of nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.transshipments.balance import NOTHING, Amount, Line, Move, balance, differences
from geo.errors import InvalidInputError

TRUCK = "29C12345"


def amount(packages: int, weight_kg: str | int) -> Amount:
    return Amount(packages, Decimal(weight_kg))


LINES = [Line(1, "Thanh long", amount(1000, 18000)), Line(2, "Đá vôi", amount(0, "5000.5"))]


@st.composite
def loads_and_moves(draw):
    """Lines in packages of one weight each or in bulk, and moves that share each line out over some vehicles."""
    lines, moves = [], []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        packages = draw(st.integers(0, 2000))
        each_g = draw(st.integers(1, 50_000))
        parts = draw(st.lists(st.integers(1, 500), max_size=4))
        in_bulk = packages == 0
        total = (sum(parts) + draw(st.integers(0, 500))) if in_bulk else packages
        if total == 0 or (not in_bulk and sum(parts) > packages):
            parts, total = [], max(total, 1)
        weight = Decimal(total * each_g) / 1000
        lines.append(Line(number, f"goods {number}", Amount(0 if in_bulk else total, weight)))
        for at, part in enumerate(parts):
            moved = Amount(0 if in_bulk else part, Decimal(part * each_g) / 1000)
            moves.append(Move(number, TRUCK, f"receiver{at}", moved))
    return lines, draw(st.permutations(moves))


@given(loads_and_moves())
def test_both_sides_together_make_what_was_there(case):
    lines, moves = case
    if not moves:
        with pytest.raises(InvalidInputError):
            balance(lines, moves)
        return
    found = balance(lines, moves)
    for line in lines:
        got = sum((share.get(line.number, NOTHING) for share in found.received.values()), NOTHING)
        assert got + found.left[line.number] == line.amount
        assert found.left[line.number].weight_kg >= 0
        assert found.left[line.number].packages >= 0
    assert found.is_partial == any(not share.is_nothing for share in found.left.values())
    assert differences(moves, list(reversed(moves))) == []


@given(loads_and_moves(), st.integers(0, 10), st.integers(1, 10_000))
def test_one_gram_too_much_is_refused(case, which, more_g):
    lines, moves = case
    if not moves:
        return
    move = moves[which % len(moves)]
    left = balance(lines, moves).left[move.line]
    greedy = Move(
        move.line,
        move.from_plate,
        move.to_plate,
        Amount(move.amount.packages, move.amount.weight_kg + left.weight_kg + Decimal(more_g) / 1000),
    )
    with pytest.raises(InvalidInputError):
        balance(lines, [greedy if other is move else other for other in moves])


@pytest.mark.parametrize(
    ("move", "words"),
    [
        (Move(3, TRUCK, "a", amount(1, 1)), "no line 3"),
        (Move(1, TRUCK, "a", amount(0, 10)), "more than nothing"),
        (Move(1, TRUCK, "a", amount(10, 0)), "more than nothing"),
        (Move(1, TRUCK, "a", amount(1001, 10)), "1000 packages"),
        (Move(1, TRUCK, "a", amount(1000, 17999)), "would keep 0 packages of 1 kg"),
        (Move(1, TRUCK, "a", amount(999, 18000)), "would keep 1 packages of 0 kg"),
        (Move(1, TRUCK, TRUCK, amount(1, 18)), "cannot receive"),
    ],
)
def test_what_does_not_balance_says_why(move, words):
    with pytest.raises(InvalidInputError, match=words):
        balance(LINES, [move])


def test_a_part_can_stay():
    found = balance(LINES, [Move(1, TRUCK, "a", amount(600, 10800)), Move(1, TRUCK, "b", amount(400, 7200))])
    assert found.left == {1: amount(0, 0), 2: amount(0, "5000.5")}
    assert found.is_partial
    assert found.received == {"a": {1: amount(600, 10800)}, "b": {1: amount(400, 7200)}}


def test_differences_name_what_was_done_otherwise():
    approved = [Move(1, TRUCK, "a", amount(600, 10800)), Move(1, TRUCK, "b", amount(400, 7200))]
    done = [Move(1, TRUCK, "a", amount(590, 10800)), Move(1, TRUCK, "c", amount(400, 7200))]
    assert differences(approved, done) == [
        (approved[0], amount(590, 10800)),
        (approved[1], NOTHING),
        (done[1], NOTHING),
    ]
