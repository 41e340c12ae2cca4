"""Which trip a plate read belongs to, as a probability. Pure.

A read r is either of one of the trips j that could be here, or of a truck the platform does not expect. By Bayes,

    P(j | r) = π_j L(r | plate of j) / (Σ_k π_k L(r | plate of k) + π_0 / M)

- L(r | p): the camera's confidence c is the chance that all n characters of a reading are right, so each is wrong with
  e = 1 − c^(1/n). A character that agrees gives 1 − e; a lookalike (`ingest.plates`) e·0.8 / (characters of its class
  − 1); any other e·0.2 / 32; a character too many or too few e·0.2 / 32. L is the best over all readings of r, and over
  the plates of truck and trailer.
- π_j: the chance that the next truck here is j. Without further knowledge 1 / 2000, the trucks of a busy day, times
  50 where its GPS says it is within reach of the camera, 0.001 where it cannot be, 1 without fresh GPS; times 4 where
  the procedure expects it at this place now, 1 for a trip of this gate that is coming, 0.1 if planned for another day
  or another gate. Never above 0.9.
- π_0 = 0.1 is the share of trucks not expected (undeclared, local), M = 100,000 the plates they may bear.

- A trip whose own plate this camera has read just before has passed: for any other reading its π is times 0.01, so that
  the truck behind it is not taken for it.

All constants are assumed; with the confidences that cameras really report they can be fitted later. From 0.9 on a read
is a trip's; below 0.2 it is nobody's; between the two a person looks at the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from app.equipment.vocabulary import ReadStatus
from app.gates.vocabulary import HistoryReason
from app.trips.vocabulary import Stage
from ingest.formats.plate_read import Candidate
from ingest.plates import is_lookalike, lookalike_key

Expected = Literal["now", "coming", "elsewhere"]

SURE: Final = 0.9
POSSIBLE: Final = 0.2
TRUCKS_A_DAY: Final = 2000.0
UNEXPECTED_SHARE: Final = 0.1
UNEXPECTED_PLATES: Final = 100_000.0
NEAR_FACTOR: Final = 50.0
OUT_OF_REACH_FACTOR: Final = 0.001
EXPECTED_FACTOR: Final[dict[Expected, float]] = {"now": 4.0, "coming": 1.0, "elsewhere": 0.1}
MAX_PRIOR: Final = 0.9
LOOKALIKE_SHARE: Final = 0.8
OTHER_CHARACTERS: Final = 32.0
BELIEVED: Final = (0.2, 0.99)
"""A camera is never believed to be surer or less sure than this: its confidence is an opinion."""
NEAR_M: Final = 400.0
NEAR_MPS: Final = 14.0
REACH_M: Final = 1_000.0
REACH_MPS: Final = 30.0
FRESH_GPS_S: Final = 1_800.0
NEAR_AGE_S: Final = 120.0
PASSED_FACTOR: Final = 0.01
PASSAGE: Final = timedelta(seconds=90)
"""Reads of one plate by one camera, each within this time of another, are one passage, however long a truck stands."""
MIN_PLATE_LENGTH: Final = 7
"""Vietnamese and Chinese plates have at least so many characters."""
HEADWAY: Final = timedelta(seconds=3)
"""Two trucks do not pass one camera within this time: 12 m of truck and 3 m of gap at the 5 m/s of a gate's lane."""
AFTERGLOW: Final = timedelta(minutes=10)
"""For so long after its trip is over a truck may still be seen at the gate; it did not come undeclared."""
CLOCK_TOLERANCE: Final = timedelta(minutes=2)
"""A camera whose clock runs further ahead than this is not believed: the time of receipt stands for its own."""
_LOOKALIKES: Final = {
    character: float(len(group) - 1) for group in ("0DOQ", "8B", "1I", "5S", "2Z", "6G") for character in group
}
"""How many others a character is confused with."""


@dataclass(frozen=True)
class TripHere:
    """A trip that a read might be of: the plates of its truck and trailer, and what is known of where it is.

    `distance_m` is from the camera to the truck's last fix, `fix_age_s` its age; both `None` without GPS. `has_passed`
    if this camera has just read one of its plates as it is.
    """

    trip_id: int
    plates: tuple[str, ...]
    expected: Expected
    distance_m: float | None = None
    fix_age_s: float | None = None
    has_passed: bool = False


@dataclass(frozen=True)
class TripSpan:
    """A trip of a vehicle and when it was under way: from `began_at`, to `ended_at` if it is over."""

    trip_id: int
    vehicle_id: int
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class TripProbability:
    """A trip and the probability that the read is of it."""

    trip_id: int
    probability: float


@dataclass(frozen=True)
class Match:
    """What is made of a read: the verdict, and the trips by falling probability."""

    verdict: ReadStatus
    trips: tuple[TripProbability, ...]

    @property
    def best(self) -> TripProbability | None:
        """The likeliest trip."""
        return self.trips[0] if self.trips else None


def match_read(readings: Sequence[Candidate], trips: Sequence[TripHere]) -> Match:
    """What to make of a read with these readings, of the trips that could be here."""
    weights = {trip.trip_id: _prior_of(trip, readings) * likelihood(readings, trip.plates) for trip in trips}
    total = sum(weights.values()) + UNEXPECTED_SHARE / UNEXPECTED_PLATES
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    likely = tuple(TripProbability(trip_id, weight / total) for trip_id, weight in ranked if weight > 0.0)
    best = likely[0].probability if likely else 0.0
    verdict = ReadStatus.MATCHED if best >= SURE else ReadStatus.DOUBTFUL if best >= POSSIBLE else ReadStatus.UNKNOWN
    return Match(verdict, likely)


def prior(trip: TripHere) -> float:
    """The chance that the next truck here is this trip's, before its plate is read."""
    chance = EXPECTED_FACTOR[trip.expected] / TRUCKS_A_DAY
    if trip.distance_m is not None and trip.fix_age_s is not None and trip.fix_age_s <= FRESH_GPS_S:
        if trip.distance_m > REACH_M + REACH_MPS * trip.fix_age_s:
            chance *= OUT_OF_REACH_FACTOR
        elif trip.distance_m <= NEAR_M + NEAR_MPS * min(trip.fix_age_s, NEAR_AGE_S):
            chance *= NEAR_FACTOR
    return min(chance, MAX_PRIOR)


def _prior_of(trip: TripHere, readings: Sequence[Candidate]) -> float:
    """The prior of a trip for a read: small if its truck has passed already and the read does not show its plate."""
    is_behind = trip.has_passed and not any(reading.plate in trip.plates for reading in readings)
    return prior(trip) * (PASSED_FACTOR if is_behind else 1.0)


def likelihood(readings: Sequence[Candidate], plates: Sequence[str]) -> float:
    """The chance of the best of the readings if the truck bears one of the plates."""
    return max((_read_as(reading, plate) for reading in readings for plate in plates), default=0.0)


def _read_as(reading: Candidate, plate: str) -> float:
    """The chance that `plate` is read as `reading`."""
    low, high = BELIEVED
    certainty = float(min(max(reading.confidence, low), high))
    wrong: float = 1.0 - certainty ** (1.0 / max(len(plate), 1))
    other = wrong * (1.0 - LOOKALIKE_SHARE) / OTHER_CHARACTERS
    if len(reading.plate) != len(plate):
        agreeing = min(len(plate), len(reading.plate)) - 1
        return _one_character_apart(reading.plate, plate) * other * (1.0 - wrong) ** agreeing
    chance = 1.0
    for read, true in zip(reading.plate, plate, strict=True):
        if read == true:
            chance *= 1.0 - wrong
        elif is_lookalike(read, true):
            chance *= wrong * LOOKALIKE_SHARE / _LOOKALIKES.get(true, 1.0)
        else:
            chance *= other
    return chance


def _one_character_apart(read: str, plate: str) -> float:
    """Whether one text is the other with a character left out (1), or not (0)."""
    longer, shorter = (read, plate) if len(read) > len(plate) else (plate, read)
    if len(longer) - len(shorter) != 1:
        return 0.0
    return float(any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer))))


def is_same_passage(plate: str, other: str, gap: timedelta) -> bool:
    """Whether two reads of one camera, `gap` apart, are of one truck passing once: they show the same plate.

    A look-alike is not the same plate: it may be the truck behind. Nor is a piece of a plate, which many trucks share,
    unless two trucks could not have passed in the time.
    """
    longest = PASSAGE if len(plate) >= MIN_PLATE_LENGTH else HEADWAY
    return plate == other and abs(gap) <= longest


def under_way(trips: Iterable[TripSpan], moment: datetime) -> dict[int, HistoryReason | None]:
    """The one trip of each vehicle that a read of `moment` can be of, by trip, and why it would be history if it is.

    The trip that was under way then; else the last one that was over; else the next, which the read is older than.
    """
    best: dict[int, tuple[int, TripSpan, HistoryReason | None]] = {}
    for trip in trips:
        if moment < trip.began_at - CLOCK_TOLERANCE:
            rank, reason = 3, HistoryReason.OLDER_THAN_TRIP
        elif trip.ended_at is None:
            rank, reason = 1, None
        elif moment <= trip.ended_at:
            rank, reason = 0, HistoryReason.TRIP_OVER
        else:
            rank, reason = 2, HistoryReason.TRIP_OVER
        found = best.get(trip.vehicle_id)
        if found is None or (rank, trip.trip_id) < (found[0], found[1].trip_id):
            best[trip.vehicle_id] = (rank, trip, reason)
    return {trip.trip_id: reason for _, trip, reason in best.values()}


def search_keys(readings: Sequence[Candidate]) -> tuple[list[str], list[str]]:
    """First and last four characters, as lookalike keys: one wrong character leaves one end of a plate whole."""
    keys = [lookalike_key(reading.plate) for reading in readings]
    return sorted({key[:4] for key in keys}), sorted({key[-4:] for key in keys})


@dataclass(frozen=True)
class Place:
    """Where a device stands: its gate (`None` along the road)."""

    gate_id: str | None
    is_yard: bool = False


def expectation(place: Place, *, gate_id: str, stage: str, planned_arrival: datetime, now: datetime) -> Expected:
    """How far a trip is expected at a place.

    At a gate: now if it is in the queue or the gate area, coming within half a day of its planned arrival; along the
    road: now if it is under way. A trip of another gate, or of another day, is expected elsewhere.
    """
    soon = abs(planned_arrival - now) <= timedelta(hours=12)
    if place.gate_id is None:
        return (
            "now"
            if stage == Stage.ON_THE_ROAD or (stage == Stage.PLANNED and soon)
            else "coming"
            if soon
            else "elsewhere"
        )
    if place.gate_id != gate_id:
        return "elsewhere"
    if stage in Stage.at_gate():
        return "now"
    return "coming" if soon or stage == Stage.ON_THE_ROAD else "elsewhere"
