"""The drawn table of changes is the code's."""

from __future__ import annotations

import re
from pathlib import Path

from app.procedures import changes
from app.procedures.changes import RULES, Change, SheetState, Whereabouts

TEXT = (Path(__file__).parents[2] / "docs" / "changes.md").read_text(encoding="utf-8")


def test_the_table_is_drawn_as_it_is() -> None:
    drawn = re.search(r"<!-- changes -->\n(.*?)\n<!-- /changes -->", TEXT, re.DOTALL)
    assert drawn is not None
    assert drawn.group(1) == changes.draw(), "the table is what changes.draw() gives"


def test_the_table_has_a_rule_for_every_change_place_and_state() -> None:
    assert set(RULES) == set(Change)
    for places in RULES.values():
        assert set(places) == set(Whereabouts)
        assert all(len(row) == len(SheetState) for row in places.values())
