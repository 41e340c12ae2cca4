"""Announcements of a gate: what it does not take for a time (intake ban), what is out there (outage), weather. Pure.

A ban stops goods of some classes, under some regimes, from its beginning to its end; `GateProfile.takes` asks it. An
outage stops nothing by itself: steps that need what is out are blocked unless they may be done on paper. A weather
warning stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.gates.vocabulary import GoodsClass, NoticeKind, NoticeState, Regime, System
from app.platform.json import JsonObject
from app.platform.labels import N_
from geo.clock import LOCAL_ZONE


@dataclass(frozen=True, kw_only=True)
class GateNotice:
    """An announcement of a gate.

    Arguments: `ends_at`, when it is expected to end, `None` until further notice; `over_at`, when it did end before or
    without that (`over_reason` says why). Of a ban: `goods` and `regimes`, empty for all. Of an outage: `system`, what
    is out, and `paper_mode`, whether steps that need it may be done on paper. Of a weather warning: `is_simulated`, if
    a simulator told it.
    """

    notice_id: int
    kind: str
    gate_id: str
    cause: str
    starts_at: datetime
    ends_at: datetime | None
    over_at: datetime | None
    over_reason: str
    goods: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    system: str | None = None
    paper_mode: bool = False
    created_by: int | None = None
    created_role: str = ""
    created_at: datetime | None = None
    over_by: int | None = None
    is_simulated: bool = False
    version: int = 1

    @property
    def end(self) -> datetime | None:
        """When it stops to hold, as far as that is known.

        A ban and a weather warning end by themselves; an outage is over when somebody says so, however late.
        """
        if self.kind == NoticeKind.OUTAGE or self.over_at is not None:
            return self.over_at
        return self.ends_at

    def is_in_force(self, at: datetime) -> bool:
        """Whether it holds at a moment."""
        return self.starts_at <= at and (self.end is None or at < self.end)

    def state(self, at: datetime) -> NoticeState:
        """How it stands at a moment."""
        if self.is_in_force(at):
            return NoticeState.IN_FORCE
        return NoticeState.PLANNED if at < self.starts_at and self.over_at is None else NoticeState.OVER

    def is_over(self, at: datetime) -> bool:
        """Whether it holds no more at a moment and never will again; `notice_store` asks the database the same."""
        has_ended = self.kind != NoticeKind.OUTAGE and self.ends_at is not None and self.ends_at <= at
        return has_ended or (self.over_at is not None and self.over_at <= at)

    def is_overdue(self, at: datetime) -> bool:
        """Whether it should be over by now and is not."""
        return self.is_in_force(at) and self.ends_at is not None and self.ends_at <= at

    def concerns(self, regime: str | None, goods: Collection[str]) -> bool:
        """Whether it is about a truck under a regime with goods of some classes; an outage is about every truck.

        What nobody has named yet is not meant by a ban that names something.
        """
        return (not self.regimes or regime in self.regimes) and (
            not self.goods or not set(goods).isdisjoint(self.goods)
        )

    def stops(self, regime: str | None, goods: Collection[str], at: datetime) -> bool:
        """Whether it is a ban that keeps a truck out at a moment."""
        return self.kind == NoticeKind.BAN and self.is_in_force(at) and self.concerns(regime, goods)

    def overlaps(self, since: datetime, until: datetime) -> bool:
        """Whether it holds at some moment of [since, until)."""
        return self.starts_at < until and (self.end is None or self.end > max(since, self.starts_at))

    def to_record(self) -> JsonObject:
        """What people are told of it, as JSON."""
        return {
            "notice_id": self.notice_id,
            "kind": self.kind,
            "gate_id": self.gate_id,
            "cause": self.cause,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": None if self.ends_at is None else self.ends_at.isoformat(),
            "over_at": None if self.over_at is None else self.over_at.isoformat(),
            "over_reason": self.over_reason,
            "goods": list(self.goods),
            "regimes": list(self.regimes),
            "system": self.system,
            "paper_mode": self.paper_mode,
            "is_simulated": self.is_simulated,
            "version": self.version,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> GateNotice:
        """An announcement out of `to_record`."""
        goods, regimes = record["goods"], record["regimes"]
        assert isinstance(goods, list | tuple)
        assert isinstance(regimes, list | tuple)
        return cls(
            notice_id=int(str(record["notice_id"])),
            kind=str(record["kind"]),
            gate_id=str(record["gate_id"]),
            cause=str(record["cause"]),
            starts_at=datetime.fromisoformat(str(record["starts_at"])),
            ends_at=_moment(record["ends_at"]),
            over_at=_moment(record["over_at"]),
            over_reason=str(record["over_reason"]),
            goods=tuple(map(str, goods)),
            regimes=tuple(map(str, regimes)),
            system=None if record["system"] is None else str(record["system"]),
            paper_mode=bool(record["paper_mode"]),
            is_simulated=bool(record.get("is_simulated")),
            version=int(str(record["version"])),
        )


def find_ban(
    notices: Iterable[GateNotice], regime: str | None, goods: Collection[str], at: datetime
) -> GateNotice | None:
    """The ban that keeps a truck out at a moment, the one that ends last if there are several."""
    stopping = [notice for notice in notices if notice.stops(regime, goods, at)]
    return max(stopping, key=lambda ban: (ban.end is None, ban.end or ban.starts_at), default=None)


BAN: Final = N_("{gate} takes no {goods} ({regimes}) from {since} {until}. Cause: {cause}")
OUTAGE: Final = N_("{gate}: {system} out from {since}, {until}. Cause: {cause}")
WEATHER: Final = N_("{gate}: weather warning from {since} {until}. {cause}")
SIMULATED: Final = N_("Simulated")
PAPER: Final = N_("Steps that need it are done on paper.")
OVER: Final = N_("Over since {over}: {reason}")


def describe(notice: GateNotice, gate: str, gettext: Callable[[str], str]) -> str:
    """An announcement in one or two sentences; `gate` is the gate's name, `gettext` translates."""
    values = {
        "gate": gate,
        "since": show_moment(notice.starts_at),
        "until": _until(notice, gettext),
        "cause": notice.cause,
    }
    if notice.kind == NoticeKind.BAN:
        goods = ", ".join(gettext(GoodsClass.get(name).label) for name in notice.goods) or gettext(N_("goods"))
        regimes = ", ".join(gettext(Regime.get(name).label) for name in notice.regimes) or gettext(N_("all regimes"))
        text = gettext(BAN).format(goods=goods, regimes=regimes, **values)
    elif notice.kind == NoticeKind.WEATHER:
        text = gettext(WEATHER).format(**values)
        if notice.is_simulated:
            text = f"[{gettext(SIMULATED)}] {text}"
    else:
        system = System.lookup(notice.system)
        name = gettext(system.label) if system is not None else "–"
        text = gettext(OUTAGE).format(system=name, **values)
        if notice.paper_mode and notice.over_at is None:
            text = f"{text.rstrip('.')}. {gettext(PAPER)}"
    if notice.over_at is not None:
        over = gettext(OVER).format(over=show_moment(notice.over_at), reason=notice.over_reason or "–")
        text = f"{text.rstrip('.')}. {over}"
    return text


def show_moment(moment: datetime) -> str:
    """A moment as people at the border read it."""
    return moment.astimezone(LOCAL_ZONE).strftime("%H:%M %d/%m")


def _until(notice: GateNotice, gettext: Callable[[str], str]) -> str:
    if notice.ends_at is None:
        return gettext(N_("until further notice"))
    template = N_("expected to end {time}") if notice.kind == NoticeKind.OUTAGE else N_("until {time}")
    return gettext(template).format(time=show_moment(notice.ends_at))


def _moment(value: object) -> datetime | None:
    return None if value is None else datetime.fromisoformat(str(value))
