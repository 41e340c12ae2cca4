"""Sites on the map: gates, yards and staging areas to be seen, placed and moved."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.gates import placing
from app.gates.vocabulary import SITE_KIND_NAMES
from app.platform.actions import ActionContext
from app.platform.dependencies import NewestCorridorDep
from app.platform.errors import status_of
from app.platform.permissions import Principal
from app.web.pages import render
from geo.corridor import Corridor
from geo.elements import Site
from geo.errors import CuaKhauError

router = APIRouter(include_in_schema=False, prefix="/admin/gates/map")

ReaderDep = Annotated[Principal, Depends(allow("gates.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("gates.write"))]
Name = Annotated[str, Form(max_length=120)]
Degrees = Annotated[float, Form()]


@router.get("")
def show_map(request: Request, _principal: ReaderDep, corridor: NewestCorridorDep, placed: str = "") -> Response:
    """All sites on the map, with forms to place and to move them."""
    return _page(request, corridor, placed=placed)


@router.post("")
def place(
    request: Request,
    action: WriterAction,
    corridor: NewestCorridorDep,
    kind: Annotated[placing.PlacedKind, Form()],
    name_vi: Name,
    name_en: Name,
    name_zh: Name,
    lon: Degrees,
    lat: Degrees,
    gate_id: Annotated[str, Form(max_length=60)] = "",
    capacity_veh: Annotated[int, Form(ge=0, le=100_000)] = 0,
) -> Response:
    """Place a site."""
    names = {"vi": name_vi, "en": name_en, "zh": name_zh}
    wanted = placing.Placing(kind, names, lon, lat, gate_id, capacity_veh)
    try:
        with action.session.begin_nested():
            site = placing.place_site(action, wanted)
    except CuaKhauError as error:
        return _page(request, corridor, error=error, sent=wanted)
    return RedirectResponse(f"/admin/gates/map?placed={site.site_id}", 303)


@router.post("/{site_id}")
def move(
    request: Request,
    site_id: Annotated[str, Path(max_length=80)],
    action: WriterAction,
    corridor: NewestCorridorDep,
    lon: Degrees,
    lat: Degrees,
) -> Response:
    """Move a site."""
    try:
        with action.session.begin_nested():
            placing.move_site(action, site_id, lon, lat)
    except CuaKhauError as error:
        return _page(request, corridor, error=error)
    return RedirectResponse(f"/admin/gates/map?placed={site_id}", 303)


def _page(
    request: Request,
    corridor: Corridor,
    *,
    placed: str = "",
    error: CuaKhauError | None = None,
    sent: placing.Placing | None = None,
) -> Response:
    sites = [site for site in corridor.sites.values() if site.kind in placing.PLACED_KINDS]
    return render(
        request,
        "gates/map.html",
        status=status_of(error) if error else 200,
        sites=sites,
        on_map=[_on_map(site) for site in sites],
        gates=corridor.gates(),
        kinds=SITE_KIND_NAMES,
        placed=corridor.sites.get(placed),
        error=error,
        sent=sent,
    )


def _on_map(site: Site) -> dict[str, object]:
    return {"site_id": site.site_id, "kind": site.kind, "name": dict(site.name), "lonlat": [site.lon, site.lat]}
