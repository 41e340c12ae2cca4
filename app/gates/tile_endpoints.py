"""Vector tiles of the corridor."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Header, Request, Response

from app.accounts.authorisation import allow
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.json import JsonObject
from app.platform.permissions import Principal
from app.web.routers import ApiRouter
from geo.errors import NotFoundError
from maps.base_map import BaseMap
from maps.tiles import MEDIA_TYPE, Tile, TileCache, check_address

router = ApiRouter(tags=["map"])

CACHE_CONTROL = "private, max-age=3600, stale-while-revalidate=86400"
"""Private, because tiles are for people who have signed in; the style gives them other addresses
once the corridor was changed."""


def get_tile_cache(request: Request, corridor: CorridorDep) -> TileCache:
    """The tiles this process has already made of the corridor."""
    state = request.app.state
    if getattr(state, "tiles_of", None) is not corridor:
        state.tiles_of, state.tile_cache = corridor, TileCache()
    cache: TileCache = state.tile_cache
    return cache


def get_base_map(request: Request) -> BaseMap:
    """What this installation draws below the corridor."""
    base_map: BaseMap = request.app.state.base_map
    return base_map


BaseMapDep = Annotated[BaseMap, Depends(get_base_map)]
Reader = Annotated[Principal, Depends(allow("corridor.read"))]
IfNoneMatch = Annotated[str, Header()]
RESPONSES: Final[dict[int | str, JsonObject]] = {
    200: {"content": {MEDIA_TYPE: {}}, "description": "The tile."},
    204: {"description": "Nothing lies in this tile."},
    304: {"description": "The caller's copy is still right."},
    404: {"description": "No such layer, or no such tile at that zoom."},
}


@router.get("/tiles/base/{z}/{x}/{y}", response_class=Response, responses=RESPONSES)
def read_base_tile(
    *, z: int, x: int, y: int, base_map: BaseMapDep, _principal: Reader, if_none_match: IfNoneMatch = ""
) -> Response:
    """One tile of the base map, Mapbox Vector Tile 2.1 in Protomaps' schema; 404 where it comes from elsewhere."""
    check_address(z, x, y)
    if base_map.archive is None:
        raise NotFoundError("The base map of this installation is not served from here.")
    return _answer(Tile.of(base_map.archive.tile(z, x, y)), if_none_match)


@router.get("/tiles/{layer}/{z}/{x}/{y}", response_class=Response, responses=RESPONSES)
def read_tile(
    *,
    layer: str,
    z: int,
    x: int,
    y: int,
    session: SessionDep,
    cache: Annotated[TileCache, Depends(get_tile_cache)],
    _principal: Reader,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """One tile of `roads`, `sites`, `geofences` or `posts` (kilometre posts), Mapbox Vector Tile 2.1."""
    return _answer(cache.get(session, layer, z, x, y), if_none_match)


def _answer(tile: Tile, if_none_match: str) -> Response:
    headers = {"ETag": tile.etag, "Cache-Control": CACHE_CONTROL}
    if tile.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if not tile.data:
        return Response(status_code=204, headers=headers)
    return Response(tile.data, media_type=MEDIA_TYPE, headers=headers)
