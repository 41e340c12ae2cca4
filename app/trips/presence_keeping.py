"""The judgement of presence kept up: asked whenever something was seen, its answer written where others read it.

`PresenceKeeper.settle` is the one place that writes a trip's stage and its places, and that makes the yards' ledger
follow them. An officer's act settles its trip in its own transaction; for positions, plate reads and what devices
report the control loop does, many trips at once (`app.trips.progress`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.permissions import Role
from app.platform.shared_facts import SharedFact, read_shared
from app.trips import place_store, presence_store, yard_ledger
from app.trips.handing_on import hand_to_next
from app.trips.place_store import PlaceRow, StageUpdate
from app.trips.presence import Presence, SheetState, judge, stage_at, stage_of
from app.trips.presence_places import Geography
from app.trips.presence_reading import StepPlaces, frame_of, witness_of
from app.trips.presence_rules import PresenceRules, Source, Trust, Witness, by_present
from app.trips.presence_store import POSITION_REF, TripSeen
from app.trips.presence_story import Begin
from app.trips.store import insert_events
from app.trips.timeline import audience_of
from app.trips.vocabulary import PlaceKind, Stage
from geo.store import load_corridor

_WHILE_ASKED: Final = timedelta(seconds=1)
"""No two acts of persons at one truck are nearer to each other."""
OPENING_ROLES = (str(Role.TRAFFIC_POLICE),)


@dataclass(frozen=True, slots=True)
class Settled:
    """A trip as it was before it was judged, and the judgement: where its truck is, its stage since when."""

    trip: TripSeen
    presence: Presence
    stage: Stage
    stage_since: datetime
    arrived_at: datetime | None

    @property
    def is_new_stage(self) -> bool:
        """Whether the trip has come further, or less far, than was known."""
        return self.stage != self.trip.stage

    @property
    def is_mere_doubt(self) -> bool:
        """Whether devices alone put a truck back whose trip is over: that takes a person."""
        if self.trip.stage != Stage.OUT or self.stage == Stage.OUT:
            return False
        trusts = [witness.trust for witness in self.presence.evidence]
        return not self.presence.is_handled and max(trusts, default=Trust.DOUBTFUL) < Trust.PERSON


@dataclass
class PresenceKeeper:
    """Keeps up where trips' trucks are; `steps` says where the steps of procedures are done."""

    steps: StepPlaces

    def geography(self, session: Session) -> Geography:
        """The corridor as the judgement needs it, read again when it was changed."""
        return read_shared(session, SharedFact.CORRIDOR, "geography", lambda: Geography.of(load_corridor(session)))

    def judge_trips(self, session: Session, trips: Sequence[TripSeen], now: datetime) -> dict[int, Presence]:
        """Where the trucks of trips are now, by trip; nothing is written."""
        return self._judge_trips(session, trips, self._witnesses(session, trips), now)

    def lock_trips_of(self, session: Session, plate_norm: str) -> list[int]:
        """The open trip of a truck by its plate, locked until the transaction ends; none if it has none."""
        return presence_store.lock_trips(session, presence_store.open_trips_of(session, plate_norm))

    def settle(
        self,
        action: ActionContext,
        trip_ids: Collection[int],
        *,
        finished: Collection[int] = (),
        skip_locked: bool = False,
        is_new_version: bool = True,
        keep_misdated: bool = False,
    ) -> list[Settled]:
        """Judge trips and write what follows: their places, stage, arrival, the yards' ledger; those not cancelled.

        A change of stage is told to those who follow the trip, and stands on its timeline. Doing it twice changes
        nothing. Whoever holds one of the trips' rows in a session reads it again.

        Arguments: `finished`, trips whose sheet ended by this act; `skip_locked`, leave out trips that others act on;
        `is_new_version`, whether a change of stage makes a new version, false where the act that shows it made one;
        `keep_misdated`, keep which witnesses are of after `action.now`, which must be the present then: an act may be
        entered with a time of its own, and what came after that is no sign of a wrong clock.
        """
        session = action.session
        locked = presence_store.lock_trips(session, trip_ids, skip_locked=skip_locked)
        trips = presence_store.load_trips(session, locked)
        witnesses = self._witnesses(session, trips)
        if keep_misdated:
            _keep_misdated(session, witnesses, action.now, self.geography(session).rules)
        judged = self._judge_trips(session, trips, witnesses, action.now)
        found = [_settled(trip, judged[trip.trip_id], is_finished=trip.trip_id in finished) for trip in trips]
        settled = [each for each in found if not each.is_mere_doubt]
        kept = place_store.load_places(session, [trip.trip_id for trip in trips])
        places = {each.trip.trip_id: _place_rows(each) for each in settled}
        place_store.replace_places(
            session, {trip_id: rows for trip_id, rows in places.items() if rows != kept.get(trip_id, [])}
        )
        place_store.update_stages(
            session, [update for each in settled if (update := _update_of(each, is_new_version)) is not None]
        )
        insert_events(session, [_stage_line(each) for each in settled if each.is_new_stage])
        for each in settled:
            if each.is_new_stage:
                action.publish_event(_stage_event(each))
                if each.stage is Stage.OUT:
                    hand_to_next(session, each.trip.vehicle_id)
        former = {trip_id: {row.site_id for row in rows if row.site_id is not None} for trip_id, rows in kept.items()}
        yard_ledger.follow(session, [(each.trip, each.presence) for each in settled], action.now, former)
        return found

    def _witnesses(self, session: Session, trips: Sequence[TripSeen]) -> dict[int, list[Witness]]:
        geography = self.geography(session)
        seen = presence_store.load_witnesses(session, trips)
        found: dict[int, list[Witness]] = {}
        for trip in trips:
            made = (witness_of(frame_of(trip), row, self.steps, geography) for row in seen.get(trip.trip_id, ()))
            found[trip.trip_id] = [witness for witness in made if witness is not None]
        return found

    def _judge_trips(
        self, session: Session, trips: Sequence[TripSeen], seen: dict[int, list[Witness]], now: datetime
    ) -> dict[int, Presence]:
        rules = self.geography(session).rules
        judged: dict[int, Presence] = {}
        for trip in trips:
            frame, own = frame_of(trip), seen[trip.trip_id]
            later = by_present(own, now, rules)
            witnesses = [later.get(witness, witness) for witness in own]
            judged[trip.trip_id] = judge(frame, witnesses, max(now, frame.begin), rules)
        return judged


def _keep_misdated(session: Session, seen: dict[int, list[Witness]], now: datetime, rules: PresenceRules) -> None:
    """Keep which witnesses are of after the present: the next judgement must not take that for their time again.

    Not what comes in while this is asked, nor of a position: its row is the next one's too.
    """
    found = [
        (trip_id, witness.ref, known.known_at)
        for trip_id, own in seen.items()
        for witness, known in by_present(own, now, rules).items()
        if witness.moment - now > (_WHILE_ASKED if witness.trust >= Trust.PERSON else rules.clock_tolerance)
        and not witness.ref.startswith(POSITION_REF)
    ]
    presence_store.insert_misdated(session, found)


def _settled(trip: TripSeen, presence: Presence, *, is_finished: bool) -> Settled:
    stage = stage_of(presence, SheetState(trip.gate_id, is_finished=is_finished))
    if trip.has_other_open and trip.stage == Stage.OUT:
        stage = Stage.OUT  # its truck is on its next trip, and cannot come back to this one
    known = [trip.arrived_at] if trip.arrived_at is not None else []
    arrivals = [begin.moment for begin in presence.begins if _is_arrival(trip, begin)]
    arrived_at = min([*known, *arrivals], default=None)
    return Settled(trip, presence, stage, _stage_since(trip, presence, stage), arrived_at)


def _is_arrival(trip: TripSeen, begin: Begin) -> bool:
    """Whether a truck has arrived at its gate there; in a queue that GPS alone shows it may be far off."""
    is_far = begin.place.kind is PlaceKind.QUEUED and begin.source is Source.GPS
    return begin.place.gate_id == trip.gate_id and not is_far


def _stage_since(trip: TripSeen, presence: Presence, stage: Stage) -> datetime:
    """Since when the trip has been at a stage: since its truck came to where that begins, or since it was decided."""
    own = SheetState(trip.gate_id)
    if stage_at(presence.place, own) is not stage:
        return trip.stage_since if trip.stage == stage else presence.as_of
    since = presence.since
    for begin in reversed(presence.begins):
        if stage_at(begin.place, own) is not stage:
            break
        since = begin.moment
    return since


def _place_rows(settled: Settled) -> list[PlaceRow]:
    begins = settled.presence.begins
    ends: list[datetime | None] = [begin.moment for begin in begins[1:]]
    return [
        PlaceRow(
            began_at=begin.moment,
            ended_at=ended_at,
            kind=begin.place.kind.value,
            gate_id=begin.place.gate_id,
            site_id=begin.place.site_id,
            source=None if begin.source is None else begin.source.value,
            trust=None if begin.trust is None else int(begin.trust),
        )
        for begin, ended_at in zip(begins, [*ends, None], strict=True)
    ]


def _update_of(settled: Settled, is_new_version: bool) -> StageUpdate | None:
    trip = settled.trip
    after = (settled.stage.value, settled.stage_since, settled.arrived_at)
    if after == (trip.stage, trip.stage_since, trip.arrived_at):
        return None
    return StageUpdate(trip.trip_id, *after, version_step=int(settled.is_new_stage and is_new_version))


def _stage_line(settled: Settled) -> JsonObject:
    begin = settled.presence.begins[-1]
    data = {
        "before": settled.trip.stage,
        "after": settled.stage.value,
        "reason": begin.place.kind.value,
        "source": None if begin.source is None else begin.source.value,
    }
    line = {"trip_id": settled.trip.trip_id, "kind": "stage", "data": data, "actor_id": None}
    return {**line, "at": settled.stage_since}


def _stage_event(settled: Settled) -> Event:
    trip = settled.trip
    data = {
        "trip_id": trip.trip_id,
        "vehicle_id": trip.vehicle_id,
        "gate_id": trip.gate_id,
        "stage": settled.stage.value,
        "place": settled.presence.place.kind.value,
    }
    return Event("trip", audience_of(trip, OPENING_ROLES), data)
