"""What an operator does with an installation: fill it, back it up, make its first accounts."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import make_url, select
from sqlalchemy.orm import Session

from app.accounts import service
from app.fees import bank, tariffs
from app.gates.adding import join_corridor, replace_corridor
from app.gates.service import seed_profiles
from app.ops import migrate
from app.platform import audit, audit_heads, digest_columns, encryption_store
from app.platform.actions import ActionContext
from app.platform.encryption import key_ring
from app.procedures import service as procedures
from app.settings import Settings
from app.signin import factors
from capacity.store import seed_yards
from geo.corridor import Corridor
from geo.database import Base, make_engine, make_session_factory
from geo.errors import NotFoundError
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
    """Migrate the database as its owner; fill what is empty: the shipped corridor, yards, gates, procedures, tariffs.

    What an administrator or planner has changed is left alone.
    """
    engine = make_engine(settings.owner_database_url, pool_size=1, application_name="cuakhau-cli")
    app_role = make_url(settings.database_url.get_secret_value()).username or ""
    try:
        migrate.upgrade(engine, app_role=app_role)
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
        collection = read_collection(file)
        corridor = join_corridor(read_corridor(session), collection) if add else Corridor.from_geojson(collection)
        replace_corridor(session, corridor, now=now)
        procedures.add_shipped(session, now)
    return {"roads": len(corridor.roads), "sites": len(corridor.sites), "gates": len(corridor.gates())}


def create_user(
    settings: Settings,
    username: str,
    password: str,
    role: str,
    *,
    full_name: str,
    gate: str | None,
    organisation: int | None,
    must_change: bool = True,
) -> None:
    """Make an account from the command line; its owner has to change the password unless it is their own already."""
    now = settings.clock().now()
    with transaction(settings) as session:
        service.create_account(
            ActionContext(session, None, now),
            must_change_password=must_change,
            username=username,
            password=password,
            full_name=full_name or username,
            role=role,
            gate_id=gate,
            organisation_id=organisation,
        )


def take_factors_away(settings: Settings, username: str) -> None:
    """Forget every second factor of an account, from the command line: where no second administrator is left.

    Raises
    ------
    NotFoundError
        If there is no such account.
    """
    now = settings.clock().now()
    with transaction(settings) as session:
        account = service.find_account_by_name(session, username)
        if account is None:
            raise NotFoundError("There is no account {username}.", username=username)
        factors.take_away(ActionContext(session, None, now), account)


def create_gateway(settings: Settings, name: str) -> str:
    """Make a gateway and give its token, which is kept only as a hash."""
    token = secrets.token_urlsafe(32)
    now = settings.clock().now()
    with transaction(settings) as session:
        gateway_id = add_gateway(session, name, token, now=now)
        audit.record(session, None, "gateway.create", "gateway", str(gateway_id), None, {"name": name}, at=now)
    return token


def verify_audit(settings: Settings, *, heads: Path | None = None, key: Path | None = None) -> list[audit.Fault]:
    """The faults in the audit log's chain; empty if it is whole and holds the signed heads of a file.

    `key` is the public key that signed them, by default the installation's own.

    Raises
    ------
    MalformedError
        If the file holds something that the key has not signed.
    """
    noted = []
    if heads is not None:
        public = audit_heads.read_public_key(key) if key else audit_heads.Keys.of(settings).private.public_key()
        noted = audit_heads.noted(audit_heads.read_heads(heads, public))
    with transaction(settings) as session:
        return list(audit.verify(session, heads=noted))


def sign_audit_head(settings: Settings) -> str | None:
    """The signed head of the audit log as it is now, as a line to keep elsewhere; `None` if the log is empty."""
    with transaction(settings) as session:
        head = audit_heads.newest_head(session, audit_heads.Keys.of(settings), settings.clock().now())
    return None if head is None else head.line()


def load_tables() -> None:
    """Have every table of the application in the metadata."""
    for tables in sorted(Path(__file__).parents[1].glob("*/tables.py")):
        import_module(f"app.{tables.parent.name}.tables")


class Reencrypted(NamedTuple):
    """How many values were brought under the first key, and how many digests were made again."""

    values: int
    digests: int


def reencrypt(settings: Settings) -> Reencrypted:
    """Bring every encrypted value under the first of the settings' keys, and every digest under their secret key."""
    load_tables()
    with transaction(settings) as session:
        connection = session.connection()
        values = encryption_store.reencrypt(connection, Base.metadata, key_ring())
        return Reencrypted(values, digest_columns.rewrite_digests(connection, Base.metadata))
