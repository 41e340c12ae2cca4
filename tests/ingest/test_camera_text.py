"""Encodings and clocks of plate cameras."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import MalformedError
from ingest.formats import axis, dahua, hikvision
from ingest.formats.text import read_clock, read_document, read_text

TEN = datetime(2026, 3, 2, 3, tzinfo=UTC)
"""Ten o'clock at the border."""
MIN_NAIVE = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T10:00:00+07:00",
        "2026-03-02T10:00:00+0700",
        "2026-03-02T10:00:00+7",
        "2026-03-02 10:00:00 +07:00",
        "2026-03-02T11:00:00+08:00",
        "2026-03-02T11:00:00.000 GMT+8",
        "2026-03-02 11:00:00 UTC+08:00",
        "2026-03-02T11:00:00CST-8:00:00",
        "2026-03-02 11:00:00 CST",
        "2026-03-02 10:00:00 ICT",
        "2026-03-02T03:00:00Z",
        "2026-03-02T03:00:00 UTC",
        "2026-03-02T03:00:00.000GMT",
        "2026-03-01T22:00:00-05:00",
        "2026-03-02T08:30:00+05:30",
        "2026-03-02T11:00:00+08:00[Asia/Shanghai]",
        "2026-03-02T11:00:00[Asia/Shanghai]",
        "2026-03-02T10:00:00 Asia/Ho_Chi_Minh",
        "2026-03-02T10:00:00 (UTC+07:00)",
        "2026-03-02T10:00",
        "2026/3/2 10:00:00",
        "2026-03-02 10:00:00.000",
        "2026-03-02 10:00:00:000",
        "20260302T100000+0700",
        "20260302 100000000",
        "20260302100000",
        "1772420400",
        "1772420400000",
        "1772420400000000",
        "1772420400000000000",
        1772420400,
        1772420400.0,
        1772420400000,
    ],
)
def test_clocks_with_any_zone_and_without_one(text) -> None:
    assert read_clock(text, key="t") == TEN


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_time_is_none(text) -> None:
    assert read_clock(text, key="t") is None


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-13-02T10:00:00",
        "2026-03-02",
        "2026-03-02T10:00:00 XYZ",
        "2026-03-02T10:00:00+29:00",
        "2026-03-02T10:00:00[Asia]",
        "2026-03-02T10:00:00[No/Where]",
        "2026-03-02T10:00:00[../etc]",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_what_is_no_time_is_named(text) -> None:
    with pytest.raises(MalformedError, match="is not a time"):
        read_clock(text, key="t")


@given(
    moment=st.datetimes(MIN_NAIVE, MIN_NAIVE + timedelta(days=36_000)),
    minutes=st.integers(-12 * 4, 14 * 4).map(lambda quarter: 15 * quarter),
)
def test_any_offset_is_read_back(moment: datetime, minutes: int) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_clock(local.isoformat(), key="t") == local
    assert read_clock(local.strftime("%Y-%m-%d %H:%M:%S.%f %z"), key="t") == local


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        found = read_clock(text, key="t")
    except MalformedError:
        return
    assert found is None or found.tzinfo is not None


PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"


@pytest.mark.parametrize("province", PROVINCES)
@pytest.mark.parametrize("encoding", ["gb2312", "gbk", "gb18030", "utf-8"])
def test_chinese_plates_in_every_encoding_named_or_not(province: str, encoding: str) -> None:
    plate = f"{province}F12345"
    body = f'{{"Picture": {{"Plate": {{"PlateNumber": "{plate}", "Confidence": 90}}}}}}'.encode(encoding)
    for content_type in (f"application/json; charset={encoding}", "application/json", "text/plain; charset=ISO-8859-1"):
        assert [read.plate for read in dahua.decode(body, content_type)] == [plate]
    xml = (
        f'<?xml version="1.0" encoding="{encoding}"?><EventNotificationAlert><ANPR><licensePlate>{plate}</licensePlate>'
        "</ANPR></EventNotificationAlert>"
    )
    assert [read.plate for read in hikvision.decode(xml.encode(encoding), "application/xml")] == [plate]


def test_a_wrong_name_of_the_encoding_does_no_harm() -> None:
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><EventNotificationAlert><ANPR><licensePlate>桂F·A1234</licensePlate>'
        "</ANPR></EventNotificationAlert>"
    )
    assert hikvision.decode(xml.encode("gbk"), 'text/xml; charset="UTF-8"')[0].plate == "桂FA1234"
    assert hikvision.decode(xml.encode("utf-16"), "text/xml")[0].plate == "桂FA1234"
    assert (
        axis.decode('{"plateUTF8": "桂F1234挂"}'.encode("gbk"), "application/json; charset=utf-8")[0].plate
        == "桂F1234挂"
    )


def test_utf_8_that_is_called_chinese_is_utf_8() -> None:
    for claim in ("GB2312", "gbk", "GB18030"):
        body = '{"plateUTF8": "桂FA1234"}'.encode()
        assert axis.decode(body, f"application/json; charset={claim}")[0].plate == "桂FA1234"
        xml = f'<?xml version="1.0" encoding="{claim}"?><EventNotificationAlert><ANPR><licensePlate>桂FA1234'
        xml += "</licensePlate></ANPR></EventNotificationAlert>"
        assert hikvision.decode(xml.encode(), "application/xml")[0].plate == "桂FA1234"


def test_vietnamese_stays_vietnamese() -> None:
    text = "Làn vào số 1, biển 29LĐ-123.45"
    assert read_text(text.encode()) == text
    assert read_text("Làn vào".encode()) == "Làn vào"


def test_bytes_of_no_encoding_are_refused() -> None:
    with pytest.raises(MalformedError, match="neither UTF-8 nor GB 18030"):
        read_text(b"\xff\xff{")
    with pytest.raises(MalformedError, match="not JSON"):
        read_document("桂".encode("gbk"))
