"""The API keeps to its own description: whatever is sent by whomever, the answer is one that is documented.

Schemathesis makes requests out of the OpenAPI description, right and wrong ones, and people of every role send them
to the application with its real database. Ids of the description become, half of the time, ids of things that exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import requests
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.platform.permissions import PERMISSIONS, Role
from app.platform.runtime import Runtime
from tests.app.stationing import Gate
from tests.app.test_permissions import acts_of, routes

LEFT_OUT = {
    "/api/v1/events": "never ends",
    "/readyz": "not ready without the other processes, and says so by 503",
}
ENDS_SESSIONS = ("/api/v1/tokens", "/api/v1/accounts")
"""Asked last, since a sender may sign itself out."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
EXAMPLES = 4
ALL = list(HealthCheck)


class Crowd:
    """Somebody of every role and somebody not signed in, in a world where a trip is under way."""

    def __init__(self, runtime: Runtime, client: TestClient, sign_in: Callable[..., TestClient]) -> None:
        self.sign_in = sign_in
        self.gate = Gate.open(runtime, sign_in)
        self.trip_id = self.gate.declare()
        self.gate.arrive("29C-123.45")
        self.gate.to_quarantine(self.trip_id)
        self.known = {"trip_id": self.trip_id, "gate_id": "huu-nghi", "site_id": "huu-nghi", "step": "quarantine_plant"}
        self.headers = {str(role): self._enter(role) for role in Role} | {"nobody": {}}
        self.client = client

    def send(self, who: str, case: Case) -> None:
        """Send a case as somebody, and look whether the answer is one that the description names."""
        request = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
        headers = {**dict(request.headers), **self.headers[who]}
        answer = self.client.request(request.method, request.url, headers=headers, content=request.body)
        try:
            case.validate_response(answer, checks=CHECKS)
        except (Exception, FailureGroup) as error:
            error.add_note(f"sent by {who}: {case.as_curl_command()}\n{answer.status_code} {answer.text[:1000]}")
            raise

    def _enter(self, role: Role) -> dict[str, str]:
        bound: dict[str, Any] = {}
        if PERMISSIONS["pages.station"].get(role):
            bound = {"gate_id": "huu-nghi"}
        elif role == Role.ENTERPRISE:
            bound = {"organisation_id": self.gate.organisation_id}
        return {"Authorization": self.sign_in(role, **bound).headers["Authorization"]}


@pytest.fixture
def crowd(runtime: Runtime, client: TestClient, sign_in: Callable[..., TestClient]) -> Crowd:
    return Crowd(runtime, client, sign_in)


@pytest.mark.long
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_every_answer_is_documented(crowd: Crowd, mode: GenerationMode) -> None:
    broken: list[str] = []
    acts = {(method, route.path): acts_of(route.dependant) for method, route in routes(crowd.client.app)}
    asked = operations(crowd.client.app)
    for number, operation in enumerate(asked):
        needed = acts[operation.method.upper(), operation.path]
        allowed = [str(role) for role in Role if all(role in PERMISSIONS[act] for act in needed)]
        refused = [str(role) for role in Role if role not in allowed]
        others = ["nobody", *refused[number % len(refused) :][:1]] if refused else ["nobody"]
        try:
            attempt(crowd, operation, mode, allowed if needed else ["nobody"], [*allowed, *others])
        except (Exception, FailureGroup) as error:
            parts = getattr(error, "exceptions", [error])
            broken.append("\n".join([operation.label, *map(str, parts), *getattr(error, "__notes__", [])]))
    assert len(asked) > 100, "the description lacks most of the API"
    assert not broken, "\n\n".join(broken)


def operations(app: Any) -> list[APIOperation]:
    """Every operation of the description, what signs people out last."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    found = [operation.ok() for operation in schema.get_all_operations()]
    return sorted(
        (operation for operation in found if operation.path not in LEFT_OUT),
        key=lambda operation: operation.path.startswith(ENDS_SESSIONS),
    )


def attempt(
    crowd: Crowd, operation: APIOperation, mode: GenerationMode, allowed: Sequence[str], first: Sequence[str]
) -> None:
    """Have a few requests sent: right ones first with ids of things that exist, by all of `first`, others by who may.

    One of those who may not is among `first`: that all of them are refused is what test_permissions asks.
    """
    turn = 0

    @seed(20260302)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=ALL)
    def send(case: Case) -> None:
        nonlocal turn
        turn += 1
        senders: Sequence[str] = [allowed[turn % len(allowed)]]
        if mode == GenerationMode.POSITIVE and turn == 1:
            case.path_parameters.update({name: crowd.known.get(name, 1) for name in case.path_parameters})
            senders = first
        for who in senders:
            crowd.send(who, case)

    try:
        send()
    except Unsatisfiable:
        assert mode == GenerationMode.NEGATIVE, operation.label  # what takes no input cannot be given wrong input
