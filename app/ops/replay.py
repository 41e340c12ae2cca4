"""Recorded GPS fed through the real door `/gps/batch`: CSV, NDJSON, Parquet or GPX."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas
import httpx
import numpy as np
import orjson
import pandas as pd
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from geo.clock import Clock, SystemClock
from geo.errors import InvalidInputError, UnavailableError

CHUNK_LINES = 5_000
TICK_S = 0.5
"""How long fixes gather before they are sent when played against the clock."""
GIVE_UP_AFTER_S = 120.0
COLUMNS = {
    "device": ("device", "device_id", "deviceid", "id", "uniqueid"),
    "time": ("time", "timestamp", "fixtime", "tst"),
    "lat": ("lat", "latitude", "y"),
    "lon": ("lon", "lng", "longitude", "x"),
    "speed_mps": ("speed_mps", "speed"),
    "heading_deg": ("heading_deg", "heading", "course", "bearing"),
    "accuracy_m": ("accuracy_m", "accuracy"),
}
_NEEDED = ("device", "time", "lat", "lon")


@dataclass
class Sent:
    """What became of the fixes: accepted, refused by reason."""

    lines: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def read_recording(file: Path) -> pd.DataFrame:
    """Recorded fixes by time: `device`, `time` (UTC), `lat`, `lon`, if known `speed_mps`, `heading_deg`, `accuracy_m`.

    Speeds are m/s. A GPX file is one device a track, named like the track, else like the file.

    Raises
    ------
    InvalidInputError
        If the kind of file is not known or a column is missing or unreadable.
    """
    kind = file.suffix.lower()
    try:
        if kind in {".csv", ".txt"}:
            frame = pd.read_csv(file, dtype={name: str for name in COLUMNS["device"]})
        elif kind in {".ndjson", ".jsonl", ".json"}:
            frame = pd.DataFrame([orjson.loads(line) for line in file.read_bytes().splitlines() if line.strip()])
        elif kind in {".parquet", ".pq"}:
            frame = pd.read_parquet(file)
        elif kind == ".gpx":
            frame = _read_gpx(file)
        else:
            raise InvalidInputError("{name} is not CSV, NDJSON, Parquet or GPX.", field="file", name=file.name)
        return _normalise(frame, file)
    except (ValueError, KeyError, OSError) as error:
        raise InvalidInputError("{name}: {reason}", field="file", name=file.name, reason=str(error)[:300]) from None


def replay(
    file: Path | str,
    *,
    url: str = "http://127.0.0.1:8080",
    speed: float = 1.0,
    shift: bool = True,
    progress: bool = False,
    token: str | None = None,
    clock: Clock = SystemClock(),
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Feed `file` to the platform at `url`, `speed` times as fast as recorded (0: as fast as it goes).

    With `shift` the times move so that the last fix is sent at its own time: at speed 1 the first one is now, and at
    no speed does one lie in the future. `token` is a gateway's, for recordings that name devices by IMEI.

    Result: `{"sent","accepted","refused":{reason: count},"duration_s","fixes_per_s"}`.

    Raises
    ------
    InvalidInputError
        If the file cannot be read.
    UnavailableError
        If the platform does not take fixes for two minutes.
    """
    frame = read_recording(Path(file))
    sent = Sent()
    started = time.monotonic()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        httpx.Client(base_url=url, timeout=60, headers=headers) as client,
        Progress(*columns, disable=not progress) as bar,
    ):
        task = bar.add_task("fixes", total=len(frame))
        moved = _shifted(frame, speed, clock.now()) if shift else frame
        for chunk in _due(moved, speed, sleep):
            for lines in to_lines(chunk):
                send(client, lines, sent, sleep=sleep)
            bar.update(task, completed=sent.lines)
    duration_s = time.monotonic() - started
    return {
        "sent": sent.lines,
        "accepted": sent.accepted,
        "refused": dict(sent.refused),
        "duration_s": round(duration_s, 3),
        "fixes_per_s": round(sent.lines / duration_s, 1) if duration_s else None,
    }


def send(client: httpx.Client, body: bytes, sent: Sent, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Post one NDJSON body to `/gps/batch`, again if the platform asks to or does not answer; adds to `sent`.

    Raises
    ------
    UnavailableError
        If the platform does not take it for two minutes, or refuses the whole body.
    """
    deadline = time.monotonic() + GIVE_UP_AFTER_S
    while True:
        wait_s = 1.0
        try:
            answer = client.post("/gps/batch", content=body, headers={"Content-Type": "application/x-ndjson"})
            if answer.status_code == 200:
                break
            if answer.status_code not in {429, 502, 503, 504}:
                raise UnavailableError(
                    "/gps/batch answers {status}: {text}", status=answer.status_code, text=answer.text[:200]
                )
            wait_s = float(answer.headers.get("Retry-After", "1"))
        except httpx.TransportError:
            pass  # restarting; it repeats nothing that was kept, a fix sent twice is one row
        if time.monotonic() + wait_s > deadline:
            raise UnavailableError("The platform takes no fixes.")
        sleep(wait_s)
    result = answer.json()
    sent.lines += body.count(b"\n")
    sent.accepted += result["accepted"]
    sent.refused.update(error["reason"] for error in result["refused"])


def to_lines(frame: pd.DataFrame) -> Iterator[bytes]:
    """NDJSON bodies of at most `CHUNK_LINES` fixes."""
    names = [name for name in COLUMNS if name in frame.columns]
    for start in range(0, len(frame), CHUNK_LINES):
        part = frame.iloc[start : start + CHUNK_LINES]
        moments = np.datetime_as_string(part["time"].dt.tz_convert(None).to_numpy("datetime64[ms]"), timezone="UTC")
        columns = [moments.tolist() if name == "time" else part[name].to_list() for name in names]
        yield b"".join(
            orjson.dumps(
                {name: value for name, value in zip(names, row, strict=True) if value == value},  # noqa: PLR0124 - not NaN
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for row in zip(*columns, strict=True)
        )


def _shifted(frame: pd.DataFrame, speed: float, now: datetime) -> pd.DataFrame:
    if frame.empty:
        return frame
    first, last = frame["time"].iloc[0], frame["time"].iloc[-1]
    lasts = (last - first) / speed if speed > 0 else pd.Timedelta(0)
    return frame.assign(time=frame["time"] + (pd.Timestamp(now) + lasts - last))


def _due(frame: pd.DataFrame, speed: float, sleep: Callable[[float], None]) -> Iterable[pd.DataFrame]:
    """Pieces of the recording, each when it is due."""
    if speed <= 0:
        for start in range(0, len(frame), CHUNK_LINES):
            yield frame.iloc[start : start + CHUNK_LINES]
        return
    due_s = (frame["time"] - frame["time"].iloc[0]).dt.total_seconds().to_numpy() / speed if len(frame) else np.empty(0)
    started = time.monotonic()
    done = 0
    while done < len(frame):
        upto = int(np.searchsorted(due_s, time.monotonic() - started, side="right"))
        if upto > done:
            yield frame.iloc[done:upto]
            done = upto
        else:
            sleep(min(TICK_S, max(0.01, due_s[done] - (time.monotonic() - started))))


def _normalise(frame: pd.DataFrame, file: Path) -> pd.DataFrame:
    present = {str(name).lower(): name for name in frame.columns}
    chosen = {
        name: next((present[alias] for alias in aliases if alias in present), None) for name, aliases in COLUMNS.items()
    }
    missing = [name for name in _NEEDED if chosen[name] is None]
    if missing:
        raise InvalidInputError(
            "{name} has no column {missing}.", field="file", name=file.name, missing=", ".join(missing)
        )
    out = pd.DataFrame({name: frame[column] for name, column in chosen.items() if column is not None})
    times = out["time"]
    if pd.api.types.is_numeric_dtype(times):
        seconds = times if float(times.abs().max()) < 2**31 else times / 1000
        out["time"] = pd.to_datetime(seconds, unit="s", utc=True)
    else:
        out["time"] = pd.to_datetime(times, utc=True, format="ISO8601")
    out["device"] = out["device"].astype(str)
    for name in set(out.columns) - {"device", "time"}:
        out[name] = pd.to_numeric(out[name])
    return out.dropna(subset=list(_NEEDED)).sort_values("time", kind="stable", ignore_index=True)


def _read_gpx(file: Path) -> pd.DataFrame:
    points = geopandas.read_file(file, layer="track_points")
    tracks = geopandas.read_file(file, layer="tracks")
    names = [name if isinstance(name, str) and name else file.stem for name in tracks["name"]] or [file.stem]
    return pd.DataFrame(
        {
            "device": [names[int(number)] if int(number) < len(names) else file.stem for number in points["track_fid"]],
            "time": points["time"],
            "lat": points.geometry.y,
            "lon": points.geometry.x,
        }
    )
