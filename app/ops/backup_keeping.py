"""Backups by themselves: made when they are due, noted whether they worked or not."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.orm import Session

from app.ops import backup_store
from app.ops.backup import BackupMade, make_backup
from app.ops.install import transaction
from app.ops.tables import BackupRow
from app.settings import OperationsSettings, Settings
from geo.errors import CuaKhauError

RETRY_AFTER: Final = timedelta(hours=1)
"""How long after a backup that failed the next one is tried."""
KEPT: Final = timedelta(days=400)

log = structlog.get_logger("backup")


def make_and_note(settings: Settings, operations: OperationsSettings, target: Path) -> BackupMade:
    """Make a backup, and note it and how it ended in the database.

    Raises
    ------
    CuaKhauError
        What `make_backup` raises; noted before.
    """
    started_at = datetime.now(UTC)
    try:
        made = make_backup(settings, operations, target)
    except CuaKhauError as error:
        _note(settings, BackupRow(file=str(target), size_bytes=0, started_at=started_at, failure=str(error)[:1000]))
        raise
    _note(settings, BackupRow(file=made.file, size_bytes=made.size_bytes, started_at=started_at))
    return made


def is_due(session: Session, operations: OperationsSettings, now: datetime) -> bool:
    """Whether a backup should be made now."""
    if operations.backup_dir is None:
        return False
    newest, good = backup_store.newest_backup(session), backup_store.newest_good_backup(session)
    if newest is not None and newest.failure is not None and now < newest.ended_at + RETRY_AFTER:
        return False
    return good is None or now >= good.started_at + timedelta(hours=operations.backup_interval_h)


class BackupRunner:
    """Makes backups when they are due, in a process of its own: dumping keeps nothing else from its turn."""

    def __init__(self, operations: OperationsSettings) -> None:
        self.operations = operations
        self._process: subprocess.Popen[bytes] | None = None

    def tend(self, session: Session, now: datetime) -> bool:
        """Start a backup that is due, and see whether one ended; whether one runs."""
        if self._process is not None:
            if self._process.poll() is None:
                return True
            if self._process.returncode:
                log.error("backup failed", status=self._process.returncode)
            self._process = None
            return False
        if not is_due(session, self.operations, now):
            return False
        backup_store.forget_backups(session, now - KEPT)
        folder = self.operations.backup_dir
        assert folder is not None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "backup", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        return True

    def stop(self) -> None:
        """End a backup that runs; it leaves nothing behind that looks like one."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def _note(settings: Settings, row: BackupRow) -> None:
    row.ended_at = datetime.now(UTC)
    with transaction(settings) as session:
        backup_store.record_backup(session, row)
