"""The corridor in a real PostGIS."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from geo.corridor import Corridor
from geo.errors import NotFoundError
from geo.store import load_corridor, save_corridor
from geo.tables import CorridorRow


def test_what_is_saved_is_loaded(session: Session) -> None:
    corridor = Corridor.default()
    save_corridor(session, corridor)
    assert load_corridor(session) == corridor


def test_saving_replaces(session: Session) -> None:
    corridor = Corridor.default()
    save_corridor(session, corridor)
    smaller = replace(corridor, sites={}, attribution="another")
    save_corridor(session, smaller)
    assert load_corridor(session) == smaller
    assert session.scalar(text("SELECT count(*) FROM geo.geofence")) == 0


def test_lengths_agree_with_postgis(session: Session) -> None:
    save_corridor(session, Corridor.default())
    worst = session.scalar(text("SELECT max(abs(ST_Length(geom::geography) / length_m - 1)) FROM geo.road"))
    assert worst is not None
    assert worst < 0.001


def test_geometries_have_one_spatial_index_each(session: Session) -> None:
    indexes = session.execute(
        text(
            "SELECT tablename, count(*) FROM pg_indexes WHERE schemaname = 'geo' AND indexdef LIKE '%gist%' GROUP BY 1"
        )
    ).all()
    assert {tuple(row) for row in indexes} == {("road", 1), ("site", 1), ("geofence", 1)}


def test_an_empty_database_says_so(session: Session) -> None:
    session.execute(delete(CorridorRow))
    with pytest.raises(NotFoundError):
        load_corridor(session)
