"""PostgreSQL's own programs on the configured database, as its owner."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from typing import IO

from sqlalchemy import URL, make_url

from app.ops.embedded import find_postgres
from app.settings import Settings
from geo.errors import UnavailableError

MAX_REASON = 1000


def read_from(settings: Settings, program: str, arguments: Sequence[str], take: Callable[[IO[bytes]], None]) -> None:
    """Run a program and let `take` read what it prints, to its end.

    Raises
    ------
    UnavailableError
        If the program fails; with what it said.
    """
    process = _start(settings, program, arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        try:
            take(process.stdout)
        finally:
            process.stdout.close()
            said = _end(process)
    _check(program, process.returncode, said)


def write_to(settings: Settings, program: str, arguments: Sequence[str], give: Callable[[IO[bytes]], None]) -> None:
    """Run a program and let `give` write what it reads.

    Raises
    ------
    UnavailableError
        If the program fails; with what it said.
    """
    process = _start(settings, program, arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    with process:
        assert process.stdin is not None
        try:
            give(process.stdin)
            process.stdin.close()
        except BaseException as error:
            process.kill()  # what it got is not whole: it must not commit it
            said = _end(process)
            if isinstance(error, BrokenPipeError) or "pipe" in str(error).casefold():
                _check(program, process.returncode or 1, said)
            raise
        said = _end(process)
    _check(program, process.returncode, said)


def _start(
    settings: Settings, program: str, arguments: Sequence[str], *, stdin: int, stdout: int
) -> subprocess.Popen[bytes]:
    url = make_url(settings.owner_database_url)
    hosts, ports = _places(url)
    environment = dict(os.environ) | {
        "PGHOST": hosts,
        "PGPORT": ports,
        "PGUSER": url.username or "",
        "PGPASSWORD": str(url.password or ""),
        "PGDATABASE": url.database or "",
        "PGAPPNAME": "cuakhau-cli",
        **({"PGTARGETSESSIONATTRS": "read-write"} if "," in hosts else {}),
    }
    return subprocess.Popen(
        [str(find_postgres() / program), *arguments],
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def _end(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace")
    process.wait()
    return " ".join(said.split())[-MAX_REASON:]


def _check(program: str, status: int, said: str) -> None:
    if status:
        raise UnavailableError("{program} failed: {reason}", program=program, reason=said)


def _places(url: URL) -> tuple[str, str]:
    """The hosts of a database and their ports as libpq's tools take them; several are named by `?host=A:1&host=B:2`."""
    named = url.normalized_query.get("host", ())
    pairs = [place.rpartition(":")[::2] if ":" in place else (place, "5432") for place in named]
    pairs = pairs or [(url.host or "", str(url.port or 5432))]
    return ",".join(host for host, _ in pairs), ",".join(port for _, port in pairs)
