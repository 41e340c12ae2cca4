"""Decoders take any bytes: a report, or an error that says what is wrong. `bin/bench fuzz` does it a million times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fuzzing.seeds import GPS_SEEDS, seeds_of
from bench.fuzzing.targets import CAMERA_TARGETS, GPS_TARGETS, JSON, TARGETS, Target, TraceTarget, gps_message
from geo.errors import CuaKhauError
from ingest.formats.registry import GPS_FORMATS
from tests.profiles import examples

FOUND = json.loads((Path(__file__).parent / "data" / "fuzzed.json").read_text(encoding="utf-8"))
"""Inputs that were a fault of a decoder once, as the fuzzer found them."""
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=20,
)


@st.composite
def inputs(draw: st.DrawFn) -> bytes:
    """Any bytes, a real message with a piece exchanged, or one with a value exchanged by any JSON."""
    seed = draw(st.sampled_from(GPS_SEEDS))
    how = draw(st.integers(0, 2))
    if how == 0:
        return draw(st.binary(max_size=400))
    if how == 2 and seed[0] == JSON and seed[1:2] == b"{":
        document = json.loads(seed[1:])
        document[draw(st.sampled_from(sorted(document)))] = draw(JSON_VALUES)
        return bytes([JSON]) + json.dumps(document).encode()
    begin = draw(st.integers(1, len(seed)))
    end = draw(st.integers(begin, len(seed)))
    return seed[:begin] + draw(st.binary(max_size=20)) + seed[end:]


@pytest.mark.parametrize("target", [pytest.param(target, id=name) for name, target in GPS_TARGETS.items()])
@examples(2_000)
@given(data=inputs())
def test_a_decoder_reads_or_says_what_is_wrong(target: Target, data: bytes) -> None:
    target(data)


@pytest.mark.parametrize("name", TARGETS)
def test_real_messages_are_taken_by_every_decoder_of_their_kind(name: str) -> None:
    target = TARGETS[name]
    for seed in seeds_of(name):
        target(seed)
    if isinstance(target, TraceTarget):
        assert target.judge() > 0, "an input that no reader reads would leave the fuzzer on the outside"


@pytest.mark.parametrize("seed", GPS_SEEDS)
def test_a_real_message_is_read_by_some_decoder(seed: bytes) -> None:
    read = 0
    for gps_format in GPS_FORMATS.values():
        try:
            found = gps_format.decode(gps_message(seed))
            read += len(found if isinstance(found, list) else found.device)
        except CuaKhauError:
            pass
    assert read


@pytest.mark.parametrize("name", CAMERA_TARGETS)
def test_a_real_message_is_a_read_of_each_camera_format(name: str) -> None:
    """Asked by what the target makes of it: it counts what it checks."""
    assert any(TARGETS[name](seed) for seed in seeds_of(name))


@pytest.mark.parametrize("found", [pytest.param(each, id=each["was"]) for each in FOUND])
def test_what_was_a_fault_is_none(found: dict[str, str]) -> None:
    target = TARGETS[found["decoder"]]
    target(bytes.fromhex(found["hex"]))
    if isinstance(target, TraceTarget):
        target.judge()
