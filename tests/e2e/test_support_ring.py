"""A truck that nobody declared rings at the support desk while its page is open, and is declared from there."""

from __future__ import annotations

import base64
import json

import httpx
from playwright.sync_api import expect

from tests.e2e.conftest import Platform, SignedIn
from tests.e2e.fresh import fresh_plate


def test_an_undeclared_truck_rings_and_is_declared(platform: Platform, signed_in: SignedIn) -> None:
    plate = fresh_plate()
    page = signed_in("support", at="/support")
    expect(page.get_by_test_id("register")).to_be_visible()
    shot = page.screenshot(type="jpeg", quality=40)
    with platform.client("administrator") as administrator:
        camera = {"kind": "plate_camera", "vendor": "dahua", "name": f"Camera {plate}", "site_id": "huu-nghi-barrier-1"}
        device = administrator.post("/api/v1/equipment", json=camera)
        assert device.status_code == 201, device.text
    message = {
        "Picture": {
            "Plate": {"PlateNumber": plate, "Confidence": 93, "IsExist": True},
            "SnapInfo": {"DeviceID": "lane", "LanNo": 2, "Direction": "Obverse"},
            "NormalPic": {"Content": base64.b64encode(shot).decode()},
        }
    }
    answer = httpx.post(
        f"{platform.url}/cameras/dahua",
        content=json.dumps(message),
        auth=httpx.BasicAuth("camera", device.json()["key"]),
    )
    assert answer.json()["Result"] is True, answer.text
    card = page.locator("article[data-testid=ringing]", has_text=plate)
    expect(card).to_be_visible()
    expect(page.locator(".ck-toast", has_text=plate)).to_be_visible()
    expect(page.locator("#ring-count")).to_be_visible()
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    expect(card.locator("input[name=plate]")).to_have_value(plate)
    card.locator("button[value=declare]").click()
    expect(page.locator("[name=plate]")).to_have_value(plate)
    assert page.locator(".de-form-picture img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
