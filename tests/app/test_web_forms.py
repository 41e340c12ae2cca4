"""The form engine alone: fields out of models, records out of what is written, and versions compared."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from app.dispatch.policy import AdvicePolicy
from app.planning.fields import STUDY_FORM
from app.web.forms import Problem, RecordForm, fields_of, problems_by_field
from app.web.versions import Change, list_changes


class Row(BaseModel):
    """A nested record."""

    full_share: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(None, title="Full")


class Sample(BaseModel):
    """One field of each kind."""

    lanes: int = Field(1, title="Lanes", ge=1, le=64)
    limit_s: float = Field(1.0, title="Limit", gt=0, lt=10, description="How long.")
    opens: time = Field(time(0), title="Opens")
    way: Literal["in", "out"] = Field("in", title="Way")
    hidden: int = 0
    rows: tuple[Row, ...] = ()


def test_labels_units_limits_and_help_come_from_the_model() -> None:
    fields = fields_of(Sample)
    assert set(fields) == {"lanes", "limit_s", "opens", "way"}
    assert (fields["lanes"].kind, fields["lanes"].minimum, fields["lanes"].maximum) == ("whole", 1, 64)
    assert (fields["limit_s"].unit, fields["limit_s"].help, fields["limit_s"].kind) == ("s", "How long.", "decimal")
    assert (fields["opens"].kind, fields["way"].kind, fields["way"].choices) == ("clock", "choice", ("in", "out"))
    share = fields_of(Row)["full_share"]
    assert (share.kind, share.unit, share.minimum, share.maximum, share.scale) == ("decimal", "%", 0, 100, 100)


def test_every_threshold_of_the_advice_can_be_edited_and_is_explained() -> None:
    fields = fields_of(AdvicePolicy)
    assert list(fields) == list(AdvicePolicy.model_fields)
    assert all(field.label and field.help and field.maximum is not None for field in fields.values())


def test_lists_and_per_cent_are_read_and_written_back() -> None:
    form = RecordForm(Sample, {**fields_of(Sample), **fields_of(Row)})
    written = {"lanes": "3", "limit_s": "2.5", "opens": "07:30", "way": "out", "rows.0.full_share": "85"}
    record = form.read(written).record
    assert record is not None
    assert (record.lanes, record.opens, record.rows[0].full_share) == (3, time(7, 30), 0.85)
    assert form.write(record.model_dump(exclude={"hidden"})) == written


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("lanes", "65", "Give at most 64."),
        ("lanes", "two", "Give a whole number."),
        ("limit_s", "0", "Give more than 0."),
        ("limit_s", "10", "Give less than 10."),
        ("opens", "half past", "Write a time of day like 07:30."),
        ("way", "up", "This cannot be accepted; choose another value."),
        ("rows.0.full_share", "130", "Give at most 100."),
    ],
)
def test_what_cannot_be_is_said_at_its_field(name: str, value: str, said: str) -> None:
    form = RecordForm(Sample, {**fields_of(Sample), **fields_of(Row)})
    reading = form.read({name: value})
    assert reading.record is None
    assert {
        field: [problem.text() for problem in found] for field, found in problems_by_field(reading.problems).items()
    } == {name: [said]}


@given(st.dictionaries(st.sampled_from(sorted(STUDY_FORM.fields)), st.text(max_size=12)))
def test_whatever_is_written_is_read_or_refused(written: dict[str, str]) -> None:
    reading = STUDY_FORM.read({f"scenario.{name}": value for name, value in written.items()})
    assert (reading.record is None) == bool(reading.problems)
    assert all(isinstance(problem, Problem) and problem.message for problem in reading.problems)


def test_an_entry_put_before_the_others_is_the_only_change() -> None:
    old = {"version": 1, "rates": [{"rate": "a", "amount_vnd": 1}, {"rate": "b", "amount_vnd": 2}], "note": "x"}
    new = {"version": 2, "rates": [{"rate": "c", "amount_vnd": 9}, *old["rates"]]}  # type: ignore[misc]
    assert list_changes(old, new) == [
        Change(("version",), 1, 2),
        Change(("rates", "c"), None, {"rate": "c", "amount_vnd": 9}),
        Change(("note",), "x", None),
    ]
    assert list_changes(new, new) == []
    assert list_changes({"lines": [{"kg": 1}]}, {"lines": [{"kg": 2}]}) == [Change(("lines", "1.", "kg"), 1, 2)]
