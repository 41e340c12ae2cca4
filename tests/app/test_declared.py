"""How a declared value is shown."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from app.declarations.declared import CHOICES, read
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS


@pytest.mark.parametrize(
    ("name", "stored", "shown"),
    [
        ("plate", "29C12345", ("plate", "29C12345")),
        ("trailer_plate", "", ("nothing", None)),
        ("planned_arrival", "2026-11-21T06:30:00+00:00", ("time", datetime(2026, 11, 21, 6, 30, tzinfo=UTC))),
        ("inspection_expires", "2026-12-01", ("date", date(2026, 12, 1))),
        ("lines.2.perishable", True, ("word", "Yes")),
        ("refrigerated", False, ("word", "No")),
        ("container", "40", ("word", "40 feet")),
        ("lines.1.packaging", "carton", ("word", "Cartons")),
        ("lines.1.gross_weight_kg", 19500.5, ("number", 19500.5)),
        ("driver_id", 12, ("text", 12)),
        ("gate_id", "huu-nghi", ("gate", "huu-nghi")),
        ("a_field_of_an_older_form", "x", ("text", "x")),
    ],
)
def test_a_stored_value_is_read_by_the_kind_of_its_field(name, stored, shown):
    assert read(name, stored) == shown


def test_every_choice_of_a_declaration_has_its_words():
    for name, field in {**HEAD_FIELDS, **LINE_FIELDS}.items():
        if field.kind in ("choice", "flag"):
            assert set(field.choices) <= set(CHOICES[name]), name
