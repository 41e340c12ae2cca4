"""What an operator does with an installation: fill it, back it up, make its first accounts."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url, select
from sqlalchemy.orm import Session

from app.accounts import service
from app.fees import bank, tariffs
from app.gates.service import seed_profiles
from app.ops import migrate
from app.ops.embedded import find_postgres
from app.platform import audit
from app.platform.actions import ActionContext
from app.procedures import service as procedures
from app.settings import Settings
from capacity.store import seed_yards
from geo.corridor import Corridor
from geo.database import make_engine, make_session_factory
from geo.errors import UnavailableError
from geo.geojson import read_collection
from geo.store import load_corridor as read_corridor
from geo.store import save_corridor
from geo.tables import RoadRow
from ingest.store import add_gateway


@contextmanager
def transaction(settings: Settings) -> Iterator[Session]:
    """One transaction on the configured database."""
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=1, application_name="cuakhau-cli")
    try:
        with make_session_factory(engine).begin() as session:
            yield session
    finally:
        engine.dispose()


def install(settings: Settings) -> None:
    """Migrate the database and fill what is empty: the shipped corridor, its yards and gates, procedures, tariffs.

    What an administrator or planner has changed is left alone.
    """
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=1, application_name="cuakhau-cli")
    try:
        migrate.upgrade(engine)
    finally:
        engine.dispose()
    now = settings.clock().now()
    with transaction(settings) as session:
        if session.scalar(select(RoadRow.road_id).limit(1)) is None:
            save_corridor(session, Corridor.default())
        corridor = read_corridor(session)
        seed_yards(session, corridor, now=now)
        seed_profiles(session, corridor, now=now)
        procedures.add_shipped(session, now)
        tariffs.seed_tariffs(session, now=now)
        if settings.demo:
            gates, secret = [gate.site_id for gate in corridor.gates()], settings.secret_key.get_secret_value()
            bank.seed_simulated_accounts(session, gates, secret_key=secret, now=now)


def load_corridor(settings: Settings, file: Path, *, add: bool = False) -> dict[str, int]:
    """Put the corridor of a GeoJSON file into the database; what it then holds, in numbers.

    A gate that is new gets its yards and the profile that its site describes, marked as assumed where the file says
    so. With `add` the file's features are added to the present corridor.

    Raises
    ------
    MalformedError, InvalidInputError
        If the file is no corridor, or what it adds contradicts the present one.
    """
    now = settings.clock().now()
    with transaction(settings) as session:
        corridor = _joined(read_corridor(session), file) if add else Corridor.from_geojson(file)
        save_corridor(session, corridor)
        seed_yards(session, corridor, now=now)
        seed_profiles(session, corridor, now=now)
        procedures.add_shipped(session, now)
    return {"roads": len(corridor.roads), "sites": len(corridor.sites), "gates": len(corridor.gates())}


def _joined(present: Corridor, file: Path) -> Corridor:
    """The present corridor with the features of a file, its roads before those of the file."""
    collection, more = present.to_geojson(), read_collection(file)
    credit = " ".join(text for text in (present.attribution, str(more.get("attribution", ""))) if text)
    features = [*collection["features"], *more["features"]]
    return Corridor.from_geojson({**collection, "attribution": credit, "features": features})


def create_user(
    settings: Settings,
    username: str,
    password: str,
    role: str,
    *,
    full_name: str,
    gate: str | None,
    organisation: int | None,
) -> None:
    """Make an account from the command line."""
    now = settings.clock().now()
    with transaction(settings) as session:
        service.create_account(
            ActionContext(session, None, now),
            username=username,
            password=password,
            full_name=full_name or username,
            role=role,
            gate_id=gate,
            organisation_id=organisation,
        )


def create_gateway(settings: Settings, name: str) -> str:
    """Make a gateway and give its token, which is kept only as a hash."""
    token = secrets.token_urlsafe(32)
    now = settings.clock().now()
    with transaction(settings) as session:
        gateway_id = add_gateway(session, name, token, now=now)
        audit.record(session, None, "gateway.create", "gateway", str(gateway_id), None, {"name": name}, at=now)
    return token


def verify_audit(settings: Settings) -> list[audit.Fault]:
    """The faults in the audit log's chain; empty if it is whole."""
    with transaction(settings) as session:
        return list(audit.verify(session))


def dump(settings: Settings, file: Path) -> None:
    """Write the whole database to `file` in pg_dump's custom format."""
    _run_client(settings, "pg_dump", ["--format=custom", "--no-owner", f"--file={file}"])


def restore(settings: Settings, file: Path) -> None:
    """Replace the whole database by the archive `file`; all or nothing."""
    _run_client(
        settings, "pg_restore", ["--clean", "--if-exists", "--no-owner", "--single-transaction", "-d", "", str(file)]
    )


def _run_client(settings: Settings, program: str, arguments: list[str]) -> None:
    url = make_url(settings.database_url.get_secret_value())
    environment = dict(os.environ) | {
        "PGHOST": url.host or "",
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username or "",
        "PGPASSWORD": str(url.password or ""),
        "PGDATABASE": url.database or "",
    }
    arguments = [url.database or "" if argument == "" else argument for argument in arguments]
    done = subprocess.run(
        [str(find_postgres() / program), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise UnavailableError("{program} failed: {reason}", program=program, reason=done.stderr.strip()[-1000:])
