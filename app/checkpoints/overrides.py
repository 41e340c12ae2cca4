"""The supervisor's log of a day: what was done against warnings or before others, by whom and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.checkpoints import override_store
from app.checkpoints.override_store import LoggedOverride
from app.checkpoints.personal import project_override, project_overrides_of_trips
from app.checkpoints.vocabulary import WarningKind
from app.platform.labels import N_
from app.platform.permissions import PERMISSIONS, Principal, Role
from app.procedures.steps import Step
from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError

MAX_LISTED: Final = 5000
FIRST_YEAR, LAST_YEAR = 2000, 2199
COLUMNS: Final = (
    N_("Time"),
    N_("Gate"),
    N_("Step"),
    N_("Person"),
    N_("Role"),
    N_("Plate"),
    N_("Trip"),
    N_("Warning"),
    N_("What"),
    N_("Reason"),
)


@dataclass(frozen=True)
class Wanted:
    """The overrides of a local day; of one gate or step if given."""

    day: date
    gate_id: str | None = None
    step: str | None = None


def list_overrides(session: Session, principal: Principal, wanted: Wanted) -> Sequence[LoggedOverride]:
    """Those the reader may see, newest first: whoever is bound to a gate sees that gate's.

    Raises
    ------
    InvalidInputError
        If the day is none that can be, or there is no such step.
    """
    principal.require("overrides.read")
    if not FIRST_YEAR <= wanted.day.year <= LAST_YEAR:
        raise InvalidInputError(
            "Choose a day between {first} and {last}.", field="day", first=FIRST_YEAR, last=LAST_YEAR
        )
    if wanted.step is not None:
        Step.require(wanted.step, "step")
    own = principal.gate_id
    if own is not None and wanted.gate_id not in (None, own):
        return []
    since = datetime.combine(wanted.day, time(), LOCAL_ZONE)
    found = override_store.list_overrides(
        session,
        since=since,
        until=since + timedelta(days=1),
        gate_id=own or wanted.gate_id,
        step=wanted.step,
        limit=MAX_LISTED,
    )
    return [project_override(each, principal.role) for each in found]


def overrides_of(session: Session, principal: Principal, trip_ids: Collection[int]) -> list[LoggedOverride]:
    """What was done on trips against warnings or before others, as the reader of their sheets may see it; by trip,
    oldest first."""
    sees_scans = principal.role in PERMISSIONS["scans.read"]
    logged = override_store.list_of_trips(session, trip_ids)
    return [
        each
        for each in project_overrides_of_trips(logged, principal.role)
        if sees_scans or each.kind != WarningKind.SCAN_SUSPICIOUS
    ]


def to_csv(found: Sequence[LoggedOverride], gate_names: Mapping[str, str], gettext: Callable[[str], str]) -> str:
    """The log as CSV (RFC 4180, UTF-8 with byte order mark), in the reader's language."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([gettext(column) for column in COLUMNS])
    for each in found:
        cells = (
            each.at.astimezone(LOCAL_ZONE).strftime("%d/%m/%Y %H:%M:%S"),
            gate_names.get(each.gate_id, each.gate_id),
            gettext(Step.get(each.step).label),
            each.full_name,
            gettext(Role.get(each.role).label),
            each.plate,
            each.code,
            gettext(WarningKind.get(each.kind).label),
            gettext(each.message).format(**each.details),
            each.reason,
        )
        writer.writerow([_inert(cell) for cell in cells])
    return "\ufeff" + out.getvalue()


def _inert(cell: str) -> str:
    """The cell so that no spreadsheet takes it for a formula (CWE-1236)."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
