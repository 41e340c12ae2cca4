"""`cuakhau plan-yards` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from app.cli import app
from geo.errors import InvalidInputError

EXAMPLE = (Path(__file__).parents[2] / "docs" / "yards.md").read_text("utf-8").split("```json")[1].split("```")[0]


def test_a_problem_in_a_file_becomes_a_plan(tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    path.write_text(EXAMPLE, encoding="utf-8")
    done = CliRunner().invoke(app, ["plan-yards", str(path), "--json", "--time-limit-s", "60"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    assert (report["status"], report["unplaced"], report["overflow_truck_hours"]) == ("optimal", 0, 0.0)
    assert report["trucks"][0]["zone_id"] == "cold"
    assert report["gap"] <= 0.01
    people = CliRunner().invoke(app, ["plan-yards", str(path)])
    assert "29C-123.45: 30/01" in people.output


def test_a_wrong_value_is_named_and_nothing_is_planned(tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    path.write_text(EXAMPLE.replace('"kind": "reefer"', '"kind": "fridge"'), encoding="utf-8")
    done = CliRunner().invoke(app, ["plan-yards", str(path), "--json"])
    assert isinstance(done.exception, InvalidInputError)
    assert "zones.0.kind: 'fridge'" in str(done.exception)
