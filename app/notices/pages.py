"""The page of intake bans and outages: what is announced, which trips it is about, and the forms to announce."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.gates.holidays import PublicHoliday, coming, unsettled
from app.gates.notice import GateNotice, describe
from app.gates.profile import DIRECTIONS
from app.gates.service import gate_ids, gate_name, profiles
from app.gates.vocabulary import GoodsClass, NoticeKind, NoticeState, Regime, System
from app.notices import service as notices
from app.notices.store import ConcernedTrip
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import translate
from app.platform.permissions import Principal, Scope
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.errors import CuaKhauError, InvalidInputError, StaleError
from geo.opening_hours import format_intervals

router = APIRouter(include_in_schema=False, prefix="/gate-notices")

ReaderDep = Annotated[Principal, Depends(allow("pages.notices"))]
BanAction = Annotated[ActionContext, Depends(acting("bans.write"))]
OutageAction = Annotated[ActionContext, Depends(acting("outages.write"))]
NoticeId = Annotated[int, Path(ge=1, le=2**31 - 1)]
SEVERAL: Final = ("goods", "regimes")
AHEAD: Final = timedelta(days=90)
"""So far ahead public holidays are shown."""


@dataclass(frozen=True)
class ShownNotice:
    """An announcement on the page: in words, how it stands, and the trips that the reader may see of it."""

    notice: GateNotice
    state: NoticeState
    text: str
    trips: list[ConcernedTrip]
    may_change: bool


@dataclass(frozen=True)
class HolidayRow:
    """A public holiday, and the hours of each gate then: exports, imports; `None` where its profile does not say."""

    holiday: PublicHoliday
    hours: dict[str, tuple[str, ...] | None]


@dataclass(frozen=True)
class SentNotice:
    """What a form sent: its texts, and the chosen values of those with several."""

    texts: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, list[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A text, empty if the form has none of that name."""
        return self.texts.get(name, "")

    def moment(self, name: str) -> datetime | None:
        """A local date and time; `None` if nothing is written; raises InvalidInputError."""
        written = self.text(name)
        if not written:
            return None
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            raise InvalidInputError(
                "{value} is not a date and time; write it like 31/12/2026 14:30.", field=name, value=written[:40]
            ) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=LOCAL_ZONE)

    def version(self) -> int:
        """The version that the form was written on."""
        written = self.text("version")
        return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0


async def read_sent(request: Request) -> SentNotice:
    """The fields of a form of this page."""
    form = await request.form()
    pairs = [(name, value.strip().replace("\0", "")) for name, value in form.multi_items() if isinstance(value, str)]
    chosen = {name: [value for key, value in pairs if key == name] for name in SEVERAL}
    return SentNotice({name: value for name, value in pairs if name not in SEVERAL}, chosen)


SentDep = Annotated[SentNotice, Depends(read_sent)]


@router.get("")
def show_notices(
    request: Request, principal: ReaderDep, session: SessionDep, corridor: CorridorDep, clock: ClockDep
) -> Response:
    """All that is announced, in force first."""
    return _page(request, principal, session, corridor, clock, sent=SentNotice(), message="")


@router.post("/bans")
def set_ban(
    request: Request, action: BanAction, session: SessionDep, corridor: CorridorDep, clock: ClockDep, sent: SentDep
) -> Response:
    """Ban goods from a gate."""

    def act() -> None:
        new = notices.NewBan(
            gate_id=sent.text("gate_id"),
            cause=sent.text("cause"),
            starts_at=sent.moment("starts_at"),
            ends_at=sent.moment("ends_at"),
            goods=sent.chosen["goods"],
            regimes=sent.chosen["regimes"],
        )
        notices.set_ban(action, new, gate_ids(corridor))

    return _answer(request, action, session, corridor, clock, sent, act)


@router.post("/outages")
def report_outage(
    request: Request, action: OutageAction, session: SessionDep, corridor: CorridorDep, clock: ClockDep, sent: SentDep
) -> Response:
    """Announce an outage."""

    def act() -> None:
        new = notices.NewOutage(
            gate_id=sent.text("gate_id"),
            cause=sent.text("cause"),
            system=sent.text("system"),
            starts_at=sent.moment("starts_at"),
            ends_at=sent.moment("ends_at"),
            paper_mode=bool(sent.text("paper_mode")),
        )
        notices.report_outage(action, new, gate_ids(corridor))

    return _answer(request, action, session, corridor, clock, sent, act)


@router.post("/bans/{notice_id}")
def edit_ban(
    request: Request,
    notice_id: NoticeId,
    action: BanAction,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    sent: SentDep,
) -> Response:
    """Change or end a ban."""
    return _answer(request, action, session, corridor, clock, sent, partial(_edit, action, notice_id, sent))


@router.post("/outages/{notice_id}")
def edit_outage(
    request: Request,
    notice_id: NoticeId,
    action: OutageAction,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    sent: SentDep,
) -> Response:
    """Change or end an outage."""
    return _answer(request, action, session, corridor, clock, sent, partial(_edit, action, notice_id, sent))


def _edit(action: ActionContext, notice_id: int, sent: SentNotice) -> None:
    if sent.text("act") == "end":
        notices.end_notice(action, notice_id, sent.version(), reason=sent.text("reason"), at=sent.moment("at"))
        return
    notices.change_notice(
        action,
        notice_id,
        sent.version(),
        cause=sent.text("cause"),
        ends_at=sent.moment("ends_at"),
        paper_mode=bool(sent.text("paper_mode")),
    )


def _answer(
    request: Request,
    action: ActionContext,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    sent: SentNotice,
    act: Callable[[], None],
) -> Response:
    """Act and lead back to the page; what is refused is said there, with what was written kept."""
    try:
        with session.begin_nested():
            act()
    except CuaKhauError as error:
        kept = SentNotice() if isinstance(error, StaleError) else sent
        return _page(request, action.actor, session, corridor, clock, sent=kept, message=translate(request, error))
    return RedirectResponse("/gate-notices", 303)


def _page(
    request: Request,
    principal: Principal,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    *,
    sent: SentNotice,
    message: str,
) -> Response:
    now, language = clock.now(), request.app.state.pages.language(request)
    gettext = partial(request.app.state.gettext, request)
    shown = [
        ShownNotice(
            notice,
            notice.state(now),
            describe(notice, gate_name(corridor, notice.gate_id, language), gettext),
            notices.trips_of(session, principal, notice, now) if principal.may("trips.read") else [],
            may_announce(principal, notice.kind, notice.gate_id),
        )
        for notice in notices.list_notices(session, now, with_over=True)
    ]
    order = {NoticeState.IN_FORCE: 0, NoticeState.PLANNED: 1, NoticeState.OVER: 2}
    return render(
        request,
        "notices/notices.html",
        status=422 if message else 200,
        shown=sorted(shown, key=lambda notice: order[notice.state]),
        gates={gate: gate_name(corridor, gate, language) for gate in gate_ids(corridor)},
        own_gates={
            kind: [gate for gate in gate_ids(corridor) if may_announce(principal, kind, gate)] for kind in NoticeKind
        },
        own_goods=notices.AGENCY_GOODS.get(principal.role, tuple(GoodsClass)),
        goods_labels=GoodsClass.labels(),
        regime_labels=Regime.labels(),
        systems=System.by_name(),
        kinds=NoticeKind.by_name(),
        states=NoticeState.by_name(),
        holidays=_holidays(session, corridor, now),
        sent=sent,
        message=message,
        now=now,
    )


def _holidays(session: SessionDep, corridor: CorridorDep, now: datetime) -> list[HolidayRow]:
    """The public holidays ahead, and for each gate its hours then, `None` where its profile does not say."""
    today = now.astimezone(LOCAL_ZONE).date()
    known = profiles(session, now, corridor)
    return [
        HolidayRow(
            holiday,
            {
                gate_id: (
                    tuple(
                        format_intervals(profile.of(name).opening_hours.holidays[holiday.day]) or "–"
                        for name in DIRECTIONS
                    )
                    if not any(unsettled(profile, name, holiday.day) for name in DIRECTIONS)
                    else None
                )
                for gate_id, profile in known.items()
            },
        )
        for holiday in coming(today, today + AHEAD)
    ]


def may_announce(principal: Principal, kind: str, gate_id: str) -> bool:
    """Whether a person may announce something of this kind of a gate; weather warnings are their service's."""
    if kind == NoticeKind.WEATHER:
        return False
    scope = principal.scope("bans.write" if kind == NoticeKind.BAN else "outages.write")
    return scope is not None and (scope is not Scope.OWN_GATE or principal.gate_id == gate_id)
