"""Recorded GPS through the real door of a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import uvicorn
from typer.testing import CliRunner

from app.bootstrap import web
from app.cli import app
from app.ops import replay
from app.platform.runtime import Runtime
from geo.errors import InvalidInputError
from tests.app.gps import enrol
from tests.app.serving import serve
from tests.conftest import SignIn

GPX = """<?xml version="1.0"?><gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>{device}</name>
<trkseg><trkpt lat="21.5" lon="106.3"><time>2026-03-01T00:00:00Z</time></trkpt>
<trkpt lat="21.501" lon="106.301"><time>2026-03-01T00:00:10Z</time></trkpt></trkseg></trk></gpx>"""


@pytest.fixture
def server(runtime: Runtime) -> Iterator[str]:
    with serve(uvicorn.Server(uvicorn.Config(web(runtime), log_level="error"))) as serving:
        yield serving.url


def recording(device: str) -> pd.DataFrame:
    times = pd.date_range("2026-03-01T00:00:00Z", periods=20, freq="10s")
    return pd.DataFrame({"device": device, "time": times, "lat": 21.5, "lon": 106.3, "speed": [1.5] * 19 + [None]})


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "gpx"])
def test_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"day.{kind}"
    frame = recording("0012")
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "ndjson":
        frame.to_json(file, orient="records", lines=True, date_format="iso")
    elif kind == "parquet":
        frame.to_parquet(file)
    else:
        file.write_text(GPX.format(device="0012"))
    read = replay.read_recording(file).points
    assert set(read["device"]) == {"0012"}
    assert read["time"].iloc[0] == pd.Timestamp("2026-03-01T00:00:00Z")
    assert read["time"].is_monotonic_increasing


def test_bad_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("device,lat\n1,2\n")
    (tmp_path / "a.xyz").write_text("")
    for name in ("a.csv", "a.xyz"):
        with pytest.raises(InvalidInputError):
            replay.read_recording(tmp_path / name)


def test_replay_through_the_door(runtime: Runtime, sign_in: SignIn, server: str, tmp_path: Path) -> None:
    device = enrol(sign_in("administrator"))["device_id"]
    file = tmp_path / "day.csv"
    pd.concat([recording(device), recording("nobody")]).to_csv(file, index=False)
    started = time.monotonic()
    result = replay.replay(file, url=server, speed=200, clock=runtime.clock)
    assert 0.9 < time.monotonic() - started < 60
    assert result["sent"] == 40
    assert result["accepted"] == 20
    assert result["refused"] == {"unknown_device": 20}
    assert replay.replay(file, url=server, speed=0, clock=runtime.clock)["accepted"] == 20


def test_nothing_accepted_is_an_error_with_words(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("device,time,lat,lon\n1,soon,21,106\n1,2026-03-01T00:00:00Z,north,106\n")
    result = CliRunner().invoke(app, ["replay", str(file), "--speed", "0", "--url", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert "day.csv, 2: time=soon" in result.stderr
    assert "day.csv, 3: lat=north" in result.stderr
    assert "Nothing was accepted of day.csv" in result.stderr
    assert "Traceback" not in result.output


def test_bad_points_cost_no_good_ones(runtime: Runtime, sign_in: SignIn, server: str, tmp_path: Path) -> None:
    device = enrol(sign_in("administrator"))["device_id"]
    file = tmp_path / "day.csv"
    lines = recording(device).astype(str).to_csv(index=False).splitlines()
    file.write_text("\n".join([*lines[:5], f"{device},never,1,2,3", *lines[5:]]))
    result = replay.replay(file, url=server, speed=0, clock=runtime.clock)
    assert (result["accepted"], result["read"]) == (20, 20)
    assert result["faults"][0]["line"] == 6
    assert result["faults"][0]["value"] == "time=never"
