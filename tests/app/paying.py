"""A fee paid in cash over the API: what tests that need a trip to leave have in between."""

from __future__ import annotations

from fastapi.testclient import TestClient
from httpx import Response


def pay(cashier: TestClient, trip_id: int) -> Response:
    """Decide the amount if the tariff leaves it open, and take it; the paid fee."""
    answer = fine(cashier.get(f"/api/v1/fees/of-trip/{trip_id}"))
    where = f"/api/v1/fees/{answer.json()['fee_id']}"
    if answer.json()["status"] == "open_question":
        body = {"amount_vnd": 150_000, "reason": "Tra theo biểu phí"}
        answer = fine(cashier.post(f"{where}/decision", json=body, headers={"If-Match": answer.headers["ETag"]}))
    taken = {"amount_vnd": answer.json()["outstanding_vnd"]}
    return fine(cashier.post(f"{where}/cash", json=taken, headers={"If-Match": answer.headers["ETag"]}))


def fine(answer: Response) -> Response:
    """An answer that is no refusal."""
    assert answer.status_code in {200, 201}, answer.text
    return answer
