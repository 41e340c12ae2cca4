"""What an enterprise keeps on file: entries, documents, expiry, accounts, what a declaration takes over."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.notifications.feed import follow
from app.platform.runtime import Runtime
from app.registers import expiry
from app.registers.container_number import check_digit, normalise_container_number, show_container_number
from geo.errors import InvalidInputError
from tests.app.declaring import declaration_body
from tests.app.registering import PLATE, Companies, make_companies
from tests.conftest import SignIn


@pytest.fixture
def companies(runtime: Runtime, sign_in: SignIn) -> Companies:
    return make_companies(runtime, sign_in)


def vehicle(**changes: Any) -> dict[str, Any]:
    return {
        "plate": PLATE,
        "vehicle_class": "tractor",
        "payload_kg": 26000,
        "axles": 3,
        "inspection_expires": "2026-12-31",
        **changes,
    }


def driver(**changes: Any) -> dict[str, Any]:
    return {
        "full_name": "Nguyễn Văn Đạt",
        "phone": "0912 345 678",
        "language": "vi",
        "paper": "passport",
        "paper_number": "C1234567",
        "paper_expires": "2030-12-31",
        "licence_number": "790123456789",
        "licence_class": "CE",
        "licence_expires": "2029-12-31",
        **changes,
    }


# Container numbers


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("CSQU3054383", "CSQU3054383"),  # the example of the standard's annex A
        ("csqu 305438-3", "CSQU3054383"),
        ("MSKU9070323", "MSKU9070323"),
        ("ＴＥＸＵ3070079", "TEXU3070079"),
        ("CSQU 305438 [3]", "CSQU3054383"),
        ("CSQU305438(3)", "CSQU3054383"),
        ("CSQU 305438–3", "CSQU3054383"),
        ("CSQU\u00a0305438\u200b3", "CSQU3054383"),
    ],
)
def test_container_numbers(written: str, number: str) -> None:
    assert normalise_container_number(written) == number
    assert normalise_container_number(show_container_number(number)) == number


@pytest.mark.parametrize("written", ["CSQU3054384", "CSQX3054383", "CSQU305438", "29C12345", "", "CSQU30543831"])
def test_what_is_no_container_number(written: str) -> None:
    with pytest.raises(InvalidInputError):
        normalise_container_number(written)


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3), st.integers(0, 999_999), st.integers(0, 9))
def test_one_digit_read_wrong_is_noticed_unless_the_check_digit_is_ten(owner: str, serial: int, wrong: int) -> None:
    unit = f"{owner}U{serial:06d}"
    right = check_digit(unit)
    if wrong == right:
        assert normalise_container_number(f"{unit}{wrong}") == f"{unit}{wrong}"
    else:
        with pytest.raises(InvalidInputError):
            normalise_container_number(f"{unit}{wrong}")


# Entries


def test_vehicles_drivers_containers_and_documents(companies: Companies) -> None:
    ours, theirs = companies.ours, companies.theirs
    truck = ours.post("/api/v1/registers/vehicles", json=vehicle())
    assert truck.status_code == 201, truck.text
    assert theirs.post("/api/v1/registers/vehicles", json=vehicle()).status_code == 201, "each keeps its own file"
    assert ours.post("/api/v1/registers/vehicles", json=vehicle()).status_code == 409
    person = ours.post("/api/v1/registers/drivers", json=driver())
    box = ours.post("/api/v1/registers/containers", json={"number": "csqu 305438 3", "size": "40"})
    assert (person.status_code, box.status_code) == (201, 201), (person.text, box.text)
    assert box.json()["shown"] == "CSQU 305438 3"
    entry_id = truck.json()["entry_id"]
    paper = {"subject": "vehicle", "entry_id": entry_id, "kind": "insurance", "number": "BH 01"}
    assert theirs.post("/api/v1/registers/documents", json=paper).status_code == 404
    made = ours.post("/api/v1/registers/documents", json=paper | {"expires_on": "2026-06-01"})
    assert made.status_code == 201, made.text
    register = ours.get("/api/v1/registers").json()
    assert [len(register[name]) for name in ("vehicles", "drivers", "containers", "documents")] == [1, 1, 1, 1]
    where = f"/api/v1/registers/vehicles/{entry_id}"
    assert theirs.put(where, json=vehicle(axles=4), headers={"If-Match": '"1"'}).status_code == 404
    assert ours.put(where, json=vehicle(axles=4)).status_code == 428
    assert ours.put(where, json=vehicle(axles=4), headers={"If-Match": '"1"'}).json()["version"] == 2
    assert ours.put(where, json=vehicle(axles=5), headers={"If-Match": '"1"'}).status_code == 412
    assert theirs.delete(where).status_code == 404
    assert ours.delete(where).status_code == 204
    register = ours.get("/api/v1/registers").json()
    assert (register["vehicles"], register["documents"]) == ([], []), "its documents go with it"
    assert ours.post("/api/v1/registers/vehicles", json=vehicle()).status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("vehicles", vehicle(plate="nonsense"), "plate"),
        ("vehicles", vehicle(vehicle_class="semi_trailer"), "vehicle_class"),
        ("vehicles", vehicle(plate="29R-012.34"), "vehicle_class"),
        ("vehicles", vehicle(payload_kg=26), "payload_kg"),
        ("vehicles", vehicle(axles=40), "axles"),
        ("vehicles", vehicle(inspection_expires="0026-12-31"), "inspection_expires"),
        ("drivers", driver(full_name=" "), "full_name"),
        ("drivers", driver(phone="12"), "phone"),
        ("drivers", driver(paper_number="123"), "paper_number"),
        ("drivers", driver(licence_number="1"), "licence_number"),
        ("drivers", driver(account_id=999), "account_id"),
        ("containers", {"number": "CSQU3054384", "size": "40"}, "number"),
    ],
)
def test_what_cannot_be_is_named(companies: Companies, path: str, body: dict[str, Any], field: str) -> None:
    refused = companies.ours.post(f"/api/v1/registers/{path}", json=body)
    assert refused.status_code == 422
    assert field in refused.text
    assert not any(companies.ours.get("/api/v1/registers").json().values())


def test_a_repeated_request_makes_one_entry(companies: Companies) -> None:
    header = {"Idempotency-Key": "a-truck"}
    first = companies.ours.post("/api/v1/registers/vehicles", json=vehicle(), headers=header)
    again = companies.ours.post("/api/v1/registers/vehicles", json=vehicle(), headers=header)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["entry_id"] == again.json()["entry_id"]


# Warnings


@pytest.mark.parametrize(
    ("days_left", "warned"),
    [(31, None), (30, 30), (8, 30), (7, 7), (2, 7), (1, 1), (0, 1), (-1, None)],
)
def test_which_warning_is_due(days_left: int, warned: int | None) -> None:
    assert expiry.distance(days_left) == warned


def test_each_date_is_warned_of_once_at_each_distance(companies: Companies) -> None:
    runtime, ours = companies.runtime, companies.ours
    expires = runtime.clock.now().date() + timedelta(days=40)
    companies.ours.post("/api/v1/registers/vehicles", json=vehicle(inspection_expires=str(expires)))
    companies.theirs.post("/api/v1/registers/vehicles", json=vehicle(inspection_expires="2027-12-31"))
    given = []
    for day in range(45):
        with runtime.sessions() as session:
            now = runtime.clock.now() + timedelta(days=day)
            expiry.warn(session, now)
            again = expiry.warn(session, now + timedelta(hours=1))
            follow(session, now)
            session.commit()
            assert again == 0
        told = ours.get("/api/v1/notifications").json()["items"]
        given += [day] * (len(told) - len(given))
    assert given == [10, 33, 39], "30, 7 and 1 days before"
    assert {notification["kind"] for notification in told} == {"register.expires"}
    assert told[0]["text"] == f"Đăng kiểm của {PLATE} hết hạn ngày {expires.strftime('%d/%m/%Y')}"
    assert companies.theirs.get("/api/v1/notifications").json()["items"] == []


def test_a_claim_and_a_trip_ring_the_holder(companies: Companies) -> None:
    companies.prove(companies.ours)
    companies.claim(companies.theirs)
    companies.declare(companies.theirs)
    for _ in range(2):
        with companies.runtime.sessions() as session:
            follow(session, companies.runtime.clock.now())
            session.commit()
    kinds = [notification["kind"] for notification in companies.ours.get("/api/v1/notifications").json()["items"]]
    assert sorted(kinds) == ["register.accepted", "register.claimed", "register.trip_asked"]


# Picking


def test_a_declaration_takes_over_what_is_picked(companies: Companies) -> None:
    ours = companies.ours
    truck = ours.post("/api/v1/registers/vehicles", json=vehicle()).json()["entry_id"]
    trailer = ours.post(
        "/api/v1/registers/vehicles", json=vehicle(plate="29R-012.34", vehicle_class="semi_trailer")
    ).json()["entry_id"]
    person = ours.post("/api/v1/registers/drivers", json=driver()).json()["entry_id"]
    box = ours.post("/api/v1/registers/containers", json={"number": "CSQU3054383", "size": "40", "refrigerated": True})
    body = declaration_body(companies.runtime.clock.now() + timedelta(hours=5))
    for name in list(body):
        if name.startswith("driver_") or name in {
            "plate",
            "trailer_plate",
            "container",
            "refrigerated",
            "payload_kg",
            "inspection_expires",
        }:
            del body[name]
    picks = {
        "vehicle_entry": truck,
        "trailer_entry": trailer,
        "driver_entry": person,
        "container_entry": box.json()["entry_id"],
    }
    theirs = companies.theirs.post("/api/v1/declarations", json=body | picks)
    assert theirs.status_code == 422, "another enterprise's file"
    made = ours.post("/api/v1/declarations", json=body | picks | {"submit": True, "driver_phone": "0987 654 321"})
    assert made.status_code == 201, made.text
    data = made.json()["revisions"][0]["data"]
    taken = ("plate", "trailer_plate", "container", "container_number", "payload_kg", "driver_name", "driver_phone")
    assert [data[name] for name in taken] == [
        PLATE,
        "29R-012.34",
        "40",
        "CSQU 305438 3",
        26000,
        "Nguyễn Văn Đạt",
        "0987 654 321",
    ]


# Accounts


def test_an_enterprise_keeps_its_own_accounts(companies: Companies, sign_in: SignIn) -> None:
    ours = companies.ours
    body = {"username": "lai.xe.mot", "password": "correct horse battery", "full_name": "Lái Xe", "role": "driver"}
    made = ours.post("/api/v1/own-accounts", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["vehicle_id"] is None
    assert ours.post("/api/v1/own-accounts", json=body).status_code == 409
    assert ours.post("/api/v1/own-accounts", json=body | {"role": "administrator"}).status_code == 422
    account_id = made.json()["account_id"]
    assert companies.theirs.patch(f"/api/v1/own-accounts/{account_id}", json={"disabled": True}).status_code == 404
    assert ours.patch(f"/api/v1/own-accounts/{account_id}", json={"disabled": True}).json()["disabled_at"]
    assert [account["username"] for account in companies.theirs.get("/api/v1/own-accounts").json()] == ["enterprise-2"]


# Search


@pytest.mark.parametrize("written", ["nong san", "NÔNG SẢN", "đồng đăng", "dong dang nong", "Đồng"])
def test_search_boxes_leave_accents_aside(companies: Companies, sign_in: SignIn, written: str) -> None:
    companies.declare(companies.ours, goods="Nông sản Đồng Đăng")
    for form in ("NFC", "NFD"):
        query = unicodedata.normalize(form, written)  # type: ignore[arg-type]
        assert len(companies.ours.get("/api/v1/trips", params={"q": query}).json()["items"]) == 1
        assert companies.ours.get("/api/v1/trips", params={"q": f"{query} xyz"}).json()["items"] == []
        page = companies.ours.get("/enterprise", params={"q": query})
        assert PLATE in page.text
        assert "Nông sản Đồng Đăng" in companies.desk.get("/support/enterprises", params={"organisation": query}).text
        admin = sign_in("administrator")
        assert "enterprise-1" in admin.get("/admin", params={"q": query}).text


@pytest.mark.parametrize("written", ["29C-123.45", "29C-12345", "29c12345", "29C 123 45", "29R-012.34", "29r 01234"])
def test_plates_and_codes_are_found_with_and_without_their_marks(companies: Companies, written: str) -> None:
    trip_id = companies.declare(companies.ours, trailer_plate="29R-012.34")
    code = companies.ours.get(f"/api/v1/trips/{trip_id}").json()["code"]
    for query in (written, f"{written} nông", code, code.lower(), code.replace("-", "")):
        found = companies.ours.get("/api/v1/trips", params={"q": query}).json()["items"]
        assert [trip["trip_id"] for trip in found] == [trip_id], query
    assert companies.ours.get("/api/v1/trips", params={"q": "29C-123.46"}).json()["items"] == []
    box = companies.ours.post("/api/v1/registers/containers", json={"number": "CSQU3054383", "size": "40"})
    assert box.status_code == 201, box.text
    for query in ("CSQU 305438 3", "csqu305438-3", "CSQU 305438[3]"):
        assert len(companies.ours.get("/api/v1/registers", params={"q": query}).json()["containers"]) == 1, query


def test_text_is_stored_composed(companies: Companies) -> None:
    name = "Nguyễn Thị Hưởng"
    companies.ours.post("/api/v1/registers/drivers", json=driver(full_name=unicodedata.normalize("NFD", name)))
    assert companies.ours.get("/api/v1/registers").json()["drivers"][0]["full_name"] == name
    assert len(companies.ours.get("/api/v1/registers", params={"q": "thi huong"}).json()["drivers"]) == 1
