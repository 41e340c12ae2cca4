"""Vector tiles of the corridor."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from app.accounts.authorisation import allow
from app.platform.dependencies import SessionDep
from app.platform.permissions import Principal
from maps.tiles import MEDIA_TYPE, TileCache

router = APIRouter(tags=["map"])

CACHE_CONTROL = "private, max-age=3600, stale-while-revalidate=86400"
"""Private, because tiles are for people who have signed in; the corridor changes at most when it is imported again."""


def get_tile_cache(request: Request) -> TileCache:
    """The tiles this process has already made."""
    state = request.app.state
    if not hasattr(state, "tile_cache"):
        state.tile_cache = TileCache()
    cache: TileCache = state.tile_cache
    return cache


@router.get(
    "/tiles/{layer}/{z}/{x}/{y}",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {}}, "description": "The tile."},
        204: {"description": "Nothing lies in this tile."},
        304: {"description": "The caller's copy is still right."},
        404: {"description": "No such layer, or no such tile at that zoom."},
    },
)
def read_tile(
    *,
    layer: str,
    z: int,
    x: int,
    y: int,
    session: SessionDep,
    cache: Annotated[TileCache, Depends(get_tile_cache)],
    _principal: Annotated[Principal, Depends(allow("corridor.read"))],
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """One tile of `roads`, `sites`, `geofences` or `posts` (kilometre posts), Mapbox Vector Tile 2.1."""
    tile = cache.get(session, layer, z, x, y)
    headers = {"ETag": tile.etag, "Cache-Control": CACHE_CONTROL}
    if tile.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if not tile.data:
        return Response(status_code=204, headers=headers)
    return Response(tile.data, media_type=MEDIA_TYPE, headers=headers)
