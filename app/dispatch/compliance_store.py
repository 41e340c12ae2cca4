"""Queries on what trucks did with their orders. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.dispatch.records import EvidenceRecord, ParametersRecord
from app.dispatch.vocabulary import Compliance, OrderKind, OrderStatus, RecipientStatus
from geo.database import records


@dataclass(frozen=True)
class OpenJudgement:
    """A recipient whose compliance is open, its order, and the truck's last position (`km` on `road`).

    `starts_at` is when the order begins for this truck; `entered_at`, when it came into the yard it was sent to.
    """

    order_id: int
    vehicle_id: int
    compliance: str
    responded_at: datetime | None
    evidence: EvidenceRecord
    starts_at: datetime
    kind: str
    parameters: ParametersRecord
    valid_to: datetime
    time: datetime | None
    road: str | None
    km: float | None
    speed_mps: float | None
    site_id: str | None
    entered_at: datetime | None


@dataclass(frozen=True)
class Judgement:
    """A verdict on a recipient, and what the next one will need to remember."""

    order_id: int
    vehicle_id: int
    compliance: str
    evidence: EvidenceRecord


def to_judge(session: Session, now: datetime) -> list[OpenJudgement]:
    """Recipients whose compliance is open, with their order and the truck's last position.

    A hold that is kept stays open until its end, because the truck may still drive off.
    """
    rows = session.execute(
        text(
            """
            SELECT r.order_id, r.vehicle_id, r.compliance, r.responded_at, r.evidence,
                   coalesce(r.release_at, o.valid_from) AS starts_at, o.kind, o.parameters, o.valid_to,
                   p.time, g.road, p.km, p.speed_mps, p.site_id,
                   CASE WHEN o.kind = :yard THEN least(
                       (SELECT min(e.time) FROM ingest.site_event e
                        WHERE e.vehicle_id = r.vehicle_id AND e.site_id = o.parameters ->> 'yard_id'
                          AND e.kind = 'enter' AND e.time >= o.issued_at),
                       (SELECT min(w.began_at) FROM app.trip_place w
                        WHERE w.trip_id = r.trip_id AND w.site_id = o.parameters ->> 'yard_id'
                          AND w.began_at >= o.issued_at)) END AS entered_at
            FROM app.dispatch_order o JOIN app.order_recipient r USING (order_id)
            LEFT JOIN ingest.last_position p ON p.vehicle_id = r.vehicle_id
            LEFT JOIN geo.road g ON g.road_id = p.road_id
            WHERE o.status = :active AND o.kind <> :notice AND coalesce(r.release_at, o.valid_from) <= :now
              AND (r.compliance = :pending OR (o.kind = :hold AND r.compliance = :complied))
              AND r.status = ANY(:current)
            """
        ),
        {
            "active": OrderStatus.ACTIVE,
            "notice": OrderKind.NOTICE,
            "hold": OrderKind.HOLD,
            "yard": OrderKind.YARD,
            "pending": Compliance.PENDING,
            "complied": Compliance.COMPLIED,
            "current": list(RecipientStatus.current()),
            "now": now,
        },
    )
    return records(OpenJudgement, rows)


def record_judgements(session: Session, judged: Sequence[Judgement], now: datetime) -> None:
    """Write verdicts that were found at `now`."""
    if not judged:
        return
    session.execute(
        text(
            """
            UPDATE app.order_recipient r
            SET compliance = v.compliance, judged_at = :now, evidence = v.evidence
            FROM unnest(CAST(:order_id AS integer[]), CAST(:vehicle_id AS integer[]), CAST(:compliance AS text[]),
                        CAST(:evidence AS jsonb[]))
                 AS v (order_id, vehicle_id, compliance, evidence)
            WHERE r.order_id = v.order_id AND r.vehicle_id = v.vehicle_id
            """
        ),
        {
            "order_id": [judgement.order_id for judgement in judged],
            "vehicle_id": [judgement.vehicle_id for judgement in judged],
            "compliance": [judgement.compliance for judgement in judged],
            "evidence": [orjson.dumps(judgement.evidence).decode() for judgement in judged],
            "now": now,
        },
    )
