"""Tables of the schema `ingest`: vehicles, devices, gateways, fixes by day, last positions, site events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = TIMESTAMP(timezone=True)
SCHEMA = "ingest"


def _placed() -> list[sa.Column[object]]:
    return [
        sa.Column("device_id", sa.BigInteger(), nullable=False),
        sa.Column("geom", Geometry("POINT", 4326, spatial_index=False), nullable=False),
        sa.Column("speed_mps", sa.REAL()),
        sa.Column("heading_deg", sa.REAL()),
        sa.Column("accuracy_m", sa.REAL()),
        sa.Column("road_id", sa.Integer()),
        sa.Column("offset_m", sa.REAL()),
        sa.Column("km", sa.REAL()),
        sa.Column("direction", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("attributes", JSONB()),
    ]


def upgrade() -> None:
    """Create the tables."""
    op.execute("CREATE SCHEMA IF NOT EXISTS ingest")
    op.create_table(
        "vehicle",
        sa.Column("vehicle_id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("plate_norm", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.Integer()),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("vehicle_id", name="pk_vehicle"),
        sa.UniqueConstraint("plate_norm", name="uq_vehicle_plate_norm"),
        sa.CheckConstraint("kind IN ('truck', 'trailer')", name=op.f("ck_vehicle_kind")),
        schema=SCHEMA,
    )
    op.create_index("ix_vehicle_organisation_id", "vehicle", ["organisation_id"], schema=SCHEMA)
    op.create_table(
        "device",
        sa.Column("device_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_hint", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("imei", sa.String()),
        sa.Column("created_by", sa.Integer()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.Column("last_seen_at", TIME),
        sa.PrimaryKeyConstraint("device_id", name="pk_device"),
        sa.UniqueConstraint("key_hash", name="uq_device_key_hash"),
        sa.UniqueConstraint("imei", name="uq_device_imei"),
        sa.ForeignKeyConstraint(["vehicle_id"], ["ingest.vehicle.vehicle_id"], name="fk_device_vehicle_id_vehicle"),
        sa.CheckConstraint("kind IN ('phone', 'tracker')", name=op.f("ck_device_kind")),
        schema=SCHEMA,
    )
    op.create_index("ix_device_vehicle_id", "device", ["vehicle_id"], schema=SCHEMA)
    op.create_table(
        "gateway",
        sa.Column("gateway_id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("gateway_id", name="pk_gateway"),
        sa.UniqueConstraint("name", name="uq_gateway_name"),
        sa.UniqueConstraint("token_hash", name="uq_gateway_token_hash"),
        schema=SCHEMA,
    )
    op.create_table(
        "fix",
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        *_placed(),
        sa.PrimaryKeyConstraint("vehicle_id", "time", name="pk_fix"),
        schema=SCHEMA,
        postgresql_partition_by="RANGE (time)",
    )
    op.create_index("ix_fix_time", "fix", ["time"], schema=SCHEMA, postgresql_using="brin")
    op.create_table(
        "last_position",
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        *_placed(),
        sa.Column("edge_id", sa.String()),
        sa.Column("site_id", sa.String()),
        sa.Column("motion", sa.String(), nullable=False),
        sa.Column("passage", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("vehicle_id", name="pk_last_position"),
        sa.CheckConstraint(
            "motion IN ('moving', 'slow', 'stopped', 'off_road', 'yard', 'staging', 'gate')",
            name=op.f("ck_last_position_motion"),
        ),
        schema=SCHEMA,
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "site_event",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_site_event"),
        sa.UniqueConstraint("vehicle_id", "site_id", "kind", "time", name="uq_site_event_vehicle_id"),
        sa.CheckConstraint("kind IN ('enter', 'leave')", name=op.f("ck_site_event_kind")),
        sa.CheckConstraint("source IN ('gps', 'camera', 'manual')", name=op.f("ck_site_event_source")),
        schema=SCHEMA,
    )
    op.create_index("ix_site_event_site_id_time", "site_event", ["site_id", "time"], schema=SCHEMA)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("site_event", "last_position", "fix", "gateway", "device", "vehicle"):
        op.drop_table(table, schema=SCHEMA)
