"""OGC API Features and Tiles under `/ogc`, by tipg, on the views of the schema `open_data`.

Nothing is served that `COLLECTIONS` does not name, whatever lies in the schema; the role that reads it may read nothing
else and only read, with time limits; filters are checked before they become SQL (`app.open_data.filters`). Where trucks
are is not here: what a caller may see of them depends on trips, powers of attorney and purpose (`app.trips.scope`),
which no view of this schema knows. `/api/v1/positions` gives it as GeoJSON to those who may see it.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal, cast

import asyncpg
import orjson
import structlog
from fastapi import Depends, FastAPI, Path, Query, Request
from morecantile import Tile, tms
from morecantile.defaults import TileMatrixSets
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from tipg import dependencies as tipg_dependencies
from tipg import model
from tipg.collections import Catalog, PgCollection
from tipg.collections import Column as TipgColumn
from tipg.errors import DEFAULT_STATUS_CODES, TiPgError
from tipg.factory import COMMON_CONFORMS, FEATURES_CONFORMS, TILES_CONFORMS, OGCFeaturesFactory, OGCTilesFactory
from tipg.middleware import CacheControlMiddleware
from tipg.resources.enums import MediaType
from tipg.resources.response import ORJSONResponse

from app.open_data.dictionary import COLLECTIONS, DataSet
from app.open_data.filters import read_filter
from app.open_data.pace import check_pace
from app.platform import errors
from app.platform.labels import N_
from geo.corridor import Corridor
from geo.errors import InvalidInputError, NotFoundError, UnavailableError

CONNECTIONS: Final = 3
ACQUIRE_S: Final = 3.0
STATEMENT_MS: Final = 3000
FRESH_S: Final = 30
MAX_ZOOM: Final = 22
SCHEMA: Final = "open_data"
BUSY: Final = N_("Too many ask at once, or this takes too long. Ask for less, or later.")
UNREADABLE: Final = N_("A parameter cannot be read: {reason}")
TIME_COLUMN: Final = "as_of"

log = structlog.get_logger("ogc")


def collection_of(data: DataSet, bounds: list[float]) -> PgCollection:
    """A data set as tipg knows it; `bounds` are west, south, east, north in degrees."""
    columns = [
        TipgColumn(name=column.name, type=column.kind.postgres, description=column.description)
        for column in data.columns
    ]
    geometry = TipgColumn(name="geom", type="geometry", geometry_type=data.geometry, srid=4326, bounds=bounds)
    named = {column.name: column for column in columns}
    return PgCollection(
        type="Table",
        id=data.name,
        schema=SCHEMA,
        table=data.name,
        title=data.title,
        description=data.description,
        table_columns=[*columns, geometry],
        properties=[*columns, geometry],
        id_column=named[data.key[0]],
        geometry_column=geometry,
        datetime_column=named.get(TIME_COLUMN),
    )


def catalog_of(corridor: Corridor) -> Catalog:
    """What is served: `COLLECTIONS` and nothing else."""
    lines = [road.geometry.bounds for road in corridor.roads]
    places = [(site.lon, site.lat) * 2 for site in corridor.sites.values()]
    west, south, east, north = zip(*lines, *places, strict=True)
    bounds = [min(west), min(south), max(east), max(north)]
    return cast(Catalog, {"collections": {data.name: collection_of(data, bounds) for data in COLLECTIONS}})


def get_collection(
    request: Request, collectionId: Annotated[str, Path(description="A collection.", max_length=60)]
) -> PgCollection:
    """The collection of a path; raises NotFoundError."""
    found = request.app.state.collection_catalog["collections"].get(collectionId)
    if found is None:
        raise NotFoundError("There is no collection {name}.", name=collectionId)
    return cast(PgCollection, found)


def json_only(f: Annotated[Literal["json"] | None, Query()] = None) -> MediaType:  # noqa: ARG001 - described
    """Documents are JSON, whatever a browser would like better."""
    return MediaType.json


def schema_only(f: Annotated[Literal["schemajson"] | None, Query()] = None) -> MediaType:  # noqa: ARG001
    """Queryables are JSON Schema."""
    return MediaType.schemajson


def geojson_only(f: Annotated[Literal["geojson", "json"] | None, Query()] = None) -> MediaType:  # noqa: ARG001
    """Features are GeoJSON; tables of them are the files of a day."""
    return MediaType.geojson


def read_bbox(
    bbox: Annotated[str | None, Query(description="west,south,east,north", max_length=200)] = None,
) -> list[float] | None:
    """The box of a request, degrees; raises InvalidInputError."""
    if not bbox:
        return None
    try:
        found = [float(part) for part in bbox.split(",")]
    except ValueError:
        found = []
    flat = found if len(found) == 4 else [found[n] for n in (0, 1, 3, 4)] if len(found) == 6 else []
    limits = (180, 90, 180, 90)
    if not flat or not all(math.isfinite(x) and abs(x) <= most for x, most in zip(flat, limits, strict=True)):
        raise InvalidInputError("bbox={value} is not west,south,east,north in degrees.", field="bbox", value=bbox[:80])
    return found


def read_tile(
    z: Annotated[int, Path(ge=0, le=MAX_ZOOM)], x: Annotated[int, Path(ge=0)], y: Annotated[int, Path(ge=0)]
) -> Tile:
    """The tile of a path; raises NotFoundError for one beside the world."""
    if max(x, y) >= 2**z:
        raise NotFoundError("There is no tile {z}/{x}/{y}.", z=z, x=x, y=y)
    return Tile(x, y, z)


def read_cql(
    request: Request,
    query: Annotated[str | None, Query(description="CQL2 filter", alias="filter")] = None,
    filter_lang: Annotated[Literal["cql2-text", "cql2-json"] | None, Query(alias="filter-lang")] = None,  # noqa: ARG001
) -> Any:
    """The filter of a request; raises as `read_filter`."""
    if not query:
        return None
    columns = get_collection(request, request.path_params["collectionId"]).table_columns
    return read_filter(query, [column.name for column in columns])


class Features(OGCFeaturesFactory):
    """tipg's features, described by titles, without links to forms that are not offered."""

    def _collections_route(self) -> None:
        @self.router.get("/collections", response_model=model.Collections, response_class=ORJSONResponse)
        def collections(request: Request) -> Response:
            """The collections."""
            found = request.app.state.collection_catalog["collections"].values()
            link = model.Link(href=self.url_for(request, "collections"), rel="self", type=MediaType.json)
            described = [self._describe(request, each) for each in found]
            listed = model.Collections(
                links=[link], numberMatched=len(described), numberReturned=len(described), collections=described
            )
            return ORJSONResponse(listed.model_dump(exclude_none=True, mode="json"))

    def _collection_route(self) -> None:
        @self.router.get("/collections/{collectionId}", response_model=model.Collection, response_class=ORJSONResponse)
        def collection(request: Request, found: Annotated[PgCollection, Depends(get_collection)]) -> Response:
            """A collection."""
            return ORJSONResponse(self._describe(request, found).model_dump(exclude_none=True, mode="json"))

    def _describe(self, request: Request, found: PgCollection) -> model.Collection:
        links = [
            model.Link(href=self.url_for(request, name, collectionId=found.id), rel=rel, type=kind)
            for name, rel, kind in (
                ("collection", "self", MediaType.json),
                ("items", "items", MediaType.geojson),
                ("queryables", "http://www.opengis.net/def/rel/ogc/1.0/queryables", MediaType.schemajson),
            )
        ]
        href = f"{self.url_for(request, 'collection', collectionId=found.id)}/tiles"
        rel = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
        links.append(model.Link(href=href, rel=rel, type=MediaType.json))
        return model.Collection(
            id=found.id, title=found.title, description=found.description, extent=found.extent, links=links
        )


def make_ogc(path: str) -> FastAPI:
    """The application that is mounted at `path`; `state` needs `runtime`, `pool` and `collection_catalog`."""
    app = FastAPI(
        title="Cửa Khẩu Số: open data",
        version="1.0.0",
        description="Roads, sites, queues, yards and forecasts, by OGC API Features and Tiles. Nobody signs in.",
        openapi_url="/api",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(check_pace)],
    )
    app.dependency_overrides |= {
        tipg_dependencies.OutputType: json_only,
        tipg_dependencies.QueryablesOutputType: schema_only,
        tipg_dependencies.ItemsOutputType: geojson_only,
        tipg_dependencies.ItemOutputType: geojson_only,
        tipg_dependencies.bbox_query: read_bbox,
        tipg_dependencies.filter_query: read_cql,
        tipg_dependencies.TileParams: read_tile,
    }
    features = Features(collection_dependency=get_collection, with_common=False, router_prefix=path)
    matrix_sets = TileMatrixSets({"WebMercatorQuad": tms.get("WebMercatorQuad")})
    tiles = OGCTilesFactory(
        collection_dependency=get_collection,
        supported_tms=matrix_sets,
        with_common=False,
        with_viewer=False,
        router_prefix=path,
    )

    @app.get("/", response_model=model.Landing, response_class=ORJSONResponse)
    def landing(request: Request) -> Response:
        """Where everything is."""
        base = f"{str(request.base_url).rstrip('/')}{path}"
        links = [
            model.Link(href=f"{base}/", rel="self", type=MediaType.json),
            model.Link(href=f"{base}/api", rel="service-desc", type=MediaType.openapi30_json),
            model.Link(href=f"{base}/conformance", rel="conformance", type=MediaType.json),
            model.Link(href=f"{base}/collections", rel="data", type=MediaType.json),
        ]
        found = model.Landing(title=app.title, description=app.description, links=links)
        return ORJSONResponse(found.model_dump(exclude_none=True, mode="json"))

    @app.get("/conformance", response_model=model.Conformance, response_class=ORJSONResponse)
    def conformance() -> Response:
        """To what it conforms."""
        classes = [each for each in [*COMMON_CONFORMS, *FEATURES_CONFORMS, *TILES_CONFORMS] if "/html" not in each]
        return ORJSONResponse({"conformsTo": classes})

    app.include_router(features.router)
    app.include_router(tiles.router)
    app.add_middleware(CacheControlMiddleware, cachecontrol=f"public, max-age={FRESH_S}")
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"])
    errors.install(app)
    app.add_exception_handler(TiPgError, _answer_tipg)
    app.add_exception_handler(ValueError, _answer_unreadable)
    for kind in (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, OSError):
        app.add_exception_handler(kind, _answer_database)
    return app


async def _answer_tipg(_request: Request, error: Exception) -> Response:
    status = next((DEFAULT_STATUS_CODES[kind] for kind in type(error).__mro__ if kind in DEFAULT_STATUS_CODES), 500)
    return errors.problem(422 if status == 500 else status, str(error)[:300])


async def _answer_unreadable(request: Request, error: Exception) -> Response:
    return errors.answer_own(request, InvalidInputError(UNREADABLE, reason=str(error)[:200]))


_CALLERS: Final = (asyncpg.DataError, asyncpg.SyntaxOrAccessError, asyncpg.InternalServerError)
"""A filter that compares what cannot be compared, a number out of range, a polygon that is none (PostGIS: XX000)."""


async def _answer_database(request: Request, error: Exception) -> Response:
    log.warning("not answered", path=request.url.path, reason=repr(error)[:300])
    if isinstance(error, _CALLERS) and not isinstance(error, asyncpg.InsufficientPrivilegeError):
        return errors.answer_own(request, InvalidInputError(UNREADABLE, reason=str(error)[:200]))
    return errors.answer_own(request, UnavailableError(BUSY, retry_after_s=5))


async def _prepare(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=orjson.dumps, decoder=orjson.loads, schema="pg_catalog")


async def open_pool(url: str) -> asyncpg.Pool:
    """A few connections of the role that reads the views; none is opened before it is needed."""
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=CONNECTIONS,
        timeout=ACQUIRE_S,
        command_timeout=2 * STATEMENT_MS / 1000,
        init=_prepare,
        server_settings={
            "application_name": "cuakhau-open",
            "default_transaction_read_only": "on",
            "statement_timeout": str(STATEMENT_MS),
            "timezone": "UTC",
        },
    )


class ImpatientPool:
    """A pool that is waited for `ACQUIRE_S`, not without end; tipg names no time of its own."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def acquire(self) -> Any:
        """A connection, as of the pool; raises TimeoutError."""
        return self._pool.acquire(timeout=ACQUIRE_S)
