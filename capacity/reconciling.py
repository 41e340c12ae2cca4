"""How many trucks are in a yard, from reads of plates of which some are missed and some are wrong.

The ledger lists who was seen coming in and not seen leaving. A truck whose exit was missed stays on that list for
ever; one whose entry was missed is never on it. What is known of each is how long ago it was seen coming in, and how
long trucks stay.

For a truck seen `a` ago, `S(a)` is the share of stays longer than that, learned from stays whose both ends were seen,
and `u` the share of exits that are never matched, learned from entries so old that hardly anybody of them is still
there. By Bayes' rule it is still inside with probability

    p(a) = S(a) / (S(a) + u · (1 − S(a)))

Of the trucks that came in, a share `m` was not read at all; they stay as long as the others, so that there are
`m / (1 − m)` of them for each that was read and is still inside. `m` follows from exits without an entry, less those
that misread plates make and those of trucks that came in before the records begin: who left `b` after that came in
before it with probability `S(b)`. The variance is that of independent trucks, Σ p (1 − p), that of the unseen as of a
Poisson number (D. R. Cox, *Renewal Theory*, 1962, section 7), and that of `m` as of a share of so many exits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity.problem import Floats

ASSUMED_MEAN_S = 5 * 3600.0
"""Mean stay before any has been seen from end to end (assumed), exponential."""
MIN_STAYS = 30
"""From so many stays on the learned distribution stands for itself."""
MIN_RECORDS_S = 4.0 * ASSUMED_MEAN_S
"""A stay longer than the records cannot have been seen from end to end: those seen in short records are the short ones
(right censoring; J. P. Klein and M. L. Moeschberger, *Survival Analysis*, 2nd ed., section 3.2). From records so long
on they stand for themselves."""
OLD_SHARE = 0.002
"""An entry so old that no more than this share of the stays is longer tells of exits that were missed."""
ASSUMED_MISSED = 0.05
MIN_MATCHES = 100
"""From so many entries or exits on the learned shares stand for themselves; before, as many assumed ones are added."""


@dataclass(frozen=True)
class Reads:
    """What the reads of a yard tell, at a moment: all times in s before it.

    `open_age_s`, of each truck on the list, since it was seen coming in; `stay_s`, of stays whose both ends were seen
    lately; `exit_age_s`, of all exits in the time that is remembered, `unmatched_exits` of them without an entry in it;
    `entry_age_s`, of all entries in that time, matched or not.
    """

    open_age_s: Floats
    stay_s: Floats
    entry_age_s: Floats
    exit_age_s: Floats
    unmatched_exits: int
    false_share: float = 0.02
    """Share of reads with a wrong plate; each makes an exit without an entry, at either end."""

    @property
    def records_s(self) -> float:
        """How far back the records go."""
        return float(max(np.max(self.entry_age_s, initial=0.0), np.max(self.exit_age_s, initial=0.0)))


@dataclass(frozen=True)
class Occupancy:
    """How many are inside: mean and standard deviation; `inside_share`, how sure each truck of the list is inside."""

    inside_veh: float
    spread_veh: float
    unseen_veh: float
    missed_share: float
    inside_share: Floats

    @property
    def low_veh(self) -> int:
        """The lower end of the 95 % range."""
        return max(0, round(self.inside_veh - 1.96 * self.spread_veh))

    @property
    def high_veh(self) -> int:
        """The upper end of the 95 % range."""
        return round(self.inside_veh + 1.96 * self.spread_veh)


def longer_share(stay_s: Floats, age_s: Floats, *, records_s: float = np.inf) -> Floats:
    """Share of stays longer than each age; assumed stays fill up where fewer than `MIN_STAYS` were seen, or the records
    that they were seen in, `records_s` long, are shorter than `MIN_RECORDS_S`."""
    assumed = np.exp(-np.maximum(age_s, 0.0) / ASSUMED_MEAN_S)
    if not len(stay_s):
        return np.asarray(assumed, np.float64)
    ordered = np.sort(stay_s)
    seen = 1.0 - np.searchsorted(ordered, age_s, side="right") / len(ordered)
    known = min(len(ordered) / MIN_STAYS, 1.0) * min(records_s / MIN_RECORDS_S, 1.0)
    return np.asarray(known * seen + (1.0 - known) * assumed, np.float64)


def estimate(reads: Reads) -> Occupancy:
    """The trucks inside, from what was read."""
    longer = longer_share(reads.stay_s, reads.open_age_s, records_s=reads.records_s)
    unmatched = _unmatched_exits(reads)
    share = longer / np.maximum(longer + unmatched * (1.0 - longer), 1e-12)
    listed = float(share.sum())
    missed, missed_spread = _missed_entries(reads)
    unseen = listed * missed / (1.0 - missed)
    variance = float((share * (1.0 - share)).sum()) + unseen + (listed * missed_spread / (1.0 - missed) ** 2) ** 2
    return Occupancy(listed + unseen, float(np.sqrt(variance)), unseen, missed, np.asarray(share, np.float64))


def _unmatched_exits(reads: Reads) -> float:
    """Share of the trucks that left and whose exit matches no entry, by entries nobody of whom can still be inside."""
    is_old, open_is_old = (
        longer_share(reads.stay_s, age_s, records_s=reads.records_s) <= OLD_SHARE
        for age_s in (reads.entry_age_s, reads.open_age_s)
    )
    assumed = ASSUMED_MISSED * MIN_MATCHES
    return float((open_is_old.sum() + assumed) / (is_old.sum() + MIN_MATCHES))


def _missed_entries(reads: Reads) -> tuple[float, float]:
    """Share of the entries that were not read, and its standard deviation."""
    left_after_s = reads.records_s - reads.exit_age_s
    came_before = longer_share(reads.stay_s, left_after_s, records_s=reads.records_s)
    known = float((1.0 - came_before).sum()) + MIN_MATCHES
    without = max(0.0, reads.unmatched_exits - float(came_before.sum())) + ASSUMED_MISSED * MIN_MATCHES
    share = min(without / known, 1.0)
    missed = float(np.clip(share - 2.0 * reads.false_share, 0.0, 0.5))
    return missed, float(np.sqrt(share * (1.0 - share) / known))
