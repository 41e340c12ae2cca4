"""Pages that show what is of one enterprise: its own people see theirs, who reads the pages of all chooses whose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Depends, Query, Request

from app.accounts import store
from app.accounts.authorisation import allow
from app.platform.dependencies import SessionDep
from app.platform.labels import N_
from app.platform.permissions import Principal, Role, Scope
from app.web.viewpoint import Viewpoint, set_viewpoint
from geo.errors import NotFoundError

MAX_CHOICES: Final = 50
EnterpriseQuery = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Whose page who reads those of all looks at.")
]


def of_enterprise(home: str, act: str = "pages.enterprise") -> Callable[..., Principal]:
    """A dependency that gives as whom a page is read; `home` is where another enterprise is chosen.

    Who may `act` with everything reads as the enterprise that the address names, else as the first of those found by
    `find`, words of a name. The route only reads; `act` is asked for as by `allow`.

    Raises
    ------
    NotFoundError
        If there is no such enterprise.
    """

    authorised = Depends(allow(act))  # as a default: FastAPI reads annotations without the names of this function

    def look(
        request: Request,
        session: SessionDep,
        principal: Principal = authorised,
        enterprise: EnterpriseQuery = None,
        find: Annotated[str, Query(max_length=100)] = "",
    ) -> Principal:
        if principal.scope(act) is not Scope.ALL:
            return principal
        found = list(store.search_enterprises(session, find, limit=MAX_CHOICES))
        chosen = next((each for each in found if each.organisation_id == enterprise), None)
        if chosen is None and enterprise is not None and not find:
            chosen = store.find_organisation(session, enterprise)
            if chosen is None or chosen.kind not in store.COMPANY_KINDS:
                raise NotFoundError("There is no enterprise {value}.", field="enterprise", value=enterprise)
            found.insert(0, chosen)
        chosen = chosen or (found[0] if found else None)
        viewpoint = Viewpoint(
            home=home,
            name="enterprise",
            label=N_("Enterprise whose page this is"),
            chosen="" if chosen is None else str(chosen.organisation_id),
            choices=[(str(each.organisation_id), each.name) for each in found],
            words=find,
        )
        set_viewpoint(request, viewpoint)
        return principal.look_as(Role.ENTERPRISE, organisation_id=None if chosen is None else chosen.organisation_id)

    return look
