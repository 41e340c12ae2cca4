"""The work on files of declarations: rows are checked, and those chosen are declared, a batch in a transaction.

How far it is stands in the rows, so a process that ends loses at most a batch, which the next one does again: what was
declared is committed with the row that says so. Short files are worked through in the request itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.declarations import checks, import_store, service
from app.declarations.documents import StoredProblem
from app.declarations.form import Form, problems_of, read
from app.declarations.service import DeclarationAction
from app.declarations.tables import DeclarationImport, DeclarationImportRow
from app.declarations.vocabulary import ImportStatus, RowState
from app.platform.actions import Event
from app.platform.labels import N_
from app.platform.outbox import Audience
from app.platform.runtime import Runtime
from app.platform.steps import Step, log
from app.sheets.service import Sheets
from app.trips.ahead import MIN_APART
from app.web.forms import Problem
from geo.errors import CuaKhauError, RefusedError

EVENT: Final = "import"
BATCH_ROWS: Final = 25
MAX_ROWS_AT_ONCE: Final = 100
"""Files of at most so many declarations are worked through in the request."""
FAULT: Final = N_("The platform failed on this row, and the fault is noted; check it again, or declare it by hand.")


@dataclass
class ImportRunner:
    """Works on the files of all enterprises in turn."""

    runtime: Runtime
    sheets: Sheets

    def run_batch(self) -> bool:
        """One batch of the file that has waited longest; whether there was one."""
        return Step("declaration_imports", self._work).run(self.runtime).value_or(False)

    def _work(self, session: Session) -> bool:
        found = import_store.claim_running(session)
        if found is None:
            return False
        now = self.runtime.clock.now()
        person = accounts.find_acting(session, found.worked_by or found.created_by, at=now)
        if person is None or (person.organisation_ids and found.organisation_id not in person.organisation_ids):
            # disabled or moved since: whoever else may act for the organisation goes on with it
            import_store.move_rows(session, found.import_id, [RowState.CHOSEN], RowState.FINE)
            found.status = ImportStatus.CHECKED
            return True
        action = DeclarationAction(session, person, now, corridor=self.runtime.corridor, sheets=self.sheets)
        work_on_batch(action, found)
        return True


def work_through(action: DeclarationAction, found: DeclarationImport) -> None:
    """Work on a short file to the end of what is asked for; a long one is left to the runner."""
    counts = import_store.count_states(action.session, found.import_id)
    if sum(counts.values()) > MAX_ROWS_AT_ONCE:
        return
    while found.status in ImportStatus.running():
        work_on_batch(action, found)


def work_on_batch(action: DeclarationAction, found: DeclarationImport) -> None:
    """Work on the next rows of a locked import, or end the work if there are none."""
    is_checking = found.status == ImportStatus.CHECKING
    states = [RowState.WAITING if is_checking else RowState.CHOSEN]
    rows = import_store.list_rows(action.session, found.import_id, states=states, limit=BATCH_ROWS)
    around = service.surroundings(action) if is_checking else None
    for row in rows:
        if around is not None:
            check_row(action, found, row, around)
        else:
            make_row(action, found, row)
        action.session.flush()
    found.worked_at = action.now
    if len(rows) < BATCH_ROWS:
        _end(action, found, is_checking=is_checking)
    action.session.flush()
    _publish_progress(action, found)


def _publish_progress(action: DeclarationAction, found: DeclarationImport) -> None:
    """Tell those who may open the file how far the work on it is."""
    counts = import_store.count_states(action.session, found.import_id)
    people = {person for person in (found.created_by, found.worked_by) if person is not None}
    data = {
        "import_id": found.import_id,
        "status": str(found.status),
        "progress": round(RowState.progress(counts), 4),
        "rows": sum(counts.values()),
    }
    audience = Audience(organisations=(found.organisation_id,), accounts=tuple(sorted(people)))
    action.publish_event(Event(EVENT, audience, data))


def _end(action: DeclarationAction, found: DeclarationImport, *, is_checking: bool) -> None:
    counts = import_store.count_states(action.session, found.import_id)
    settle(action, found)
    verb = "import_check" if is_checking else "import"
    named = {str(state): count for state, count in counts.items() if count}
    action.record(f"declarations.{verb}", "declaration_import", found.import_id, None, named)


def settle(action: DeclarationAction, found: DeclarationImport) -> None:
    """An import that nothing is done on is checked as long as something can come of its rows, else done."""
    counts = import_store.count_states(action.session, found.import_id)
    is_open = any(counts[state] for state in RowState.open())
    found.status = ImportStatus.CHECKED if is_open else ImportStatus.DONE
    if counts[RowState.MADE]:
        found.done_at = action.now


def _find_again(session: Session, row: DeclarationImportRow, form: Form) -> DeclarationImportRow | None:
    """An earlier row of the file that declares the same trip of the same truck."""
    for earlier in import_store.find_earlier(session, row) if form.plate else ():
        other = read(earlier.written)[0].planned_arrival
        if other is None or form.planned_arrival is None or abs(other - form.planned_arrival) < MIN_APART:
            return earlier
    return None


def check_row(
    action: DeclarationAction, found: DeclarationImport, row: DeclarationImportRow, around: checks.Surroundings
) -> None:
    """Note on a row what stands in its way and what deserves a look; nothing is declared."""

    def check() -> None:
        form, all_found = service.check_written(action, row.written, found.organisation_id, around)
        row.plate = form.plate
        row.goods = "; ".join(line.description for line in form.lines if line.description)
        earlier = _find_again(action.session, row, form)
        if earlier is not None:
            message = "{plate} is already in row {row} of this file, for the same time."
            all_found.append(Problem("plate", message, {"plate": form.plate, "row": earlier.rows[0]}))
        lost = [problem for problem in row.reading if not problem.get("is_note")]
        named = {problem["field"] for problem in lost}
        row.problems = lost + [stored(problem) for problem in problems_of(all_found) if problem.field not in named]
        restored = [problem for problem in row.reading if problem.get("is_note")]
        row.notes = restored + [stored(problem) for problem in problems_of(all_found, notes=True)]

    failed = _try(action, row, check)
    if failed:
        row.problems = failed
    row.state = RowState.REFUSED if row.problems else RowState.FINE


def make_row(action: DeclarationAction, found: DeclarationImport, row: DeclarationImportRow) -> None:
    """Declare a row, or note on it what stands in the way."""

    def make() -> None:
        row.trip_id = service.create(action, row.written, submit=found.submit, organisation_id=found.organisation_id)

    row.problems = _try(action, row, make)
    row.state = RowState.REFUSED if row.problems else RowState.MADE


def _try(action: DeclarationAction, row: DeclarationImportRow, work: Callable[[], None]) -> list[StoredProblem]:
    """Do something with a row that is undone if it fails; what failed. No row ends the work on the others."""
    try:
        with action.session.begin_nested():
            work()
    except RefusedError as error:
        return [stored_error(problem) for problem in error.problems]
    except CuaKhauError as error:
        return [stored_error(error)]
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return _fault(row)
    except Exception:  # a fault of ours in one row: logged with its traceback, said on the row, the others go on
        return _fault(row)
    return []


def _fault(row: DeclarationImportRow) -> list[StoredProblem]:
    log.exception("row of an import failed", import_id=row.import_id, number=row.number)
    return [stored(Problem("", FAULT))]


def stored_error(error: CuaKhauError) -> StoredProblem:
    """An error as a row holds it."""
    return stored(Problem(error.field or "", error.message, error.values))


def stored(problem: Problem) -> StoredProblem:
    """A problem as a row holds it."""
    return {
        "field": problem.field,
        "message": problem.message,
        "values": dict(problem.values),
        "is_note": problem.is_note,
    }
