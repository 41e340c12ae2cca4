"""The audit log as people read it: the log has pseudonyms, the accounts say whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.accounts import store
from app.platform import audit_store
from app.platform.tables import AuditRow


def search(
    session: Session,
    *,
    query: str = "",
    action: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[Sequence[AuditRow], dict[int, str]]:
    """Rows that match, newest first, and the user names of those who acted, by account; see `search_audit`."""
    rows = audit_store.search_audit(
        session,
        query=query,
        actor_ids=store.accounts_named(session, query),
        action=action,
        since=since,
        until=until,
        before=before,
        limit=limit,
    )
    return rows, store.usernames(session, {row.actor_id for row in rows if row.actor_id is not None})


def name_of(row: AuditRow, names: dict[int, str]) -> str:
    """Who acted: the user name if the account still has it."""
    return names.get(row.actor_id or 0, row.actor)
