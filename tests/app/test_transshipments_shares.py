"""Shares of declared goods: in whatever parts and order they are moved, they make exactly what was declared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.declarations.form import Line as DeclaredLine
from app.transshipments.balance import Amount, Line, Move, balance
from app.transshipments.shares import Figures, Holding, added, loads, part_of, split, together

TRUCK = "29C12345"
FIGURES = ("packages", "gross_weight_kg", "net_weight_kg", "quantity")


def exact(value: float | None) -> Decimal:
    return Decimal(str(value))


def holding(each: DeclaredLine) -> Holding:
    """A whole line on a vehicle."""
    weight_kg = each.gross_weight_kg if each.gross_weight_kg is not None else each.net_weight_kg
    return Holding(Amount(each.packages or 0, exact(weight_kg)), Figures.of(each))


def line(**changes: Any) -> DeclaredLine:
    values: dict[str, Any] = {
        "description": "Thanh long",
        "quantity": 17_000.5,
        "unit": "kg",
        "gross_weight_kg": 18_000.25,
        "net_weight_kg": 17_000.5,
        "packages": 1000,
    }
    return DeclaredLine(**{**values, **changes})


@st.composite
def lines(draw: st.DrawFn) -> DeclaredLine:
    """A line in packages or in bulk, whose figures have nothing to do with each other."""
    thousandths = st.integers(1, 40_000_000)
    places = draw(st.sampled_from([1, 1000, 1_000_000]))
    return line(
        gross_weight_kg=float(Decimal(draw(st.integers(3, 40_000_000))) / places),
        net_weight_kg=float(Decimal(draw(thousandths)) / 1000),
        quantity=float(Decimal(draw(thousandths)) / draw(st.sampled_from([1, 1000]))),
        unit=draw(st.sampled_from(["kg", "piece", "m3"])),
        packages=draw(st.integers(0, 5000)),
    )


@st.composite
def amounts(draw: st.DrawFn, there: Amount) -> Amount:
    """Some of what is there, or all of it."""
    if draw(st.integers(0, 3)) == 0:
        return there
    boxes = draw(st.integers(1, there.packages)) if there.packages else 0
    share = Decimal(boxes) / there.packages if boxes else Decimal(draw(st.integers(1, 1000))) / 1000
    weight_kg = (there.weight_kg * share).quantize(Decimal("0.000001"))
    is_odd = weight_kg <= 0 or (weight_kg >= there.weight_kg) != (boxes == there.packages)
    return there if is_odd else Amount(boxes, weight_kg)


@given(lines(), st.data())
def test_the_shares_and_the_rest_make_what_was_declared(declared: DeclaredLine, data: st.DataObject) -> None:
    there, shares = holding(declared), []
    for _ in range(data.draw(st.integers(1, 6))):
        if there.amount.is_nothing:
            break
        cut = data.draw(amounts(there.amount))
        shares.append(part_of(declared, there, cut))
        there = there.less(shares[-1], cut)
    if not there.amount.is_nothing:
        shares.append(part_of(declared, there, there.amount))
    for name in FIGURES:
        assert sum(exact(getattr(share, name)) for share in shares) == exact(getattr(declared, name)), name
        assert all(getattr(share, name) >= 0 for share in shares), name
    whole = shares[0]
    for share in shares[1:]:
        whole = together(whole, share)
    assert whole == declared


def test_what_is_counted_is_not_cut_in_pieces() -> None:
    declared = line(unit="piece", quantity=1001.0, packages=10, gross_weight_kg=100.0, net_weight_kg=99.9)
    first = part_of(declared, holding(declared), Amount(3, Decimal("33.3")))
    assert (first.quantity, first.packages, first.gross_weight_kg) == (333.0, 3, 33.3)
    assert first.net_weight_kg == 33.266


def test_goods_without_a_gross_weight_are_shared_by_the_net_weight() -> None:
    declared = line(gross_weight_kg=None, net_weight_kg=900.0, quantity=900.0)
    share = part_of(declared, holding(declared), Amount(500, Decimal(450)))
    assert (share.gross_weight_kg, share.net_weight_kg, share.quantity) == (None, 450.0, 450.0)


def test_truck_and_trailer_give_one_line_to_one_vehicle() -> None:
    declared = [line(gross_weight_kg=100.0, net_weight_kg=90.0, quantity=90.0, packages=10)]
    moves = [
        Move(1, TRUCK, "桂FA1234", Amount(4, Decimal(40))),
        Move(1, "12R00123", "桂FA1234", Amount(5, Decimal(50))),
        Move(1, TRUCK, "桂FB5678", Amount(1, Decimal(10))),
    ]
    shares = loads(moves, split(declared, {1: holding(declared[0])}, moves))
    assert (shares["桂FA1234"][1].packages, shares["桂FA1234"][1].net_weight_kg) == (9, 81.0)
    assert (shares["桂FB5678"][1].packages, shares["桂FB5678"][1].net_weight_kg) == (1, 9.0)


def test_a_line_declared_with_less_than_was_taken_gives_nothing_below_nothing() -> None:
    declared = line(gross_weight_kg=100.0, net_weight_kg=50.0, quantity=50.0, packages=0)
    there = Holding(Amount(0, Decimal(40)), Figures.of(declared) - Figures(Decimal(60), Decimal(60)))
    assert part_of(declared, there, Amount(0, Decimal(20))).net_weight_kg == 0.0


class Fleet:
    """Vehicles with what each declares, and what each gave on."""

    def __init__(self, first: list[DeclaredLine]) -> None:
        self.declared: dict[str, list[DeclaredLine]] = {TRUCK: first}
        self.taken: dict[tuple[str, int], list[tuple[DeclaredLine, Amount]]] = {}
        self.places: dict[str, dict[tuple[int, int], int]] = {}
        self.givers = [TRUCK]

    def holdings(self, plate: str) -> dict[int, Holding]:
        """The lines of a vehicle less what its moves took."""
        found = {}
        for number, each in enumerate(self.declared[plate], 1):
            there = holding(each)
            for share, moved in self.taken.get((plate, number), []):
                there = there.less(share, moved)
            found[number] = there
        return found

    def transship(self, giver: str, moves: list[Move]) -> None:
        """As the yard does it."""
        holdings = self.holdings(giver)
        balance([Line(number, "x", there.amount) for number, there in holdings.items()], moves)
        parts = split(self.declared[giver], holdings, moves)
        for plate, share in loads(moves, parts).items():
            own = {(self.givers.index(giver), number): each for number, each in share.items()}
            places = self.places.setdefault(plate, {})
            self.declared[plate] = added(self.declared.get(plate, []), places, own)
            for key in sorted(own):
                places.setdefault(key, len(places))
            if plate not in self.givers:
                self.givers.append(plate)
        for move, part in zip(moves, parts, strict=True):
            self.taken.setdefault((giver, move.line), []).append((part, move.amount))

    def on_board(self, plate: str) -> list[DeclaredLine]:
        """What is on a vehicle, every figure of it."""
        held = zip(self.declared[plate], self.holdings(plate).values(), strict=True)
        return [part_of(each, there, there.amount) for each, there in held if not there.amount.is_nothing]


@given(st.lists(lines(), min_size=1, max_size=3), st.data())
def test_through_any_chain_of_vehicles_nothing_is_lost(first: list[DeclaredLine], data: st.DataObject) -> None:
    fleet = Fleet(first)
    for _ in range(data.draw(st.integers(1, 5))):
        giver = data.draw(st.sampled_from([plate for plate in fleet.declared if fleet.on_board(plate)]))
        others = [plate for plate in ("R1", "R2", "R3", "R4") if plate != giver]
        moves = []
        for number, held in fleet.holdings(giver).items():
            there = held.amount
            for plate in data.draw(st.lists(st.sampled_from(others), max_size=2, unique=True)):
                if not there.is_nothing:
                    moves.append(Move(number, giver, plate, data.draw(amounts(there))))
                    there -= moves[-1].amount
        if moves:
            fleet.transship(giver, moves)
    on_board = [each for plate in fleet.declared for each in fleet.on_board(plate)]
    for name in FIGURES:
        assert sum(exact(getattr(each, name)) for each in on_board) == sum(exact(getattr(each, name)) for each in first)
        assert all(getattr(each, name) >= 0 for each in on_board), name
