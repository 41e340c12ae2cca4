"""What a stranger meets first: our nginx and our Caddy, without anybody behind them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from bench.chaos.platform import free_port
from tests.deployment.proxies import Proxy, run_caddy, run_nginx


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # the old ones are offered on purpose
@pytest.mark.parametrize("run", [run_nginx, run_caddy], ids=["nginx", "caddy"])
def test_tls_is_new_and_plain_http_leads_there(
    tmp_path: Path, run: Callable[..., AbstractContextManager[Proxy]]
) -> None:
    with run(tmp_path, [free_port(), free_port()]) as proxy:
        port = httpx.URL(proxy.url).port
        assert port is not None
        spoken = {}
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = proxy.trust()
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else this side refuses the old ones
            context.minimum_version = context.maximum_version = version
            spoken[version.name] = speaks(port, context)
        assert spoken == {"TLSv1": False, "TLSv1_1": False, "TLSv1_2": True, "TLSv1_3": True}
        assert httpx.get(f"{proxy.url}/metrics", verify=proxy.trust()).status_code == 404
        if proxy.plain_url:
            led = httpx.get(f"{proxy.plain_url}/trips?x=1")
            assert (led.status_code, led.headers["location"]) == (308, "https://127.0.0.1/trips?x=1")
            assert httpx.get(f"{proxy.plain_url}/gps/osmand").status_code == 502, "passed on to nobody"


def speaks(port: int, context: ssl.SSLContext) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as opened:
            context.wrap_socket(opened, server_hostname="127.0.0.1").close()
    except (ssl.SSLError, ConnectionResetError):
        return False
    return True
