"""Import of many declarations: a file is checked row by row and kept; then its rows are made, some now, some later."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from app.declarations import import_store, importing, service
from app.declarations.corrections import RefusedRow, make_corrections
from app.declarations.documents import Remarks, StoredProblem
from app.declarations.fields import HEAD_FIELDS
from app.declarations.import_work import MAX_ROWS_AT_ONCE, check_row, make_row, settle, stored, work_through
from app.declarations.importing import Answers, FileReading, Sheet
from app.declarations.service import DeclarationAction
from app.declarations.tables import DeclarationImport, DeclarationImportRow
from app.declarations.vocabulary import ImportStatus, RowState
from app.platform.permissions import Principal, Scope
from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError, NotFoundError, RefusedError
from geo.text import fold

MAX_LISTED: Final = 10
ALL_FINE: Final = "fine"
NEVER_ASKED: Final = Answers()


def check_file(
    action: DeclarationAction,
    content: bytes,
    file_name: str,
    *,
    organisation_id: int | None = None,
    answers: Answers = NEVER_ASKED,
) -> int:
    """Take a file to be checked row by row, and check it at once if it is short; the import's id.

    Nothing is declared yet. A file that leaves something open is kept until that is answered (`answer`). Corrected
    rows of an earlier file (`refused_rows`) take the place of those that they correct, in the earlier import.

    Raises
    ------
    MalformedError, InvalidInputError
        If the file cannot be read at all.
    ConflictError
        If the platform works on another file of the enterprise.
    """
    owner = service.organisation_of(action.actor, organisation_id)
    _refuse_second(action.session, owner)
    reading = importing.read_file(content, gate_names=gate_names(action.corridor), answers=answers)
    corrected = _find_corrected(action, reading, owner)
    if corrected is not None:
        return _correct(action, corrected, reading)
    values = {
        "organisation_id": owner,
        "file_name": file_name[:200].replace("\0", "") or "–",
        "status": ImportStatus.ASKING if reading.questions else ImportStatus.CHECKING,
        "created_at": action.now,
        "created_by": action.actor.account_id,
        "worked_by": action.actor.account_id,
        "content": content if reading.questions else None,
        "questions": reading.questions,
        "remarks": _remarks(reading),
        "submit": True,
    }
    found = import_store.insert_import(action.session, values)
    if found is None:
        raise _is_running(import_store.find_running(action.session, owner))
    action.record("declarations.import_take", "declaration_import", found.import_id, None, {"name": found.file_name})
    if not reading.questions:
        _insert(action, found, reading.sheets)
        work_through(action, found)
    return found.import_id


def answer(action: DeclarationAction, import_id: int, answers: Answers) -> int:
    """Answer what a file left open; it is checked then. The import's id.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such import for the caller, it asks nothing, or another file is worked on.
    InvalidInputError
        If a question is left without an answer.
    """
    found = _lock(action, import_id)
    if found.status != ImportStatus.ASKING or found.content is None:
        raise ConflictError("The file {name} has no open questions.", name=found.file_name)
    reading = importing.read_file(found.content, gate_names=gate_names(action.corridor), answers=answers)
    if reading.questions:
        raise InvalidInputError(
            "Say what is to be done with {value}.",
            field=reading.questions[0]["kind"],
            value=reading.questions[0]["kind"],
        )
    found.content, found.questions, found.remarks = None, [], _remarks(reading)
    _begin(action, found, ImportStatus.CHECKING)
    _insert(action, found, reading.sheets)
    action.record("declarations.import_answer", "declaration_import", import_id, None, asdict(answers))
    work_through(action, found)
    return import_id


def apply(action: DeclarationAction, import_id: int, *, chosen: Collection[int] | str | None, submit: bool) -> int:
    """Make the declarations of a checked file; the import's id.

    `chosen`: the numbers of those to make, `ALL_FINE` for each that can be made, `None` for all or none. Of chosen ones
    each is made on its own, and what stands in the way is noted on it; what was made before is not made again, so that
    the rest can be made later.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such import for the caller, it is being worked on, or all that is chosen was made already.
    InvalidInputError
        If a number is none of the file's, or all or none is asked of a long file.
    RefusedError
        If all are wanted and one of them cannot be made; `field` begins with its row.
    """
    found = _lock(action, import_id)
    if found.status == ImportStatus.ASKING:
        raise ConflictError("Answer first what the file {name} leaves open.", name=found.file_name)
    if found.status in ImportStatus.running():
        raise _is_running(found)
    if found.status == ImportStatus.DONE:
        raise ConflictError("The file {name} was imported already.", name=found.file_name)
    found.submit = submit
    if chosen is None:
        return _make_all(action, found)
    numbers = None if isinstance(chosen, str) else _check_chosen(action, found, chosen)
    import_store.move_rows(action.session, import_id, [RowState.FINE], RowState.CHOSEN, numbers=numbers)
    _begin(action, found, ImportStatus.MAKING)
    work_through(action, found)
    return import_id


def edit_row(action: DeclarationAction, import_id: int, number: int, written: Mapping[str, Any]) -> RowState:
    """Change what a row says and check it again; how it stands then.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such row for the caller, or it is declared.
    """
    found, row = _lock_row(action, import_id, number)
    row.written, row.reading = _as_json(written), []
    return _check_again(action, found, row)


def leave_out(action: DeclarationAction, import_id: int, number: int) -> None:
    """Nothing is to come of a row; it can be taken up again by changing it.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such row for the caller, or it is declared.
    """
    found, row = _lock_row(action, import_id, number)
    row.state = RowState.LEFT_OUT
    action.session.flush()
    settle(action, found)
    action.record("declarations.import_leave_out", "declaration_import", import_id, None, {"number": number})


def check_again(action: DeclarationAction, import_id: int) -> int:
    """Check again all rows from which a declaration can still come; the import's id.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such import for the caller, or it is being worked on.
    """
    found = _lock(action, import_id)
    if found.status != ImportStatus.CHECKED:
        raise ConflictError("No row of {name} can be checked again now.", name=found.file_name)
    _begin(action, found, ImportStatus.CHECKING)
    states = [state for state in RowState.open() if state != RowState.WAITING]
    import_store.move_rows(action.session, import_id, states, RowState.WAITING)
    work_through(action, found)
    return import_id


def refused_rows(session: Session, principal: Principal, import_id: int, language: str) -> bytes:
    """An XLSX of the rows that cannot be declared, with the reason beside each, to be corrected and sent in again.

    Raises
    ------
    NotFoundError
        If the caller may see no such import.
    """
    get(session, principal, import_id)
    rows = import_store.list_rows(session, import_id, states=[RowState.REFUSED])
    refused = [RefusedRow(import_id, row.number, row.reference, row.written, row.problems) for row in rows]
    return make_corrections(refused, language)


def get(session: Session, principal: Principal, import_id: int) -> DeclarationImport:
    """An import.

    Raises
    ------
    NotFoundError
        If the caller may see none.
    """
    found = import_store.find_import(session, _visible(principal), import_id)
    if found is None:
        raise _no_import(import_id)
    return found


def get_row(session: Session, principal: Principal, import_id: int, number: int) -> DeclarationImportRow:
    """A row of an import.

    Raises
    ------
    NotFoundError
        If the caller may see none.
    """
    get(session, principal, import_id)
    rows = import_store.list_rows(session, import_id, numbers=[number])
    if not rows:
        raise NotFoundError("The file has no declaration {number}.", number=number)
    return rows[0]


def list_rows(
    session: Session,
    found: DeclarationImport,
    *,
    state: RowState | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Sequence[DeclarationImportRow]:
    """Rows of an import that the caller was given by `get`; all, or those in a state."""
    states = None if state is None else [state]
    return import_store.list_rows(session, found.import_id, states=states, after=after, limit=limit)


def count_states(session: Session, found: DeclarationImport) -> dict[RowState, int]:
    """How many rows of an import that the caller was given by `get` stand how."""
    return import_store.count_states(session, found.import_id)


def list_imports(session: Session, principal: Principal) -> Sequence[DeclarationImport]:
    """The caller's last imports, newest first."""
    return import_store.list_imports(session, _visible(principal), limit=MAX_LISTED)


def gate_names(corridor: Corridor) -> dict[str, str]:
    """What gates may be called in a file, in any language, with or without the word for a gate."""
    names: dict[str, str] = {}
    for gate in corridor.gates():
        for name in gate.name.values():
            plain = fold(name)
            for word in (
                plain,
                plain.removeprefix("cua khau "),
                plain.removeprefix("cua khau quoc te "),
                plain.removesuffix(" border gate"),
                plain.removesuffix("口岸"),
            ):
                names[word] = gate.site_id
                names[f"cua khau {word}"] = gate.site_id
    return names


# Pieces


def _insert(action: DeclarationAction, found: DeclarationImport, sheets: Sequence[Sheet], *, after: int = 0) -> None:
    rows = [
        {
            "import_id": found.import_id,
            "number": number,
            "state": RowState.WAITING,
            "rows": list(sheet.rows),
            "reference": sheet.reference,
            "plate": str(sheet.written.get("plate", ""))[:40],
            "written": sheet.written,
            "reading": [stored(problem) for problem in sheet.found],
        }
        for number, sheet in enumerate(sheets, after + 1)
    ]
    import_store.insert_rows(action.session, rows)


def _find_corrected(action: DeclarationAction, reading: FileReading, owner: int) -> DeclarationImport | None:
    """The import that a file corrects: all its keys name one that the caller may act on."""
    named = {sheet.corrects[0] for sheet in reading.sheets if sheet.corrects}
    if len(named) != 1 or max(named) >= 2**31:
        return None
    found = import_store.lock_import(action.session, _visible(action.actor), named.pop())
    return found if found is not None and found.organisation_id == owner and found.content is None else None


def _correct(action: DeclarationAction, found: DeclarationImport, reading: FileReading) -> int:
    """Put corrected rows in the place of those that they correct; rows without a key are new ones."""
    numbers = [sheet.corrects[1] for sheet in reading.sheets if sheet.corrects]
    rows = {row.number: row for row in import_store.list_rows(action.session, found.import_id, numbers=numbers)}
    new: list[Sheet] = []
    already_made = 0
    for sheet in reading.sheets:
        row = rows.get(sheet.corrects[1]) if sheet.corrects else None
        if row is None:
            new.append(replace(sheet, corrects=None))
        elif row.state == RowState.MADE:
            already_made += 1
        else:
            row.state, row.written, row.rows = RowState.WAITING, sheet.written, list(sheet.rows)
            row.plate = str(sheet.written.get("plate", ""))[:40]
            row.reading = [stored(problem) for problem in sheet.found]
            row.problems, row.notes = [], []
    _begin(action, found, ImportStatus.CHECKING)
    _insert(action, found, new, after=import_store.last_number(action.session, found.import_id))
    found.remarks = {**_remarks(reading), "already_made": already_made}
    after = {"corrected": len(rows) - already_made, "new": len(new)}
    action.record("declarations.import_correct", "declaration_import", found.import_id, None, after)
    work_through(action, found)
    return found.import_id


def _make_all(action: DeclarationAction, found: DeclarationImport) -> int:
    rows = import_store.list_rows(action.session, found.import_id, states=RowState.open())
    if len(rows) > MAX_ROWS_AT_ONCE:
        raise InvalidInputError(
            "All or none is for at most {most} declarations, not {count}; choose those that are to be made.",
            field="numbers",
            most=MAX_ROWS_AT_ONCE,
            count=len(rows),
        )
    refused = [_in_row(row, problem) for row in rows for problem in row.problems]
    if refused:
        raise RefusedError(refused)
    for row in rows:
        make_row(action, found, row)
    refused = [_in_row(row, problem) for row in rows for problem in row.problems]
    if refused:
        raise RefusedError(refused)
    action.session.flush()
    settle(action, found)
    made = [row.trip_id for row in rows]
    action.record("declarations.import", "declaration_import", found.import_id, None, {"trips": made})
    return found.import_id


def _check_chosen(action: DeclarationAction, found: DeclarationImport, chosen: Collection[int]) -> Collection[int]:
    rows = import_store.list_rows(action.session, found.import_id, numbers=chosen) if chosen else []
    unknown = set(chosen) - {row.number for row in rows}
    if unknown or not chosen:
        raise InvalidInputError(
            "Choose at least one row of the file; {value} is none.",
            field="rows",
            value=", ".join(map(str, sorted(unknown)[:20])) or "–",
        )
    if all(row.state == RowState.MADE for row in rows):
        raise ConflictError("What is chosen of {name} is declared already.", name=found.file_name)
    return chosen


def _check_again(action: DeclarationAction, found: DeclarationImport, row: DeclarationImportRow) -> RowState:
    row.state = RowState.WAITING
    check_row(action, found, row, service.surroundings(action))
    action.session.flush()
    settle(action, found)
    action.record("declarations.import_change", "declaration_import", found.import_id, None, {"number": row.number})
    return RowState.get(row.state)


def _begin(action: DeclarationAction, found: DeclarationImport, status: ImportStatus) -> None:
    if found.status in ImportStatus.running():
        raise _is_running(found)
    by = action.actor.account_id
    if not import_store.set_running(action.session, found, status, by=by, at=action.now):
        raise _is_running(import_store.find_running(action.session, found.organisation_id))


def _refuse_second(session: Session, organisation_id: int) -> None:
    running = import_store.find_running(session, organisation_id)
    if running is not None:
        raise _is_running(running)


def _is_running(found: DeclarationImport | None) -> ConflictError:
    return ConflictError(
        "The file {name} is being worked on; wait until that has ended.", name="–" if found is None else found.file_name
    )


def _lock(action: DeclarationAction, import_id: int) -> DeclarationImport:
    found = import_store.lock_import(action.session, _visible(action.actor), import_id)
    if found is None:
        raise _no_import(import_id)
    return found


def _lock_row(action: DeclarationAction, import_id: int, number: int) -> tuple[DeclarationImport, DeclarationImportRow]:
    found = _lock(action, import_id)
    row = get_row(action.session, action.actor, import_id, number)
    if found.status in ImportStatus.running():
        raise _is_running(found)
    if row.state not in RowState.changeable():
        raise ConflictError("This declaration of the file is made; change it there.", trip_id=row.trip_id)
    return found, row


def _as_json(written: Mapping[str, Any]) -> dict[str, object]:
    """What a person wrote, without what is empty."""
    lines = [{name: value for name, value in line.items() if value} for line in written.get("lines") or ()]
    head = {name: value for name, value in written.items() if name in HEAD_FIELDS and value}
    return {**head, "lines": [line for line in lines if line]}


def _remarks(reading: FileReading) -> Remarks:
    return {
        "unread": list(reading.unread[:20]),
        "other_pages": list(reading.other_pages[:20]),
        "passed_over": list(reading.passed_over[:50]),
        "already_made": 0,
    }


def _in_row(row: DeclarationImportRow, problem: StoredProblem) -> InvalidInputError:
    name = f"row {row.rows[0]}: {problem['field']}"
    return InvalidInputError(problem["message"], field=name, **problem["values"])


def _visible(principal: Principal) -> ColumnElement[bool]:
    scope = principal.require("declarations.write")
    if scope is Scope.OWN_ORGANISATION:
        return DeclarationImport.organisation_id.in_(principal.organisation_ids)
    return true() if scope is Scope.ALL else DeclarationImport.created_by == principal.account_id


def _no_import(import_id: int) -> NotFoundError:
    return NotFoundError("There is no import {import_id} that you may see.", import_id=import_id)
