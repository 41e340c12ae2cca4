"""The pages of gates: all of them, and the profile of one to read, draft and publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.accounts.service import account_names
from app.gates import service
from app.gates.profile import DirectionProfile, GateValues, Source
from app.gates.store import StoredProfile
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import translate
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.trips.goods import GoodsClass
from app.trips.vocabulary import Collector, Regime
from app.web.pages import render
from capacity.store import list_yards
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import CuaKhauError, InvalidInputError

router = APIRouter(include_in_schema=False, prefix="/admin/gates")

ReaderDep = Annotated[Principal, Depends(allow("gates.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("gates.write"))]
GateId = Annotated[str, Path(max_length=60)]
LISTS: Final = ("regimes", "goods", "collectors")
DIRECTION_NAMES: Final = {"exports": N_("Exports: to China"), "imports": N_("Imports: to Viet Nam")}
SOURCE_NAMES: Final = {
    Source.SHIPPED: N_("from the corridor"),
    Source.ASSUMED: N_("assumed"),
    Source.SIMULATED: N_("simulated"),
    Source.SET: N_("set here"),
}
STATUS_NAMES: Final = {"draft": N_("Draft"), "published": N_("Published")}
FIELDS: Final = (
    ("lanes", N_("Lanes"), "", 1, 64, "1"),
    ("service_mean_s", N_("Service time, mean"), "s", 0, 86_400, "any"),
    ("service_cv", N_("Service time, variation"), "", 0, 5, "any"),
    ("entrance_lanes", N_("Lanes at the entrance"), "", 1, 64, "1"),
    ("entrance_service_mean_s", N_("Check at the entrance, mean"), "s", 0, 86_400, "any"),
    ("entrance_service_cv", N_("Check at the entrance, variation"), "", 0, 5, "any"),
    ("dwell_mean_s", N_("Stay in the yard, mean"), "s", 0, 30 * 86_400, "any"),
    ("dwell_cv", N_("Stay in the yard, variation"), "", 0, 5, "any"),
)
"""Name, label, unit, least, greatest and step of the numbers of a direction."""


@dataclass(frozen=True)
class SentForm:
    """What a form sent: its text fields, and the chosen values of those with several."""

    texts: Mapping[str, str]
    chosen: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Refusal:
    """A form that was not accepted: what was written, and the message of each field ("" for the whole)."""

    sent: SentForm
    messages: Mapping[str, str] = field(default_factory=dict)
    status: int = 422


async def read_sent(request: Request) -> SentForm:
    """The fields of the form of a gate."""
    form = await request.form()
    pairs = [(name, value.strip()) for name, value in form.multi_items() if isinstance(value, str)]
    chosen = {name: tuple(value for key, value in pairs if key == name) for name in LISTS}
    return SentForm({name: value for name, value in pairs if name not in LISTS}, chosen)


SentDep = Annotated[SentForm, Depends(read_sent)]


@router.get("")
def list_gates(
    request: Request, _principal: ReaderDep, session: SessionDep, corridor: CorridorDep, clock: ClockDep
) -> Response:
    """All gates with what they are."""
    known = service.profiles(session, clock.now(), corridor)
    yards = list_yards(session)
    gates = [
        (gate, known[gate.site_id], [yard for yard in yards if yard.gate_id == gate.site_id])
        for gate in corridor.gates()
    ]
    return render(request, "gates/gates.html", gates=gates, sites=corridor.sites, sources=SOURCE_NAMES)


@router.get("/{gate_id}")
def show_gate(
    request: Request,
    gate_id: GateId,
    _principal: ReaderDep,
    session: SessionDep,
    corridor: CorridorDep,
    saved: str = "",
) -> Response:
    """The profile of a gate: its draft, or else what is in force."""
    return _page(request, session, corridor, service.get_gate_id(corridor, gate_id), saved=saved)


@router.post("/{gate_id}")
def save_gate(
    request: Request, gate_id: GateId, action: WriterAction, corridor: CorridorDep, sent: SentDep
) -> Response:
    """Save the draft of a gate's profile, and publish it if asked to."""
    session = action.session
    try:
        with session.begin_nested():
            values, version = read_values(sent), int(sent.texts.get("version", "0"))
            stored = service.save_draft(action, gate_id, values, expected_version=version)
            if sent.texts.get("act") == "publish":
                moment = _moment(sent.texts.get("effective_from", ""))
                service.publish_draft(action, gate_id, expected_version=stored.revision, effective_from=moment)
    except ValidationError as error:
        return _page(request, session, corridor, gate_id, refusal=Refusal(sent, _messages(error)))
    except CuaKhauError as error:
        refusal = Refusal(sent, {error.field or "": translate(request, error)})
        return _page(request, session, corridor, gate_id, refusal=refusal)
    return RedirectResponse(f"/admin/gates/{gate_id}?saved={sent.texts.get('act', 'draft')}", 303)


def read_values(sent: SentForm) -> GateValues:
    """The values of a sent form.

    Raises
    ------
    InvalidInputError
        If a holiday has no date.
    pydantic.ValidationError
        Naming each value that is not possible.
    """
    found: dict[str, Any] = {name: sent.chosen[name] for name in LISTS}
    for name in DIRECTION_NAMES:
        texts = {key.removeprefix(f"{name}."): text for key, text in sent.texts.items() if key.startswith(f"{name}.")}
        hours = {part: texts.pop(f"hours.{part}", "") for part in ("intervals", "breaks")}
        holidays = _read_holidays(texts.pop("hours.holidays", ""), f"{name}.hours.holidays")
        found[name] = {**texts, "hours": {**hours, "holidays": holidays}}
    return GateValues.model_validate(found)


def _read_holidays(text: str, name: str) -> dict[str, str]:
    """One holiday a line: `2026-02-17: 08:00–11:00`, or the date alone for closed."""
    found = {}
    for line in (line.strip() for line in text.splitlines() if line.strip()):
        day, _, hours = line.partition(":")
        if not day.strip():
            raise InvalidInputError("{value} has no date; write 2026-02-17: 08:00–11:00.", field=name, value=line)
        found[day.strip()] = hours.strip()
    return found


def written(values: GateValues) -> SentForm:
    """The form that stands for values."""
    texts: dict[str, str] = {}
    for name in DIRECTION_NAMES:
        part: DirectionProfile = getattr(values, name)
        texts |= {f"{name}.{key}": f"{getattr(part, key):.10g}" for key, *_ in FIELDS}
        texts[f"{name}.hours.intervals"] = part.hours.intervals
        texts[f"{name}.hours.breaks"] = part.hours.breaks
        texts[f"{name}.hours.holidays"] = "\n".join(
            f"{day}: {hours}" if hours else day for day, hours in part.hours.holidays.items()
        )
    return SentForm(texts, {name: getattr(values, name) for name in LISTS})


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
    shown = next((one for one in versions if one.status == "draft"), present)
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
        sent=refusal.sent if refusal else written(shown.profile),
        messages=refusal.messages if refusal else {},
        saved=saved,
        directions=DIRECTION_NAMES,
        fields=FIELDS,
        sources=SOURCE_NAMES,
        statuses=STATUS_NAMES,
        choices={"regimes": tuple(Regime), "goods": tuple(GoodsClass), "collectors": tuple(Collector)},
        goods_labels=GoodsClass.labels(),
    )


def _names(session: Session, versions: Sequence[StoredProfile]) -> dict[int, str]:
    return account_names(session, [by for one in versions for by in (one.created_by, one.published_by)])


def _messages(error: ValidationError) -> dict[str, str]:
    found: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in detail["loc"])
        found.setdefault(name, detail["msg"].removeprefix("Value error, "))
    return found


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
