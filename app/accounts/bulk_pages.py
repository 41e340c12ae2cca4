"""The administrator's page that makes the accounts of many people from a file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, UploadFile
from starlette.responses import Response

from app.accounts import in_bulk
from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep
from app.platform.permissions import Principal, Role
from app.web.i18n import load_catalogues
from app.web.pages import render
from geo.corridor import Corridor
from geo.errors import CuaKhauError
from geo.text import fold

router = APIRouter(include_in_schema=False, prefix="/admin/accounts")

Writer = Annotated[Principal, Depends(allow("accounts.write"))]
WriterAction = Annotated[ActionContext, Depends(acting("accounts.write"))]


@router.get("/import")
def show_import(request: Request, corridor: CorridorDep, _principal: Writer) -> Response:
    """Where the file is sent, and what stands in it."""
    return render(
        request, "accounts/admin_import.html", max_rows=in_bulk.MAX_ROWS, roles=tuple(Role), gates=corridor.gates()
    )


@router.get("/template.csv")
def get_template(_principal: Writer) -> Response:
    """The headings of the file."""
    headers = {"Content-Disposition": 'attachment; filename="accounts.csv"'}
    return Response(in_bulk.TEMPLATE.encode(), headers=headers, media_type="text/csv; charset=utf-8")


@router.post("/import")
def import_accounts(request: Request, action: WriterAction, corridor: CorridorDep, file: UploadFile) -> Response:
    """Make the accounts, or say what is wrong with which line: a piece of the page."""
    try:
        table = in_bulk.read_file(file.file.read(in_bulk.MAX_BYTES + 1))
    except CuaKhauError as error:
        return render(request, "accounts/admin_imported.html", error=error, made=[], problems=[])
    made, problems = in_bulk.make_accounts(action, table, _names(corridor))
    return render(request, "accounts/admin_imported.html", error=None, made=made, problems=problems)


def _names(corridor: Corridor) -> in_bulk.Names:
    """Roles and gates by their names in every language."""
    catalogues = load_catalogues().values()
    roles = {fold(catalogue.gettext(role.label)): role for catalogue in catalogues for role in Role}
    gates = {fold(name): gate.site_id for gate in corridor.gates() for name in (gate.site_id, *gate.name.values())}
    return in_bulk.Names(roles, gates)
