"""Which organisation has which tax number: each at most one, and no two the same."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.accounts import store
from app.accounts.tables import Organisation
from app.accounts.tax_number import normalise_tax_number
from app.platform.actions import ActionContext
from geo.errors import ConflictError, InvalidInputError, NotFoundError


def set_tax_number(action: ActionContext, organisation_id: int, tax_number: str) -> Organisation:
    """Set or clear the tax number of an organisation.

    Raises
    ------
    NotFoundError, InvalidInputError, ConflictError
        If there is no such organisation, it is no tax number, or it is that of another organisation.
    """
    organisation = store.find_organisation(action.session, organisation_id)
    if organisation is None:
        raise NotFoundError("There is no organisation {organisation_id}.", organisation_id=organisation_id)
    number = free_tax_number(action.session, tax_number, organisation_id)
    if organisation.tax_number != number:
        before, organisation.tax_number = {"tax_number": organisation.tax_number}, number
        action.session.flush()
        action.record("organisations.set_tax_number", "organisation", organisation_id, before, {"tax_number": number})
    return organisation


def free_tax_number(session: Session, written: str, but: int | None) -> str:
    """A tax number in usual form that no organisation has, `but` one; raises InvalidInputError, ConflictError."""
    number = normalise_tax_number(written)
    found = store.find_organisation_by_tax_number(session, number) if number else None
    if found is not None and found.organisation_id != but:
        raise ConflictError("{value} is the tax number of {name}.", field="tax_number", value=number, name=found.name)
    return number


def find_by_tax_number(session: Session, written: str) -> Organisation | None:
    """The enterprise or customs agent of a tax number as somebody else wrote it; `None` if it is none, or nobody's
    here."""
    try:
        number = normalise_tax_number(written)
    except InvalidInputError:
        return None
    found = store.find_organisation_by_tax_number(session, number) if number else None
    return found if found is not None and found.kind in store.COMPANY_KINDS else None
