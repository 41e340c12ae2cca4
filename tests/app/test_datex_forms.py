"""DATEX II: whatever a board may tell, what is published of it has the form of the standard's classes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from lxml import etree

from app.dispatch.vocabulary import Severity
from app.gates.vocabulary import NoticeKind, NoticeState
from app.open_data import datex, datex_parking
from app.open_data.datex_xml import MAX_TEXT, NAMESPACES
from app.open_data.tables import PublicGateRow
from app.public.board import (
    Ahead,
    Board,
    ClosureOnBoard,
    DiversionOnBoard,
    GateOnBoard,
    NoticeOnBoard,
    YardOnBoard,
)
from geo.corridor import Corridor
from tests.app.test_datex import PROFILE, texts

NOW = datetime(2026, 3, 2, 3, 15, 30, 250_000, tzinfo=UTC)
LANGUAGES = ("vi", "en", "zh")


def make_gate(corridor: Corridor, gate_id: str = "huu-nghi") -> GateOnBoard:
    """A gate of which nothing is known but that it is open."""
    return GateOnBoard(
        gate_id=gate_id,
        name=corridor.get_site(gate_id).name,
        is_open=True,
        changes_at=None,
        hours="",
        queue_veh=None,
        booked_veh=0,
        tail_km=None,
        measured_at=None,
        wait_s=None,
        ahead=(),
        forecast_made_at=None,
        reach_s=None,
        severity=None,
        yards=(),
        notices=(),
        diversions=(),
    )


def make_notice(notice_id: int, kind: NoticeKind, cause: str, starts_at: datetime, **others: object) -> NoticeOnBoard:
    told = {"state": NoticeState.IN_FORCE if starts_at <= NOW else NoticeState.PLANNED, "ends_at": None} | others
    return NoticeOnBoard(
        notice_id=notice_id,
        kind=kind,
        text=cause,
        cause=cause,
        announced_at=NOW - timedelta(hours=1),
        starts_at=starts_at,
        **told,  # type: ignore[arg-type]
    )


def make_yard(corridor: Corridor, yard_id: str = "xuan-cuong", **others: object) -> YardOnBoard:
    told = {"is_open": True, "hours": "", "capacity": 200, "free": 40, "closures": ()} | others
    name = corridor.get_site(yard_id).name
    return YardOnBoard(yard_id=yard_id, name=name, kind="yard", kinds=(), is_planned=False, next_free=None, **told)  # type: ignore[arg-type]


def closed(places_left: int, *, zone: str | None = None, is_in_force: bool = True) -> ClosureOnBoard:
    return ClosureOnBoard(zone, "Ngập nước", NOW - timedelta(hours=2), None, places_left, is_in_force)


def measured(gate_id: str, **figures: float | None) -> PublicGateRow:
    known = {"approach_km": 20.0, "measured_share": 0.5, "travel_s": 4000.0, "free_travel_s": 1500.0} | figures
    return PublicGateRow(gate_id=gate_id, as_of=NOW, slot=NOW, **known)


def boards_of(*gates: GateOnBoard) -> dict[str, Board]:
    """The same board in each language."""
    return {
        language: Board(
            NOW,
            simulated=False,
            notice="",
            gates=tuple(
                replace(gate, notices=tuple(replace(each, text=f"{language}: {each.text}") for each in gate.notices))
                for gate in gates
            ),
        )
        for language in LANGUAGES
    }


def check(body: bytes) -> etree._Element:
    found = etree.fromstring(body)
    PROFILE.assertValid(found)
    return found


def situations(corridor: Corridor, *gates: GateOnBoard) -> etree._Element:
    return check(datex.situations(boards_of(*gates), corridor))


def publications(corridor: Corridor) -> Iterator[tuple[str, bytes]]:
    """Publications of each kind, over all that a board may tell or not know."""
    unknown, friend = make_gate(corridor), make_gate(corridor, "tan-thanh")
    stood = replace(unknown, queue_veh=17.4, measured_at=NOW - timedelta(minutes=1))
    foreseen = replace(
        stood,
        tail_km=corridor.get_site("huu-nghi").km + 4.26,
        forecast_made_at=NOW,
        wait_s=(600.4, 5400.5, None),
        ahead=(
            Ahead(3600.0, NOW + timedelta(hours=1), (1.0, 5.0, 9.0), (0.0, 1800.2, None)),
            Ahead(10_800.0, NOW + timedelta(hours=3), (1.0, 5.0, None), (None, None, None)),
        ),
    )
    diversion = DiversionOnBoard(7, "tan-thanh", friend.name, 9, NOW - timedelta(hours=1), NOW + timedelta(hours=4))
    later = NOW + timedelta(days=2)
    told = replace(
        foreseen,
        diversions=(diversion, replace(diversion, diversion_id=8)),
        notices=(
            make_notice(1, NoticeKind.BAN, "Dừng tiếp nhận thanh long", NOW),
            make_notice(2, NoticeKind.BAN, "Dừng tiếp nhận sầu riêng", NOW, ends_at=later),
            make_notice(3, NoticeKind.OUTAGE, "VNACCS dừng & <bảo trì> " + "dài " * 400, later),
            make_notice(4, NoticeKind.OUTAGE, "Mất điện\x08\x1b\ufffe", NOW, ends_at=NOW - timedelta(minutes=5)),
        ),
    )
    boards = {
        "empty": (unknown, friend),
        "no gates": (),
        "queue of unknown length and wait": (stood,),
        "queue without a median wait": (replace(foreseen, wait_s=(600.0, None, None)),),
        "closed until": (replace(unknown, is_open=False, changes_at=later), friend),
        "closed, nobody knows until when": (replace(unknown, is_open=False), replace(friend, is_open=False)),
        "everything at several gates": (told, replace(foreseen, gate_id="tan-thanh"), replace(friend, is_open=False)),
    } | {f"queue of severity {each}": (replace(foreseen, severity=each),) for each in (*Severity, None)}
    for name, gates in boards.items():
        yield f"situations, {name}", datex.situations(boards_of(*gates), corridor)
    yards = (
        make_yard(corridor),
        make_yard(corridor, "bao-nguyen", free=0),
    )
    states = {
        "free and full": yards,
        "outside its hours": (make_yard(corridor, is_open=False, hours="06:00-19:00"),),
        "closed": (make_yard(corridor, is_open=False, free=0, closures=(closed(0),)),),
        "a zone closed": (
            make_yard(corridor, closures=(closed(0, zone="A"), closed(5), closed(0, is_in_force=False))),
        ),
        "no place at all": (make_yard(corridor, capacity=0, free=0),),
    }
    for name, some in states.items():
        board = boards_of(replace(unknown, yards=some), friend)["vi"]
        yield f"parking table, {name}", datex_parking.parking_table(board, corridor)
        yield f"parking status, {name}", datex_parking.parking_status(board, corridor)
    rows = {
        "measured and foreseen": (measured("huu-nghi"), measured("tan-thanh", approach_km=12.5)),
        "foreseen alone": (measured("huu-nghi", measured_share=0.0),),
        "of a short approach": (measured("huu-nghi", approach_km=0.02),),
    }
    for name, some_rows in rows.items():
        body = datex.travel_times(boards_of(told, friend)["vi"], corridor, some_rows)
        assert body is not None, name
        yield f"travel times, {name}", body


def test_whatever_is_told_has_the_form(corridor: Corridor) -> None:
    for name, body in publications(corridor):
        try:
            check(body)
        except (etree.DocumentInvalid, etree.XMLSyntaxError) as error:
            pytest.fail(f"{name}: {error}")


def test_the_profile_holds_order_and_namespaces(corridor: Corridor) -> None:
    """Any two neighbours of different names swapped, any element in another namespace: neither is the form."""
    wanted = ("everything at several gates", "table, free and full", "status, free and full", "foreseen alone")
    bodies = [body for name, body in publications(corridor) if name.endswith(wanted)]
    assert len(bodies) == len(wanted)
    for body in bodies:
        found = check(body.replace(b"\n", b""))
        for element in found.iter():
            for first, second in pairwise(element):
                if first.tag != second.tag:
                    first.addprevious(second)
                    assert not PROFILE.validate(found), f"{second.tag} before {first.tag}"
                    second.addprevious(first)
        for element in list(found.iter())[1:]:
            right = element.tag
            element.tag = f"{{{NAMESPACES['d2']}}}{etree.QName(element).localname}"
            assert not PROFILE.validate(found), right
            element.tag = right
        PROFILE.assertValid(found)


def test_announcements_of_one_moment_are_told_apart(corridor: Corridor) -> None:
    causes = ("Dừng tiếp nhận thanh long", "Dừng tiếp nhận sầu riêng")
    bans = tuple(make_notice(number, NoticeKind.BAN, cause, NOW) for number, cause in enumerate(causes, 11))
    found = situations(corridor, replace(make_gate(corridor), notices=bans))
    assert found.xpath("//@id[parent::sit:situation]", namespaces=NAMESPACES) == [
        "huu-nghi-ban-11",
        "huu-nghi-ban-12",
    ]
    for situation, cause in zip(found.iterfind("sit:situation", NAMESPACES), causes, strict=True):
        said = {each.get("lang"): each.text for each in situation.iterfind(".//com:value", NAMESPACES)}
        assert said == {language: f"{language}: {cause}" for language in LANGUAGES}


def test_texts_hold_what_xml_can_hold(corridor: Corridor) -> None:
    cause = "Mất điện\x08\x1b\ufffe <trạm> & cổng " + "dài " * 400
    notice = make_notice(1, NoticeKind.OUTAGE, cause, NOW)
    (text, *_) = texts(situations(corridor, replace(make_gate(corridor), notices=(notice,))), ".//com:value")
    assert text.startswith("vi: Mất điện <trạm> & cổng dài")
    assert len(text) == MAX_TEXT


def test_a_record_is_made_before_its_version_and_overruns_its_end(corridor: Corridor) -> None:
    gate = replace(make_gate(corridor), queue_veh=9.0, measured_at=NOW - timedelta(minutes=2))
    planned = make_notice(1, NoticeKind.BAN, "Dừng tiếp nhận", NOW + timedelta(days=1))
    late = make_notice(2, NoticeKind.OUTAGE, "Mất điện", NOW - timedelta(days=1), ends_at=NOW)
    found = situations(corridor, replace(gate, notices=(planned, late)))
    created, changed = (texts(found, f".//sit:situationRecord{each}Time") for each in ("Creation", "Version"))
    assert created == ["2026-03-02T03:13:30Z", "2026-03-02T02:15:30Z", "2026-03-02T02:15:30Z"]
    assert changed == ["2026-03-02T03:15:30Z"] * 3
    assert texts(found, ".//com:validityStatus") == ["active", "definedByValidityTimeSpec", "active"]
    assert texts(found, ".//com:overrunning") == ["true"]
    assert texts(found, ".//com:overallStartTime")[1:] == ["2026-03-03T03:15:30Z", "2026-03-01T03:15:30Z"]


@pytest.mark.parametrize(
    ("severity", "is_foreseen", "said"),
    [(None, False, []), (None, True, ["lowest"]), (Severity.ALARM, True, ["high"])],
    ids=["unknown", "none", "alarm"],
)
def test_a_severity_nobody_foresaw_is_not_told(
    corridor: Corridor, severity: Severity | None, is_foreseen: bool, said: list[str]
) -> None:
    made_at = NOW if is_foreseen else None
    gate = replace(make_gate(corridor), queue_veh=9.0, severity=severity, forecast_made_at=made_at)
    assert texts(situations(corridor, gate), ".//sit:severity") == said


def test_a_queue_beyond_the_road_of_its_gate_is_drawn_as_far_as_that_goes(corridor: Corridor) -> None:
    gate = replace(make_gate(corridor, "tan-thanh"), queue_veh=800.0, measured_at=NOW, tail_km=15.6)
    found = situations(corridor, gate)
    site = corridor.get_site("tan-thanh")
    assert texts(found, ".//sit:queueLength") == [str(round(1000 * (15.6 - site.km)))]
    (line,) = texts(found, ".//loc:posList")
    end_km = corridor.km_span(site.road)[1]
    lon, lat = corridor.position(site.road, [end_km])
    assert [float(each) for each in line.split()[:2]] == pytest.approx([lat[0], lon[0]], abs=1e-5)


def test_a_closed_yard_has_no_spaces_available(corridor: Corridor) -> None:
    states: Mapping[str, YardOnBoard] = {
        "open": make_yard(corridor),
        "closed": make_yard(corridor, is_open=False, hours="06:00-19:00"),
        "temporarilyClosed": make_yard(corridor, is_open=False, closures=(closed(0),)),
    }
    for opening, yard in states.items():
        board = boards_of(replace(make_gate(corridor), yards=(yard,)))["vi"]
        found = check(datex_parking.parking_status(board, corridor))
        assert texts(found, ".//fac:openingStatus") == [opening]
        assert texts(found, ".//prk:status") == (["spacesAvailable"] if opening == "open" else [])
        assert texts(found, ".//prk:numberOfVacantSpaces") == ["40"]
