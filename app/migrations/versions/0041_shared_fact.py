"""Which version of what everybody asks for is in force, so that a process reads it again only when it has changed."""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

TABLES = {
    "gate_profile": "app.gate_profile",
    "gate_notice": "app.gate_notice",
    "forecast": "routing.forecast_gate",
    "forecast_track": "app.forecast_track",
}


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.shared_fact (
            fact text CONSTRAINT pk_shared_fact PRIMARY KEY,
            version uuid NOT NULL
        ) WITH (fillfactor = 50);
        CREATE FUNCTION app.note_change_of_fact() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO app.shared_fact VALUES (TG_ARGV[0], gen_random_uuid())
                ON CONFLICT (fact) DO UPDATE SET version = EXCLUDED.version;
            RETURN NULL;
        END $$;
        """
    )
    for fact, table in TABLES.items():
        op.execute(
            f"""
            INSERT INTO app.shared_fact VALUES ('{fact}', gen_random_uuid());
            CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION app.note_change_of_fact('{fact}');
            """  # noqa: S608 - constants of this module
        )


def downgrade() -> None:
    """Take this revision back."""
    for table in TABLES.values():
        op.execute(f"DROP TRIGGER note_change ON {table};")
    op.execute("DROP FUNCTION app.note_change_of_fact(); DROP TABLE app.shared_fact;")
