"""The corridor has a version as other shared facts do, so that each process takes it up when it was changed."""

from __future__ import annotations

from alembic import op

revision = "0109"
down_revision = "0108"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. Who changes roads or sites writes the corridor's own row anew."""
    op.execute(
        """
        INSERT INTO app.shared_fact VALUES ('corridor', gen_random_uuid());
        CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON geo.corridor
            FOR EACH STATEMENT EXECUTE FUNCTION app.note_change_of_fact('corridor');
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TRIGGER note_change ON geo.corridor; DELETE FROM app.shared_fact WHERE fact = 'corridor';")
