"""Plates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InvalidInputError
from ingest import plates


@pytest.mark.parametrize(
    ("text", "norm", "shown", "kind"),
    [
        ("29C-123.45", "29C12345", "29C-123.45", "truck"),
        (" 29c 12345 ", "29C12345", "29C-123.45", "truck"),
        ("12R-001.23", "12R00123", "12R-001.23", "trailer"),
        ("29C–123.45", "29C12345", "29C-123.45", "truck"),
        ("29C\u2011123,45\u200b", "29C12345", "29C-123.45", "truck"),
        ("12H-1234", "12H1234", "12H-1234", "truck"),
        ("29LĐ-123.45", "29LD12345", "29LD-123.45", "truck"),
        ("12RM-001.23", "12RM00123", "12RM-001.23", "trailer"),
        ("80QT-123.45", "80QT12345", "80QT-123.45", "truck"),
        ("桂F·A1234", "桂FA1234", "桂F·A1234", "truck"),
        ("桂F·A12345", "桂FA12345", "桂F·A12345", "truck"),
        ("桂f 1b34挂", "桂F1B34挂", "桂F·1B34挂", "trailer"),
        ("桂F·1234挂", "桂F1234挂", "桂F·1234挂", "trailer"),
        ("粤B·D12345", "粤BD12345", "粤B·D12345", "truck"),
    ],
)
def test_normal_form(text: str, norm: str, shown: str, kind: str) -> None:
    assert plates.normalise_plate(text) == norm
    assert plates.display_plate(norm) == shown
    assert plates.vehicle_kind(norm) == kind


@pytest.mark.parametrize(
    "text",
    ["", "29", "29I-123.45", "09C-123.45", "29C-123.456", "29C-12", "ABC", "桂I·A1234", "29W12345"],
)
def test_not_a_plate(text: str) -> None:
    with pytest.raises(InvalidInputError):
        plates.normalise_plate(text)


@given(st.text(max_size=20))
def test_normalising_again_changes_nothing(text: str) -> None:
    norm = plates.find_plate(text)
    if norm is not None:
        assert plates.find_plate(norm) == norm
        assert plates.find_plate(plates.display_plate(norm)) == norm


def test_lookalikes() -> None:
    assert plates.is_lookalike("29C-123.45", "2gc-I23.4S") is False  # g is a lookalike of 6, not of 9
    assert plates.is_lookalike("29C-108.52", "29C-IDB.SZ")
    assert plates.lookalike_key("0DOQ8B1I5S2Z6G") == "00008811552266"
