"""Every decoder of GPS messages and every protocol of trackers against a million inputs of Atheris (libFuzzer).

A decoder reads any bytes or says what is wrong by an error of `geo.errors`; anything else it raises is a fault and ends
the run with the input that brought it about. Inputs grow from real messages; the first byte says whether the rest is
a query, a body, or JSON in one; for a protocol of trackers it says where the line cuts the bytes. Each format runs in a
process of its own: ``python -m bench.fuzz --format osmand``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

INPUTS = 1_000_000
ROOT = Path(__file__).parents[1]
SEEDS = (
    b"\x00id=abc&timestamp=1772420400&lat=21.97&lon=106.71&speed=10&bearing=20&batt=80&hdop=1.2&valid=true",
    b"\x01id=abc&timestamp=2026-03-02T10:00:00Z&location=21.97,106.71&cell=1,2,3&wifi=aa",
    b'\x02{"_type":"location","tid":"ab","tst":1772420400,"lat":21.97,"lon":106.71,"acc":8,"vel":36,"cog":20,"batt":80}',
    b'\x02{"device":"abc","time":"2026-03-02T10:00:00+07:00","lat":21.97,"lon":106.71,"speed_mps":5,"heading_deg":9}\n',
    b'\x02{"device_id":"abc","location":{"timestamp":"2026-03-02T10:00:00Z","coords":{"latitude":21.9,"longitude":1e2}}}',
    b'\x02{"position":{"fixTime":"2026-03-02T10:00:00Z","latitude":21.9,"longitude":106.7,"speed":10},'
    b'"device":{"uniqueId":"abc"}}',
    b'\x02{"locations":[{"type":"Feature","geometry":{"type":"Point","coordinates":[106.7,21.9]},"properties":{}}]}',
)


def make_terminal_target(name: str) -> Callable[[bytes], None]:
    """One connection of a protocol of trackers, fed with raw inputs in two pieces.

    Raises
    ------
    KeyError
        If there is no such protocol.
    """
    from geo.errors import CuaKhauError
    from ingest.formats.registry import TERMINAL_FORMATS
    from ingest.formats.terminal_format import MAX_PENDING_BYTES, Outcome

    protocol = TERMINAL_FORMATS[name]

    def target(data: bytes) -> None:
        conversation = protocol.open()
        cut, rest = (data[0], data[1:]) if data else (0, b"")
        for message in [*conversation.feed(rest[:cut]), *conversation.feed(rest[cut:])]:
            for outcome in Outcome:
                message.answer(outcome, "260302100000")
            conversation.text(message.terminal, "đi Chi Ma 友谊关")
            try:
                reports = protocol.gps_format.decode(message.raw(message.terminal or "x"))
            except CuaKhauError as error:
                str(error)
                continue
            assert isinstance(reports, list)
            for report in reports:
                assert (report.lat is None) == (report.lon is None)
        assert conversation.pending_bytes <= MAX_PENDING_BYTES

    return target


def make_target(name: str) -> Callable[[bytes], None]:
    """The decoder of a format, fed with raw inputs.

    Raises
    ------
    KeyError
        If there is no such format.
    """
    from geo.errors import CuaKhauError
    from ingest.formats.gps_format import RawMessage
    from ingest.formats.registry import GPS_FORMATS
    from ingest.formats.report import ReportColumns

    gps_format = GPS_FORMATS[name]

    def target(data: bytes) -> None:
        kind, rest = data[:1], data[1:]
        if kind == b"\x00":
            message = RawMessage(query=rest)
        elif kind == b"\x01":
            message = RawMessage(rest, headers={"content-type": "application/x-www-form-urlencoded"})
        else:
            message = RawMessage(
                rest, query=b"id=abc", headers={"content-type": "application/json"}, topic="owntracks/a/b"
            )
        try:
            decoded = gps_format.decode(message)
        except CuaKhauError as error:
            str(error)
            return
        if isinstance(decoded, ReportColumns):
            sizes = {
                len(column) for column in (decoded.device, decoded.time_us, decoded.lat, decoded.lon, decoded.line)
            }
            assert len(sizes) == 1, sizes
            assert not np.isinf(decoded.speed_mps).any()
            return
        for report in decoded:
            assert report.device or report.fault is not None, "a report without a device"
            assert (report.lat is None) == (report.lon is None)

    return target


def run(*, inputs: int = INPUTS) -> dict[str, int]:
    """How many inputs each decoder of `ingest.formats.registry` took without a fault.

    Raises
    ------
    RuntimeError
        If one has a fault; the message ends with what Atheris says.
    """
    from ingest.formats.registry import GPS_FORMATS, TERMINAL_FORMATS

    figures = {}
    for name in [*GPS_FORMATS, *TERMINAL_FORMATS]:
        command = [sys.executable, "-m", "bench.fuzz", "--format", name, "--inputs", str(inputs)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        counted = re.search(r"Done (\d+) in", done.stderr)
        if done.returncode or counted is None:
            raise RuntimeError(f"{name}: {(done.stdout + done.stderr)[-2000:]}")
        figures[f"{name}_inputs"] = int(counted[1])
    return figures


def fuzz(name: str, inputs: int) -> None:
    """Feed one decoder until all inputs are through or one is a fault; does not return."""
    import atheris

    with atheris.instrument_imports(include=["ingest.formats", "geo.errors"]):
        from ingest.formats.registry import TERMINAL_FORMATS

        is_terminal = name in TERMINAL_FORMATS
        target = make_terminal_target(name) if is_terminal else make_target(name)
    seeds = [b"\x10" + frame for frame in _published(name)] if is_terminal else SEEDS
    with tempfile.TemporaryDirectory(prefix="cuakhau-fuzz-") as folder:
        for number, seed in enumerate(seeds):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        options = [f"-runs={inputs}", "-max_len=4096", "-timeout=5", f"-artifact_prefix={folder}/", "-seed=1"]
        atheris.Setup([sys.argv[0], *options, folder], target)
        atheris.Fuzz()


def _published(protocol: str) -> list[bytes]:
    """Frames that others have published, those of GT06 behind a login."""
    login = bytes.fromhex("78780d0103534190360660610003c3df0d0a") if protocol == "gt06" else b""
    frames = json.loads((ROOT / "tests/ingest/data/published_frames.json").read_text(encoding="utf-8"))
    return [
        login + (bytes.fromhex(frame["hex"]) if "hex" in frame else frame["text"].encode("ascii"))
        for frame in frames
        if frame["protocol"] == protocol
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--format", help="only this one, in this process")
    asked = parser.parse_args()
    if asked.format:
        fuzz(asked.format, asked.inputs)
    else:
        found = run(inputs=asked.inputs)
        print(json.dumps(found))
