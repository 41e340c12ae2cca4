"""Settings that planners edit: how gates work, places in yards, thresholds of the advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.accounts.service import account_names
from app.bookings.rules import RULES
from app.dispatch.order_policy import ORDER_POLICY
from app.dispatch.policy import POLICY
from app.gates import service as gates
from app.notices.board_notice import BOARD_NOTICE
from app.planning.endpoints import GateSettingIn
from app.planning.form import SentFields
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.platform.policies import Policy
from app.trips.expiry import EXPIRY
from app.web.forms import Field, Problem, RecordForm, Written, problems_by_field
from app.web.pages import render
from app.yards import service as yards_service
from app.yards.schemas import CapacityIn
from app.yards.weights import WEIGHTS
from capacity import store as capacity_store
from geo.corridor import Corridor
from geo.errors import CuaKhauError, NotFoundError, StaleError
from routing.gates import Direction

router = APIRouter(include_in_schema=False, prefix="/planner/settings")

Viewer = Annotated[Principal, Depends(allow("pages.planner"))]
WriterAction = Annotated[ActionContext, Depends(acting("settings.write"))]
M = TypeVar("M", bound=BaseModel)


GATE_FORM: Final = RecordForm.of(GateSettingIn)
YARD_FORM: Final = RecordForm.of(CapacityIn)


@dataclass(frozen=True)
class Card:
    """One thing to edit: where to send it, what it holds, at which version, who set it, a page with more of it."""

    key: str
    title: str
    subtitle: str
    action: str
    fields: Mapping[str, Field]
    values: Written
    version: int
    updated_at: datetime | None
    updated_by: str | None
    page: str = ""
    hours: str = ""
    """When it is open, where that is more than one interval."""


@dataclass(frozen=True)
class Refusal:
    """An edit that was not accepted: what was written and why not. Without `written` the new state is shown."""

    key: str
    written: Written = field(default_factory=dict)
    problems: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    status: int = 422


@router.get("")
def show_settings(
    request: Request, _principal: Viewer, session: SessionDep, corridor: CorridorDep, saved: str = ""
) -> Response:
    """Gates, yards and thresholds as they are set."""
    return _page(request, session, corridor, saved=saved)


@router.post("/gates/{gate_id}/{direction}")
def save_gate(
    request: Request, gate_id: str, direction: Direction, action: WriterAction, corridor: CorridorDep, sent: SentFields
) -> Response:
    """Set how one direction of a gate works."""

    def apply(values: GateSettingIn, version: int) -> None:
        changes = values.model_dump(exclude_unset=True)
        gates.change_direction(action, gate_id, direction, changes, expected_version=version)

    key = f"gate-{gate_id}-{direction}"
    refusal = _attempt(action.session, key, GATE_FORM, sent, apply)
    return _answer(request, action.session, corridor, key, refusal)


@router.post("/yards/{yard_id}")
def save_yard(
    request: Request, yard_id: str, action: WriterAction, corridor: CorridorDep, sent: SentFields
) -> Response:
    """Set how many trucks a yard holds."""

    def apply(values: CapacityIn, version: int) -> None:
        yards_service.change_capacity(action, yard_id, values.capacity, values.opening_hours, expected_version=version)

    return _answer(
        request,
        action.session,
        corridor,
        f"yard-{yard_id}",
        _attempt(action.session, f"yard-{yard_id}", YARD_FORM, sent, apply),
    )


@router.post("/{key}")
def save_policy(request: Request, key: str, action: WriterAction, corridor: CorridorDep, sent: SentFields) -> Response:
    """Set a policy; raises NotFoundError."""
    if key not in POLICIES:
        raise NotFoundError("There is no setting {key}.", key=key)
    return _answer(request, action.session, corridor, key, POLICIES[key].save(action, sent))


def _attempt(
    session: Session, key: str, form: RecordForm[M], sent: list[tuple[str, str]], apply: Callable[[M, int], None]
) -> Refusal | None:
    """Make an edit of the version that the form was written for; why not, if it was refused."""
    written = {name: value.strip() for name, value in sent if name != "csrf_token"}
    reading = form.read({name: value for name, value in written.items() if name != "version"})
    if reading.record is None:
        return Refusal(key, written, problems_by_field(reading.problems))
    try:
        with session.begin_nested():
            apply(reading.record, int(written["version"]))
    except StaleError as error:
        return Refusal(key, {}, problems_by_field([Problem("", error.message, error.values)]), status=412)
    except CuaKhauError as error:
        return Refusal(key, written, problems_by_field([Problem.of_error(error, written)]))
    except (KeyError, ValueError):
        incomplete = Problem("", N_("The form is incomplete; load the page again."))
        return Refusal(key, written, problems_by_field([incomplete]), status=428)
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
        "policies": [policy.card(session) for policy in POLICIES.values()],
    }
    status = refusal.status if refusal else 200
    return render(request, "planning/settings.html", status=status, cards=cards, saved=saved, refusal=refusal)


def gate_cards(session: Session, corridor: Corridor, language: str, now: datetime) -> list[Card]:
    """Both directions of every gate."""
    stored = gates.list_settings(session, now)
    names = account_names(session, (setting.updated_by for setting in stored))
    directions = {"export": N_("Exports: to China"), "import": N_("Imports: to Viet Nam")}
    return [
        Card(
            key=f"gate-{setting.gate_id}-{setting.direction}",
            title=_site_name(corridor, setting.gate_id, language),
            subtitle=directions[setting.direction],
            action=f"/planner/settings/gates/{setting.gate_id}/{setting.direction}",
            fields=GATE_FORM.fields,
            values=GATE_FORM.write({name: getattr(setting, name) for name in GATE_FORM.fields}),
            version=setting.version,
            updated_at=setting.updated_at,
            updated_by=names.get(setting.updated_by or 0),
            hours=setting.hours if "," in setting.hours else "",
        )
        for setting in stored
    ]


def list_yards(session: Session, corridor: Corridor) -> list[tuple[str, dict[str, str], int]]:
    """Yards of the corridor with their names and places: as set, or as a new one comes."""
    set_veh = {yard.yard_id: yard.capacity_veh for yard in capacity_store.list_yards(session)}
    return [
        (yard.site_id, dict(yard.name), set_veh.get(yard.site_id, int(yard.capacity_veh or 0)))
        for yard in corridor.yards()
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
            fields=YARD_FORM.fields,
            values={"capacity": str(yard.capacity_veh), "opening_hours": yard.opening_hours},
            version=yard.version,
            updated_at=yard.updated_at,
            updated_by=names.get(yard.updated_by or 0),
            page=f"/yard/{yard.yard_id}/places",
        )
        for yard in yards
    ]


class PolicyEditor(Generic[M]):
    """A policy of the platform as a card: where it is sent to, under which heading it stands."""

    def __init__(self, key: str, title: str, policy: Policy[M]) -> None:
        self.key, self.title, self.policy = key, title, policy
        self.form = RecordForm.of(policy.model)

    def save(self, action: ActionContext, sent: list[tuple[str, str]]) -> Refusal | None:
        """Put what was written in force; why not, if it was refused."""

        def apply(value: M, version: int) -> None:
            self.policy.set(action, value, version)

        return _attempt(action.session, self.key, self.form, sent, apply)

    def card(self, session: Session) -> Card:
        """The policy in force."""
        stored = self.policy.get(session)
        return Card(
            key=self.key,
            title=self.title,
            subtitle="",
            action=f"/planner/settings/{self.key}",
            fields=self.form.fields,
            values=self.form.write(stored.value.model_dump()),
            version=stored.version,
            updated_at=stored.updated_at,
            updated_by=account_names(session, [stored.updated_by]).get(stored.updated_by or 0),
        )


ADVICE: Final = PolicyEditor("policy", N_("When the platform warns, and what it proposes"), POLICY)
ORDERS: Final = PolicyEditor("orders", N_("Orders to many trucks"), ORDER_POLICY)
YARD_PLAN: Final = PolicyEditor("yard-plan", N_("What the yard plan aims at"), WEIGHTS)
TRIP_EXPIRY: Final = PolicyEditor("trip-expiry", N_("Trips whose truck never comes"), EXPIRY)
BOOKING_RULES: Final = PolicyEditor("booking-rules", N_("How places are booked"), RULES)
NOTICE: Final = PolicyEditor("board-notice", N_("Today's notice"), BOARD_NOTICE)
POLICIES: Final[Mapping[str, PolicyEditor[Any]]] = {
    editor.key: editor for editor in (NOTICE, ADVICE, ORDERS, YARD_PLAN, BOOKING_RULES, TRIP_EXPIRY)
}


def _site_name(corridor: Corridor, site_id: str, language: str) -> str:
    site = corridor.sites.get(site_id)
    return site.name.get(language, site_id) if site else site_id
