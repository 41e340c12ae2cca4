"""What a step is warned of: each kind alone, at the steps that answer for it and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.checkpoints.case import Case, Observation, Revision, SealReport, StandingFinding
from app.checkpoints.vocabulary import CHECKPOINTS, Part, SeenBy, Verdict, WarningKind
from app.checkpoints.warnings import SAYS, all_warnings, warnings_at
from app.procedures.steps import Step

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
DECLARED = {
    "customs_number": "305123456780",
    "health_symptoms": "none",
    "inspection_expires": "2026-03-02",
    "driver_licence_expires": "2029-12-31",
    "seal_numbers": "VN1 VN2",
}
FINE = Case(1, "29C12345", "29R01234", revisions=(Revision(DECLARED, NOW, None),))


def declared(**changes):
    return replace(FINE, revisions=(Revision({**DECLARED, **changes}, NOW, None),))


def finding(verdict=None, part=Part.TRAILER, other=2):
    return StandingFinding(
        1, 1, part, "12R05678", ("29R01234",), SeenBy.CAMERA, None, NOW, other, verdict, "", None, None
    )


CASES = [
    (declared(customs_number=""), "no_customs_number"),
    (replace(FINE, shared=((Part.CONTAINER, "CSQU3054383"),)), "two_places"),
    (replace(FINE, shared=((Part.DRIVER, "C7654321"),)), "two_places"),
    (declared(health_symptoms="some"), "symptoms"),
    (declared(health_temperature_c=38.0), "symptoms"),
    (declared(inspection_expires="2026-03-01"), "papers_expired"),
    (declared(driver_licence_expires="2026-03-01"), "papers_expired"),
    (declared(driver_paper_expires="2025-01-01"), "papers_expired"),
    (replace(FINE, seals=(SealReport("VN1", "tampered", NOW),)), "seal_tampered"),
    (replace(FINE, seals=(SealReport("VN1", "tampered", NOW), SealReport("VN1", "closed", NOW))), "seal_tampered"),
    (replace(FINE, seals=(SealReport("VN1", "closed", NOW), SealReport("VN1", "opened", NOW))), "seal_missing"),
    (replace(FINE, observations=(Observation(Part.SEAL, ("VN1",), NOW, "barrier_1"),)), "seal_missing"),
    (replace(FINE, observations=(Observation(Part.SEAL, (), NOW, "barrier_1"),)), "seal_missing"),
    (replace(FINE, scan="suspicious"), "scan_suspicious"),
    (replace(FINE, weighing=("over", 900)), "overweight"),
    (replace(FINE, weighing=("under", -900)), "underweight"),
    (replace(FINE, odd_reads=("51C99999",)), "plates_differ"),
    (replace(FINE, noted={"health": {"temperature_c": "37.9"}}), "symptoms"),
    (replace(FINE, noted={"health": {"temperature_c": "38,2 °C"}}), "symptoms"),
    (replace(FINE, findings=(finding(),)), "combination"),
    (replace(FINE, findings=(finding(Verdict.STOPPED),)), "combination"),
]


@pytest.mark.parametrize(("case", "kind"), CASES)
def test_each_warning_stands_at_the_steps_that_answer_for_it(case, kind):
    assert {str(each.kind) for each in all_warnings(case, today=TODAY)} == {kind}
    for step in Step:
        assert bool(warnings_at(step, case, today=TODAY)) == (step in WarningKind.get(kind).steps)


@pytest.mark.parametrize(
    "case",
    [
        FINE,
        Case(1, "29C12345", None),
        replace(FINE, seals=(SealReport("VN1", "closed", NOW),)),
        replace(FINE, observations=(Observation(Part.SEAL, ("VN2", "VN1"), NOW, "barrier_1"),)),
        replace(FINE, weighing=("within", 20), scan="clear"),
        replace(FINE, odd_reads=("29CI2345", "Z9C12345")),
        replace(FINE, noted={"health": {"temperature_c": 36.6, "note": "38 km"}}),
        replace(FINE, findings=(finding(Verdict.EXPLAINED),)),
    ],
)
def test_what_is_right_warns_of_nothing(case):
    assert all_warnings(case, today=TODAY) == []


def test_only_what_is_needed_is_asked_of_each_step():
    assert set(WarningKind.COMBINATION.steps) == set(CHECKPOINTS)
    assert not any(Step.FEE in kind.steps or Step.DECLARATION in kind.steps for kind in WarningKind)


@given(st.sampled_from(CASES), st.sampled_from(list(Step)), st.floats(30.0, 45.0))
def test_a_fever_measured_now_warns_beside_all_else(example, step, temperature_c):
    case, _ = example
    before = {each.identity for each in warnings_at(step, case, today=TODAY)}
    noted = {"temperature_c": temperature_c}
    after = {each.identity for each in warnings_at(step, case, today=TODAY, noted=noted)}
    assert before <= after
    asks = step in WarningKind.SYMPTOMS.steps and temperature_c >= 37.5
    assert bool({identity for identity in after - before if "measured" in identity}) == (
        asks and f"symptoms:measured {temperature_c}" not in before
    )


@given(st.sampled_from(list(Part)), st.booleans(), st.booleans())
def test_every_finding_that_can_be_says_what_it_is(part, is_of_another, has_declared):
    can_be = is_of_another or has_declared or part is Part.TRAILER
    if part is Part.TRACTOR:
        can_be = has_declared  # a trip has a tractor
    assert ((part, is_of_another, has_declared) in SAYS) == can_be
