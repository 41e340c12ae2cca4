"""The corridor as GeoJSON, and how maps of it are drawn."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Literal

import orjson
from fastapi import Query, Response

from app.gates.tile_endpoints import BaseMapDep, IfNoneMatch, Reader
from app.platform.dependencies import CorridorDep, RuntimeDep
from app.web.routers import ApiRouter
from maps.layers import style

router = ApiRouter(prefix="/api/v1/corridor", tags=["map"])


@router.get(
    "",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {}}, "description": "An RFC 7946 FeatureCollection."}},
)
def read_corridor(corridor: CorridorDep, _principal: Reader, if_none_match: IfNoneMatch = "") -> Response:
    """Roads, sites and geofences with kilometres, attribution, licence, and the provenance of every value.

    `properties.feature` is `road`, `site` or `geofence`; `provenance` says of a value whether it was surveyed,
    derived or assumed.
    """
    return _answer(orjson.dumps(corridor.to_geojson()), "application/geo+json", if_none_match)


@router.get("/style", response_class=Response, responses={200: {"content": {"application/json": {}}}})
def read_style(
    runtime: RuntimeDep,
    base_map: BaseMapDep,
    principal: Reader,
    theme: Annotated[str, Query(description="light or dark")] = "light",
    locale: Annotated[Literal["vi", "en", "zh"] | None, Query()] = None,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """The MapLibre style of the live map; the legend is its `metadata["cuakhau:legend"]`."""
    found = style(
        theme,
        base_map,
        locale=locale or principal.locale,
        satellite_url=runtime.settings.satellite_url,
        attribution=runtime.corridor.attribution,
        version=str(runtime.corridor_version or "")[:8],
    )
    return _answer(orjson.dumps(found), "application/json", if_none_match)


def _answer(body: bytes, media_type: str, if_none_match: str) -> Response:
    etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
