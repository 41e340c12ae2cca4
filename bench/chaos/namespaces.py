"""A platform whose parts are on machines of their own: network namespaces, and a cable from each to each server.

In the middle of each cable is a switch (a bridge in a namespace of its own). Switched off, it carries nothing: both
ends still have their link, nobody gets an answer, and nobody an error, until their own patience ends. Addresses are of
198.18.0.0/15, which is for such measurements (RFC 2544). It takes Linux and root; `run_in_namespaces` yields nothing
where it may not be done.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
from redis import Redis

from app.ops.embedded import DATABASE, SUPERUSER, EmbeddedServers, Server
from bench.chaos.blows import Blow
from bench.chaos.platform import ROOT, Platform, Target, end_process, free_port

PARTS = {Target.WEB: "serve", Target.WORKER: "worker", Target.CONTROL: "control"}


@dataclass(frozen=True)
class Cable:
    """From a part's machine to this one; `here` and `there` are the addresses of its ends."""

    switch: str
    bridge: str
    here: str
    there: str

    def cut(self) -> None:
        """Carry nothing until `mend`."""
        _ip("-n", self.switch, "link", "set", self.bridge, "down")

    def mend(self) -> None:
        """Carry again."""
        _ip("-n", self.switch, "link", "set", self.bridge, "up")


@dataclass
class NetworkedPlatform(Platform):
    """Parts in namespaces, servers on this machine; parts that end are not started again."""

    parts: dict[Target, subprocess.Popen[bytes]] = field(default_factory=dict)
    servers: EmbeddedServers | None = None
    cables: dict[tuple[Target, Server], Cable] = field(default_factory=dict)

    def processes(self, target: Target) -> list[psutil.Process]:
        """The processes of a part or server."""
        if target in self.parts:
            return [psutil.Process(self.parts[target].pid)]
        assert self.servers is not None
        server = psutil.Process(self.servers.process(Server(target.value)).pid)
        return [server, *server.children(recursive=True)]


def cut_cables(part: Target, servers: Sequence[Server], seconds: float) -> Blow:
    """The cables between a part and servers are dead for a while; for a `NetworkedPlatform`."""

    def strike(platform: Platform) -> int:
        assert isinstance(platform, NetworkedPlatform)
        cables = [platform.cables[part, server] for server in servers]
        for cable in cables:
            cable.cut()
        with contextlib.suppress(subprocess.TimeoutExpired):
            platform.parts[part].wait(seconds)
        for cable in cables:
            cable.mend()
        if platform.parts[part].poll() is not None:
            raise RuntimeError(f"{part} ended while its line to {' and '.join(servers)} was cut.")
        return 0

    return Blow(f"cut {part} from {' and '.join(servers)} {seconds:.0f} s", strike)


@contextlib.contextmanager
def run_in_namespaces(folder: Path) -> Iterator[NetworkedPlatform | None]:
    """A platform each part of which is in a namespace; `None` where namespaces may not be made."""
    with contextlib.ExitStack() as stack:
        try:
            network = stack.enter_context(_network())
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        cables = {(part, server): network.lay(part) for part in PARTS for server in Server}
        people = network.lay(Target.WEB)
        here = ",".join(["127.0.0.1", *(cable.here for cable in cables.values())])
        servers = EmbeddedServers(folder / "servers", postgres_settings={"listen_addresses": here})
        urls = stack.enter_context(servers)
        _open_servers(folder / "servers", urls.redis_url, urlsplit(urls.database_url).port or 0, here)
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "MIGRATION_DATABASE_URL": urls.migration_database_url,
            "CUAKHAU_SECRET_KEY": secrets.token_hex(32),
            "CUAKHAU_DATA_DIR": str(folder),
            "CUAKHAU_SIGN_IN_RULES": "lenient",
            "CUAKHAU_HOST": "0.0.0.0",
            "CUAKHAU_PORT": str(free_port()),
            "CUAKHAU_ALLOWED_HOSTS": "*",
        }
        here_alone = {"DATABASE_URL": urls.database_url, "REDIS_URL": urls.redis_url}
        command = [sys.executable, "-m", "app.cli"]
        subprocess.run([*command, "migrate"], env=environment | here_alone, cwd=ROOT, check=True, capture_output=True)
        log = stack.enter_context((folder / "up.log").open("wb"))
        parts = {}
        for part, name in PARTS.items():
            over = {
                "DATABASE_URL": _over(urls.database_url, cables[part, Server.POSTGRES]),
                "REDIS_URL": _over(urls.redis_url, cables[part, Server.REDIS]),
            }
            inside = ["ip", "netns", "exec", network.name_of(part), *command, name]
            parts[part] = subprocess.Popen(
                inside, env=environment | over, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
            stack.callback(end_process, parts[part])
        url = f"http://{people.there}:{environment['CUAKHAU_PORT']}"
        platform = NetworkedPlatform(url, folder, parts[Target.WEB], here_alone, parts, servers, cables)
        platform.await_ready()
        yield platform
        platform.engine.dispose()


def _over(url: str, cable: Cable) -> str:
    return url.replace("@127.0.0.1:", f"@{cable.here}:")


def _open_servers(folder: Path, redis_url: str, postgres_port: int, addresses: str) -> None:
    """Let the private servers answer on the cables, to who knows their passwords."""
    with contextlib.closing(Redis.from_url(redis_url)) as redis:
        redis.config_set("bind", addresses.replace(",", " "))
    with (folder / "postgres" / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 198.18.0.0/15 scram-sha-256\n")
    password = json.loads((folder / "embedded.json").read_text())[Server.POSTGRES]
    options = {"port": postgres_port, "user": SUPERUSER, "password": password, "dbname": DATABASE}
    with (
        contextlib.closing(psycopg2.connect(host="127.0.0.1", **options)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_reload_conf()")


@dataclass
class _Network:
    """Namespaces of parts, one of a switch, and the cables laid so far."""

    prefix: str
    octet: int
    cables: int = 0

    @property
    def switch(self) -> str:
        return f"{self.prefix}-switch"

    def name_of(self, part: Target) -> str:
        return f"{self.prefix}-{part.value}"

    def lay(self, part: Target) -> Cable:
        """A cable from this machine to that of a part."""
        self.cables += 1
        number, outside = self.cables, f"{self.prefix}{self.cables}"
        bridge, base = f"br{number}", f"198.18.{self.octet}."
        here, there = f"{base}{4 * number + 1}", f"{base}{4 * number + 2}"
        _ip("-n", self.switch, "link", "add", "name", bridge, "type", "bridge")
        _ip("-n", self.switch, "link", "set", bridge, "up")
        self._plug(f"a{number}", bridge, outside, here)
        self._plug(f"b{number}", bridge, f"eth{number}", there, self.name_of(part))
        return Cable(self.switch, bridge, here, there)

    def _plug(self, port: str, bridge: str, end: str, address: str, machine: str = "") -> None:
        """A wire from a port of the switch to an interface of this machine or another."""
        place, owner = (("-n", machine), ("netns", machine)) if machine else ((), ())
        _ip("link", "add", "name", end, *owner, "type", "veth", "peer", "name", port, "netns", self.switch)
        _ip("-n", self.switch, "link", "set", port, "master", bridge, "up")
        _ip(*place, "address", "add", f"{address}/30", "dev", end)
        _ip(*place, "link", "set", end, "up")


@contextlib.contextmanager
def _network() -> Iterator[_Network]:
    network = _Network(f"ck{secrets.token_hex(3)}", secrets.randbelow(256))
    with contextlib.ExitStack() as stack:
        for name in (network.switch, *map(network.name_of, PARTS)):
            _ip("netns", "add", name)
            stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=False, capture_output=True)
            _ip("-n", name, "link", "set", "lo", "up")
        yield network


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
