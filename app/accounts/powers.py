"""Powers of attorney: an agent acts for several enterprises, each for a span of days, until it is revoked."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.accounts import store
from app.accounts.store import COMPANY_KINDS, ListedPower
from app.accounts.tables import Organisation, PowerOfAttorney
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Scope
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError

MAX_SPAN: Final = timedelta(days=5 * 366)
"""Longer than any power of attorney is given for: most likely a slip in the year."""


def grant(action: ActionContext, *, agent_id: int, valid_from: date, valid_to: date) -> PowerOfAttorney:
    """Let another enterprise or customs agent act for the caller's own from one day to another, both included.

    An agent cannot hand on what was given to it: only one's own organisation is given away.

    Raises
    ------
    ForbiddenError, InvalidInputError, ConflictError
        If the caller belongs to no organisation, the agent or the dates cannot be, or such a power stands already.
    """
    own = action.actor.organisation_id
    if own is None:
        raise ForbiddenError("Your account belongs to no organisation.")
    agent = store.find_organisation(action.session, agent_id)
    if agent is None or agent.kind not in COMPANY_KINDS:
        raise InvalidInputError("There is no enterprise or customs agent {value}.", field="agent_id", value=agent_id)
    if agent_id == own:
        raise InvalidInputError("An enterprise acts for itself anyway; name another one.", field="agent_id")
    _check_dates(valid_from, valid_to, action.now.astimezone(LOCAL_ZONE).date())
    for listed in store.list_powers(action.session, [own]):
        power = listed.power
        is_same = power.organisation_id == own and power.agent_id == agent_id and power.revoked_at is None
        if is_same and power.valid_from <= valid_to and valid_from <= power.valid_to:
            raise ConflictError(
                "{agent} holds a power of attorney from {begin} to {end} already; revoke that one first.",
                field="agent_id",
                agent=agent.name,
                begin=power.valid_from.strftime("%d/%m/%Y"),
                end=power.valid_to.strftime("%d/%m/%Y"),
            )
    power = PowerOfAttorney(
        organisation_id=own,
        agent_id=agent_id,
        valid_from=valid_from,
        valid_to=valid_to,
        granted_by=action.actor_id,
        granted_at=action.now,
    )
    action.session.add(power)
    action.session.flush()
    action.record("powers.grant", "power_of_attorney", power.power_id, None, _record(power))
    outbox.publish_event(action.session, outbox.SCOPES_CHANGED, outbox.Audience(), {}, at=action.now)
    return power


def revoke(action: ActionContext, power_id: int) -> PowerOfAttorney:
    """End a power of attorney at once; the enterprise that gave it may, and the agent that no longer wants it.

    Raises
    ------
    NotFoundError
        If there is none of the caller.
    """
    power = store.lock_power(action.session, power_id)
    own = action.actor.organisation_id
    if power is None or own is None or own not in {power.organisation_id, power.agent_id}:
        raise NotFoundError("There is no power of attorney {value} of yours.", value=power_id)
    if power.revoked_at is None:
        before = _record(power)
        power.revoked_at, power.revoked_by = action.now, action.actor_id
        action.session.flush()
        action.record("powers.revoke", "power_of_attorney", power_id, before, _record(power))
        outbox.publish_event(action.session, outbox.SCOPES_CHANGED, outbox.Audience(), {}, at=action.now)
    return power


def list_powers(session: Session, principal: Principal) -> list[ListedPower]:
    """Powers of attorney that the caller's organisation gave or holds; all of them for who oversees."""
    if principal.require("powers.read") is Scope.ALL:
        return store.list_powers(session, None)
    return [] if principal.organisation_id is None else store.list_powers(session, [principal.organisation_id])


def get_company(session: Session, name: str) -> Organisation:
    """The enterprise or customs agent of a name as people write it, accents and case left aside.

    Only a whole name finds one, so that nobody can list who works here.

    Raises
    ------
    InvalidInputError
        If there is none, or more than one.
    """
    found = store.find_company(session, name)
    if len(found) != 1:
        message = (
            "No enterprise is called {value} here; write its whole name as it is registered."
            if not found
            else "More than one enterprise is called {value}; ask the administration to tell them apart."
        )
        raise InvalidInputError(message, field="name", value=name[:80])
    return found[0]


def _check_dates(valid_from: date, valid_to: date, today: date) -> None:
    if valid_to < valid_from:
        raise InvalidInputError(
            "The end {end} lies before the beginning {begin}; write the later day as the end.",
            field="valid_to",
            begin=valid_from.strftime("%d/%m/%Y"),
            end=valid_to.strftime("%d/%m/%Y"),
        )
    if valid_to < today:
        raise InvalidInputError(
            "The end {end} is over already; give a day that is to come.",
            field="valid_to",
            end=valid_to.strftime("%d/%m/%Y"),
        )
    if valid_to - valid_from > MAX_SPAN:
        raise InvalidInputError(
            "From {begin} to {end} is more than five years; check the year.",
            field="valid_to",
            begin=valid_from.strftime("%d/%m/%Y"),
            end=valid_to.strftime("%d/%m/%Y"),
        )


def _record(power: PowerOfAttorney) -> JsonObject:
    return {
        "organisation_id": power.organisation_id,
        "agent_id": power.agent_id,
        "valid_from": power.valid_from.isoformat(),
        "valid_to": power.valid_to.isoformat(),
        "revoked_at": None if power.revoked_at is None else power.revoked_at.isoformat(),
    }
