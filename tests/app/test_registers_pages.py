"""The pages of the registers: what is sent by form, what is shown, what stands beside what was written."""

from __future__ import annotations

import pytest

from app.platform.runtime import Runtime
from tests.app.registering import PLATE, Companies, make_companies, sees
from tests.conftest import SignIn

HOME = "/enterprise/register"


@pytest.fixture
def companies(runtime: Runtime, sign_in: SignIn) -> Companies:
    return make_companies(runtime, sign_in)


def test_entries_and_documents_by_form(companies: Companies) -> None:
    ours = companies.ours
    form = {"plate": "29c12345", "vehicle_class": "tractor", "payload_kg": "26.000", "inspection_expires": "5/3/2026"}
    wrong = ours.post(f"{HOME}/vehicles/new", data=form)
    assert wrong.status_code == 422
    assert "29c12345" in wrong.text, "what was written stays"
    form["payload_kg"] = "26000"
    made = ours.post(f"{HOME}/vehicles/new", data=form, follow_redirects=False)
    assert made.status_code == 303, made.text
    where = made.headers["location"]
    page = ours.get(where)
    assert PLATE in page.text
    assert "2026-03-05" in page.text
    document = {"kind": "insurance", "number": "BH 01", "expires_on": "2026-03-20"}
    assert ours.post(f"{where}/documents", data={**document, "number": ""}).status_code == 422
    assert ours.post(f"{where}/documents", data=document, follow_redirects=False).status_code == 303
    assert "BH 01" in ours.get(where).text
    assert companies.theirs.get(where).status_code == 404
    register = ours.get(HOME)
    assert register.text.count("BH 01") >= 1, "it expires within 30 days"
    assert ours.post(where, data={**form, "axles": "3", "version": "9"}).status_code == 422, "changed since"
    assert ours.post(where, data={**form, "axles": "3", "version": "1"}, follow_redirects=False).status_code == 303
    assert ours.post(f"{where}/remove", follow_redirects=False).status_code == 303
    assert "BH 01" not in ours.get(HOME).text
    for subject in ("drivers", "containers"):
        assert ours.get(f"{HOME}/{subject}/new").status_code == 200
        assert ours.post(f"{HOME}/{subject}/new", data={}).status_code == 422
    assert ours.get(f"{HOME}/organisations/new").status_code == 404


def test_claims_on_the_pages_of_enterprise_desk_and_driver(companies: Companies, sign_in: SignIn) -> None:
    ours, theirs, desk = companies.ours, companies.theirs, companies.desk
    assert ours.post(f"{HOME}/claims", data={"plate": "nonsense"}).status_code == 422
    assert ours.post(f"{HOME}/claims", data={"plate": PLATE}, follow_redirects=False).status_code == 303
    assert PLATE in desk.get("/claims").text
    assert PLATE in desk.get("/claims", params={"q": "nong san dong dang"}).text
    assert PLATE not in desk.get("/claims", params={"q": "bac son"}).text
    assert desk.post("/claims/1", data={"accept": "no"}).status_code == 422, "a refusal says why"
    assert desk.post("/claims/1", data={"accept": "yes"}, follow_redirects=False).status_code == 303
    assert sees(ours, companies.vehicle_id)
    assert theirs.post(f"{HOME}/claims", data={"plate": PLATE}, follow_redirects=False).status_code == 303
    assert "Vận tải Bắc Sơn" in ours.get(HOME).text
    driver = sign_in("driver", vehicle_id=companies.vehicle_id)
    assert "Vận tải Bắc Sơn" in driver.get("/claims/answer").text
    assert driver.post("/claims/answer/2", data={"accept": "yes"}, follow_redirects=False).status_code == 303
    assert sees(theirs, companies.vehicle_id)
    assert theirs.post(f"{HOME}/proven/{companies.vehicle_id}/hand-on", data={"name": "Nobody"}).status_code == 422
    released = theirs.post(f"{HOME}/proven/{companies.vehicle_id}/release", follow_redirects=False)
    assert released.status_code == 303
    assert not sees(theirs, companies.vehicle_id)


def test_trips_that_others_declare_are_asked_about(companies: Companies) -> None:
    companies.prove(companies.ours)
    trip_id = companies.declare(companies.theirs)
    own = companies.theirs.get(f"/enterprise/trips/{trip_id}")
    assert f"{HOME}#proven" in own.text, "says why the vehicle is not seen"
    assert "Vận tải Bắc Sơn" in companies.ours.get("/asked-trips").text
    said = companies.ours.post(f"/asked-trips/{trip_id}", data={"agreed": "yes"}, follow_redirects=False)
    assert said.status_code == 303
    assert f"{HOME}#proven" not in companies.theirs.get(f"/enterprise/trips/{trip_id}").text
    parties = f"/enterprise/trips/{trip_id}/parties"
    named = companies.theirs.post(
        parties, data={"role": "customs_agent", "name": "nông sản đồng đăng"}, follow_redirects=False
    )
    assert named.status_code == 303
    assert "Nông sản Đồng Đăng" in companies.theirs.get(f"/enterprise/trips/{trip_id}").text
    assert companies.ours.get(f"/enterprise/trips/{trip_id}").status_code == 200


def test_accounts_devices_and_agents_on_the_same_page(companies: Companies) -> None:
    ours = companies.ours
    account = {"username": "lai.xe", "password": "short", "full_name": "Lái Xe", "role": "driver"}
    refused = ours.post(f"{HOME}/accounts", data=account)
    assert refused.status_code == 422
    assert "lai.xe" in refused.text
    account["password"] = "correct horse battery"
    assert ours.post(f"{HOME}/accounts", data=account, follow_redirects=False).status_code == 303
    assert "lai.xe" in ours.get(HOME).text
    device = ours.post(f"{HOME}/devices", data={"plate": PLATE, "kind": "phone", "imei": ""})
    assert device.status_code == 200
    assert 'data-testid="device-id"' in device.text
    assert companies.theirs.post(f"{HOME}/devices", data={"plate": PLATE, "kind": "phone"}).status_code == 422
    number = ours.get("/api/v1/devices").json()[0]["number"]
    assert companies.theirs.post(f"{HOME}/devices/{number}/revoke").status_code == 422
    assert ours.post(f"{HOME}/devices/{number}/revoke", follow_redirects=False).status_code == 303
    power = {"name": "vận tải bắc sơn", "valid_from": "2026-03-01", "valid_to": ""}
    assert ours.post(f"{HOME}/powers", data=power).status_code == 422
    power["valid_to"] = "31/12/2026"
    assert ours.post(f"{HOME}/powers", data=power, follow_redirects=False).status_code == 303
    form = companies.theirs.get("/declarations/new")
    assert "Nông sản Đồng Đăng" in form.text, "the agent chooses for whom to declare"
    assert ours.post(f"{HOME}/powers/1/revoke", follow_redirects=False).status_code == 303
    assert "Nông sản Đồng Đăng" not in companies.theirs.get("/declarations/new").text
