"""The schemas of all packages, PostGIS, and the tables of `geo`: the corridor as rows."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMAS = ("geo", "routing", "capacity", "ingest", "app")


def upgrade() -> None:
    """Create the schemas and the tables."""
    op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    op.execute(
        """
        CREATE TABLE geo.corridor (
            corridor_id integer NOT NULL CONSTRAINT pk_corridor PRIMARY KEY
                CONSTRAINT ck_corridor_one_row CHECK (corridor_id = 1),
            attribution varchar NOT NULL,
            license varchar NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE geo.road (
            road_id integer NOT NULL CONSTRAINT pk_road PRIMARY KEY,
            edge_id varchar NOT NULL CONSTRAINT uq_road_edge_id UNIQUE,
            name varchar NOT NULL,
            road varchar NOT NULL,
            direction varchar NOT NULL
                CONSTRAINT ck_road_direction CHECK (direction IN ('to_border', 'from_border')),
            from_node varchar NOT NULL,
            to_node varchar NOT NULL,
            km_from double precision NOT NULL,
            km_to double precision NOT NULL,
            length_m double precision NOT NULL,
            lanes integer NOT NULL,
            free_speed_mps double precision NOT NULL,
            capacity_veh_per_h double precision NOT NULL,
            storage_veh integer NOT NULL,
            hgv varchar NOT NULL,
            source varchar NOT NULL,
            provenance jsonb NOT NULL,
            geom geometry(LineString, 4326) NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX idx_road_geom ON geo.road USING gist (geom)")
    op.execute(
        """
        CREATE TABLE geo.site (
            site_id varchar NOT NULL CONSTRAINT pk_site PRIMARY KEY,
            position integer NOT NULL CONSTRAINT uq_site_position UNIQUE,
            kind varchar NOT NULL,
            gate_id varchar,
            name_vi varchar NOT NULL,
            name_en varchar NOT NULL,
            name_zh varchar NOT NULL,
            road varchar NOT NULL,
            km double precision NOT NULL,
            attributes jsonb NOT NULL,
            source varchar NOT NULL,
            provenance jsonb NOT NULL,
            geom geometry(Point, 4326) NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX idx_site_geom ON geo.site USING gist (geom)")
    op.execute("CREATE INDEX ix_site_gate_id ON geo.site (gate_id)")
    op.execute(
        """
        CREATE TABLE geo.geofence (
            site_id varchar NOT NULL CONSTRAINT pk_geofence PRIMARY KEY
                CONSTRAINT fk_geofence_site_id_site REFERENCES geo.site (site_id) ON DELETE CASCADE,
            geom geometry(Polygon, 4326) NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX idx_geofence_geom ON geo.geofence USING gist (geom)")


def downgrade() -> None:
    """Drop the tables; schemas and the extension may be in use by others and stay."""
    for table in ("geofence", "site", "road", "corridor"):
        op.execute(f"DROP TABLE geo.{table}")
