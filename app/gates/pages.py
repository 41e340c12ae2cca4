"""The pages of gates: all of them, and the profile of one to read, draft and publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.accounts.service import account_names
from app.gates import adding, service
from app.gates.form import DIRECTIONS, EFFECTIVE_FROM, HOLIDAY, HOURS, NUMBERS, SERVED, GateForm
from app.gates.hazards import HazardClass
from app.gates.profile import GateValues, Source
from app.gates.store import StoredProfile
from app.gates.vocabulary import Collector, GoodsClass, Regime
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, NewestCorridorDep, SessionDep
from app.platform.errors import status_of
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.web.forms import Problem, problems_by_field
from app.web.pages import render
from capacity.store import list_yards
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import CuaKhauError, InvalidInputError
from geo.opening_hours import OpeningHours

router = APIRouter(include_in_schema=False, prefix="/admin/gates")

ReaderDep = Annotated[Principal, Depends(allow("gates.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("gates.write"))]
GateId = Annotated[str, Path(max_length=60)]
SOURCE_NAMES: Final = {
    Source.SHIPPED: N_("from the corridor"),
    Source.ASSUMED: N_("assumed"),
    Source.SIMULATED: N_("simulated"),
    Source.SET: N_("set here"),
}
STATUS_NAMES: Final = {"draft": N_("Draft"), "published": N_("Published")}


@dataclass(frozen=True)
class Refusal:
    """A form that was not accepted: what was written, and what is wrong with which field ("" for the whole)."""

    sent: GateForm
    problems: tuple[Problem, ...]
    status: int = 422


async def read_sent(request: Request) -> GateForm:
    """The fields of the form of a gate."""
    form = await request.form()
    return GateForm.sent([(name, value) for name, value in form.multi_items() if isinstance(value, str)])


SentDep = Annotated[GateForm, Depends(read_sent)]


@router.get("")
def list_gates(
    request: Request,
    _principal: ReaderDep,
    session: SessionDep,
    corridor: NewestCorridorDep,
    clock: ClockDep,
    added: int = 0,
) -> Response:
    """All gates with what they are."""
    return _list_page(request, session, corridor, clock.now(), is_added=bool(added))


@router.post("")
def add_gates(
    request: Request, action: WriterAction, session: SessionDep, corridor: NewestCorridorDep, file: UploadFile
) -> Response:
    """Add the gates of a corridor file."""
    content = file.file.read(adding.MAX_FILE_BYTES + 1)
    try:
        with session.begin_nested():
            adding.add_gates(action, content)
    except CuaKhauError as error:
        return _list_page(request, session, corridor, action.now, error=error)
    return RedirectResponse("/admin/gates?added=1", 303)


def _list_page(
    request: Request,
    session: Session,
    corridor: Corridor,
    now: datetime,
    *,
    is_added: bool = False,
    error: CuaKhauError | None = None,
) -> Response:
    known = service.profiles(session, now, corridor)
    yards = list_yards(session)
    gates = [
        (gate, known[gate.site_id], [yard for yard in yards if yard.gate_id == gate.site_id])
        for gate in corridor.gates()
    ]
    return render(
        request,
        "gates/gates.html",
        status=status_of(error) if error else 200,
        gates=gates,
        strips={gate.site_id: _strips(profile) for gate, profile, _ in gates},
        learned=service.learned_places(session),
        sites=corridor.sites,
        sources=SOURCE_NAMES,
        is_added=is_added,
        error=error,
    )


def _strips(profile: GateValues) -> dict[str, list[tuple[float, float]]]:
    return {name: day_strip(getattr(profile, name).opening_hours) for name in DIRECTIONS}


@router.get("/{gate_id}")
def show_gate(
    request: Request,
    gate_id: GateId,
    _principal: ReaderDep,
    session: SessionDep,
    corridor: NewestCorridorDep,
    saved: str = "",
) -> Response:
    """The profile of a gate: its draft, or else what is in force."""
    return _page(request, session, corridor, service.get_gate_id(corridor, gate_id), saved=saved)


@router.post("/{gate_id}")
def save_gate(
    request: Request, gate_id: GateId, action: WriterAction, corridor: NewestCorridorDep, sent: SentDep
) -> Response:
    """Save the draft of a gate's profile, and publish it if asked to."""
    refusal = _save(action, gate_id, sent, corridor)
    if refusal is not None:
        return _page(request, action.session, corridor, gate_id, refusal=refusal)
    return RedirectResponse(f"/admin/gates/{gate_id}?saved={sent.texts.get('act', 'draft')}", 303)


def _save(action: ActionContext, gate_id: str, sent: GateForm, corridor: Corridor) -> Refusal | None:
    """Save what was sent; why not, if it was refused."""
    reading = sent.read()
    if reading.record is None:
        return Refusal(sent, reading.problems)
    version = sent.texts.get("version", "")
    if not version.isdecimal():
        return Refusal(sent, (Problem("", N_("The form is incomplete; load the page again.")),), status=428)
    try:
        with action.session.begin_nested():
            number = int(version)
            stored = service.save_draft(action, gate_id, reading.record, expected_version=number, corridor=corridor)
            if sent.texts.get("act") == "publish":
                moment = _moment(sent.texts.get("effective_from", ""))
                service.publish_draft(action, gate_id, expected_version=stored.revision, effective_from=moment)
    except CuaKhauError as error:
        return Refusal(sent, (Problem.of_error(error, sent.texts),), status=status_of(error))
    return None


def _page(
    request: Request,
    session: Session,
    corridor: Corridor,
    gate_id: str,
    *,
    saved: str = "",
    refusal: Refusal | None = None,
) -> Response:
    now = request.app.state.runtime.clock.now()
    versions = service.list_versions(session, gate_id)
    present = service.get_profile(session, gate_id, now)
    shown = next((version for version in versions if version.status == "draft"), present)
    return render(
        request,
        "gates/gate.html",
        status=refusal.status if refusal else 200,
        gate=corridor.sites[gate_id],
        yards=[yard for yard in list_yards(session) if yard.gate_id == gate_id],
        sites=corridor.sites,
        present=present,
        shown=shown,
        versions=versions,
        names=_names(session, versions),
        revision=service.revision(session, gate_id),
        sent=refusal.sent if refusal else GateForm.of(shown.profile),
        problems=problems_by_field(refusal.problems if refusal else ()),
        saved=saved,
        directions=DIRECTIONS,
        numbers=NUMBERS,
        hours_fields=HOURS,
        holiday_fields=HOLIDAY,
        served_field=SERVED,
        learned=service.learned_places(session).get(gate_id),
        effective_from=EFFECTIVE_FROM,
        strips=_strips(shown.profile),
        sources=SOURCE_NAMES,
        statuses=STATUS_NAMES,
        choices={
            "regimes": tuple(Regime),
            "goods": tuple(GoodsClass),
            "hazards": tuple(HazardClass),
            "collectors": tuple(Collector),
        },
        goods_labels=GoodsClass.labels(),
        hazard_labels=HazardClass.labels(),
    )


def _names(session: Session, versions: Sequence[StoredProfile]) -> dict[int, str]:
    return account_names(session, [by for version in versions for by in (version.created_by, version.published_by)])


def _moment(text: str) -> datetime | None:
    """A local moment as browsers send it; nothing is none."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=LOCAL_ZONE)
    except ValueError:
        raise InvalidInputError(
            "{value} is no date and time; choose one.", field="effective_from", value=text
        ) from None


def day_strip(hours: OpeningHours) -> list[tuple[float, float]]:
    """What is open of a regular local day, as (from, to) in hours, 0 to 24; what began the evening before is in it."""
    midnight = datetime(2000, 1, 3, tzinfo=LOCAL_ZONE)
    spans = hours.without_holidays().spans(midnight, midnight + timedelta(days=1))
    return [((a - midnight) / timedelta(hours=1), (b - midnight) / timedelta(hours=1)) for a, b in spans]
