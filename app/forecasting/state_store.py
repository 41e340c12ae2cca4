"""Queries behind what the corridor's state has learned: passages, who waited since when, who is seen.

Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.trips.vocabulary import Direction, PlaceKind, Stage
from geo.motion import CREEPING_MPS, FREE_MPS

NEAR_STOP_KM: Final = 0.03
"""A truck that stands within this of where it stood last has not moved since."""
STOP_ERROR_KM: Final = 0.15
"""Receivers in hills are off by up to so much now and then: a last stop within this of the check was for the check."""
CERTAIN_READ: Final = 0.9
"""A plate of no trip that a camera is less sure of may be anybody's."""


@dataclass(frozen=True)
class GatePassage:
    """A truck was served at a gate's entrance; it had waited since `waited_since`, when it last drove freely.

    `time` is when it was seen to have come in; `stood_until`, when it was last heard of standing on the road, before or
    behind the barrier, wherever trucks are really served there.

    `vehicle_id` is null of a plate that only a camera at the barrier read; `was_read`, whether one did of a truck
    without a trip.
    """

    gate_id: str
    vehicle_id: int | None
    time: datetime
    waited_since: datetime | None
    is_declared: bool
    was_read: bool
    stood_until: datetime | None = None
    stop_km: float | None = None
    """Where it stood last on its way in, and since when it stood there: where and since when it was served."""
    served_since: datetime | None = None
    served_until: datetime | None = None
    """When it was heard of next after it last stood: its check was over."""
    channel: str | None = None
    """Customs' channel of its trip, where it has one."""


@dataclass(frozen=True)
class GateExit:
    """A truck left a gate's yards toward the border."""

    gate_id: str
    vehicle_id: int
    time: datetime


@dataclass(frozen=True)
class SeenCount:
    """Of the undeclared trucks that cameras on the roads read, how many sent positions as well."""

    read: int
    seen: int


@dataclass(frozen=True)
class Punctuality:
    """Past trips of an enterprise: how many were due, how many came, and how late (s, later is positive)."""

    organisation_id: int
    due: int
    came: int
    lateness_mean_s: float
    lateness_sd_s: float


_UNTRIPPED: Final = """
    NOT EXISTS (
        SELECT FROM app.trip t WHERE t.vehicle_id = e.vehicle_id AND t.created_at <= e.time
            AND (t.stage <> ALL(:over) OR t.stage_since >= e.time))
"""
"""In SQL: the vehicle of the site event `e` was on no trip then."""


def gate_passages(session: Session, *, since: datetime, now: datetime, with_stands: bool = True) -> list[GatePassage]:
    """Exports that went in by gates' entrances, each truck once at a gate, in order of time.

    Of a truck on a trip the judgement of where it is counts; of one without, that its GPS came to the gate's area or
    yards from the inland side, or that a camera at the barrier read its plate. It stands last on the road before it
    comes to a yard, or else within three hours of coming in: to find that out reads many fixes (`with_stands`).
    """
    rows = session.execute(
        text(
            f"""
            WITH judged AS (
                SELECT w.gate_id, t.vehicle_id, min(w.began_at) AS time, max(t.channel) AS channel
                FROM app.trip_place w JOIN app.trip t USING (trip_id)
                WHERE w.kind = ANY(:inside) AND w.began_at > :since AND w.began_at <= :now AND w.gate_id IS NOT NULL
                    AND t.direction = :export
                GROUP BY 1, 2
            ), by_gps AS (
                SELECT s.gate_id, e.vehicle_id, min(e.time) AS time
                FROM ingest.site_event e JOIN geo.site s USING (site_id)
                WHERE e.kind = 'enter' AND s.kind IN ('gate', 'yard') AND e.time > :since AND e.time <= :now
                    AND {_UNTRIPPED}
                GROUP BY 1, 2
            ), read AS (
                SELECT s.gate_id, v.vehicle_id, r.plate_norm, min(r.time) AS time
                FROM app.plate_read r JOIN app.equipment q USING (equipment_id) JOIN geo.site s USING (site_id)
                LEFT JOIN ingest.vehicle v ON v.plate_norm = r.plate_norm
                WHERE s.kind = 'barrier' AND r.time > :since AND r.time <= :now AND r.trip_id IS NULL
                    AND r.status = 'unknown' AND r.confidence >= :certain
                    AND s.km >= (SELECT max(b.km) FROM geo.site b WHERE b.kind = 'barrier' AND b.gate_id = s.gate_id)
                GROUP BY 1, 2, 3
            ), passed AS (
                SELECT gate_id, vehicle_id, time, true AS is_declared, false AS was_read, channel FROM judged
                UNION ALL
                SELECT g.gate_id, g.vehicle_id, g.time, false, EXISTS (
                    SELECT FROM read r WHERE r.gate_id = g.gate_id AND r.vehicle_id = g.vehicle_id), NULL
                FROM by_gps g
                WHERE EXISTS (
                    SELECT FROM ingest.fix x WHERE x.vehicle_id = g.vehicle_id AND x.direction = 1
                        AND x.time < g.time AND x.time > g.time - interval '6 hours')
                UNION ALL
                SELECT r.gate_id, NULL, r.time, false, true, NULL FROM read r
                WHERE NOT EXISTS (SELECT FROM judged j WHERE j.vehicle_id = r.vehicle_id)
                    AND NOT EXISTS (SELECT FROM by_gps g WHERE g.vehicle_id = r.vehicle_id)
            ), first AS (
                SELECT DISTINCT ON (gate_id, vehicle_id) * FROM passed WHERE vehicle_id IS NOT NULL
                ORDER BY gate_id, vehicle_id, time
            )
            SELECT p.gate_id, p.vehicle_id, p.time,
                   (SELECT max(x.time) FROM ingest.fix x
                    WHERE x.vehicle_id = p.vehicle_id AND x.speed_mps >= :free
                        AND x.time < p.time AND x.time > p.time - interval '12 hours'),
                   p.is_declared, p.was_read,
                   stop.time, stop.km,
                   (SELECT min(x.time) FROM ingest.fix x
                    WHERE x.vehicle_id = p.vehicle_id AND x.speed_mps < :creeping AND x.time <= stop.time
                        AND x.time > coalesce(
                            (SELECT max(y.time) FROM ingest.fix y
                             WHERE y.vehicle_id = p.vehicle_id AND y.time < stop.time
                                AND y.time > stop.time - interval '12 hours'
                                AND (abs(y.km - stop.km) > :near_km OR y.speed_mps >= :free)),
                            stop.time - interval '12 hours')),
                   (SELECT min(x.time) FROM ingest.fix x
                    WHERE x.vehicle_id = p.vehicle_id AND x.time > stop.time AND x.time <= :now
                        AND x.time < stop.time + interval '2 hours'),
                   p.channel
            FROM (SELECT * FROM first UNION ALL SELECT * FROM passed WHERE vehicle_id IS NULL) p
            LEFT JOIN LATERAL (
                SELECT x.time, x.km FROM ingest.fix x
                WHERE :with_stands
                    AND x.vehicle_id = p.vehicle_id AND x.speed_mps < :creeping AND x.status = 0 AND x.km IS NOT NULL
                    AND x.time > p.time - interval '12 hours' AND x.time <= :now AND x.time < coalesce(
                        (SELECT min(e.time) FROM ingest.site_event e JOIN geo.site s USING (site_id)
                         WHERE e.vehicle_id = p.vehicle_id AND e.kind = 'enter' AND s.kind = 'yard'
                            AND e.time >= p.time),
                        p.time + interval '3 hours')
                ORDER BY x.time DESC LIMIT 1) stop ON true
            ORDER BY p.time, p.vehicle_id
            """  # noqa: S608 - a constant of this module
        ),
        {
            "since": since,
            "now": now,
            "with_stands": with_stands,
            "near_km": NEAR_STOP_KM,
            "inside": list(PlaceKind.inside()),
            "over": [Stage.OUT, Stage.CANCELLED],
            "export": Direction.EXPORT,
            "free": FREE_MPS,
            "creeping": CREEPING_MPS,
            "certain": CERTAIN_READ,
        },
    )
    return [GatePassage(*row) for row in rows]


def import_passages(session: Session, *, since: datetime, now: datetime) -> list[GatePassage]:
    """Imports on a trip that came in from abroad, each truck once at a gate, in order of time; none is seen to wait."""
    rows = session.execute(
        text(
            """
            SELECT w.gate_id, t.vehicle_id, min(w.began_at) AS time, CAST(NULL AS timestamptz), true, false
            FROM app.trip_place w JOIN app.trip t USING (trip_id)
            WHERE w.kind = ANY(:inside) AND w.began_at > :since AND w.began_at <= :now AND w.gate_id IS NOT NULL
                AND t.direction = :import
            GROUP BY 1, 2
            ORDER BY 3, 2
            """
        ),
        {"since": since, "now": now, "inside": list(PlaceKind.inside()), "import": Direction.IMPORT},
    )
    return [GatePassage(*row) for row in rows]


def gate_exits(session: Session, *, since: datetime, now: datetime) -> list[GateExit]:
    """Exports that left gates for the border, each once at a gate, in order of time; as of `gate_passages`.

    Of a truck without a trip, the last time that its GPS left the gate's area or yards is taken for it.
    """
    rows = session.execute(
        text(
            f"""
            SELECT w.gate_id, t.vehicle_id, max(w.began_at) AS time
            FROM app.trip_place w JOIN app.trip t USING (trip_id)
            WHERE w.kind = :abroad AND w.began_at > :since AND w.began_at <= :now AND w.gate_id IS NOT NULL
                AND t.direction = :export
            GROUP BY 1, 2
            UNION ALL
            SELECT s.gate_id, e.vehicle_id, max(e.time)
            FROM ingest.site_event e JOIN geo.site s USING (site_id)
            WHERE e.kind = 'leave' AND s.kind IN ('gate', 'yard') AND e.time > :since AND e.time <= :now
                AND {_UNTRIPPED}
                AND EXISTS (
                    SELECT FROM ingest.fix x WHERE x.vehicle_id = e.vehicle_id AND x.direction = 1
                        AND x.time < e.time - interval '10 minutes' AND x.time > e.time - interval '1 day')
            GROUP BY 1, 2
            ORDER BY 3, 2
            """  # noqa: S608 - a constant of this module
        ),
        {
            "since": since,
            "now": now,
            "abroad": PlaceKind.OVER_THE_BORDER,
            "over": [Stage.OUT, Stage.CANCELLED],
            "export": Direction.EXPORT,
        },
    )
    return [GateExit(*row) for row in rows]


def drove_freely_last(session: Session, vehicle_ids: Collection[int], *, now: datetime) -> dict[int, datetime]:
    """When each of these vehicles last drove freely, within half a day."""
    rows = session.execute(
        text(
            """
            SELECT v.vehicle_id, x.time
            FROM unnest(CAST(:vehicle_ids AS integer[])) AS v (vehicle_id)
            CROSS JOIN LATERAL (
                SELECT max(f.time) AS time FROM ingest.fix f
                WHERE f.vehicle_id = v.vehicle_id AND f.speed_mps >= :free
                    AND f.time <= :now AND f.time > CAST(:now AS timestamptz) - interval '12 hours') x
            WHERE x.time IS NOT NULL
            """
        ),
        {"vehicle_ids": list(vehicle_ids), "now": now, "free": FREE_MPS},
    )
    return {row.vehicle_id: row.time for row in rows}


def count_seen(session: Session, *, since: datetime, now: datetime) -> SeenCount:
    """Plates of no trip that cameras on the roads read since, and how many of their trucks reported by GPS then."""
    row = session.execute(
        text(
            """
            SELECT count(*), count(*) FILTER (WHERE EXISTS (
                SELECT FROM ingest.vehicle v JOIN ingest.fix x USING (vehicle_id)
                WHERE v.plate_norm = r.plate_norm AND x.device_id > 0
                    AND x.time BETWEEN r.time - interval '30 minutes' AND r.time + interval '30 minutes'))
            FROM (
                SELECT DISTINCT ON (r.plate_norm) r.plate_norm, r.time
                FROM app.plate_read r JOIN app.equipment q USING (equipment_id)
                JOIN geo.site s ON s.site_id = q.site_id AND s.kind IN ('camera', 'barrier')
                WHERE r.time > :since AND r.time <= :now AND r.trip_id IS NULL AND r.status = 'unknown'
                    AND r.confidence >= :certain
                ORDER BY r.plate_norm, r.time) r
            """
        ),
        {"since": since, "now": now, "certain": CERTAIN_READ},
    ).one()
    return SeenCount(*row)


def punctuality(
    session: Session, organisation_ids: Collection[int], *, since: datetime, until: datetime
) -> list[Punctuality]:
    """How export trips of these enterprises kept the arrival they had planned between two moments."""
    rows = session.execute(
        text(
            """
            SELECT t.organisation_id, count(*), count(t.arrived_at),
                   coalesce(avg(l.late_s), 0), coalesce(stddev_samp(l.late_s), 0)
            FROM app.trip t
            CROSS JOIN LATERAL (
                SELECT CASE WHEN t.arrived_at IS NOT NULL THEN greatest(-21600, least(21600,
                    extract(epoch FROM t.arrived_at - t.planned_arrival))) END AS late_s) l
            WHERE t.organisation_id = ANY(:organisation_ids) AND t.direction = :export
                AND t.planned_arrival BETWEEN :since AND :until AND t.created_at < t.planned_arrival
            GROUP BY 1
            """
        ),
        {"organisation_ids": list(organisation_ids), "since": since, "until": until, "export": Direction.EXPORT},
    )
    return [Punctuality(row[0], row[1], row[2], float(row[3]), float(row[4])) for row in rows]
