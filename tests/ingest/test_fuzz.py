"""Decoders take any bytes: a report, or an error that says what is wrong. `bin/bench fuzz` does it a million times."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fuzz import SEEDS, make_target
from ingest.formats.registry import GPS_FORMATS
from tests.profiles import examples

TARGETS = {name: make_target(name) for name in GPS_FORMATS}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=20,
)


@st.composite
def inputs(draw: st.DrawFn) -> bytes:
    """Any bytes, a real message with a piece exchanged, or one with a value exchanged by any JSON."""
    seed = draw(st.sampled_from(SEEDS))
    how = draw(st.integers(0, 2))
    if how == 0:
        return draw(st.binary(max_size=400))
    if how == 2 and seed[:1] == b"\x02":
        document = json.loads(seed[1:])
        document[draw(st.sampled_from(sorted(document)))] = draw(JSON)
        return b"\x02" + json.dumps(document).encode()
    begin = draw(st.integers(1, len(seed)))
    end = draw(st.integers(begin, len(seed)))
    return seed[:begin] + draw(st.binary(max_size=20)) + seed[end:]


@pytest.mark.parametrize("target", [pytest.param(target, id=name) for name, target in TARGETS.items()])
@examples(2_000)
@given(data=inputs())
def test_a_decoder_reads_or_says_what_is_wrong(target: Callable[[bytes], None], data: bytes) -> None:
    target(data)


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_are_messages(seed: bytes) -> None:
    """An input that no decoder reads would leave the fuzzer on the outside."""
    from geo.errors import CuaKhauError
    from ingest.formats.gps_format import RawMessage

    read = 0
    kinds = {
        b"\x01": {"content-type": "application/x-www-form-urlencoded"},
        b"\x02": {"content-type": "application/json"},
    }
    is_query = seed[:1] == b"\x00"
    body, query = (b"", seed[1:]) if is_query else (seed[1:], b"id=abc")
    for gps_format in GPS_FORMATS.values():
        try:
            found = gps_format.decode(RawMessage(body, query, kinds.get(seed[:1], {}), "owntracks/a/b"))
            read += 1 if isinstance(found, list) else len(found.device)
        except CuaKhauError:
            pass
    assert read


def test_an_identifier_of_nothing_is_none() -> None:
    """Found by the fuzzer: NUL characters are dropped, and nothing was left of it."""
    make_target("osmand")(b"\x00id=\x00\x00&lat=1&lon=2")
