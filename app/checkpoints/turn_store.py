"""What priority is computed from, and whether a finding stands: for one trip, or as columns of a list of trips."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.database import records

TURN_COLUMNS: Final = """
    CASE jsonb_typeof(t.facts -> 'goods_class')
        WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(t.facts -> 'goods_class'))
        ELSE ARRAY[t.goods_class] END AS goods_classes,
    CAST(coalesce(t.facts ->> 'perishable', t.perishable::text) AS boolean) AS is_perishable,
    o.is_authorised_operator AS is_authorised,
    t.regime = 'transit' AND (
        EXISTS (SELECT FROM app.seal_event e WHERE e.trip_id = t.trip_id AND e.kind = 'closed')
        OR EXISTS (SELECT FROM app.declaration d WHERE d.trip_id = t.trip_id AND d.status = 'submitted'
                   AND d.data ->> 'seal_numbers' <> '')) AS is_sealed,
    EXISTS (SELECT FROM app.priority_by_hand h WHERE h.trip_id = t.trip_id) AS is_by_hand,
    EXISTS (SELECT FROM app.finding f WHERE f.trip_id = t.trip_id
            AND f.verdict IS DISTINCT FROM 'explained') AS has_finding
"""
"""The columns of `TurnRecord` after the first four, of a trip `t` and its organisation `o`."""


class TurnRecord(NamedTuple):
    """What priority is computed from, as stored, and whether a finding stands."""

    trip_id: int
    gate_id: str
    regime: str
    channel: str | None
    goods_classes: Sequence[str]
    is_perishable: bool
    is_authorised: bool
    is_sealed: bool
    is_by_hand: bool
    has_finding: bool


_TURNS: Final = text(
    f"SELECT t.trip_id, t.gate_id, t.regime, t.channel, {TURN_COLUMNS} "  # noqa: S608 - a constant of this module
    "FROM app.trip t JOIN app.organisation o ON o.organisation_id = t.organisation_id WHERE t.trip_id = ANY(:trips)"
)


def turn_records(session: Session, trip_ids: Collection[int]) -> list[TurnRecord]:
    """What the priority of trips is computed from, and which of them have a finding that stands."""
    return records(TurnRecord, session.execute(_TURNS, {"trips": list(trip_ids)}))
