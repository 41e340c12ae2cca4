"""The files of `deploy/`: what reads them takes them, and they name what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crossplane
import jsonschema_rs
import pytest
import typer
import yaml

from app.cli import app
from app.large_bodies import LARGE_BODIES
from app.settings import GatewaySettings, OperationsSettings, Settings
from app.web.draining import FINISH_S
from docs.make_settings import variables
from tests.programs import program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
FOREIGN = {"POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "REDIS_PASSWORD", "PYTHONPATH", "NUMBA_CACHE_DIR"}
OURS = {*(variable.name for each in (Settings, OperationsSettings, GatewaySettings) for variable in variables(each))}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def directives(unit: Path) -> Iterator[tuple[str, str]]:
    for line in unit.read_text().splitlines():
        name, found, value = line.partition("=")
        if found and not line.startswith("#"):
            yield name, value


def commands() -> set[str]:
    return {each.name or str(each.callback.__name__) for each in app.registered_commands if each.callback is not None}


def test_compose_is_what_the_specification_says() -> None:
    schema = json.loads((Path(__file__).parent / "data" / "compose_spec.json").read_text())
    document = {name: value for name, value in compose().items() if name != "name"}  # newer than this schema
    faults = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(document)]
    assert faults == []
    broken = document | {"services": {"web": {"command": 7}}}
    assert not jsonschema_rs.validator_for(schema).is_valid(broken)


def test_compose_runs_every_part_with_settings_there_are() -> None:
    services = compose()["services"]
    assert {service["command"][0] for service in services.values() if service.get("image") == "cuakhau:latest"} == {
        "migrate",
        "serve",
        "worker",
        "control",
    }
    for service in services.values():
        for name in service.get("environment", {}):
            assert name in OURS | FOREIGN, name
        for other in service.get("depends_on", ()):
            assert other in services
    volumes = {line.partition(":")[0] for service in services.values() for line in service.get("volumes", ())}
    assert {name for name in volumes if not name.startswith(".")} == set(compose()["volumes"])
    for line in services["proxy"]["volumes"]:
        source = line.partition(":")[0]
        assert source == "./tls" or (DEPLOY / source).exists()
    (network,) = compose()["networks"]["inside"]["ipam"]["config"]
    assert services["web-1"]["environment"]["CUAKHAU_TRUSTED_PROXIES"] == network["subnet"], "as which the proxy comes"
    drain_s = float(services["web-1"]["environment"]["CUAKHAU_DRAIN_S"])
    assert float(services["web-1"]["stop_grace_period"].removesuffix("s")) > drain_s + FINISH_S


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_there_is_with_settings_there_are(unit: Path) -> None:
    values = dict(directives(unit))
    command = values["ExecStart"].partition("-m app.cli ")[2].split()[0]
    assert command in commands() | {"%i"}
    for name, value in directives(unit):
        if name == "Environment":
            assert {each.partition("=")[0] for each in value.split()} <= OURS | FOREIGN
    for hardening in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "RestrictSUIDSGID"):
        assert values[hardening] == "yes", hardening
    assert values["ProtectSystem"] == "strict"
    assert values["User"] == "cuakhau"
    assert "MemoryDenyWriteExecute" not in values, "the traffic engine is compiled as it runs"
    if "web" in unit.name:
        drain_s = float(re.search(r"CUAKHAU_DRAIN_S=(\d+)", unit.read_text())[1])  # type: ignore[index]
        assert float(values["TimeoutStopSec"]) > drain_s + FINISH_S


def test_systemd_takes_the_units_and_finds_them_closed(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        text = re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit.read_text())
        (tmp_path / unit.name.replace("@.", "@1.")).write_text(text)
    units = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", *units],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "cuakhau" in line and "Documentation" not in line]
    assert said == []
    for unit in UNITS:
        rated = subprocess.run(
            [program("systemd-analyze"), "security", "--offline=true", "--threshold=20", str(unit)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert rated.returncode == 0, rated.stdout[-300:]


def nginx_blocks(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        yield block
        yield from nginx_blocks(block.get("block", []))


def parsed_nginx(tmp_path: Path) -> list[dict[str, Any]]:
    """nginx.conf with what it includes, by crossplane, which knows nginx's directives and their places."""
    for name in ("nginx.conf", "nginx-proxy.conf", "nginx-upstream.conf"):
        text = (DEPLOY / name).read_text().replace("/etc/nginx/cuakhau-", f"{tmp_path}/nginx-")
        (tmp_path / name).write_text(text)
    payload = crossplane.parse(str(tmp_path / "nginx.conf"), combine=True, strict=True)
    assert payload["status"] == "ok", payload["errors"]
    found: list[dict[str, Any]] = payload["config"][0]["parsed"]
    return found


def test_nginx_is_read_streams_unbuffered_and_bodies_as_large_as_routes_take(tmp_path: Path) -> None:
    blocks = list(nginx_blocks(parsed_nginx(tmp_path)))
    (events,) = (block for block in blocks if block.get("args") == ["=", "/api/v1/events"])
    inside = {block["directive"]: block["args"] for block in events["block"]}
    assert inside["proxy_buffering"] == ["off"]
    assert inside["proxy_read_timeout"] == ["1h"]
    sizes = [
        int(block["args"][0].removesuffix("m")) for block in blocks if block["directive"] == "client_max_body_size"
    ]
    largest = max(large.max_bytes for large in LARGE_BODIES)
    assert min(sizes) * 2**20 >= largest
    caddy = re.findall(r"max_size (\d+)MB", (DEPLOY / "Caddyfile").read_text())
    assert [int(size) * 10**6 >= largest for size in caddy] == [True]
    for name in ("client_header_timeout", "client_body_timeout", "limit_conn", "limit_req"):
        assert any(block["directive"] == name for block in blocks), name
    headers = [block["args"] for block in blocks if block["directive"] == "proxy_set_header"]
    assert ["X-Forwarded-For", "$remote_addr"] in headers, "replaced, never added to"


def test_caddy_takes_its_configuration() -> None:
    command = [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def test_the_container_holds_every_package() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \w+$", text, re.MULTILINE))
    project = (ROOT / "pyproject.toml").read_text()
    (packages,) = re.findall(r"^packages = \[([^\]]+)\]\n\n\[tool.ruff\]", project, re.MULTILINE)
    assert copied == set(re.findall(r'"(\w+)"', packages))
    assert "USER cuakhau" in text
    assert typer.main.get_command(app).get_command(None, "serve") is not None  # type: ignore[attr-defined]


def test_the_example_of_settings_names_settings() -> None:
    lines = (DEPLOY / "cuakhau.env.example").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert names <= OURS
    assert {"DATABASE_URL", "REDIS_URL", "CUAKHAU_SECRET_KEY"} <= names
