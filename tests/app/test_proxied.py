"""Whose word on a caller's address counts, and what answers tell of the programs behind them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from pydantic import ValidationError

from app.bootstrap import web, web_config
from app.platform.runtime import Runtime
from app.settings import Settings
from tests.app.serving import serve


@pytest.fixture(params=["127.0.0.1,::1", "127.0.0.0/8", "192.0.2.7"])
def served(request: pytest.FixtureRequest, runtime: Runtime) -> Iterator[tuple[str, bool]]:
    """The application as it is served behind proxies, and whether this machine is one of them."""
    runtime.settings.trusted_proxies = request.param
    runtime.settings.public_url = "https://border.example"
    with serve(uvicorn.Server(web_config(web(runtime), runtime.settings))) as serving:
        yield serving.url, request.param.startswith("127.")


def test_limits_by_address_are_those_of_callers_where_the_proxy_is_known(
    served: tuple[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, is_believed = served
    seen = []
    monkeypatch.setattr("app.signin.service.throttle.count", lambda _redis, counters: seen.extend(counters))
    for stranger in ("198.51.100.7", "2001:db8::9"):
        answer = httpx.post(
            f"{url}/api/v1/tokens",
            data={"username": "nobody", "password": "wrong"},
            headers={"X-Forwarded-For": stranger, "X-Forwarded-Proto": "https", "Host": "border.example"},
            timeout=60,
        )
        assert answer.status_code == 401, answer.text
    networks = {counter.names[-1] for counter in seen if len(counter.names[-1]) < 32}
    assert networks == ({"198.51.100.7", "2001:db8::/64"} if is_believed else {"127.0.0.1"})
    assert "server" not in answer.headers, "no answer names a program"


@pytest.mark.parametrize("proxies", ["*", "proxy", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_network_is_no_proxy(proxies: str) -> None:
    with pytest.raises(ValidationError, match="neither an address nor a network"):
        Settings(trusted_proxies=proxies)
