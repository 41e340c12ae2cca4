"""Import of many declarations: a file is checked row by row and kept; then all of it or chosen rows are made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from app.declarations import hs, importing, service, store
from app.declarations.form import problems_of
from app.declarations.service import DeclarationAction
from app.declarations.tables import DeclarationImport
from app.declarations.vocabulary import ImportStatus
from app.platform.permissions import Principal, Scope
from app.web.forms import Problem
from geo.corridor import Corridor
from geo.errors import ConflictError, CuaKhauError, InvalidInputError, NotFoundError, RefusedError
from ingest.plates import find_plate


def check_file(action: DeclarationAction, content: bytes, file_name: str, *, organisation_id: int | None = None) -> int:
    """Check every row of a file and keep what was found; the import's id. Nothing is declared yet.

    Raises
    ------
    MalformedError, InvalidInputError
        If the file cannot be read at all.
    """
    owner = service.organisation_of(action.actor, organisation_id)
    sheets = importing.read_file(content, gate_names=gate_names(action.corridor))
    rows = []
    first_rows: dict[str, int] = {}
    for number, sheet in enumerate(sheets, 1):
        form, found = service.check_written(action, sheet.written, owner)
        plate = find_plate(form.plate)
        if plate is not None and first_rows.setdefault(plate, sheet.rows[0]) != sheet.rows[0]:
            message = "{plate} is already in row {row} of this file; a truck has one open trip."
            found.append(Problem("plate", message, {"plate": form.plate, "row": first_rows[plate]}))
        rows.append(
            {
                "number": number,
                "rows": list(sheet.rows),
                "plate": form.plate,
                "written": form.to_record(),
                "goods": "; ".join(line.description for line in form.lines),
                "problems": [_plain(one) for one in problems_of(found)],
                "notes": [_plain(one) for one in problems_of(found, notes=True)],
                "trip_id": None,
            }
        )
    values = {
        "organisation_id": owner,
        "file_name": file_name[:200].replace("\0", "") or "–",
        "status": ImportStatus.CHECKED,
        "rows": rows,
        "created_at": action.now,
        "created_by": action.actor.account_id,
    }
    import_id = store.insert_import(action.session, values)
    counts = {"rows": len(rows), "refused": sum(1 for row in rows if row["problems"])}
    action.record(
        "declarations.import_check",
        "declaration_import",
        import_id,
        None,
        counts,
    )
    return import_id


def apply(action: DeclarationAction, import_id: int, *, chosen: Collection[int] | None, submit: bool) -> int:
    """Make the declarations of a checked file, those whose numbers are `chosen`, or all or none (`None`); its id.

    Of chosen ones each is made on its own, and what has become wrong since is noted on it.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such import for the caller, or it was made already.
    RefusedError
        If all are wanted and one of them cannot be made; `field` begins with its row.
    """
    found = store.lock_import(action.session, _visible(action.actor), import_id)
    if found is None:
        raise _no_import(import_id)
    if found.status == ImportStatus.DONE:
        raise ConflictError("The file {name} was imported already.", name=found.file_name)
    rows = [dict(row) for row in found.rows]
    unknown = set(chosen or ()) - {row["number"] for row in rows}
    if unknown or (chosen is not None and not chosen):
        raise InvalidInputError(
            "Choose at least one row of the file; {value} is none.",
            field="rows",
            value=", ".join(map(str, sorted(unknown))) or "–",
        )
    refused: list[InvalidInputError] = []
    for row in rows:
        if chosen is not None and row["number"] not in chosen:
            continue
        row["problems"] = _make(action, row, found.organisation_id, submit=submit)
        refused += [_in_row(row, problem) for problem in row["problems"]]
    if chosen is None and refused:
        raise RefusedError(refused)
    made = [row["trip_id"] for row in rows if row["trip_id"] is not None]
    found.rows, found.status, found.done_at = (
        rows,
        ImportStatus.DONE if made else ImportStatus.CHECKED,
        action.now if made else None,
    )
    action.session.flush()
    action.record(
        "declarations.import",
        "declaration_import",
        import_id,
        None,
        {"trips": made},
    )
    return import_id


def get(session: Session, principal: Principal, import_id: int) -> dict[str, Any]:
    """An import with the result for each row.

    Raises
    ------
    NotFoundError
        If the caller may see none.
    """
    found = store.find_import(session, _visible(principal), import_id)
    if found is None:
        raise _no_import(import_id)
    return {
        "import_id": import_id,
        "file_name": found.file_name,
        "status": found.status,
        "created_at": found.created_at,
        "done_at": found.done_at,
        "rows": found.rows,
    }


def gate_names(corridor: Corridor) -> dict[str, str]:
    """What gates may be called in a file, in any language, with or without the word for a gate."""
    names: dict[str, str] = {}
    for gate in corridor.gates():
        for name in gate.name.values():
            plain = hs.plain(name)
            for word in (
                plain,
                plain.removeprefix("cua khau "),
                plain.removesuffix(" border gate"),
                plain.removesuffix("口岸"),
            ):
                names[word] = gate.site_id
    return names


def _make(
    action: DeclarationAction, row: dict[str, Any], organisation_id: int, *, submit: bool
) -> list[dict[str, Any]]:
    """Make one declaration, noting its trip; what stands in the way if it cannot be made."""
    if row["problems"]:
        unreadable: list[dict[str, Any]] = row["problems"]
        return unreadable  # what could not be read is no longer there to be checked again
    try:
        with action.session.begin_nested():
            row["trip_id"] = service.create(action, row["written"], submit=submit, organisation_id=organisation_id)
    except RefusedError as error:
        return [_of_error(one) for one in error.problems]
    except CuaKhauError as error:
        return [_of_error(error)]
    return []


def _in_row(row: dict[str, Any], problem: dict[str, Any]) -> InvalidInputError:
    name = f"row {row['rows'][0]}: {problem['field']}"
    return InvalidInputError(problem["message"], field=name, **problem["values"])


def _of_error(error: CuaKhauError) -> dict[str, Any]:
    return _plain(Problem(error.field or "", error.message, error.values))


def _plain(problem: Problem) -> dict[str, Any]:
    return {"field": problem.field, "message": problem.message, "values": dict(problem.values)}


def _visible(principal: Principal) -> ColumnElement[bool]:
    scope = principal.require("declarations.write")
    if scope is Scope.OWN_ORGANISATION:
        return DeclarationImport.organisation_id == principal.organisation_id
    return true() if scope is Scope.ALL else DeclarationImport.created_by == principal.account_id


def _no_import(import_id: int) -> NotFoundError:
    return NotFoundError("There is no import {import_id} that you may see.", import_id=import_id)


def results(rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """How many declarations of a file can be made or were, and how many not."""
    refused = sum(1 for row in rows if row["problems"])
    return len(rows) - refused, refused
