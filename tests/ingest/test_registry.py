"""What holds of every GPS format in the registry, also of the next one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import MalformedError
from ingest.formats.gps_format import PATH_PREFIX, GpsFormat, IntakeResult, RawMessage
from ingest.formats.registry import CAMERA_FORMATS, GPS_FORMATS, by_name
from ingest.formats.report import EncryptedError, Refusal, RefusalReason, ReportColumns
from tests.ingest.recipes import load_module

ALL = pytest.mark.parametrize("gps_format", GPS_FORMATS.values(), ids=GPS_FORMATS.keys())
SHORT_TEXT = st.text(max_size=30)


@ALL
@settings(max_examples=150, deadline=None)
@given(
    payload=st.binary(max_size=200),
    query=st.binary(max_size=60),
    content_type=st.sampled_from(["", "application/json", "application/x-www-form-urlencoded", "x/y; é"]),
    topic=st.none() | SHORT_TEXT,
    header=SHORT_TEXT,
)
def test_any_message_is_decoded_or_refused_by_name(gps_format: GpsFormat, payload, query, content_type, topic, header):
    headers = {"content-type": content_type, "x-limit-d": header}
    try:
        decoded = gps_format.decode(RawMessage(payload, query, headers, topic))
    except (MalformedError, EncryptedError):
        return
    devices = decoded.device if isinstance(decoded, ReportColumns) else [report.device for report in decoded]
    assert all(0 < len(device) <= 128 and "\x00" not in device for device in devices)


@ALL
def test_a_client_is_answered_whatever_became_of_its_message(gps_format: GpsFormat) -> None:
    refused = IntakeResult(0, [Refusal(1, RefusalReason.FUTURE, "time=2100-01-01 is in the future.")])
    for result in (IntakeResult(1), refused, IntakeResult(0)):
        assert isinstance(gps_format.answer(result), bytes)
    assert gps_format.path == PATH_PREFIX + gps_format.name
    assert gps_format.methods


def test_the_answers_of_stock_clients() -> None:
    refused = IntakeResult(2, [Refusal(3, RefusalReason.MOCK, "The position was faked on the phone.")])
    answers = {name: item.answer(refused) for name, item in GPS_FORMATS.items()}
    assert answers["osmand"] == answers["traccar"] == b'{"accepted":false,"refused":"mock"}'
    assert answers["owntracks"] == b"[]"
    line = b'{"line":3,"reason":"mock","detail":"The position was faked on the phone."}'
    assert answers["batch"] == b'{"accepted":2,"refused":[' + line + b"]}"


def test_two_formats_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="osmand"):
        by_name(*GPS_FORMATS.values(), GPS_FORMATS["osmand"])


@pytest.mark.parametrize(
    ("recipe", "table", "added"),
    [("add-a-gps-protocol", GPS_FORMATS, "beacon"), ("add-a-camera-format", CAMERA_FORMATS, "lane")],
)
def test_the_recipe_adds_a_new_format(recipe, table, added) -> None:
    assert [*by_name(*table.values(), load_module(recipe).FORMAT)] == [*table, added]
