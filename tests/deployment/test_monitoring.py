"""Prometheus rules and the Grafana dashboard: expressions are PromQL, and every metric they name is in `/metrics`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from fastapi.testclient import TestClient

from app.ops.keeping import Keeper
from app.platform.runtime import Runtime
from app.settings import OperationsSettings
from tests.programs import program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
COUNTED = (
    "fixes_in_total",
    "fixes_stored_total",
    "fixes_duplicate_total",
    'fixes_refused_total{reason="mock"}',
    "events_delivered_total",
    "control_step_failures_total",
)
KEPT = ("forecast_made_at_s", "forecast_duration_s", "control_minute_duration_s", "outbox_waiting")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DEPLOY / "grafana" / "cuakhau.json").read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def names_in(expression: str) -> set[str]:
    """The metrics of an expression, read by a parser of PromQL."""
    text = str(promql_parser.parse(expression).prettify())
    without_strings = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    return set(re.findall(r"cuakhau[a-zA-Z0-9_:]*", without_strings))


def counted(figures: str) -> dict[str, float]:
    """Requests by route and status; a process counts from its start on."""
    found = re.findall(r"^cuakhau_requests_total\{(.*)\} (\S+)$", figures, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_every_expression_is_promql_and_every_metric_is_there(
    runtime: Runtime, application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.settings.public_url = "https://border.example"
    for name in COUNTED:
        runtime.redis.hset("ck:counters", name, 1)
    for name in KEPT:
        runtime.redis.hset("ck:gauges", name, 1)
    source = "".join(path.read_text() for package in ("app", "ingest") for path in (ROOT / package).rglob("*.py"))
    for name in (*COUNTED, *KEPT):
        assert name.partition("{")[0] in source, f"nothing counts {name}"
    keeper = Keeper(runtime, OperationsSettings(backup_dir=tmp_path), certificate=lambda _url: 2e9)
    with runtime.sessions() as session:
        from app.ops.tables import BackupRow

        now = runtime.clock.now()
        session.add(BackupRow(file="x", size_bytes=1, started_at=now, ended_at=now))
        session.commit()
    assert keeper.run().failed == []
    with TestClient(application, client=("127.0.0.1", 50000)) as local:
        before = counted(local.get("/metrics").text)
        assert local.post("/gps/batch", content=b"").status_code < 500
        assert local.get("/healthz").status_code == 200
        assert local.get("/api/v1/trips/7").status_code == 401
        assert local.get("/no/such/page/7").status_code == 404
        figures = local.get("/metrics").text
    present = set(re.findall(r"^(cuakhau_\w+)", figures, re.MULTILINE))
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    named = {expression: names_in(expression) for expression in expressions()}
    assert len(named) > 30
    for expression, names in named.items():
        assert names <= present | recorded, expression
    assert recorded <= {name for names in named.values() for name in names} | {
        "cuakhau:request_errors:ratio_rate5m",
        "cuakhau:door_duration_s:p99_5m",
    }
    for answer in ('route="/api/v1/trips/{trip_id}",status="401"', 'route="unmatched",status="404"'):
        assert counted(figures)[answer] - before.get(answer, 0.0) == 1.0, answer
    assert 'route="/gps/batch"' in figures
    assert "/trips/7" not in figures
    assert "/no/such/page" not in figures
    assert 'cuakhau_alarms_open{kind="disk_short"}' in figures


def test_a_wrong_expression_is_found() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        promql_parser.parse("sum(rate(cuakhau_requests_total[5m])")
    assert names_in('sum by (kind) (rate(cuakhau_x{route="cuakhau_y"}[5m]))') == {"cuakhau_x"}


def test_alerts_say_how_bad_and_what() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts) > 5
    for rule in alerts:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"].endswith(".")


def test_the_dashboard_is_one_grafana_reads() -> None:
    board = json.loads((DEPLOY / "grafana" / "cuakhau.json").read_text())
    assert board["uid"] == "cuakhau"
    assert len({panel["id"] for panel in panels()}) == len(panels()) > 10
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["datasource"]["uid"] == "${datasource}"
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource"]


def test_prometheus_takes_the_rules_and_they_alert() -> None:
    folder = RULES.parent
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]):
        done = subprocess.run([program("promtool"), *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
