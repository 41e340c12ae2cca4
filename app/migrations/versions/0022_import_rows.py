"""Rows of imported files in a table of their own, so that long files are worked on in the background."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. Rows of earlier files move to the new table; what was not chosen of them is left out."""
    op.execute(
        """
        CREATE TABLE app.declaration_import_row (
            import_id integer NOT NULL CONSTRAINT fk_declaration_import_row_import_id_declaration_import
                REFERENCES app.declaration_import (import_id),
            number integer NOT NULL,
            state text NOT NULL CONSTRAINT ck_declaration_import_row_state
                CHECK (state IN ('waiting', 'fine', 'refused', 'chosen', 'made', 'left_out')),
            rows jsonb NOT NULL,
            reference text NOT NULL DEFAULT '',
            plate text NOT NULL DEFAULT '',
            goods text NOT NULL DEFAULT '',
            written jsonb NOT NULL,
            reading jsonb NOT NULL DEFAULT '[]',
            problems jsonb NOT NULL DEFAULT '[]',
            notes jsonb NOT NULL DEFAULT '[]',
            trip_id integer CONSTRAINT fk_declaration_import_row_trip_id_trip REFERENCES app.trip (trip_id),
            CONSTRAINT pk_declaration_import_row PRIMARY KEY (import_id, number)
        );
        INSERT INTO app.declaration_import_row
            (import_id, number, state, rows, plate, goods, written, problems, notes, trip_id)
        SELECT i.import_id, (r ->> 'number')::integer,
               CASE WHEN r ->> 'trip_id' IS NOT NULL THEN 'made'
                    WHEN jsonb_array_length(r -> 'problems') > 0 THEN 'refused'
                    WHEN i.status = 'checked' THEN 'fine' ELSE 'left_out' END,
               r -> 'rows', r ->> 'plate', r ->> 'goods', r -> 'written', r -> 'problems', r -> 'notes',
               (r ->> 'trip_id')::integer
        FROM app.declaration_import i, jsonb_array_elements(i.rows) AS r;
        CREATE INDEX ix_declaration_import_row_plate ON app.declaration_import_row (import_id, plate);
        CREATE INDEX ix_declaration_import_row_state ON app.declaration_import_row (import_id, state, number);
        CREATE INDEX ix_declaration_import_row_trip_id ON app.declaration_import_row (trip_id);

        ALTER TABLE app.declaration_import
            DROP COLUMN rows,
            DROP CONSTRAINT ck_declaration_import_status,
            ADD CONSTRAINT ck_declaration_import_status
                CHECK (status IN ('asking', 'checking', 'checked', 'making', 'done')),
            ADD COLUMN content bytea,
            ADD COLUMN questions jsonb NOT NULL DEFAULT '[]',
            ADD COLUMN remarks jsonb,
            ADD COLUMN worked_by integer
                CONSTRAINT fk_declaration_import_worked_by_account REFERENCES app.account (account_id),
            ADD COLUMN worked_at timestamptz,
            ADD COLUMN submit boolean NOT NULL DEFAULT true;
        CREATE UNIQUE INDEX uq_declaration_import_running ON app.declaration_import (organisation_id)
            WHERE status IN ('checking', 'making');
        """
    )


def downgrade() -> None:
    """Take this revision back. What an earlier version cannot go on with is as if it were not sent in."""
    op.execute(
        """
        DROP INDEX app.uq_declaration_import_running;
        ALTER TABLE app.declaration_import ADD COLUMN rows jsonb;
        UPDATE app.declaration_import i SET
            status = CASE WHEN EXISTS (
                    SELECT FROM app.declaration_import_row r WHERE r.import_id = i.import_id AND r.state = 'made')
                THEN 'done' WHEN i.status = 'checked' THEN 'checked' ELSE 'done' END,
            rows = coalesce((
                SELECT jsonb_agg(jsonb_build_object('number', r.number, 'rows', r.rows, 'plate', r.plate,
                    'written', r.written, 'goods', r.goods, 'problems', r.problems, 'notes', r.notes,
                    'trip_id', r.trip_id) ORDER BY r.number)
                FROM app.declaration_import_row r WHERE r.import_id = i.import_id), '[]');
        ALTER TABLE app.declaration_import
            ALTER COLUMN rows SET NOT NULL,
            DROP COLUMN content, DROP COLUMN questions, DROP COLUMN remarks,
            DROP COLUMN worked_by, DROP COLUMN worked_at, DROP COLUMN submit,
            DROP CONSTRAINT ck_declaration_import_status,
            ADD CONSTRAINT ck_declaration_import_status CHECK (status IN ('checked', 'done'));
        DROP TABLE app.declaration_import_row;
        """
    )
