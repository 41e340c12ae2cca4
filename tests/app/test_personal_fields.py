"""What is personal is said once, by name, of every field that the platform has; it guesses of foreign names alone."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from pydantic import BaseModel

import app
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS
from app.platform import personal_fields
from app.platform.personal_fields import (
    DIGEST_MARK,
    OTHER_FIELDS,
    PERSONAL_FIELDS,
    Left,
    is_of_health,
    is_personal,
    quoted_field,
    replace_personal,
    without_personal_values,
)
from app.platform.sealed_json import SEALED, seal
from app.registers.fields import FIELDS
from app.registers.vocabulary import Subject
from geo.tables import Base

OF_NOBODY = {"driver_id", "account_id", "language", "paper", "licence_class", "note"}
"""What is said beside a driver: an account's number, a kind; a remark is digested by the register itself."""


def _declared_names() -> set[str]:
    """Every column of a table, every field of a model that comes in or goes out."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    columns = {column.name for table in Base.metadata.tables.values() for column in table.columns}
    models, names = [BaseModel], set(columns)
    while models:
        model = models.pop()
        models += model.__subclasses__()
        names |= set(model.model_fields) if model.__module__.startswith("app.") else set()
    return names


def test_of_no_field_of_ours_it_is_guessed_whether_it_is_personal() -> None:
    names = _declared_names() | set(HEAD_FIELDS) | set(LINE_FIELDS)
    assert len(names) > 1_000
    guessed = {name for name in names if personal_fields._FOREIGN.search(name)}
    assert guessed - set(PERSONAL_FIELDS) - OTHER_FIELDS == set()
    assert not set(PERSONAL_FIELDS) & OTHER_FIELDS


def test_what_is_declared_and_registered_of_drivers_is_personal() -> None:
    declared = {name for name, field in HEAD_FIELDS.items() if field.part in ("driver", "health")}
    assert {name for name in declared if not is_personal(name)} == {"driver_id"}
    assert {name for name, field in HEAD_FIELDS.items() if is_personal(name)} <= declared
    assert {name for name in FIELDS[Subject.DRIVER] if not is_personal(name)} <= OF_NOBODY
    assert {name for name, field in HEAD_FIELDS.items() if is_of_health(name)} == {
        name for name, field in HEAD_FIELDS.items() if field.part == "health"
    }


@pytest.mark.parametrize("name", ["patient_phone", "email", "birthday", "health_of_codriver", "driver_licence_class"])
def test_foreign_names_are_rather_withheld(name: str) -> None:
    assert without_personal_values({"data": {name: "x"}}) != {"data": {name: "x"}}


def test_goods_and_states_of_steps_are_of_nobody() -> None:
    told = {
        "step": "health",
        "steps": {"health": "done", "quarantine_health": "waiting", "fee": "open"},
        "lines": [{"hs_code": "0810.90", "temperature_c": 5.0}],
        "changed": [{"field": "lines.1.temperature_c", "old": 5.0, "new": 3.0}],
    }
    assert without_personal_values(told) == told
    assert seal(told) == told
    assert replace_personal(told, lambda _name, _inner: Left.OUT) == told
    measured = {"data": {"temperature_c": 38.9, "note": "Sốt"}, "changed": {"health": "returned"}}
    logged = without_personal_values({"step": "health", **measured})
    assert isinstance(logged, dict)
    assert logged["changed"] == measured["changed"]
    assert all(str(value).startswith(DIGEST_MARK) for value in logged["data"].values())
    assert "38.9" not in str(seal(measured))
    assert SEALED in seal(measured)["data"]  # type: ignore[index]
    assert quoted_field({"part": "health", "old": "none"}) == "health"
    assert quoted_field({"field": "temperature_c", "old": 36.6}) == "temperature_c"


def test_the_name_under_which_a_person_signs_in_is_personal() -> None:
    """An account that is erased loses it; in the log, which cannot be changed, it would stay."""
    assert "nguyen.van.an" not in str(without_personal_values({"username": "nguyen.van.an", "role": "driver"}))
