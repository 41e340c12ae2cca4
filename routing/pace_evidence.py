"""What passages say of a gate's pace: how likely each rate is by what passed in a step, and by who waited then. Pure.

Three kinds of time are told apart by how many trucks seemed to wait:

- *Busy.* n passages in busy time e have the quasi-Poisson likelihood (n log(r e) - r e) / phi (P. McCullagh and
  J. Nelder, Generalized Linear Models, 2nd ed., chapter 9). Time in which only some of the lanes have a truck counts
  for as much as their share of all (`Passages.lanes_s`): who seems to wait beside a free lane only drives up to it.
  Taken for a whole gate at work, the first trucks of a queue would show one that is slower than it is.
  phi is the ratio of variance to mean: the squared coefficient of variation of a lane's service times (D. R. Cox,
  Renewal Theory, 1962, section 3.3), not below `MIN_DISPERSION`, because a passage is known to some minutes only.
- *Idle.* n passages while nobody waited say that the gate could serve n at least: the chance that a gate of rate r
  serves n in that time.
- *Busy, and nobody passed.* Some minutes are lost at any gate that works (`LOST_SHARE`: shifts change, a truck does not
  start, all lanes have a long check), so that no single empty step is a stop, and some in a row are (a contaminated
  likelihood: P. J. Huber, Robust Statistics, 1981, section 1.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.special import gammainc

from routing.arrays import BoolArray, FloatArray

MIN_DISPERSION: Final = 0.4
LOST_SHARE: Final = 0.001
"""Assumed: so many steps in which trucks wait pass without service for a reason that is over in the next.

Of 800 steady gates none was then believed to stand with a chance of 30 % or more, and of 800 with half their lanes
closed 789 were noticed within 45 min, as before."""


@dataclass(frozen=True)
class Passages:
    """What was seen at a gate: `time_s` [n] when a truck passed, and `busy_s` [m, 2] when somebody waited.

    `lanes_s`, of each lane the spans [k, 2] in which there was a truck for it; empty: all work while somebody waits.
    `between_s` [j, 2], within which trucks passed that were not heard of in the meantime. `silent_s`, since when some
    of the trucks that wait now have not been heard of, each `silent_share` of those that wait.
    Seconds relative to now, none later; overlapping spans of `busy_s` count once.
    """

    time_s: FloatArray
    busy_s: FloatArray
    lanes_s: tuple[FloatArray, ...] = ()
    between_s: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    silent_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    silent_share: float = 0.0

    @classmethod
    def of(
        cls,
        time_s: Iterable[float],
        busy: Iterable[tuple[float, float]],
        lanes_s: Iterable[FloatArray] = (),
        between: Iterable[tuple[float, float]] = (),
        silent: Sequence[float] = (),
        waiting_veh: int = 0,
    ) -> Passages:
        """From any times and spans; of `waiting_veh` trucks that wait now some are `silent` since."""
        spans = np.array(sorted(span for span in busy if span[1] > span[0]), float).reshape(-1, 2)
        return cls(
            np.sort(np.array(list(time_s), float)),
            merged(spans),
            tuple(lanes_s),
            np.array(list(between), float).reshape(-1, 2),
            np.array(silent, float),
            1.0 / max(waiting_veh, len(silent), 1),
        )

    def counts(self, busy: FloatArray, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How many trucks passed between each two edges, in `busy` spans and outside them, [len(edges) - 1] each.

        One whose moment is not known passed at any time since it was last heard of, as likely as at any other: all
        counted when they are heard of again, receivers that come back together would show a gate that none is.
        """
        while_busy = within(self.time_s, busy)
        n_busy = np.histogram(self.time_s[while_busy], edges)[0].astype(float)
        n_idle = np.histogram(self.time_s[~while_busy], edges)[0].astype(float)
        for span in self.between_s[:, None, :]:
            length = float(span[0, 1] - span[0, 0])
            own = overlap(common(span, busy), edges) / length if busy.size else 0.0
            n_busy += own
            n_idle += overlap(span, edges) / length - own
        return n_busy, n_idle

    def heard(self, edges: FloatArray) -> FloatArray:
        """[len(edges) - 1] the share of the trucks waiting now that were still heard of then: of the others nobody
        knows whether they passed."""
        middle = 0.5 * (edges[1:] + edges[:-1])
        share = self.silent_share * (self.silent_s < middle[:, None]).sum(axis=1)
        return np.asarray(np.maximum(1.0 - share, 0.0))

    def at_work(self, spans: FloatArray, edges: FloatArray) -> FloatArray:
        """[len(edges) - 1] of disjoint `spans`, what lies between each two edges, times the share of lanes at work."""
        if not self.lanes_s:
            return overlap(spans, edges)
        return np.asarray(np.mean([overlap(common(spans, lane), edges) for lane in self.lanes_s], axis=0))


def lanes_taken(spans: Iterable[tuple[float, float]], lanes: int, seen_share: float) -> list[FloatArray]:
    """Of each lane, when there was a truck for it: the k-th works when k trucks or more are at the gate.

    Arguments: `spans`, when each truck that was seen was at the gate, before its check or in it; `seen_share`, the
    share of trucks that are seen.
    """
    known = [(begin, end) for begin, end in spans if end > begin]
    steps = np.array(sorted([(begin, 1.0) for begin, _ in known] + [(end, -1.0) for _, end in known])).reshape(-1, 2)
    pieces, there = np.column_stack((steps[:-1, 0], steps[1:, 0])), steps[:-1, 1].cumsum()
    return [merged(pieces[there >= min(seen_share, 1.0) * lane - 1e-9]) for lane in range(1, lanes + 1)]


def common(spans: FloatArray, others: FloatArray) -> FloatArray:
    """What lies in both of two sets of disjoint spans."""
    edges = np.unique(np.concatenate((spans.ravel(), others.ravel())))
    pieces = np.column_stack((edges[:-1], edges[1:]))
    middle = pieces.mean(axis=1)
    return merged(pieces[within(middle, spans) & within(middle, others)])


def merged(spans: FloatArray) -> FloatArray:
    """Spans, by begin, as disjoint ones."""
    found: list[list[float]] = []
    for begin, end in spans:
        if found and begin <= found[-1][1]:
            found[-1][1] = max(found[-1][1], float(end))
        else:
            found.append([float(begin), float(end)])
    return np.array(found, float).reshape(-1, 2)


def overlap(spans: FloatArray, edges: FloatArray) -> FloatArray:
    """[len(edges) - 1] time that disjoint spans cover between each two edges."""
    if not spans.size:
        return np.zeros(edges.size - 1)
    covered = np.clip(edges[:, None], spans[:, 0], spans[:, 1]) - spans[:, 0]
    return np.asarray(np.diff(covered.sum(axis=1)))


def within(times: FloatArray, spans: FloatArray) -> BoolArray:
    """Whether each time lies in one of disjoint spans, their ends included."""
    if not spans.size:
        return np.zeros(times.size, bool)
    index = np.searchsorted(spans[:, 0], times, side="right") - 1
    return np.asarray((index >= 0) & (times <= spans[np.maximum(index, 0), 1]))


def without_closed(seen: Passages, closed_s: Sequence[tuple[float, float]]) -> tuple[bool, FloatArray]:
    """Whether the gate keeps its hours, and the busy spans that say something of its pace."""
    closed = merged(np.array(sorted(closed_s), float).reshape(-1, 2))
    if not closed.size or not seen.busy_s.size:
        return False, seen.busy_s
    edges = np.unique(np.concatenate((seen.busy_s.ravel(), closed.ravel())))
    pieces = np.column_stack((edges[:-1], edges[1:]))
    middle = pieces.mean(axis=1)
    busy, shut = within(middle, seen.busy_s), within(middle, closed)
    length_h = (pieces[:, 1] - pieces[:, 0]) / 3600.0
    waiting_h = float(length_h[busy & shut].sum())
    passed = within(seen.time_s, seen.busy_s)
    in_closed = int((passed & within(seen.time_s, closed)).sum())
    in_open, open_h = int(passed.sum()) - in_closed, float(length_h[busy & ~shut].sum())
    rate = in_open / open_h if open_h > 0.0 else 0.0
    keeps = waiting_h >= 0.5 and in_closed <= 0.1 * rate * waiting_h and in_closed <= 4.0 * waiting_h
    return keeps, merged(pieces[busy & ~shut]) if keeps else seen.busy_s


def busy_evidence(n: FloatArray, busy_h: FloatArray, rate: FloatArray, dispersion: float) -> FloatArray:
    """[step, rate] logarithm of how likely each rate lets n trucks through while somebody waits."""
    expected = np.maximum(rate * busy_h[:, None], 1e-12)
    passed = (n[:, None] * np.log(expected) - expected) / dispersion
    nobody = np.log((1.0 - LOST_SHARE) * np.exp(-expected / dispersion) + LOST_SHARE)
    return np.asarray(np.where(busy_h[:, None] > 0.0, np.where(n[:, None] > 0, passed, nobody), 0.0))


def idle_evidence(n: FloatArray, idle_h: FloatArray, rate: FloatArray, dispersion: float) -> FloatArray:
    """[step, rate] logarithm of the chance that each rate could have served n trucks at least."""
    return np.asarray(np.log(_at_least(n, np.maximum(idle_h, 0.0), rate, dispersion)))


def _at_least(n: FloatArray, time_h: FloatArray, rate: FloatArray, dispersion: float) -> FloatArray:
    """[step, rate] the chance that each rate serves n trucks at least in a time."""
    k = n[:, None] / dispersion
    at_least = gammainc(np.maximum(k, 1e-9), rate * time_h[:, None] / dispersion)
    return np.asarray(np.maximum(np.where(k > 0.0, at_least, 1.0), 1e-6))
