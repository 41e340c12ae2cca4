"""Search: Ð (eth), which older Vietnamese texts write for Đ, is found as d too."""

from __future__ import annotations

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

_FOLD = """
    CREATE OR REPLACE FUNCTION app.fold(written text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN translate(
        lower(regexp_replace(normalize(written, NFD), U&'[\\0300-\\036F]', '', 'g')), {letters});
"""


def upgrade() -> None:
    """Apply this revision."""
    op.execute(_FOLD.format(letters="U&'\\0110\\0111\\00D0\\00F0', 'dddd'"))


def downgrade() -> None:
    """Take this revision back."""
    op.execute(_FOLD.format(letters="U&'\\0110\\0111', 'dd'"))
