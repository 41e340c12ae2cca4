"""How long data are kept here: what administrators set, over what the installation's setting says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.attachments import service as attachments
from app.platform.actions import ActionContext
from app.platform.labels import N_
from app.platform.policies import InForce, Policy, set_value
from app.privacy import retention_store, store
from app.privacy.retention import (
    ATTACHMENTS,
    YEAR_DAYS,
    KeptSubject,
    KeptTerm,
    RetentionRule,
    by_subject,
    least_days,
    rules,
)
from geo.errors import InvalidInputError, NotFoundError
from geo.versions import check_version

MAX_DAYS: Final = 100 * YEAR_DAYS
COUNTED: Final = 1000
"""How many rows are counted one by one; beyond it is "more than"."""


class RetentionDays(BaseModel):
    """How many days tables are kept, by table; of one that is not named the setting of the installation holds."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"keep_days": {"app.plate_read": 90}}]}
    )

    keep_days: dict[str, int] = Field(default_factory=dict, max_length=200, title=N_("Days kept"))


RETENTION: Final = Policy("retention", RetentionDays, "privacy.retention")


@dataclass(frozen=True)
class Ages:
    """The rule of each table with the days in force, and the version of what people set."""

    rules: Sequence[RetentionRule]
    version: int

    def subjects(self) -> list[KeptSubject]:
        """The rules as people ask for them."""
        return by_subject(self.rules)

    def days(self) -> dict[str, int]:
        """The days of each table that people may set."""
        return {rule.table: rule.days for rule in self.rules if rule.can_be_set and rule.days is not None}

    def term_of(self, table: str) -> tuple[str, KeptTerm]:
        """The subject and the term of a table whose days can be set.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        for kept in self.subjects():
            for term in kept.terms:
                if term.least_days is not None and any(rule.table == table for rule in term.rules):
                    return kept.subject, term
        raise NotFoundError("{table} is no table whose days can be set.", table=table[:80])


@dataclass(frozen=True)
class Shortening:
    """What goes if the tables of a term are kept for fewer days: each of its rules with how many rows, at most
    `COUNTED` + 1."""

    subject: str
    term: KeptTerm
    days: int
    counts: Sequence[tuple[RetentionRule, int]]


def ages_in_force(session: Session, setting: Mapping[str, int]) -> Ages:
    """How long each table is kept now; `setting` is the installation's, days by table."""
    set_by_people = RETENTION.get(session)
    files = {ATTACHMENTS: attachments.POLICY.get(session).value.kept_days}
    return Ages(rules({**setting, **files, **set_by_people.value.keep_days}), set_by_people.version)


def set_days(
    action: ActionContext, setting: Mapping[str, int], value: RetentionDays, expected_version: int
) -> InForce[RetentionDays]:
    """Put other days in force; the audit log notes those that differ from what was in force.

    Raises
    ------
    InvalidInputError
        If a table is none whose days can be set, or its days are fewer than a law wants, or too many.
    StaleError
        If somebody set others since version `expected_version`.
    """
    present = ages_in_force(action.session, setting)
    before = present.days()
    for table, days in value.keep_days.items():
        if table not in before:
            raise InvalidInputError(
                "{table} is no table whose days can be set.", field=f"keep_days.{table[:80]}", table=table[:80]
            )
        check_days(days, least_days(table), field=f"keep_days.{table}")
    set_value(action, RETENTION.key, value.model_dump(mode="json"), expected_version)
    after = ages_in_force(action.session, setting).days()
    changed = [table for table in after if after[table] != before[table]]
    noted = [{"keep_days": {table: days[table] for table in changed}} for days in (before, after)]
    action.record(RETENTION.action, "policy", RETENTION.key, *noted)
    return RETENTION.get(action.session)


def change_term(
    action: ActionContext,
    setting: Mapping[str, int],
    table: str,
    days: int,
    expected_version: int,
    *,
    is_confirmed: bool = False,
) -> Shortening | None:
    """Set the days of all tables that are kept as `table` is; `None` once it is done.

    To keep them for fewer days than now takes a confirmation: without it nothing is changed, and the answer is what
    would go.

    Raises
    ------
    NotFoundError
        If the days of the table cannot be set.
    InvalidInputError, StaleError
        As `set_days`.
    """
    present = ages_in_force(action.session, setting)
    check_version(present.version, expected_version)
    subject, term = present.term_of(table)
    assert term.days is not None
    assert term.least_days is not None
    check_days(days, term.least_days, field="days")
    if days < term.days and not is_confirmed:
        return Shortening(subject, term, days, _count_going(action, term, days))
    if table == ATTACHMENTS:
        attachments.keep_for(action, days)
    elif days != term.days:
        # Of what was set before: as it is in force, of tables that still have days to set.
        in_force, was_set = present.days(), RETENTION.get(action.session).value.keep_days
        keep_days = {other: in_force[other] for other in was_set if other in in_force}
        keep_days |= {rule.table: days for rule in term.rules}
        set_days(action, setting, RetentionDays(keep_days=keep_days), expected_version)
    return None


def check_days(days: int, least: int, *, field: str) -> None:
    """Let pass what data can be kept for; raises InvalidInputError."""
    if days < least and least > 1:
        raise InvalidInputError(
            "Too few days: {days}. A law wants these data kept for {least} or more.",
            field=field,
            days=days,
            least=least,
        )
    if not least <= days <= MAX_DAYS:
        raise InvalidInputError(
            "Data are kept for {least} to {most} days, not {days}.", field=field, days=days, least=least, most=MAX_DAYS
        )


def _count_going(action: ActionContext, term: KeptTerm, days: int) -> list[tuple[RetentionRule, int]]:
    """Of each table how many rows are older than so many days and held by nothing."""
    session, now = action.session, action.now
    shape, held = retention_store.read_shape(session), store.held(session, now)
    if term.rules[0].table == ATTACHMENTS:
        return [(term.rules[0], attachments.count_expired(session, now, days, COUNTED + 1, held.trip_ids))]
    return [
        (rule, retention_store.count_due(session, shape, rule.kept_for(days), now, held, limit=COUNTED + 1))
        for rule in term.rules
    ]
