"""What control does for operators, beside its loops: backups that are due, alarms judged and told."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.ops import alarms
from app.ops.alarm_telling import Teller
from app.ops.backup_keeping import BackupRunner
from app.ops.measuring import Looks, certificate_end
from app.platform.runtime import Runtime
from app.platform.steps import Round, gauge
from app.settings import OperationsSettings

EVERY_S: Final = 30.0
CERTIFICATE_EVERY_S: Final = 3600.0


class Keeper:
    """Keeps backups and alarms while its process leads."""

    def __init__(
        self,
        runtime: Runtime,
        operations: OperationsSettings,
        *,
        certificate: Callable[[str], float | None] = certificate_end,
    ) -> None:
        self.runtime = runtime
        self.backups = BackupRunner(operations)
        self.teller = Teller(operations)
        self.looks = Looks(runtime, operations, self._certificate_end)
        self._ask_certificate = certificate
        self._certificate: tuple[float, float | None] | None = None

    def run(self) -> Round:
        """One round; what became of its steps."""
        work = Round(self.runtime, self.runtime.clock.now())
        work.run("backup", self.backups.tend)
        work.run("alarms", self._judge)
        work.run("tell_alarms", self.teller.tell)
        return work

    def stop(self) -> None:
        """End what runs."""
        self.backups.stop()

    def _judge(self, session: Session, now: datetime) -> int:
        measured = self.looks.measure(session)
        gauge(self.runtime, measured.gauges)
        return alarms.follow(session, measured.readings, measured.kinds, now)

    def _certificate_end(self, url: str) -> float | None:
        """Asked for once an hour."""
        if self._certificate is None or time.monotonic() > self._certificate[0] + CERTIFICATE_EVERY_S:
            self._certificate = time.monotonic(), self._ask_certificate(url)
        return self._certificate[1]
