"""What a declaration says, and what is wrong with it: reading, checks, HS codes, differences. Pure."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.declarations import checks, hs
from app.declarations.checks import Surroundings, check, check_draft
from app.declarations.differences import changed_parts, differences
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS
from app.declarations.form import Form, Line, problems_of, read
from app.declarations.on_sheet import facts_of
from app.declarations.service import complete
from app.gates.profile import default_profiles
from app.gates.vocabulary import GoodsClass
from app.procedures import return_reasons
from app.trips.place_need import need_of
from app.web.i18n import load_catalogues
from capacity.vocabulary import ZoneKind
from geo.corridor import Corridor
from geo.errors import InvalidInputError
from tests.app.declaring import declaration_body, declaration_line

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
GATES = default_profiles(Corridor.default())
"""As shipped: 07:00 to 19:00, and Tân Thanh takes neither transit nor new vehicles (assumed)."""
AROUND = Surroundings(NOW, GATES)


def good(**changes: Any) -> Form:
    form, problems = read(declaration_body(NOW + timedelta(hours=5), **changes))
    assert not problems
    return complete(form)


def fields_refused(form: Form) -> list[str]:
    return [problem.field for problem in problems_of(check(form, AROUND))]


def with_line(**changes: Any) -> Form:
    form = good()
    return replace(form, lines=(replace(form.lines[0], **changes),))


def test_a_whole_declaration_has_nothing_wrong():
    assert check(good(), AROUND) == []


def test_a_declaration_survives_its_json_form():
    form = good()
    assert Form.from_record(form.to_record()) == form


WRONG_HEAD: list[tuple[dict[str, Any], str]] = [
    ({"plate": ""}, "plate"),
    ({"plate": "29R-012.34"}, "plate"),
    ({"trailer_plate": "29C-555.55"}, "trailer_plate"),
    ({"gate_id": "nowhere"}, "gate_id"),
    ({"regime": ""}, "regime"),
    ({"regime": "transit", "direction": ""}, "direction"),
    ({"direction": "import"}, "direction"),
    ({"gate_id": "tan-thanh", "regime": "transit", "direction": "export"}, "regime"),
    ({"planned_arrival": None}, "planned_arrival"),
    ({"planned_arrival": NOW - timedelta(days=2)}, "planned_arrival"),
    ({"planned_arrival": NOW + timedelta(days=90)}, "planned_arrival"),
    ({"customs_number": "12345"}, "customs_number"),
    ({"container": ""}, "container"),
    ({"refrigerated": None}, "refrigerated"),
    ({"payload_kg": 5}, "payload_kg"),
    ({"payload_kg": 1000}, "payload_kg"),
    ({"inspection_expires": None}, "inspection_expires"),
    ({"inspection_expires": date(2026, 3, 1)}, "inspection_expires"),
    ({"inspection_expires": date(226, 3, 1)}, "inspection_expires"),
    ({"driver_name": ""}, "driver_name"),
    ({"driver_name": "0912345678"}, "driver_name"),
    ({"driver_phone": "12"}, "driver_phone"),
    ({"driver_paper": ""}, "driver_paper"),
    ({"driver_paper_number": "12"}, "driver_paper_number"),
    ({"driver_paper_expires": None}, "driver_paper_expires"),
    ({"driver_paper_expires": date(2026, 3, 1)}, "driver_paper_expires"),
    ({"driver_licence_number": ""}, "driver_licence_number"),
    ({"driver_licence_expires": date(2025, 3, 1)}, "driver_licence_expires"),
    ({"health_symptoms": ""}, "health_symptoms"),
    ({"health_symptoms": "some"}, "health_note"),
    ({"health_temperature_c": 50.0}, "health_temperature_c"),
    ({"lines": ()}, "lines.1.description"),
]


@pytest.mark.parametrize(("changes", "field"), WRONG_HEAD)
def test_a_wrong_field_is_named(changes, field):
    assert fields_refused(replace(good(), **changes)) == [field]


WRONG_LINE: list[tuple[dict[str, Any], str]] = [
    ({"hs_code": ""}, "hs_code"),
    ({"hs_code": "0810.9"}, "hs_code"),
    ({"hs_code": "77012345"}, "hs_code"),
    ({"hs_code": "dragon"}, "hs_code"),
    ({"description": ""}, "description"),
    ({"goods_class": ""}, "goods_class"),
    ({"quantity": None}, "quantity"),
    ({"quantity": 0.0}, "quantity"),
    ({"quantity": 30_000.0}, "quantity"),
    ({"unit": ""}, "unit"),
    ({"packages": 0}, "packages"),
    ({"packaging": ""}, "packaging"),
    ({"gross_weight_kg": None}, "gross_weight_kg"),
    ({"net_weight_kg": -1.0}, "net_weight_kg"),
    ({"net_weight_kg": 19_501.0}, "net_weight_kg"),
    ({"temperature_c": 120.0}, "temperature_c"),
    ({"un_number": "12", "hazard_class": "3"}, "un_number"),
    ({"un_number": "0002", "hazard_class": "1.1"}, "un_number"),
    ({"hazard_class": "3"}, "un_number"),
    ({"un_number": "1203"}, "hazard_class"),
    ({"un_number": "1203", "hazard_class": "10"}, "hazard_class"),
    ({"un_number": "1203", "hazard_class": "3.1"}, "hazard_class"),
    ({"un_number": "1203", "hazard_class": "2.4"}, "hazard_class"),
]


@pytest.mark.parametrize(("changes", "field"), WRONG_LINE)
def test_a_wrong_field_of_the_goods_is_named(changes, field):
    assert fields_refused(with_line(**changes)) == [f"lines.1.{field}"]


@pytest.mark.parametrize(
    ("number", "hazard", "read_as"),
    [("UN 1203", "Lớp 3", ("1203", "3")), ("un0336", "class 1.4", ("0336", "1.4")), ("1017", "2,3", ("1017", "2.3"))],
)
def test_dangerous_goods_are_read_as_people_write_them(number: str, hazard: str, read_as: tuple[str, str]) -> None:
    line = declaration_line(un_number=number, hazard_class=hazard)
    form, problems = read({"lines": [line]})
    assert not problems
    assert (form.lines[0].un_number, form.lines[0].hazard_class) == read_as
    assert facts_of(form).hazard_class == {read_as[1][0]}
    assert need_of("general", facts_of(form).to_record()) is ZoneKind.DANGEROUS


def test_a_gate_that_takes_no_cars_says_so():
    form = with_line(goods_class="vehicles", hs_code="8703")
    assert "lines.1.goods_class" in fields_refused(replace(form, gate_id="tan-thanh"))
    assert fields_refused(form) == []


def test_an_empty_truck_needs_no_weights():
    assert fields_refused(replace(good(), lines=(Line(description="Xe rỗng", goods_class="empty"),))) == []


def test_a_document_that_expires_on_the_day_is_valid_that_day():
    arrival = datetime(2026, 3, 2, 16, 30, tzinfo=UTC)  # half past eleven in the evening at the border
    form = replace(good(), planned_arrival=arrival, driver_licence_expires=date(2026, 3, 2))
    assert fields_refused(form) == []
    assert fields_refused(replace(form, planned_arrival=arrival + timedelta(hours=1))) == ["driver_licence_expires"]


def test_an_arrival_declared_before_may_have_passed():
    late = replace(good(), planned_arrival=NOW - timedelta(days=2))
    around = replace(AROUND, kept_arrival=late.planned_arrival)
    assert problems_of(check(late, around)) == []


def test_notes_do_not_stand_in_the_way():
    form = replace(with_line(hs_code="9306.30"), customs_number="", planned_arrival=NOW + timedelta(hours=15))
    found = check(form, AROUND)
    assert [problem.field for problem in found] == ["customs_number", "planned_arrival", "lines.1.hs_code"]
    assert problems_of(found) == []


def test_too_heavy_a_load_is_a_slip_and_a_heavy_one_a_note():
    line = good().lines[0]
    heavy = replace(line, gross_weight_kg=21_000.0)
    assert [problem.is_note for problem in check(replace(good(), payload_kg=None, lines=(heavy, heavy)), AROUND)] == [
        True
    ]
    assert fields_refused(replace(good(), payload_kg=None, lines=(heavy,) * 3)) == ["lines.1.gross_weight_kg"]


def test_a_draft_needs_what_makes_a_trip():
    assert {problem.field for problem in check_draft(Form())} == {
        "plate",
        "gate_id",
        "regime",
        "planned_arrival",
        "lines.1.description",
    }
    assert check_draft(good()) == []


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("planned_arrival", "02/03/2026 15:00", datetime(2026, 3, 2, 8, 0, tzinfo=UTC)),
        ("planned_arrival", "2026-03-02T15:00", datetime(2026, 3, 2, 8, 0, tzinfo=UTC)),
        ("planned_arrival", "2026-03-02T15:00:00Z", datetime(2026, 3, 2, 15, 0, tzinfo=UTC)),
        ("inspection_expires", "31/12/2026", date(2026, 12, 31)),
        ("inspection_expires", "2026-12-31 00:00:00", date(2026, 12, 31)),
        ("inspection_expires", datetime(2026, 12, 31), date(2026, 12, 31)),  # noqa: DTZ001 - as a spreadsheet gives it
        ("refrigerated", "Có", True),
        ("refrigerated", "0", False),
        ("payload_kg", "26 000", 26000),
        ("payload_kg", 26000.0, 26000),
        ("plate", " 29c 123.45", "29C-123.45"),
        ("driver_name", "  Nguyễn   Văn An ", "Nguyễn Văn An"),
    ],
)
def test_values_are_read_as_people_write_them(name, written, value):
    form, problems = read({name: written})
    assert not problems
    assert getattr(form, name) == value


@pytest.mark.parametrize(
    ("name", "written", "word"),
    [
        ("planned_arrival", "02/03/2026", "date and time"),
        ("planned_arrival", "tomorrow", "date and time"),
        ("inspection_expires", "31/02/2026", "not a date"),
        ("payload_kg", "1.500", "two ways"),
        ("payload_kg", "12.5", "whole"),
        ("refrigerated", "perhaps", "yes nor no"),
        ("container", "53", "20, 40"),
        ("plate", "hello", "plate"),
        ("driver_name", "A" * 81, "81 characters"),
        ("driver_name", "An\0", "cannot be stored"),
    ],
)
def test_what_cannot_be_read_is_said(name, written, word):
    form, problems = read({name: written})
    assert [problem.field for problem in problems] == [name]
    assert word in problems[0].text()
    assert getattr(form, name) == getattr(Form(), name)


def test_a_decimal_comma_is_read_and_thousands_are_not_guessed():
    form, problems = read({"lines": [{"quantity": "12,5"}, {"quantity": "1,500"}]})
    assert form.lines[0].quantity == 12.5
    assert [problem.field for problem in problems] == ["lines.2.quantity"]


WRITTEN = st.text(string.printable + "\0đ京", max_size=30) | st.integers() | st.floats() | st.booleans() | st.none()


@given(
    st.dictionaries(st.sampled_from([*HEAD_FIELDS, "x"]), WRITTEN),
    st.lists(st.dictionaries(st.sampled_from(list(LINE_FIELDS)), WRITTEN), max_size=3),
)
def test_anything_can_be_read(head, lines):
    form, problems = read({**head, "lines": lines})
    check(form, AROUND)
    for problem in problems:
        assert problem.text()
    if not problems:
        assert Form.from_record(form.to_record()) == form


def test_every_class_and_gate_of_the_data_is_known(corridor):
    assert {known.goods_class for known in hs.known_codes().values()} <= set(GoodsClass)
    assert set(default_profiles(corridor)) == {gate.site_id for gate in corridor.gates()}


def test_the_chapters_are_all_there_and_every_heading_has_its_chapter():
    known = hs.known_codes()
    assert [code for code in known if len(code) == 2] == [f"{n:02}" for n in range(1, 98) if n != 77]
    assert all(hs.chapter(code) is not None and len(code) in {2, 4, 6} for code in known)
    assert all(name.vi and name.en and name.zh for name in known.values())


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("thanh long", "081090"),
        ("sau rieng", "081060"),
        ("SẦU RIÊNG", "081060"),
        ("榴莲", "081060"),
        ("0810.60", "081060"),
        ("watermelon", "080711"),
        ("tinh bot san", "110814"),
        ("0810909200", "081090"),
    ],
)
def test_a_code_is_found_by_number_or_words(query, first):
    assert hs.search(query)[0].code == first


def test_search_of_nothing_finds_nothing():
    assert hs.search(" ") == []
    assert hs.search("xyzzy") == []


def test_the_kind_of_goods_follows_the_code_unless_given():
    form = complete(
        read({"regime": "import", "lines": [{"hs_code": "08106000"}, {"hs_code": "0203", "goods_class": "dry_food"}]})[
            0
        ]
    )
    assert [line.goods_class for line in form.lines] == ["fresh_fruit", "dry_food"]
    assert form.lines[0].hs_code == "0810.60.00"
    assert form.direction == "import"


def test_differences_name_field_old_and_new():
    old, new = good(), with_line(quantity=17_000.0, hs_code="0810.60")
    new = replace(new, driver_name="Trần Văn Bình", lines=(*new.lines, Line(description="Xoài")))
    found = differences(old.to_record(), new.to_record())
    assert [(difference.field, difference.old, difference.new) for difference in found] == [
        ("driver_name", "Nguyễn Văn An", "Trần Văn Bình"),
        ("lines.1.hs_code", "0810.90", "0810.60"),
        ("lines.1.quantity", 18000.0, 17000.0),
        ("lines.2.description", None, "Xoài"),
    ]
    assert changed_parts(found) == ["goods", "driver"]
    assert differences(old.to_record(), old.to_record()) == []


def test_a_mixed_load_is_all_its_classes():
    line = good().lines[0]
    form = replace(
        good(), lines=(replace(line, goods_class="textiles"), replace(line, goods_class="meat", gross_weight_kg=5.0))
    )
    assert facts_of(form).goods_class == {"textiles", "meat"}


def test_reasons_fit_their_step():
    assert {"plate_differs", "other"} <= set(return_reasons.reasons_for("barrier_1"))
    assert "plate_differs" not in set(return_reasons.reasons_for("customs"))
    assert return_reasons.check_reasons(["goods_differ", "goods_differ"], "") == ["goods_differ"]
    assert return_reasons.check_reasons([], "Biển số mờ") == []
    for codes, text in (([], " "), (["dreams"], "x"), (["other"], " ")):
        with pytest.raises(InvalidInputError):
            return_reasons.check_reasons(codes, text)


@pytest.mark.parametrize("language", ["vi", "zh"])
def test_every_message_and_label_is_translated(language):
    """The messages stand in plain strings of the package: whatever looks like a sentence there must be known."""
    import ast

    catalogue = load_catalogues()[language]
    wanted = {field.label for field in (*HEAD_FIELDS.values(), *LINE_FIELDS.values())}
    for path in Path(checks.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and (node.func.id in {"Problem", "_missing"} or node.func.id.endswith("Error"))
            ):
                texts = [
                    argument.value
                    for argument in node.args
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                ]
                wanted |= {text for text in texts if text.endswith(".")}
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "message":
                wanted |= {node.value.value} if isinstance(node.value, ast.Constant) else set()
    from app.web.form_values import UNREADABLE

    wanted |= set(UNREADABLE.values())
    missing = sorted(text for text in wanted if catalogue.gettext(text) == text)
    assert not missing
