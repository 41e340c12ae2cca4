"""The daily bulletin of each gate, and the round in which control sums up the days that are over.

All of it is counted from where trucks were, as `app.trips.presence` judges: what crossed by the end of its trip, who
turned back as such and not as a crossing; standing are those before and between the barriers of a gate at 20:00.
Goods that changed vehicles are counted with the vehicles that took them over the border, each once; a vehicle that was
emptied and went home is counted over no border, on whichever side its home is.
What becomes known late is counted when the day is summed again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.platform.labels import N_
from app.platform.pdf_languages import writable
from app.platform.permissions import Principal
from app.reporting import store
from app.reporting.statistics import KEPT, LATE_DAYS, begin_of, check_days, local_day, own_gates, sum_day
from app.reporting.tables import BulletinFigures

STANDING_AT: Final = time(20, 0)
AGAIN_AFTER: Final = timedelta(minutes=15)
MAX_DAYS_A_ROUND: Final = 10

FIGURES: Final = {
    "fruit_exports": N_("Exports: fresh fruit"),
    "other_exports": N_("Exports: other goods"),
    "empty_exports": N_("Outbound, empty"),
    "cargo_imports": N_("Imports: cargo"),
    "new_vehicle_imports": N_("Imports: new vehicles"),
    "empty_imports": N_("Inbound, empty"),
    "turned_back": N_("Turned back"),
    "home_empty": N_("Gone home empty after transshipment"),
    "standing_queue": N_("Standing at 20:00, in the queue"),
    "standing_yard": N_("Standing at 20:00, in the yard"),
}
"""Counts of trucks in the order of the bulletin."""
EXPORTS: Final = ("fruit_exports", "other_exports", "empty_exports")
IMPORTS: Final = ("cargo_imports", "new_vehicle_imports", "empty_imports")
STANDING: Final = ("standing_queue", "standing_yard")


@dataclass(frozen=True)
class Bulletin:
    """One gate, one local day; `figures` counts trucks, those standing `None` before 20:00."""

    day: date
    gate_id: str
    figures: Mapping[str, int | None]
    simulated: bool
    is_final: bool
    made_at: datetime

    def total(self, names: Collection[str]) -> int | None:
        """The sum of some figures; `None` if one is not known yet."""
        values = [self.figures.get(name) for name in names]
        return None if None in values else sum(value for value in values if value is not None)


def list_bulletins(
    session: Session,
    principal: Principal,
    gates: Sequence[str],
    *,
    gate_id: str | None,
    first: date,
    last: date,
    now: datetime,
) -> list[Bulletin]:
    """Bulletins from a local day to a local day, newest first; today's counts what has happened so far.

    Raises
    ------
    InvalidInputError, ForbiddenError
        If the days cannot be accepted, or the caller may see another gate only.
    """
    check_days(first, last)
    shown = own_gates(principal, gates, gate_id)
    kept = [
        Bulletin(
            row.day,
            row.gate_id,
            row.figures["veh"],
            row.figures["simulated"],
            row.day < local_day(now) - timedelta(days=LATE_DAYS),
            row.made_at,
        )
        for row in store.list_bulletins(session, first, last, shown)
    ]
    today, known = local_day(now), {(bulletin.day, bulletin.gate_id) for bulletin in kept}
    fresh = [
        bulletin
        for day in (today - timedelta(days=1), today)
        if first <= day <= last and any((day, gate) not in known for gate in shown)
        for bulletin in count_day(session, day, shown, now)
        if (bulletin.day, bulletin.gate_id) not in known
    ]
    return sorted(kept + fresh, key=lambda bulletin: (-bulletin.day.toordinal(), shown.index(bulletin.gate_id)))


def count_day(session: Session, day: date, gates: Collection[str], now: datetime) -> list[Bulletin]:
    """Count what happened at each gate on a local day, up to now."""
    counts: dict[str, dict[str, int | None]] = {gate: dict.fromkeys(FIGURES, 0) for gate in gates}
    simulated: set[str] = set()

    def add(gate: str, name: str, row: store.Crossings | store.Standing) -> None:
        if gate in counts:
            counts[gate][name] = (counts[gate][name] or 0) + row.trips
            if row.simulated:
                simulated.add(gate)

    for row in store.crossings(session, begin_of(day), begin_of(day + timedelta(days=1))):
        add(row.gate_id, _figure(row), row)
    moment = begin_of(day, STANDING_AT)
    if now >= moment:
        for group in store.standing_at(session, moment):
            add(group.gate_id, "standing_yard" if group.is_inside else "standing_queue", group)
    else:
        for gate in counts:
            counts[gate] |= dict.fromkeys(STANDING, None)
    return [Bulletin(day, gate, counts[gate], gate in simulated, False, now) for gate in gates]


def _figure(row: store.Crossings) -> str:
    if row.home_empty:
        return "home_empty"
    return figure_of(row.direction, row.goods_class, turned_back=row.turned_back)


def figure_of(direction: str, goods_class: str, *, turned_back: bool) -> str:
    """The figure that a trip which is over counts for, if its vehicle carried its load."""
    if turned_back:
        return "turned_back"
    if direction == "export":
        return {"fresh_fruit": "fruit_exports", "empty": "empty_exports"}.get(goods_class, "other_exports")
    return {"vehicles": "new_vehicle_imports", "empty": "empty_imports"}.get(goods_class, "cargo_imports")


def sum_up(session: Session, now: datetime, gates: Collection[str]) -> int:
    """Sum up the days that are over and not settled yet; how many. Control calls this every tick.

    The last days are done again each quarter of an hour, since news of them still comes in; days missed while
    control was away are made up for, as far back as single stays are kept.
    """
    today = local_day(now)
    newest = store.newest_bulletin(session)
    yesterday = today - timedelta(days=1)
    if newest is not None and newest[0] >= yesterday and now - newest[1] < AGAIN_AFTER:
        return 0
    oldest = store.first_stay(session, begin_of(today - KEPT))
    if oldest is None:
        return 0
    first = local_day(oldest)
    if newest is not None:
        first = max(first, min(today - timedelta(days=LATE_DAYS), newest[0] + timedelta(days=1)))
    first = max(first, today - KEPT + timedelta(days=1))
    days = [first + timedelta(days=n) for n in range((today - first).days)][:MAX_DAYS_A_ROUND]
    for day in days:
        sum_day(session, day)
        store.save_bulletins(session, [_kept(made) for made in count_day(session, day, gates, now)])
    store.forget_stays(session, begin_of(today - KEPT))
    return len(days)


def to_csv(bulletins: Iterable[Bulletin], gate_names: Mapping[str, str], gettext: Callable[[str], str]) -> str:
    """Bulletins as a table for spreadsheets: UTF-8 with byte order mark, a line a gate and day (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = [gettext(name) for name in FIGURES.values()]
    writer.writerow([gettext("Day"), gettext("Gate"), *names, gettext("State"), gettext("Source")])
    for bulletin in bulletins:
        values = ["" if bulletin.figures.get(name) is None else bulletin.figures[name] for name in FIGURES]
        state, source = state_of(bulletin), "Simulated data" if bulletin.simulated else "Counted"
        gate = gate_names.get(bulletin.gate_id, bulletin.gate_id)
        writer.writerow([bulletin.day.isoformat(), gate, *values, gettext(state), gettext(source)])
    return "\ufeff" + out.getvalue()


def to_pdf(
    bulletins: Sequence[Bulletin],
    gate_names: Mapping[str, str],
    gettext: Callable[[str], str],
    *,
    language: str,
    made_at: datetime,
) -> bytes:
    """Bulletins as a document to send on; `gettext` translates into `writable(language)`."""
    from app.platform.pdf import Document  # noqa: PLC0415 - half a second of the start of the web part

    days = sorted({bulletin.day for bulletin in bulletins})
    span = " – ".join(day.strftime("%d/%m/%Y") for day in ([days[0], days[-1]] if len(days) > 1 else days))
    foot = gettext("Simulated data") if any(bulletin.simulated for bulletin in bulletins) else ""
    document = Document(
        f"{gettext('Daily bulletin of the gates')} {span}", made_at=made_at, language=writable(language), foot=foot
    )
    stamp = made_at.astimezone(begin_of(local_day(made_at)).tzinfo).strftime("%H:%M %d/%m/%Y")
    document.paragraph(gettext("Trucks. Made at {time}.").format(time=stamp), muted=True)
    for bulletin in bulletins:
        gate = gate_names.get(bulletin.gate_id, bulletin.gate_id)
        document.heading(f"{gate} · {bulletin.day:%d/%m/%Y} · {gettext(state_of(bulletin))}")
        rows = [(gettext(label), _shown(bulletin.figures.get(name))) for name, label in FIGURES.items()]
        document.grid(None, rows, widths=(4, 1), aligns=("LEFT", "RIGHT"))
    return document.to_bytes()


def state_of(bulletin: Bulletin) -> str:
    """How settled a bulletin is, as a gettext key."""
    return N_("Final") if bulletin.is_final else N_("Preliminary")


def _shown(value: int | None) -> str:
    return "–" if value is None else f"{value}"


def _kept(bulletin: Bulletin) -> store.NewBulletin:
    figures: BulletinFigures = {"veh": dict(bulletin.figures), "simulated": bulletin.simulated}
    return store.NewBulletin(bulletin.day, bulletin.gate_id, bulletin.made_at, figures)
