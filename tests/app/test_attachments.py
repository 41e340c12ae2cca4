"""Files of a trip: by content, within limits, read by the agencies that need them, removed and forgotten."""

from __future__ import annotations

import io
import resource
import struct
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from PIL import Image
from sqlalchemy import text

from app.attachments import service
from app.attachments.content import detect, safe_name
from app.platform.permissions import Role
from app.platform.runtime import Runtime
from geo.clock import FixedClock
from geo.errors import InvalidInputError
from tests.app.stationing import Gate

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def picture(kind: str = "JPEG", color: tuple[int, int, int] = (10, 20, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(out, kind)
    return out.getvalue()


@pytest.fixture
def gate(runtime: Runtime, sign_in: Callable[..., TestClient]) -> Gate:
    return Gate.open(runtime, sign_in)


def attach(client: TestClient, trip_id: int, kind: str, content: bytes, name: str = "giấy.pdf") -> Response:
    return client.post(
        f"/api/v1/trips/{trip_id}/attachments", data={"kind": kind}, files={"file": (name, content, "text/html")}
    )


def names(client: TestClient, trip_id: int) -> list[str]:
    return [attachment["kind"] for attachment in client.get(f"/api/v1/trips/{trip_id}/attachments").json()["items"]]


# What a file is


def vast_picture(side_px: int) -> bytes:
    """A PNG of a few hundred kilobytes that is four bytes for each of its pixels once it is read."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, line = zlib.compressobj(9), bytes(1 + 4 * side_px)
    packed = b"".join(packer.compress(line) for _ in range(side_px)) + packer.flush()
    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_what_a_small_picture_unpacks_to_takes_no_memory_of_the_platform() -> None:
    content = vast_picture(8_900)
    assert len(content) < 500_000
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert detect(content) == ("image/png", ".png")
    with pytest.raises(InvalidInputError):
        detect(vast_picture(9_000))  # more than the largest that is taken
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (b"\n\n" + PDF + b"\n" * 100, "application/pdf"),
        (picture("JPEG"), "image/jpeg"),
        (picture("PNG"), "image/png"),
        (picture("WEBP"), "image/webp"),
        (picture("MPO"), "image/jpeg"),
    ],
)
def test_a_file_is_what_it_holds(content: bytes, media_type: str) -> None:
    assert detect(content)[0] == media_type


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"MZ\x90\x00" + b"\x00" * 200,
        b"PK\x03\x04" + b"\x00" * 200,
        b"%PDF-1.7 without an end",
        b"\xff\xd8\xff" + b"not a picture",
        picture("JPEG")[:200],
        picture("PNG")[:60],
        picture("GIF"),
        picture("BMP"),
        picture("TIFF"),
    ],
)
def test_anything_else_or_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        detect(content)
    assert refusal.value.field == "file"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("C:\\Users\\An\\C.O mẫu E.pdf", "C.O mẫu E.png"),
        ("../../etc/passwd", "passwd.png"),
        ("ảnh\r\nSet-Cookie: x.jpg", "ảnh Set-Cookie x.png"),
        ("", "file.png"),
        ("....", "file.png"),
        ("a" * 500 + ".jpg", "a" * 120 + ".png"),
        ('quote".html', "quote.png"),
        ("桂F.A1234.webp", "桂F.A1234.png"),
    ],
)
def test_names_are_made_safe_and_end_as_what_they_are(written: str, kept: str) -> None:
    assert safe_name(written, ".png") == kept


# Through the API


def test_a_file_is_attached_once_and_comes_back_with_safe_headers(gate: Gate) -> None:
    trip_id = gate.declare()
    enterprise = gate.person("enterprise")
    first = attach(enterprise, trip_id, "phytosanitary", PDF, "chứng thư.html")
    assert first.status_code == 201, first.text
    assert attach(enterprise, trip_id, "phytosanitary", PDF, "again.pdf").json() == first.json()
    (kept,) = first.json()["items"]
    assert (kept["name"], kept["media_type"], kept["size_bytes"]) == ("chứng thư.pdf", "application/pdf", len(PDF))
    answer = enterprise.get(f"/api/v1/attachments/{kept['attachment_id']}/content")
    assert answer.content == PDF
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert "no-store" in answer.headers["cache-control"]
    assert gate.sheet(trip_id)["attachments"]["items"][0]["name"] == "chứng thư.pdf"


def test_each_agency_reads_what_its_steps_need_and_an_enterprise_its_own(
    gate: Gate, runtime: Runtime, sign_in: Callable[..., TestClient]
) -> None:
    from tests.app.dispatching import add_organisation

    trip_id = gate.declare()
    for number, kind in enumerate(("phytosanitary", "origin", "driver_papers", "photo")):
        assert attach(gate.person("enterprise"), trip_id, kind, picture(color=(number * 60, 0, 0))).status_code == 201
    assert attach(gate.person("border_guard"), trip_id, "photo", picture(color=(0, 200, 0))).status_code == 201
    seen = {
        "plant_quarantine": ["phytosanitary", "photo", "photo"],
        "animal_quarantine": ["photo", "photo"],
        "customs": ["phytosanitary", "origin", "photo", "photo"],
        "border_guard": ["driver_papers", "photo", "photo"],
        "health_quarantine": ["driver_papers", "photo", "photo"],
        "support": ["phytosanitary", "origin", "driver_papers", "photo", "photo"],
        "enterprise": ["phytosanitary", "origin", "driver_papers", "photo"],
    }
    assert {role: names(gate.person(role), trip_id) for role in seen} == seen
    assert len(names(sign_in("auditor"), trip_id)) == 5
    origin = gate.sheet(trip_id)["attachments"]["items"][1]["attachment_id"]
    address = f"/api/v1/attachments/{origin}/content"
    assert gate.person("customs").get(address).status_code == 200
    stranger = sign_in("enterprise", organisation_id=add_organisation(runtime, "Công ty khác"))
    away = gate.person("customs", "tan-thanh")
    for other in (gate.person("plant_quarantine"), stranger, away, sign_in("driver", vehicle_id=None)):
        assert other.get(address).status_code == 404
    assert sign_in("planner").get(address).status_code == 403
    assert attach(stranger, trip_id, "photo", PDF).status_code == 404
    assert attach(gate.person("animal_quarantine"), trip_id, "origin", PDF).status_code == 403


def test_limits_are_set_and_hold(gate: Gate, sign_in: Callable[..., TestClient]) -> None:
    trip_id = gate.declare()
    admin, enterprise = sign_in("administrator"), gate.person("enterprise")
    body: dict[str, Any] = {"max_size_mb": 1, "max_per_trip": 2, "kept_days": 10}
    assert enterprise.put("/api/v1/attachment-policy", json=body, headers={"If-Match": '"0"'}).status_code == 403
    assert admin.put("/api/v1/attachment-policy", json=body).status_code == 428
    assert admin.put("/api/v1/attachment-policy", json=body, headers={"If-Match": '"0"'}).status_code == 200
    assert admin.put("/api/v1/attachment-policy", json=body, headers={"If-Match": '"0"'}).status_code == 412
    large = attach(enterprise, trip_id, "photo", PDF + b"\n" * 2**20 + b"%%EOF")
    assert (large.status_code, large.json()["field"]) == (422, "file")
    assert attach(enterprise, trip_id, "photo", b"<html>").status_code == 422
    assert attach(enterprise, trip_id, "nothing", PDF).status_code == 422
    for color in (1, 2):
        assert attach(enterprise, trip_id, "photo", picture(color=(color * 60, 0, 0))).status_code == 201
    third = attach(enterprise, trip_id, "photo", picture(color=(0, 0, 200)))
    assert third.status_code == 422
    assert "2" in third.json()["detail"]


def test_who_attached_a_file_may_remove_it_and_its_bytes_go(gate: Gate, runtime: Runtime) -> None:
    trip_id = gate.declare()
    kept = attach(gate.person("enterprise"), trip_id, "photo", PDF).json()["items"][0]["attachment_id"]
    address = f"/api/v1/attachments/{kept}/remove"
    assert gate.person("customs").post(address, json={"reason": "Nhầm xe"}).status_code == 403
    assert gate.person("enterprise").post(address, json={"reason": ""}).status_code == 422
    assert gate.person("enterprise").post(address, json={"reason": "Nhầm xe"}).json()["items"] == []
    assert gate.person("enterprise").get(f"/api/v1/attachments/{kept}/content").status_code == 404
    with runtime.sessions() as session:
        row = session.execute(text("SELECT content, removed_reason, sha256 FROM app.attachment")).one()
        acts = session.scalars(text("SELECT action FROM app.audit WHERE object_type = 'attachment' ORDER BY 1")).all()
    assert (row.content, row.removed_reason, len(row.sha256)) == (None, "Nhầm xe", 32)
    assert list(acts) == ["attachments.add", "attachments.remove"]
    assert attach(gate.person("enterprise"), trip_id, "photo", PDF).status_code == 201


def test_files_are_forgotten_when_their_time_after_the_trip_is_over(
    gate: Gate, runtime: Runtime, clock: FixedClock
) -> None:
    trip_id = gate.declare()
    attach(gate.person("enterprise"), trip_id, "photo", PDF)

    def forget(days: float) -> int:
        with runtime.sessions() as session:
            found = service.forget(session, clock.now() + timedelta(days=days))
            session.commit()
        return found

    assert forget(4000) == 0  # the trip is open
    with runtime.sessions() as session:
        session.execute(text("UPDATE app.trip SET stage = 'out', stage_since = :now"), {"now": clock.now()})
        session.commit()
    assert forget(364) == 0
    assert forget(366) == 1
    assert forget(366) == 0
    assert names(gate.person("enterprise"), trip_id) == []


def test_the_page_takes_a_picture_of_the_phone_and_says_what_it_refuses(gate: Gate) -> None:
    trip_id = gate.declare()
    officer = gate.person("border_guard")
    address = f"/attachments/of-trip/{trip_id}"
    page = officer.get(address).text
    assert 'capture="environment"' in page
    refused = officer.post(address, data={"kind": "photo"}, files={"file": ("x.jpg", b"<html>", "image/jpeg")})
    assert refused.status_code == 422
    assert "PDF, JPEG, PNG or WebP" in refused.text
    sent = officer.post(
        address,
        data={"kind": "photo"},
        files={"file": ("IMG_1.HEIC", picture(), "image/heic")},
        follow_redirects=False,
    )
    assert sent.status_code == 303
    assert "IMG_1.jpg" in officer.get(address).text
    assert "IMG_1.jpg" not in gate.person("enterprise").get(address).text


def test_every_kind_has_somebody_at_the_gate_who_reads_it() -> None:
    from app.attachments.vocabulary import AttachmentKind

    for kind in AttachmentKind:
        readers = [role for role in Role if kind.is_read_by(role)]
        assert readers
        assert all(role.is_at_gate for role in readers)
