"""Pages of declarations: list, form, one with its revisions, HS codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.store import find_organisation as get_name
from app.declarations import form as forms
from app.declarations import hs, prefilled, reading, service
from app.declarations.declared import CHOICES, read
from app.declarations.documents import StoredProblem
from app.declarations.endpoints import DeclarantAction, ReaderDep, WriterDep
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS, field_of
from app.declarations.import_columns import in_words
from app.gates.service import profiles
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.paging import PageRequest
from app.procedures.return_reasons import ReturnReason, disputed_fields
from app.registers.picking import PICKS, choices
from app.trips.vocabulary import DeclarationStatus
from app.web.form_values import TWO_WAYS
from app.web.forms import Field, Problem, problems_by_field
from app.web.pages import find_principal, render
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import CuaKhauError, RefusedError

router = APIRouter(include_in_schema=False, prefix="/declarations")

PICK_LABELS = {
    "vehicle_entry": N_("Truck on file"),
    "trailer_entry": N_("Trailer on file"),
    "container_entry": N_("Container on file"),
    "driver_entry": N_("Driver on file"),
}
NEW_NAME_FIELD = Field(kind="text", label=N_("Or a new enterprise, by name"))
BLANK_LINE = dict.fromkeys(LINE_FIELDS, "")
LINE_NAME = re.compile(r"lines\.(\d{1,3})\.(\w+)", re.ASCII)

Written: TypeAlias = dict[str, object]
"""A declaration as a form holds it: texts by the field's name, and `lines`, a list of such."""


async def read_written(request: Request) -> Written:
    """The form as written: fields by name, `lines` in the order of their numbers."""
    sent = await request.form()
    written: Written = {name: str(sent.get(name, "")) for name in HEAD_FIELDS}
    numbered: dict[int, dict[str, str]] = {}
    for name, value in sent.multi_items():
        match = LINE_NAME.fullmatch(name)
        if match and match[2] in LINE_FIELDS and isinstance(value, str):
            numbered.setdefault(int(match[1]), dict(BLANK_LINE))[match[2]] = value
    written["lines"] = [numbered[number] for number in sorted(numbered)]
    written |= {name: str(sent.get(name, "")) for name in PICKS}
    written["act"] = str(sent.get("act", "save"))
    written["organisation_id"] = str(sent.get("organisation_id", ""))
    written["version"] = str(sent.get("version", ""))
    return written


WrittenDep = Annotated[Written, Depends(read_written)]


@router.get("")
def show_list(
    request: Request, principal: ReaderDep, session: SessionDep, corridor: CorridorDep, before: int | None = None
) -> Response:
    """The declarations of the enterprise or the gate; of all for who reads them all."""
    page = reading.list_declarations(session, principal, status=None, page=PageRequest(before))
    return render(
        request,
        "declarations/declarations.html",
        items=page.items,
        after=page.next_before,
        statuses=DeclarationStatus.by_name(),
        reasons=ReturnReason.by_name(),
        sites=corridor.sites,
    )


@router.get("/new")
def show_new(
    request: Request, principal: WriterDep, session: SessionDep, corridor: CorridorDep, copy: int | None = None
) -> Response:
    """An empty form, or one that begins with an earlier declaration."""
    form = reading.copy(session, principal, copy) if copy is not None else forms.Form()
    return show_form(request, session, corridor, as_written(form))


@router.post("/new")
def enter(request: Request, action: DeclarantAction, written: WrittenDep) -> Response:
    """Keep a new declaration as a draft or submit it; what cannot be accepted comes back with what to do."""
    if written["act"] == "add_line":
        return show_form(request, action.session, action.corridor, with_blank_line(written))
    try:
        with action.session.begin_nested():
            owner = declared_for(written)
            trip_id = service.create(action, written, submit=written["act"] == "submit", organisation_id=owner)
    except CuaKhauError as error:
        return show_form(request, action.session, action.corridor, written, error)
    return RedirectResponse(f"/declarations/{trip_id}", 303)


@router.get("/hs")
def show_hs(request: Request, _principal: ReaderDep, query: str = "") -> Response:
    """HS codes by number or words, for browsers without scripts and whoever looks for one."""
    found = (
        hs.search(query[:100], limit=50)
        if query
        else [heading for c, heading in hs.known_codes().items() if len(c) == 2]
    )
    return render(request, "declarations/hs.html", query=query, found=found, show=hs.show)


@router.get("/{trip_id}")
def show(
    request: Request, principal: ReaderDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep, trip_id: int
) -> Response:
    """One declaration: what it says, what changed, why it was returned, its revisions."""
    found = reading.get(session, principal, trip_id, now=clock.now())
    prefill = prefilled.of_trip(session, trip_id)
    return render(
        request,
        "declarations/declaration.html",
        found=found,
        prefill=prefill,
        deviations=prefilled.deviations(prefill.data, found.data) if prefill else [],
        statuses=DeclarationStatus.by_name(),
        head_fields=HEAD_FIELDS,
        line_fields=LINE_FIELDS,
        read=read,
        sites=corridor.sites,
        reasons=ReturnReason.by_name(),
        returned=_returned(found),
        shown_name=shown_name,
    )


@router.get("/{trip_id}/edit")
def show_edit(
    request: Request, principal: WriterDep, session: SessionDep, clock: ClockDep, corridor: CorridorDep, trip_id: int
) -> Response:
    """The form with what is declared."""
    found = reading.get(session, principal, trip_id, now=clock.now())
    written = as_written(forms.Form.from_record(found.data))
    return show_form(request, session, corridor, {**written, "version": str(found.version)}, found=found)


@router.post("/{trip_id}/edit")
def edit(request: Request, action: DeclarantAction, written: WrittenDep, trip_id: int) -> Response:
    """Keep or submit a change; what cannot be accepted comes back with what to do."""
    found = reading.get(action.session, action.actor, trip_id, now=action.now)
    if written["act"] == "add_line":
        return show_form(request, action.session, action.corridor, with_blank_line(written), found=found)
    try:
        with action.session.begin_nested():
            sent = str(written["version"])
            version = int(sent) if sent.isascii() and sent.isdigit() else 0
            service.save(action, trip_id, version, written, submit=written["act"] == "submit")
    except CuaKhauError as error:
        return show_form(request, action.session, action.corridor, written, error, found=found)
    return RedirectResponse(f"/declarations/{trip_id}", 303)


@router.post("/{trip_id}/submit")
def submit(action: DeclarantAction, trip_id: int, version: Annotated[int, Form()]) -> Response:
    """Hand in the draft."""
    try:
        with action.session.begin_nested():
            service.submit(action, trip_id, version)
    except RefusedError:
        return RedirectResponse(f"/declarations/{trip_id}/edit?check=1", 303)
    return RedirectResponse(f"/declarations/{trip_id}", 303)


def show_form(
    request: Request,
    session: Session,
    corridor: Corridor,
    written: Mapping[str, Any],
    error: CuaKhauError | None = None,
    *,
    found: reading.ShownDeclaration | None = None,
    refused: list[Problem] | None = None,
    **more: Any,
) -> Response:
    """The form of a declaration with what was written and what is wrong with it: `error`, or `refused` before."""
    now = request.app.state.runtime.clock.now()
    if "check" in request.query_params and error is None:
        form, unreadable = forms.read(written)
        error = service.refusal_of(session, form, unreadable, corridor, now)
    found_errors = error.problems if isinstance(error, RefusedError) else [error] if error else []
    errors = [Problem(error.field or "", error.message, error.values) for error in found_errors] + (refused or [])
    errors = [replace(each, values=in_words(each.field, each.values, *_reader(request, corridor))) for each in errors]
    returned = _returned(found) if found is not None else None
    context = {
        "written": {**dict.fromkeys((*HEAD_FIELDS, *PICKS), ""), "version": "", "organisation_id": "", **written},
        "lines": list(written.get("lines") or []) or [dict(BLANK_LINE)],
        "errors": errors,
        "by_field": problems_by_field(errors + _disputed(request, returned, written)),
        "returned": returned,
        "reasons": ReturnReason.by_name(),
        "gates": corridor.gates(),
        "profiles": profiles(session, now, corridor),
        "choices": CHOICES,
        "head_fields": HEAD_FIELDS,
        "line_fields": LINE_FIELDS,
        "found": found,
        "desk": None,
        "row": None,
        "picks": None if "desk" in more else _picks(request, session, written, found),
        "new_name_field": NEW_NAME_FIELD,
        "prefill": None,
        "filled": {},
        "shown_name": shown_name,
    }
    return render(request, "declarations/form.html", status=422 if error else 200, **{**context, **more})


def _disputed(request: Request, returned: reading.ShownRevision | None, written: Mapping[str, Any]) -> list[Problem]:
    """A remark at each field that the return disputes."""
    why = returned.return_reasons if returned is not None else None
    if not why:
        return []
    say = partial(request.app.state.pages.gettext, request)
    lines = len(written.get("lines") or [])
    return [
        Problem(field, N_("Disputed: {reason}"), {"reason": say(reason.label)})
        for field, reason in disputed_fields(why["reasons"], lines)
    ]


def declared_for(written: Mapping[str, object]) -> int | None:
    """The organisation that a form says it declares for; `None`: the own."""
    named = str(written.get("organisation_id", ""))
    return int(named) if named.isascii() and named.isdigit() and len(named) < 10 else None


def _picks(
    request: Request, session: Session, written: Mapping[str, object], found: reading.ShownDeclaration | None
) -> Mapping[str, object] | None:
    """What can be taken over from the file of whom is declared for; `None` if the caller has none."""
    principal = find_principal(request)
    if principal is None or principal.organisation_id is None or principal.scope("registers.write") is None:
        return None
    owner = found.organisation_id if found else declared_for(written) or principal.organisation_id
    if owner not in principal.organisation_ids:
        owner = principal.organisation_id
    known = choices(session, owner)
    names = {
        organisation_id: organisation.name
        for organisation_id in sorted(principal.acts_for)
        if (organisation := get_name(session, organisation_id))
    }
    return {
        "of": {name: known.of(name) for name in PICKS},
        "labels": PICK_LABELS,
        "fills": {name: {entry.entry_id: _fills(entry.fields) for entry in known.of(name)} for name in PICKS},
        "owner": owner,
        "acts_for": {} if found else names,
    }


def _fills(fields: Mapping[str, object]) -> str:
    return json.dumps({name: _as_text(value) for name, value in fields.items()}, ensure_ascii=False)


def as_written(form: forms.Form) -> Written:
    """A declaration as the fields of a form hold it: local times, numbers without a needless point."""
    record = asdict(form)
    lines = [{name: _as_text(value) for name, value in line.items()} for line in record.pop("lines")]
    return {**{name: _as_text(value) for name, value in record.items()}, "lines": lines}


def with_blank_line(written: Mapping[str, Any]) -> Written:
    """What was written with one more line of goods to fill in."""
    return {**written, "lines": [*written["lines"], dict(BLANK_LINE)]}


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(LOCAL_ZONE).strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, float):
        text = f"{value:.10g}"
        return f"{text}0" if TWO_WAYS.fullmatch(text) else text  # 1.234 could be read as a thousand
    return str(value)


def _returned(found: reading.ShownDeclaration) -> reading.ShownRevision | None:
    """The return that still has to be answered."""
    for row in found.revisions[:2]:
        if row.status == DeclarationStatus.SUBMITTED:
            return None
        if row.status == DeclarationStatus.RETURNED:
            return row
    return None


def _reader(request: Request, corridor: Corridor) -> tuple[str, dict[str, str]]:
    """The reader's language, and the names of the gates in it."""
    language = request.app.state.pages.language(request)
    return language, {gate.site_id: gate.name[language] for gate in corridor.gates()}


def stored_in_words(request: Request) -> Callable[[StoredProblem], StoredProblem]:
    """Puts what may be chosen in a field by the names that the reader knows, in problems as they are kept."""
    reader = _reader(request, request.app.state.runtime.corridor)

    def put(problem: StoredProblem) -> StoredProblem:
        return {**problem, "values": dict(in_words(problem["field"], problem["values"], *reader))}

    return put


def shown_name(name: str) -> tuple[str, str]:
    """The label of a field and the number of its line, if it has one."""
    field = field_of(name)
    line = name.split(".")[1] if name.startswith("lines.") else ""
    return (field.label if field else name, line)
