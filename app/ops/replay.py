"""Recorded GPS fed through the real door `/gps/batch`, from every format of `ingest.traces`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypedDict

import httpx
import numpy as np
import orjson
import pandas as pd
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from geo.clock import Clock, SystemClock
from geo.errors import InvalidInputError, UnavailableError
from ingest.formats.report import MAX_LISTED
from ingest.traces.files import read_trace
from ingest.traces.trace import COLUMNS, Trace

CHUNK_LINES = MAX_LISTED
TICK_S = 0.5
"""How long fixes gather before they are sent when played against the clock."""
GIVE_UP_AFTER_S = 120.0


@dataclass
class Sent:
    """What became of the fixes: accepted, refused by reason."""

    lines: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def read_recording(file: Path) -> Trace:
    """The points of a recording by time, and what was wrong with others.

    Raises
    ------
    InvalidInputError
        If the kind of file is not known, a column is missing, or it has no point that could be sent.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            "{name}: {reason}", field="file", name=file.name, reason=error.strerror or "cannot be read"
        ) from None
    return read_trace(file.name, data)


class FaultOut(TypedDict):
    """What was wrong with a point of a recording."""

    line: int
    value: str
    reason: str


class ReplayResult(TypedDict):
    """What became of the points of a recording: how many were read, sent and taken, refused by reason, and the faults
    of those that could not be read."""

    read: int
    sent: int
    accepted: int
    refused: dict[str, int]
    faults: list[FaultOut]
    duration_s: float
    fixes_per_s: float | None


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
) -> ReplayResult:
    """Feed `file` to the platform at `url`, `speed` times as fast as recorded (0: as fast as it goes).

    With `shift` the times move so that the last fix is sent at its own time: at speed 1 the first one is now, and at
    no speed does one lie in the future. `token` is a gateway's, for recordings that name devices by IMEI.

    Raises
    ------
    InvalidInputError
        If the file cannot be read.
    UnavailableError
        If the platform does not take fixes for two minutes.
    """
    trace = read_recording(Path(file))
    frame = trace.points
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
        "read": len(frame),
        "sent": sent.lines,
        "accepted": sent.accepted,
        "refused": dict(sent.refused),
        "faults": [{"line": fault.line, "value": fault.value, "reason": fault.reason} for fault in trace.faults],
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
