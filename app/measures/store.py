"""Queries of tried acts and effects of orders. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.measures.records import RangeRecord
from app.measures.tables import OrderEffect, TriedMeasures


def save_tried(session: Session, values: Mapping[str, object]) -> None:
    """Keep what was tried against a risk in place of what was tried before."""
    row = insert(TriedMeasures).values(**values)
    changed = {name: row.excluded[name] for name in values if name != "advisory_id"}
    session.execute(row.on_conflict_do_update(index_elements=["advisory_id"], set_=changed))


def list_tried(session: Session, advisory_ids: Collection[int]) -> Sequence[TriedMeasures]:
    """What was tried against risks, by advisory."""
    query = select(TriedMeasures).where(TriedMeasures.advisory_id.in_(advisory_ids))
    return session.scalars(query.order_by(TriedMeasures.advisory_id).execution_options(populate_existing=True)).all()


def insert_effect(session: Session, values: Mapping[str, object]) -> None:
    """Keep what an order is expected to bring at a gate; the first word of it stands."""
    session.execute(insert(OrderEffect).values(**values).on_conflict_do_nothing())


def orders_with_effect(session: Session, order_ids: Collection[int]) -> set[int]:
    """Those of the orders of which an effect is kept."""
    return set(session.scalars(select(OrderEffect.order_id).where(OrderEffect.order_id.in_(order_ids))))


def list_effects(session: Session, order_ids: Collection[int]) -> Sequence[OrderEffect]:
    """The effects of orders."""
    query = select(OrderEffect).where(OrderEffect.order_id.in_(order_ids))
    return session.scalars(query.order_by(OrderEffect.order_id, OrderEffect.gate_id)).all()


def effects_due(session: Session, now: datetime) -> Sequence[OrderEffect]:
    """Effects whose hours have come and that are not scored yet."""
    query = select(OrderEffect).where(OrderEffect.scored_at.is_(None), OrderEffect.until <= now)
    return session.scalars(query.order_by(OrderEffect.order_id)).all()


def score_effect(
    session: Session, order_id: int, gate_id: str, realised_h: RangeRecord | None, scored_at: datetime
) -> None:
    """Put down what an order brought at a gate; `None`: too little was measured to say."""
    session.execute(
        update(OrderEffect)
        .where(OrderEffect.order_id == order_id, OrderEffect.gate_id == gate_id)
        .values(realised_h=realised_h, scored_at=scored_at)
        .execution_options(synchronize_session=False)
    )


def effects_scored(session: Session, since: datetime) -> Sequence[OrderEffect]:
    """Effects scored since a moment that could be measured."""
    query = select(OrderEffect).where(OrderEffect.scored_at >= since, OrderEffect.realised_h.is_not(None))
    return session.scalars(query).all()


def delete_before(session: Session, before: datetime) -> None:
    """Delete effects made before a moment."""
    session.execute(delete(OrderEffect).where(OrderEffect.made_at < before))
