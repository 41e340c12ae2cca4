"""No field of any route takes the platform off its feet: NUL, half characters, years and numbers out of range."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlencode
from zlib import crc32

import pytest
from fastapi.testclient import TestClient

from app.platform.permissions import PERMISSIONS, Role
from app.platform.runtime import Runtime
from tests.app.hostile_values import Sending, sendings
from tests.app.stationing import Gate
from tests.app.test_permissions import acts_of, routes

LEFT_OUT = {
    "/api/v1/events": "never ends",
    "/readyz": "not ready without the other processes, and says so by 503",
}
PER_FIELD = 2
"""Of the values that a field is sent, so many, others for each field: all of them take a quarter of an hour."""
ENDS = ("signout", "sessions", "/api/v1/tokens")


@pytest.mark.long
def test_no_field_of_any_route_takes_what_nobody_can_keep_for_our_fault(
    runtime: Runtime, client: TestClient, sign_in: Callable[..., TestClient]
) -> None:
    gate = Gate.open(runtime, sign_in)
    trip_id = gate.declare()
    gate.arrive("29C-123.45")
    ids = {"trip_id": trip_id}
    people: dict[Role, TestClient] = {}

    def person(role: Role) -> TestClient:
        if role not in people:
            bound = {"gate_id": "huu-nghi"} if PERMISSIONS["pages.station"].get(role) else {}
            people[role] = sign_in(
                role, **(bound | ({"organisation_id": gate.organisation_id} if role == Role.ENTERPRISE else {}))
            )
            people[role]._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
        return people[role]

    client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    broken: list[str] = []
    sent = 0
    for method, route in routes(client.app):
        if route.path in LEFT_OUT or any(word in route.path for word in ENDS):
            continue
        acts = acts_of(route.dependant)
        allowed = [role for role in Role if all(role in PERMISSIONS[act] for act in acts)] if acts else []
        sender = person(allowed[0]) if allowed else client
        seen: set[str] = set()
        for each in chosen(f"{method} {route.path}", sendings(method, route, ids)):
            sent += 1
            status = send(sender, each)
            if status >= 500 and each.field not in seen:
                seen.add(each.field)
                broken.append(f"{status} {method} {route.path} {each.hostile}")
    assert sent > 2000
    assert not broken, "\n".join(broken)


def chosen(name: str, found: Iterable[Sending]) -> Iterator[Sending]:
    """A few of the requests for each field of a route."""
    by_field: dict[str, list[Sending]] = {}
    for each in found:
        by_field.setdefault(each.field, []).append(each)
    for field, values in by_field.items():
        first, step = crc32(f"{name} {field}".encode()), max(1, len(values) // PER_FIELD)
        for index in {(first + number * step) % len(values) for number in range(PER_FIELD)}:
            yield values[index]


def send(sender: TestClient, sending: Sending) -> int:
    headers, content = {}, None
    if sending.form is not None:
        pairs = {name: value.encode("utf-8", "surrogatepass") for name, value in sending.form.items()}
        headers, content = {"content-type": "application/x-www-form-urlencoded"}, urlencode(pairs).encode()
    elif sending.json is not None:
        headers, content = {"content-type": "application/json"}, json.dumps(sending.json).encode()
    answer = sender.request(sending.method, sending.url, content=content, headers=headers, follow_redirects=False)
    return answer.status_code
