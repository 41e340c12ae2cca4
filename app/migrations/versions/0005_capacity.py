"""Tables of the schema `capacity`: yards, their ledger, counts and plans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = TIMESTAMP(timezone=True)
SCHEMA = "capacity"


def upgrade() -> None:
    """Create the tables."""
    op.execute("CREATE SCHEMA IF NOT EXISTS capacity")
    op.create_table(
        "yard",
        sa.Column("yard_id", sa.String(), nullable=False),
        sa.Column("gate_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("capacity_veh", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("updated_by", sa.Integer()),
        sa.PrimaryKeyConstraint("yard_id", name="pk_yard"),
        sa.CheckConstraint("capacity_veh >= 0", name=op.f("ck_yard_capacity_veh")),
        sa.CheckConstraint("kind IN ('yard', 'temporary_yard')", name=op.f("ck_yard_kind")),
        schema=SCHEMA,
    )
    op.create_index("ix_yard_gate_id", "yard", ["gate_id"], schema=SCHEMA)
    op.create_table(
        "yard_state",
        sa.Column("yard_id", sa.String(), nullable=False),
        sa.Column("unidentified_veh", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("counted_at", TIME),
        sa.Column("counted_veh", sa.Integer()),
        sa.Column("expected_veh", sa.Integer()),
        sa.PrimaryKeyConstraint("yard_id", name="pk_yard_state"),
        sa.ForeignKeyConstraint(["yard_id"], ["capacity.yard.yard_id"], name="fk_yard_state_yard_id_yard"),
        schema=SCHEMA,
    )
    op.create_table(
        "presence",
        sa.Column("yard_id", sa.String(), nullable=False),
        sa.Column("truck_key", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.Integer()),
        sa.Column("plate_norm", sa.String()),
        sa.Column("entered_at", TIME),
        sa.Column("entered_source", sa.String()),
        sa.Column("left_at", TIME),
        sa.Column("left_source", sa.String()),
        sa.Column("flag", sa.String()),
        sa.PrimaryKeyConstraint("yard_id", "truck_key", name="pk_presence"),
        sa.ForeignKeyConstraint(["yard_id"], ["capacity.yard.yard_id"], name="fk_presence_yard_id_yard"),
        schema=SCHEMA,
    )
    inside, left = sa.text("left_at IS NULL"), sa.text("left_at IS NOT NULL")
    op.create_index("ix_presence_inside", "presence", ["yard_id", "entered_at"], schema=SCHEMA, postgresql_where=inside)
    op.create_index("ix_presence_truck", "presence", ["truck_key"], schema=SCHEMA, postgresql_where=inside)
    op.create_index("ix_presence_left_at", "presence", ["left_at"], schema=SCHEMA, postgresql_where=left)
    op.create_table(
        "movement",
        sa.Column("movement_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("yard_id", sa.String(), nullable=False),
        sa.Column("vehicle_id", sa.Integer()),
        sa.Column("plate_norm", sa.String()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_ref", sa.String()),
        sa.Column("recorded_by", sa.Integer()),
        sa.PrimaryKeyConstraint("movement_id", name="pk_movement"),
        sa.ForeignKeyConstraint(["yard_id"], ["capacity.yard.yard_id"], name="fk_movement_yard_id_yard"),
        sa.UniqueConstraint("source", "source_ref", name="uq_movement_source"),
        sa.CheckConstraint("kind IN ('enter', 'leave')", name=op.f("ck_movement_kind")),
        sa.CheckConstraint("source IN ('gps', 'camera', 'manual')", name=op.f("ck_movement_source")),
        sa.CheckConstraint("vehicle_id IS NOT NULL OR plate_norm IS NOT NULL", name=op.f("ck_movement_truck")),
        schema=SCHEMA,
    )
    op.create_index("ix_movement_yard_id_time", "movement", ["yard_id", "time"], schema=SCHEMA)
    op.create_table(
        "count",
        sa.Column("count_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("yard_id", sa.String(), nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("inside_veh", sa.Integer(), nullable=False),
        sa.Column("expected_veh", sa.Integer(), nullable=False),
        sa.Column("counted_by", sa.Integer()),
        sa.PrimaryKeyConstraint("count_id", name="pk_count"),
        sa.ForeignKeyConstraint(["yard_id"], ["capacity.yard.yard_id"], name="fk_count_yard_id_yard"),
        sa.CheckConstraint("inside_veh >= 0", name=op.f("ck_count_inside_veh")),
        schema=SCHEMA,
    )
    op.create_index("ix_count_yard_id_time", "count", ["yard_id", "time"], schema=SCHEMA)
    op.create_table(
        "feed",
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed", name="pk_feed"),
        schema=SCHEMA,
    )
    op.create_table(
        "plan",
        sa.Column("plan_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("objective", sa.Float(), nullable=False),
        sa.Column("gap", sa.Float()),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("summary", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name="pk_plan"),
        schema=SCHEMA,
    )
    op.create_index("ix_plan_made_at", "plan", ["made_at"], schema=SCHEMA)
    op.create_table(
        "assignment",
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("trip_id", sa.Integer(), nullable=False),
        sa.Column("vehicle_id", sa.Integer(), nullable=False),
        sa.Column("yard_id", sa.String()),
        sa.Column("arrive_at", TIME, nullable=False),
        sa.Column("place_free_at", TIME, nullable=False),
        sa.Column("wait_s", sa.Integer(), nullable=False),
        sa.Column("reason", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "trip_id", name="pk_assignment"),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["capacity.plan.plan_id"], name="fk_assignment_plan_id_plan", ondelete="CASCADE"
        ),
        schema=SCHEMA,
    )
    op.create_index("ix_assignment_trip_id", "assignment", ["trip_id", "plan_id"], schema=SCHEMA)
    op.create_index("ix_assignment_yard_id", "assignment", ["plan_id", "yard_id"], schema=SCHEMA)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("assignment", "plan", "feed", "count", "movement", "presence", "yard_state", "yard"):
        op.drop_table(table, schema=SCHEMA)
