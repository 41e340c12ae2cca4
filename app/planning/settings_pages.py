"""Settings that planners edit: how gates work, places in yards, thresholds of the advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import allow
from app.accounts.service import account_names
from app.accounts.sessions import client_address
from app.dispatch.policy import AdvicePolicy, get_policy, set_policy
from app.gates import service as gates
from app.planning.endpoints import GateSettingIn
from app.planning.form import Problem, SentFields, Written, flatten, nest, problem_of
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.web.pages import render
from app.yards import service as yards_service
from app.yards.endpoints import CapacityIn
from capacity import store as capacity_store
from geo.corridor import Corridor
from geo.errors import CuaKhauError, StaleError
from routing.gates import Direction

router = APIRouter(include_in_schema=False, prefix="/planner/settings")

Viewer = Annotated[Principal, Depends(allow("pages.planner"))]
Writer = Annotated[Principal, Depends(allow("settings.write"))]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Field:
    """A field of a form: its name, label and unit, and how the browser may help."""

    name: str
    label: str
    unit: str = ""
    kind: str = "number"
    least: float | None = 0
    most: float | None = None
    step: str = "1"


GATE_FIELDS: Final = (
    Field("lanes", N_("Lanes"), least=1, most=64),
    Field("open_from", N_("Opens"), kind="time"),
    Field("open_to", N_("Closes"), kind="time"),
    Field("service_mean_s", N_("Service time, mean"), "s", most=86_400, step="any"),
    Field("service_cv", N_("Service time, variation"), most=5, step="any"),
    Field("entrance_lanes", N_("Lanes at the entrance"), least=1, most=64),
    Field("entrance_service_mean_s", N_("Check at the entrance, mean"), "s", most=86_400, step="any"),
    Field("entrance_service_cv", N_("Check at the entrance, variation"), most=5, step="any"),
    Field("dwell_mean_s", N_("Stay in the yard, mean"), "s", most=30 * 86_400, step="any"),
    Field("dwell_cv", N_("Stay in the yard, variation"), most=5, step="any"),
)
POLICY_FIELDS: Final = (
    Field("queue_notice_km", N_("Queue: notice from kilometre"), "km", most=200, step="any"),
    Field("queue_warning_km", N_("Queue: warning from kilometre"), "km", most=200, step="any"),
    Field("queue_alarm_km", N_("Queue: alarm from kilometre"), "km", most=200, step="any"),
    Field("yard_warning_share", N_("Yard: warning when this full"), "%", most=200, step="any"),
    Field("yard_alarm_share", N_("Yard: alarm when this full"), "%", most=200, step="any"),
    Field("left_at_closing_veh", N_("Warn of trucks left at closing, from"), N_("trucks"), least=1, most=10_000),
    Field("likely", N_("Advise when at least this probable"), "%", most=100, step="any"),
    Field("sure", N_("Name the time when this probable"), "%", most=100, step="any"),
    Field("keep", N_("Withdraw below this probability"), "%", most=100, step="any"),
    Field("clear_after_s", N_("Withdraw after so long below"), "s", most=7200),
    Field("divert_margin_s", N_("Divert if the other gate is faster by"), "s", most=86_400),
    Field("release_per_half_hour_veh", N_("Release per half hour, at most"), N_("trucks"), least=1, most=1000),
    Field("hold_veh", N_("Held by one order, at most"), N_("trucks"), least=1, most=5000),
)


@dataclass(frozen=True)
class Card:
    """One thing to edit: where to send it, what it holds, at which version, and who set it."""

    key: str
    title: str
    subtitle: str
    action: str
    fields: tuple[Field, ...]
    values: Written
    version: int
    updated_at: datetime | None
    updated_by: str | None


@dataclass(frozen=True)
class Refusal:
    """An edit that was not accepted: what was written and why not. Without `written` the new state is shown."""

    key: str
    written: Written = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    status: int = 422


@router.get("")
def show_settings(
    request: Request, _principal: Viewer, session: SessionDep, corridor: CorridorDep, saved: str = ""
) -> Response:
    """Gates, yards and thresholds as they are set."""
    return _page(request, session, corridor, saved=saved)


@router.post("/gates/{gate_id}/{direction}")
def save_gate(
    request: Request,
    gate_id: str,
    direction: Direction,
    principal: Writer,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    sent: SentFields,
) -> Response:
    """Set how one direction of a gate works."""

    def apply(values: GateSettingIn, version: int) -> None:
        changes, address = values.model_dump(exclude_unset=True), client_address(request)
        gates.change_direction(
            session, principal, gate_id, direction, changes, version=version, now=clock.now(), address=address
        )

    refusal = _attempt(session, f"gate-{gate_id}-{direction}", GateSettingIn, sent, apply)
    return _answer(request, session, corridor, f"gate-{gate_id}-{direction}", refusal)


@router.post("/yards/{yard_id}")
def save_yard(
    request: Request,
    yard_id: str,
    principal: Writer,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    sent: SentFields,
) -> Response:
    """Set how many trucks a yard holds."""

    def apply(values: CapacityIn, version: int) -> None:
        address = client_address(request)
        yards_service.change_capacity(
            session, principal, yard_id, values.capacity, version=version, now=clock.now(), address=address
        )

    return _answer(
        request, session, corridor, f"yard-{yard_id}", _attempt(session, f"yard-{yard_id}", CapacityIn, sent, apply)
    )


@router.post("/policy")
def save_policy(
    request: Request, principal: Writer, session: SessionDep, corridor: CorridorDep, clock: ClockDep, sent: SentFields
) -> Response:
    """Set the thresholds of the advice."""

    def apply(values: AdvicePolicy, version: int) -> None:
        set_policy(session, principal, values, version, now=clock.now(), address=client_address(request))

    return _answer(request, session, corridor, "policy", _attempt(session, "policy", AdvicePolicy, sent, apply))


def _attempt(
    session: Session, key: str, model: type[M], sent: list[tuple[str, str]], apply: Callable[[M, int], None]
) -> Refusal | None:
    """Make an edit of the version that the form was written for; why not, if it was refused."""
    written = {name: value.strip() for name, value in sent if name != "csrf_token"}
    given = {name: value for name, value in written.items() if name != "version"}
    try:
        values = model.model_validate(nest(given))
        with session.begin_nested():
            apply(values, int(written["version"]))
    except ValidationError as error:
        found = [problem_of(detail) for detail in error.errors(include_url=False)]
        return Refusal(key, written, dict(reversed(found)))
    except StaleError as error:
        return Refusal(key, {}, {"": Problem(error.message, error.values)}, status=412)
    except CuaKhauError as error:
        name = error.field if error.field in written else ""
        return Refusal(key, written, {name or "": Problem(error.message, error.values)})
    except (KeyError, ValueError):
        return Refusal(key, written, {"": Problem(N_("The form is incomplete; load the page anew."))}, status=428)
    return None


def _answer(request: Request, session: Session, corridor: Corridor, key: str, refusal: Refusal | None) -> Response:
    if refusal is None:
        return RedirectResponse(f"/planner/settings?saved={key}#{key}", 303)
    return _page(request, session, corridor, refusal=refusal)


def _page(
    request: Request, session: Session, corridor: Corridor, *, saved: str = "", refusal: Refusal | None = None
) -> Response:
    language = request.app.state.pages.language(request)
    cards = {
        "gates": gate_cards(session, corridor, language, request.app.state.runtime.clock.now()),
        "yards": yard_cards(session, corridor, language),
        "policies": [policy_card(session)],
    }
    status = refusal.status if refusal else 200
    return render(request, "planning/settings.html", status=status, cards=cards, saved=saved, refusal=refusal)


def gate_cards(session: Session, corridor: Corridor, language: str, now: datetime) -> list[Card]:
    """Both directions of every gate."""
    stored = gates.list_settings(session, now)
    names = account_names(session, (one.updated_by for one in stored))
    directions = {"export": N_("Exports: to China"), "import": N_("Imports: to Viet Nam")}
    return [
        Card(
            key=f"gate-{one.gate_id}-{one.direction}",
            title=_site_name(corridor, one.gate_id, language),
            subtitle=directions[one.direction],
            action=f"/planner/settings/gates/{one.gate_id}/{one.direction}",
            fields=GATE_FIELDS,
            values={part.name: _shown(getattr(one, part.name)) for part in GATE_FIELDS},
            version=one.version,
            updated_at=one.updated_at,
            updated_by=names.get(one.updated_by or 0),
        )
        for one in stored
    ]


def list_yards(session: Session, corridor: Corridor) -> list[tuple[str, dict[str, str], int]]:
    """Yards of the simulation with their names and places."""
    known = {yard.site_id for yard in corridor.yards()}
    return [
        (yard.yard_id, dict(corridor.sites[yard.yard_id].name), yard.capacity_veh)
        for yard in capacity_store.list_yards(session)
        if yard.yard_id in known
    ]


def yard_cards(session: Session, corridor: Corridor, language: str) -> list[Card]:
    """Every yard, the temporary ones too."""
    yards = capacity_store.list_yards(session)
    names = account_names(session, (yard.updated_by for yard in yards))
    return [
        Card(
            key=f"yard-{yard.yard_id}",
            title=_site_name(corridor, yard.yard_id, language),
            subtitle=N_("Temporary yard") if yard.kind == "temporary_yard" else N_("Yard"),
            action=f"/planner/settings/yards/{yard.yard_id}",
            fields=(Field("capacity", N_("Places for trucks"), most=100_000),),
            values={"capacity": str(yard.capacity_veh)},
            version=yard.version,
            updated_at=yard.updated_at,
            updated_by=names.get(yard.updated_by or 0),
        )
        for yard in yards
    ]


def policy_card(session: Session) -> Card:
    """The thresholds of the advice."""
    stored = get_policy(session)
    names = account_names(session, [stored.updated_by])
    return Card(
        key="policy",
        title=N_("When the platform warns, and what it proposes"),
        subtitle="",
        action="/planner/settings/policy",
        fields=POLICY_FIELDS,
        values=flatten(stored.value.model_dump()),
        version=stored.version,
        updated_at=stored.updated_at,
        updated_by=names.get(stored.updated_by or 0),
    )


def _site_name(corridor: Corridor, site_id: str, language: str) -> str:
    site = corridor.sites.get(site_id)
    return site.name.get(language, site_id) if site else site_id


def _shown(value: Any) -> str:
    return value.strftime("%H:%M") if hasattr(value, "strftime") else f"{value:.10g}"
