"""What the application's role asks the owner for: days of fixes; the audit log cannot be emptied; its heads on file."""

from __future__ import annotations

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE FUNCTION ingest.add_fix_day(day date) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF (SELECT count(*) FROM pg_inherits WHERE inhparent = 'ingest.fix'::regclass) >= 4000 THEN
                RAISE EXCEPTION 'ingest.fix has 4,000 days already: % refused', day;
            END IF;
            EXECUTE format(
                'CREATE TABLE ingest.%I PARTITION OF ingest.fix FOR VALUES FROM (%L) TO (%L)',
                'fix_' || to_char(day, 'YYYYMMDD'),
                to_char(day, 'YYYY-MM-DD') || 'T00:00:00Z',
                to_char(day + 1, 'YYYY-MM-DD') || 'T00:00:00Z'
            );
        END $$;
        COMMENT ON FUNCTION ingest.add_fix_day IS
            'The partition of ingest.fix for a UTC day; for the application, whose role makes no tables.';

        CREATE FUNCTION ingest.drop_fix_day(day date) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            name text := 'fix_' || to_char(day, 'YYYYMMDD');
            newest text;
        BEGIN
            IF NOT EXISTS (
                SELECT FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
                WHERE inhparent = 'ingest.fix'::regclass AND child.relname = name
            ) THEN
                RETURN;
            END IF;
            SELECT max(child.relname) INTO newest FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
            WHERE inhparent = 'ingest.fix'::regclass AND child.relname ~ '^fix_[0-9]{8}$';
            IF day > to_date(substr(newest, 5), 'YYYYMMDD') - 3 THEN
                RAISE EXCEPTION 'Fixes of % are among the newest days and are kept.', day;
            END IF;
            EXECUTE format('DROP TABLE ingest.%I', name);
        END $$;
        COMMENT ON FUNCTION ingest.drop_fix_day IS
            'Drops the partition of ingest.fix of an old UTC day, never one of the newest; for the application.';
        REVOKE EXECUTE ON FUNCTION ingest.add_fix_day, ingest.drop_fix_day FROM PUBLIC;

        CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON app.audit
            FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_audit_change();

        CREATE TABLE app.audit_head (
            place varchar NOT NULL,
            made_at timestamptz NOT NULL,
            audit_id bigint NOT NULL,
            hash bytea NOT NULL,
            signature bytea NOT NULL,
            CONSTRAINT pk_audit_head PRIMARY KEY (place, made_at)
        );
        COMMENT ON TABLE app.audit_head IS 'Signed heads of the audit log that were written off this host.';
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute(
        """
        DROP TABLE app.audit_head;
        DROP TRIGGER audit_no_truncate ON app.audit;
        DROP FUNCTION ingest.drop_fix_day(date);
        DROP FUNCTION ingest.add_fix_day(date);
        """
    )
