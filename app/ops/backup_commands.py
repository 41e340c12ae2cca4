"""`cuakhau backup`, `restore` and their kin; each command imports what it runs, so that `--help` stays fast."""

from __future__ import annotations

import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.ops.command_options import VAR, DataDir, Json, print_result

Identity = Annotated[
    Path | None,
    typer.Option(help="File of the age identity (AGE-SECRET-KEY-…); by default the one in the data directory."),
]


def backup(
    target: Annotated[Path, typer.Argument(help="The archive to write, or a folder of archives.")],
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Back up the database, what waits to be stored, and pictures: one encrypted file (age), mode 0600.

    In a folder the newest CUAKHAU_BACKUP_KEEP are kept. Secrets are not in it: see `backup-secrets`.
    """
    from app.ops.backup_keeping import make_and_note
    from app.ops.running import find_settings
    from app.settings import OperationsSettings

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is half made is erased
    settings = find_settings(data_dir)
    made = make_and_note(settings, OperationsSettings(), target)
    print_result(made.model_dump(), as_json)
    if made.identity is not None:
        typer.echo(f"Only {made.identity} opens it: keep a copy of that file on another machine.", err=True)


def backup_secrets(
    file: Annotated[Path, typer.Argument(help="The file to write.")], as_json: Json = False, data_dir: DataDir = VAR
) -> None:
    """Write what is secret (keys, passwords of servers) into an encrypted file of its own, for another place."""
    from app.ops.backup import write_secrets
    from app.ops.running import find_settings
    from app.settings import OperationsSettings

    names = write_secrets(find_settings(data_dir), OperationsSettings(), file)
    print_result({"file": str(file), "names": names}, as_json)


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An archive made by `backup`.")],
    identity: Identity = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of a platform that is there.")
    ] = False,
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Restore a backup, compare it table by table with what was backed up, and bring it to this version's schema.

    Into the servers that the environment names, else into the private ones of the data directory, which are started for
    it; the platform itself must be stopped.
    """
    from app.ops.restore import restore_backup

    restored = restore_backup(data_dir.resolve(), file, identity=identity, replace=replace)
    print_result(restored.model_dump(), as_json)
    if not restored.same_secret_key:
        typer.echo(
            "CUAKHAU_SECRET_KEY is not the one that the backup was made with: sessions and webhooks' secrets of then "
            "are void. Set that key (see backup-secrets) before the first start to keep them.",
            err=True,
        )


def base_backup(
    folder: Annotated[Path, typer.Argument(help="Folder of base backups; each gets a folder of its own.")],
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Copy the private PostgreSQL as it is (pg_basebackup): what recovery to a point in time begins with."""
    from app.ops.recovery import make_base_backup
    from app.ops.running import find_settings

    print_result(make_base_backup(find_settings(data_dir), folder).model_dump(), as_json)


def recover(
    base: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A base backup made by `base-backup`.")],
    to: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"], help="The moment, with an offset."),
    ],
    wal: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The archive of the write-ahead log.")],
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Bring the private PostgreSQL of a stopped platform to what it was at a moment; the present one is put aside."""
    from app.ops.recovery import recover_to

    print_result(recover_to(data_dir.resolve(), base.resolve(), wal.resolve(), to).model_dump(), as_json)
