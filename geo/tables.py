"""Tables of the schema `geo`: the corridor as rows."""

from __future__ import annotations

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base
from geo.elements import SiteAttributes

SCHEMA = "geo"


class CorridorRow(Base):
    """Where the corridor comes from; one row."""

    __tablename__ = "corridor"
    __table_args__ = (CheckConstraint("corridor_id = 1", name="one_row"), {"schema": SCHEMA})

    corridor_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attribution: Mapped[str]
    license: Mapped[str]


class RoadRow(Base):
    """A directed road piece; columns as in `geo.corridor.Road`."""

    __tablename__ = "road"
    __table_args__ = (
        CheckConstraint("direction IN ('to_border', 'from_border')", name="direction"),
        {"schema": SCHEMA},
    )

    road_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    edge_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    road: Mapped[str]
    direction: Mapped[str]
    from_node: Mapped[str]
    to_node: Mapped[str]
    km_from: Mapped[float]
    km_to: Mapped[float]
    length_m: Mapped[float]
    lanes: Mapped[int]
    free_speed_mps: Mapped[float]
    capacity_veh_per_h: Mapped[float]
    storage_veh: Mapped[int]
    hgv: Mapped[str]
    source: Mapped[str]
    provenance: Mapped[dict[str, str]] = mapped_column(JSONB)
    geom: Mapped[WKBElement] = mapped_column(Geometry("LINESTRING", srid=4326))


class SiteRow(Base):
    """A site; columns as in `geo.corridor.Site`, in the order `position` of the corridor."""

    __tablename__ = "site"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - SQLAlchemy's own name

    site_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(unique=True)
    kind: Mapped[str]
    gate_id: Mapped[str | None] = mapped_column(index=True)
    name_vi: Mapped[str]
    name_en: Mapped[str]
    name_zh: Mapped[str]
    road: Mapped[str]
    km: Mapped[float]
    attributes: Mapped[SiteAttributes] = mapped_column(JSONB)
    source: Mapped[str]
    provenance: Mapped[dict[str, str]] = mapped_column(JSONB)
    geom: Mapped[WKBElement] = mapped_column(Geometry("POINT", srid=4326))


class GeofenceRow(Base):
    """The area of a site."""

    __tablename__ = "geofence"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - SQLAlchemy's own name

    site_id: Mapped[str] = mapped_column(ForeignKey("geo.site.site_id", ondelete="CASCADE"), primary_key=True)
    geom: Mapped[WKBElement] = mapped_column(Geometry("POLYGON", srid=4326))
