"""The chart of a trip's life is the code's."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from pathlib import Path

from app.trips.presence import SheetState, judge, stage_at
from app.trips.vocabulary import Direction, PlaceKind, Stage
from tests.app.presence_cases import ACTS, DEVICES, FRAMES, HUU_NGHI, MAX_MINUTES, RULES, exit_act, moment

CHART = re.findall(
    r"```mermaid\n(.*?)```", (Path(__file__).parents[2] / "docs" / "process.md").read_text(encoding="utf-8"), re.DOTALL
)[0]
SHEET = SheetState(HUU_NGHI)


def drawn() -> set[tuple[str, str]]:
    """Arrows between stages in the chart, those of cancelling and expiry aside: nothing that is seen brings them."""
    arrows = re.findall(r"^    (\w+) --> (\w+):", CHART, re.MULTILINE)
    return {(a, b) for a, b in arrows if not {a, b} & set(Stage.without_crossing())}


def found() -> set[tuple[str, str]]:
    """Changes of stage that random stories of a truck bring about, as time goes by."""
    chance, seen = random.Random(8), set()
    for _ in range(4_000):
        direction = chance.choice(list(Direction))
        frame = FRAMES[direction]
        minutes = sorted(chance.sample(range(1, MAX_MINUTES), chance.randint(1, 6)))
        told = [chance.choice((*DEVICES, *ACTS))(at, chance.randrange(256)) for at in minutes]
        told = [exit_act(at, frame) if each.place.is_over else each for at, each in zip(minutes, told, strict=True)]
        intervals = judge(frame, told, moment(2 * MAX_MINUTES), RULES).intervals
        stages = [stage_at(each.place, SHEET) for each in intervals]
        seen |= {(a.value, b.value) for a, b in pairwise(stages) if a is not b}
    return seen


def test_the_chart_has_every_change_of_stage_and_no_other() -> None:
    assert found() == drawn()


def test_the_chart_names_every_place_and_stage() -> None:
    words = set(re.findall(r"\w+", CHART))
    assert {stage.value for stage in Stage} <= words
    assert {kind.value for kind in PlaceKind} <= words
    for kind in PlaceKind:
        inside = re.search(rf"state {kind.stage.value} {{(.*?)\n    }}", CHART, re.DOTALL)
        assert (inside is None) == (kind.stage is Stage.PLANNED)
        assert inside is None or re.search(rf"\b{kind.value}\b", inside.group(1))
