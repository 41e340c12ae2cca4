"""One rule of folding, in Python and in the database."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.text import fold, nfc

VIETNAMESE = "aăâeêioôơuưyđðAĂÂEÊIOÔƠUƯYĐÐ\u0300\u0301\u0303\u0309\u0323 01bcdghklmnpqrstvxBCDGHKLMNPQRSTVX中国桂"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Nông sản", "nong san"),
        ("ĐỒNG ĐĂNG", "dong dang"),
        ("Ðồng Ðăng", "dong dang"),
        ("Hữu Nghị", "huu nghi"),
        ("桂F·A1234", "桂f·a1234"),
    ],
)
def test_accents_and_case_go(written: str, folded: str) -> None:
    assert fold(written) == fold(unicodedata.normalize("NFD", written)) == folded
    assert nfc(unicodedata.normalize("NFD", written)) == written


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(written=st.text(VIETNAMESE, max_size=40))
def test_the_database_folds_as_we_do(session: Session, written: str) -> None:
    assert session.scalar(text("SELECT app.fold(:written)"), {"written": written}) == fold(written)
