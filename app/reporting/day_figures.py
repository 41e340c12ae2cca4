"""The day in figures, as the province's notice has it: for each gate and class of goods what came, went and stands.

A day runs from 20:00 to 20:00 local time, so that what stands adds up:
standing = standing the day before + arrivals - in - out - turned back. Trucks sent on to another gate are turned back
here (`sent_on` of them) and arrive there.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from sqlalchemy.orm import Session

from app.gates.vocabulary import GoodsClass
from app.platform.labels import N_
from app.platform.pdf_languages import writable
from app.platform.permissions import Principal
from app.reporting import day_store as store
from app.reporting.bulletin import AGAIN_AFTER, MAX_DAYS_A_ROUND, STANDING_AT
from app.reporting.statistics import KEPT, LATE_DAYS, begin_of, check_days, local_day, own_gates
from app.reporting.store import first_stay
from app.reporting.visits import Visit, visits_of
from app.reporting.vocabulary import Leaving
from geo.clock import LOCAL_ZONE

COUNTS: Final = {
    "standing_before": N_("Standing the day before"),
    "arrivals": N_("Arrivals"),
    "went_in": N_("In, to Viet Nam"),
    "went_out": N_("Out, to China"),
    "turned_back": N_("Turned back"),
    "sent_on": N_("of these sent to another gate"),
    "standing": N_("Standing at 20:00"),
    "outside": N_("of these outside the gate"),
}
"""The figures of the notice in their order, with keys of the translations."""
COUNTED_IN: Final[Mapping[Leaving, Sequence[str]]] = {
    Leaving.IN: ("went_in",),
    Leaving.OUT: ("went_out",),
    Leaving.TURNED_BACK: ("turned_back",),
    Leaving.SENT_ON: ("turned_back", "sent_on"),
}
"""The figures that a truck counts in by how it left."""
GOODS_CLASSES: Final = tuple(GoodsClass)


@dataclass(frozen=True)
class Figures:
    """One gate, one class of goods ("" for all), one day; counts of trucks."""

    day: date
    gate_id: str
    goods_class: str
    standing_before: int = 0
    arrivals: int = 0
    went_in: int = 0
    went_out: int = 0
    turned_back: int = 0
    sent_on: int = 0
    standing: int = 0
    outside: int = 0
    simulated: bool = False
    is_final: bool = False

    @property
    def adds_up(self) -> bool:
        """Whether what stands is what stood and came, less what went."""
        went = self.went_in + self.went_out + self.turned_back
        return self.standing == self.standing_before + self.arrivals - went

    @property
    def is_empty(self) -> bool:
        """Whether nothing came, went or stood."""
        return not any(getattr(self, name) for name in COUNTS)


@dataclass(frozen=True)
class GateDay:
    """The figures of a gate for a day: of all goods, and of each class that has any.

    `correction` is by how many trucks the present count of what stood the day before differs from what that day's
    notice said, since late reports came in.
    """

    total: Figures
    by_goods: tuple[Figures, ...]
    correction: int = 0

    @property
    def rows(self) -> tuple[Figures, ...]:
        """The lines of the notice: each class of goods, then all goods."""
        return (*self.by_goods, self.total)


def span_of(day: date) -> tuple[datetime, datetime]:
    """When a day of the notice begins and ends."""
    return begin_of(day - timedelta(days=1), STANDING_AT), begin_of(day, STANDING_AT)


def count(visits: Iterable[Visit], day: date, gates: Collection[str], until: datetime | None = None) -> list[Figures]:
    """Count visits on a day: of each gate, each class of goods that has any, in the order of the vocabulary.

    Arguments: `until`, up to when, if the day is not over.
    """
    since, end = span_of(day)
    end = end if until is None else max(min(until, end), since)
    counts: dict[tuple[str, str], Counter[str]] = {}
    simulated: set[tuple[str, str]] = set()
    for visit in visits:
        names = _counted_in(visit, since, end) if visit.gate_id in gates else []
        if names:
            key = (visit.gate_id, visit.goods_class)
            counts.setdefault(key, Counter()).update(names)
            if visit.simulated:
                simulated.add(key)
    return [
        figures_of(day, gate, goods, counts[gate, goods], is_simulated=(gate, goods) in simulated)
        for gate in gates
        for goods in GOODS_CLASSES
        if (gate, goods) in counts
    ]


def figures_of(
    day: date, gate_id: str, goods_class: str, counts: Mapping[str, int], *, is_simulated: bool, is_final: bool = False
) -> Figures:
    """The figures with counts by the names of `COUNTS`."""
    return Figures(
        day=day,
        gate_id=gate_id,
        goods_class=goods_class,
        standing_before=counts["standing_before"],
        arrivals=counts["arrivals"],
        went_in=counts["went_in"],
        went_out=counts["went_out"],
        turned_back=counts["turned_back"],
        sent_on=counts["sent_on"],
        standing=counts["standing"],
        outside=counts["outside"],
        simulated=is_simulated,
        is_final=is_final,
    )


def _counted_in(visit: Visit, since: datetime, until: datetime) -> list[str]:
    """The figures of the time since a moment until another that a visit is counted in."""
    names = []
    if visit.stands_at(since):
        names.append("standing_before")
    if since < visit.arrived_at <= until:
        names.append("arrivals")
    if visit.leaving is not None and visit.left_at is not None and since < visit.left_at <= until:
        names += COUNTED_IN[visit.leaving]
    if visit.stands_at(until):
        names.append("standing")
        if not visit.is_inside_at(until):
            names.append("outside")
    return names


def total_of(day: date, gate_id: str, parts: Sequence[Figures]) -> Figures:
    """The figures of all goods together."""
    sums = {name: sum(getattr(part, name) for part in parts) for name in COUNTS}
    is_simulated, is_final = any(part.simulated for part in parts), bool(parts) and all(p.is_final for p in parts)
    return figures_of(day, gate_id, "", sums, is_simulated=is_simulated, is_final=is_final)


def list_days(
    session: Session,
    principal: Principal,
    gates: Sequence[str],
    *,
    gate_id: str | None,
    first: date,
    last: date,
    now: datetime,
) -> list[GateDay]:
    """The notices from a local day to a local day, newest first; a day that is not over counts what happened so far.

    Raises
    ------
    InvalidInputError, ForbiddenError
        If the days cannot be accepted, or the caller may see another gate only.
    """
    check_days(first, last)
    shown = own_gates(principal, gates, gate_id)
    newest = min(last, notice_day(now))
    known: dict[date, list[Figures]] = {}
    for row in store.list_figures(session, first - timedelta(days=1), last, shown):
        counts = {name: getattr(row, name) for name in COUNTS}
        is_final = row.day < notice_day(now) - timedelta(days=LATE_DAYS)
        key = (row.day, row.gate_id, row.goods_class)
        figures = figures_of(*key, counts, is_simulated=row.simulated, is_final=is_final)
        known.setdefault(row.day, []).append(figures)
    settled = store.newest_day(session)
    found: list[GateDay] = []
    for number in range((newest - first).days + 1):
        day = first + timedelta(days=number)
        if day not in known and (settled is None or day > settled[0]):
            known[day] = count_day(session, day, shown, now)
        before = known.get(day - timedelta(days=1))
        made = [_gate_day(day, gate, known.get(day, []), before) for gate in shown]
        found += [made_day for made_day in made if made_day.correction or day == newest or not made_day.total.is_empty]
    return sorted(found, key=lambda day: (-day.total.day.toordinal(), shown.index(day.total.gate_id)))


def _gate_day(day: date, gate_id: str, figures: Sequence[Figures], before: Sequence[Figures] | None) -> GateDay:
    order = list(GoodsClass)
    own = [counted for counted in figures if counted.gate_id == gate_id and not counted.is_empty]
    parts = sorted(own, key=lambda figures: order.index(GoodsClass.get(figures.goods_class)))
    total = total_of(day, gate_id, parts)
    said = None if before is None else sum(figures.standing for figures in before if figures.gate_id == gate_id)
    return GateDay(total, tuple(parts), 0 if said is None else total.standing_before - said)


def notice_day(now: datetime) -> date:
    """The day whose notice a moment belongs to: after 20:00 the next one."""
    local = now.astimezone(LOCAL_ZONE)
    return local.date() + timedelta(days=1 if local.time() >= STANDING_AT else 0)


def count_day(session: Session, day: date, gates: Collection[str], now: datetime) -> list[Figures]:
    """Count what happened at the gates on a day, up to now."""
    since, until = span_of(day)
    trips = store.list_trips(session, since, until)
    visits = [visit for trip in trips for visit in visits_of(trip)]
    return count(visits, day, gates, None if now >= until else now)


def sum_up(session: Session, now: datetime, gates: Collection[str]) -> int:
    """Keep the figures of days that are over and not settled yet; how many days. Control calls this every tick.

    The last days are done again each quarter of an hour, since news of them still comes in.
    """
    last = notice_day(now) - timedelta(days=1)
    newest, oldest = store.newest_day(session), first_stay(session, now - KEPT)
    if oldest is None or (newest is not None and newest[0] >= last and now - newest[1] < AGAIN_AFTER):
        return 0
    first = local_day(oldest)
    if newest is not None:
        first = max(first, min(last - timedelta(days=LATE_DAYS - 1), newest[0] + timedelta(days=1)))
    first = max(first, last - KEPT + timedelta(days=2))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)][:MAX_DAYS_A_ROUND]
    for day in days:
        rows = count_day(session, day, gates, now) or [Figures(day, gate, GoodsClass.GENERAL) for gate in gates]
        store.replace_day(session, day, [_kept(row, now) for row in rows])
    return len(days)


def _kept(figures: Figures, now: datetime) -> store.NewFigure:
    counts = {name: getattr(figures, name) for name in COUNTS}
    return store.NewFigure(
        figures.day, figures.gate_id, figures.goods_class, **counts, simulated=figures.simulated, made_at=now
    )


# Sent on


def to_csv(days: Iterable[GateDay], gate_names: Mapping[str, str], gettext: Callable[[str], str]) -> str:
    """The notices as a table for spreadsheets: UTF-8 with byte order mark, a line a day, gate and class (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    head = [gettext("Day"), gettext("Gate"), gettext("Goods"), *(gettext(label) for label in COUNTS.values())]
    writer.writerow([*head, gettext("Source")])
    for day in days:
        for row in day.rows:
            source = "Simulated data" if row.simulated else "Counted"
            goods = _goods(row, gettext)
            counts = [getattr(row, name) for name in COUNTS]
            gate = gate_names.get(row.gate_id, row.gate_id)
            writer.writerow([row.day.isoformat(), gate, goods, *counts, gettext(source)])
    return "\ufeff" + out.getvalue()


def to_pdf(
    days: Sequence[GateDay],
    gate_names: Mapping[str, str],
    gettext: Callable[[str], str],
    *,
    language: str,
    made_at: datetime,
) -> bytes:
    """The notices as a document to send on; `gettext` translates into `writable(language)`."""
    from app.platform.pdf import Document  # noqa: PLC0415 - half a second of the start of the web part

    is_simulated = any(day.total.simulated for day in days)
    foot = gettext("Simulated data") if is_simulated else ""
    document = Document(gettext(N_("The day in figures")), made_at=made_at, language=writable(language), foot=foot)
    stamp = made_at.astimezone(LOCAL_ZONE).strftime("%H:%M %d/%m/%Y")
    document.paragraph(gettext("Trucks. Made at {time}.").format(time=stamp), muted=True)
    document.paragraph(gettext(EXPLAINED), muted=True)
    for day in days:
        gate = gate_names.get(day.total.gate_id, day.total.gate_id)
        document.heading(f"{gate} · {day.total.day:%d/%m/%Y}")
        head = [gettext("Goods"), *(gettext(label) for label in COUNTS.values())]
        rows = [(_goods(row, gettext), *(str(getattr(row, name)) for name in COUNTS)) for row in day.rows]
        document.grid(head, rows, widths=(3, *(1.4 for _ in COUNTS)), aligns=ALIGNS)
    return document.to_bytes()


RIGHT: Final[Literal["RIGHT"]] = "RIGHT"
ALIGNS: Final[tuple[Literal["LEFT", "RIGHT", "CENTER"], ...]] = ("LEFT", *(RIGHT for _ in COUNTS))
EXPLAINED: Final = N_(
    "From 20:00 the day before to 20:00. Standing = standing the day before + arrivals - in - out - turned back."
)


def _goods(row: Figures, gettext: Callable[[str], str]) -> str:
    return gettext(GoodsClass.get(row.goods_class).label) if row.goods_class else gettext(N_("All goods"))
