"""Open data as files: a local day, or what was said last, as CSV, GeoJSON or Parquet, by the data dictionary."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import orjson
import pyarrow
import pyarrow.parquet
from sqlalchemy.orm import Session

from app.open_data import store
from app.open_data.dictionary import COLLECTIONS, HISTORIES, DataSet, Kind
from app.open_data.tables import PublicForecastRow, PublicGateRow, PublicYardRow
from app.platform.json import JsonObject
from app.platform.labels import Vocabulary
from app.platform.tables_out import iso_utc, write_csv
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor

PublicRow = PublicGateRow | PublicYardRow | PublicForecastRow


class FileFormat(Vocabulary):
    """How a table is written."""

    CSV = "csv"
    GEOJSON = "geojson"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.GEOJSON: "application/geo+json",
    FileFormat.PARQUET: "application/vnd.apache.parquet",
}
_ARROW: Final = {
    Kind.STRING: pyarrow.string(),
    Kind.NUMBER: pyarrow.float64(),
    Kind.INTEGER: pyarrow.int64(),
    Kind.BOOLEAN: pyarrow.bool_(),
    Kind.TIME: pyarrow.timestamp("s", "UTC"),
}


def read_day(session: Session, data: DataSet, day: date) -> Sequence[PublicRow]:
    """What was said in a day of Lạng Sơn."""
    since = datetime.combine(day, time(), LOCAL_ZONE).astimezone(UTC)
    return _rows(session, data, since, since + timedelta(days=1))


def read_latest(session: Session, data: DataSet) -> Sequence[PublicRow]:
    """What was said last: the newest five minutes."""
    newest = [gate.slot for gate in store.newest_gates(session)]
    return _rows(session, data, max(newest), max(newest) + timedelta(seconds=1)) if newest else []


def _rows(session: Session, data: DataSet, since: datetime, until: datetime) -> Sequence[PublicRow]:
    if data.name == "queues":
        return store.rows_between(session, PublicGateRow, since, until)
    if data.name == "yards":
        return store.rows_between(session, PublicYardRow, since, until)
    return store.rows_between(session, PublicForecastRow, since, until)


def write(data: DataSet, rows: Sequence[PublicRow], corridor: Corridor, form: FileFormat) -> bytes:
    """The rows in a form, with the columns of the dictionary in their order."""
    names = [column.name for column in data.columns]
    if form is FileFormat.CSV:
        return write_csv(names, ([getattr(row, name) for name in names] for row in rows))
    if form is FileFormat.GEOJSON:
        return orjson.dumps({"type": "FeatureCollection", "features": [_feature(data, row, corridor) for row in rows]})
    return _parquet(data, rows)


def _feature(data: DataSet, row: PublicRow, corridor: Corridor) -> JsonObject:
    site = corridor.sites.get(row.yard_id if isinstance(row, PublicYardRow) else row.gate_id)
    values = {column.name: getattr(row, column.name) for column in data.columns}
    return {
        "type": "Feature",
        "id": "/".join(_plain(values[name]) for name in data.key),
        "geometry": None if site is None else {"type": "Point", "coordinates": [site.lon, site.lat]},
        "properties": {
            name: iso_utc(value) if isinstance(value, datetime) else value for name, value in values.items()
        },
    }


def _plain(value: object) -> str:
    return iso_utc(value) if isinstance(value, datetime) else str(value)


def _parquet(data: DataSet, rows: Sequence[PublicRow]) -> bytes:
    fields = [
        pyarrow.field(
            column.name,
            _ARROW[column.kind],
            nullable=not column.required,
            metadata={"description": column.description, "unit": column.unit},
        )
        for column in data.columns
    ]
    columns = [[getattr(row, column.name) for row in rows] for column in data.columns]
    arrays = [pyarrow.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    schema = pyarrow.schema(fields, metadata={"title": data.title, "description": data.description})
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), out)
    return out.getvalue()


def describe(base_url: str) -> JsonObject:
    """The data dictionary as a Data Package with a Table Schema of each table (Frictionless Data, v1)."""
    tables = [(f"{data.name}-by-day", f"{base_url}/{data.name}/latest", "csv", data) for data in HISTORIES]
    tables += [(data.name, f"/ogc/collections/{data.name}/items", "geojson", data) for data in COLLECTIONS]
    return {
        "profile": "tabular-data-package",
        "name": "cua-khau-so",
        "title": "Cửa Khẩu Số: open data",
        "homepage": base_url,
        "resources": [
            {
                "name": name,
                "title": data.title,
                "description": data.description,
                "path": path,
                "format": form,
                "encoding": "utf-8",
                "schema": {
                    "fields": [
                        {
                            "name": column.name,
                            "type": column.kind,
                            "description": column.description,
                            "unit": column.unit,
                            "constraints": {"required": column.required},
                        }
                        for column in data.columns
                    ],
                    "primaryKey": list(data.key),
                },
            }
            for name, path, form, data in tables
        ],
    }
