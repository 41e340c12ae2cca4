"""A finished study as files: series as CSV and Parquet, totals as CSV, the run for SUMO."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from maps.comparison import local_clock
from maps.variants import variants_of
from routing.scenario_records import ResultRecord
from routing.study import StudyInputs
from routing.sumo_export import sumo_files

SERIES_COLUMNS: Final = ("seconds_since_start", "local_time", "kind", "place", "measure", "world")
TOTAL_COLUMNS: Final = (
    "variant",
    "total",
    "base_mean",
    "variant_mean",
    "difference_mean",
    "interval95_low",
    "interval95_high",
    "range80_low",
    "range80_high",
    "significant",
)


def _quantile_names(record: ResultRecord) -> list[str]:
    return [f"p{round(100 * q)}" for q in record["quantiles"]]


def _series_rows(record: ResultRecord) -> Iterator[tuple[object, ...]]:
    """One line a moment, place, measure and world."""
    for kind, places in (("gate", record["gates"]), ("yard", record["yards"])):
        for place, measures in places.items():
            for measure, worlds in measures.items():
                for world, curves in worlds.items():
                    for i, values in enumerate(zip(*curves, strict=True)):
                        moment = round(i * record["step_s"])
                        yield (moment, local_clock(record, i), kind, place, measure, world, *values)


def series_csv(record: ResultRecord) -> str:
    """All series of a result as CSV: one line a moment, place, measure and world."""
    return _csv([*SERIES_COLUMNS, *_quantile_names(record)], _series_rows(record))


def series_parquet(record: ResultRecord) -> bytes:
    """All series of a result as Parquet, the same lines and columns as the CSV; the study itself in the metadata."""
    names = [*SERIES_COLUMNS, *_quantile_names(record)]
    columns = list(zip(*_series_rows(record), strict=True)) or [()] * len(names)
    text, numbers = pa.string(), pa.float64()
    kinds = [pa.int64(), text, text, text, text, text, *[numbers] * (len(names) - len(SERIES_COLUMNS))]
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
    about = {"seed": str(record["seed"]), "runs": str(record["runs"]), "code_version": record["code_version"]}
    table = pa.table(dict(zip(names, arrays, strict=True))).replace_schema_metadata(about)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def totals_csv(record: ResultRecord) -> str:
    """The totals of a result as CSV: one line a variant and total."""
    rows = (
        (
            variant["name"],
            total,
            *(found["base"], found["variant"], found["difference"]),
            *found["interval95"],
            *found.get("range80", (None, None)),
            found["significant"],
        )
        for variant in variants_of(record)
        for total, found in variant["summary"].items()
    )
    return _csv(TOTAL_COLUMNS, rows)


def _csv(names: list[str] | tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> str:
    buffer = io.StringIO()
    lines = csv.writer(buffer)
    lines.writerow(names)
    lines.writerows(rows)
    return buffer.getvalue()


def sumo_zip(inputs: StudyInputs) -> bytes:
    """Network and demand for SUMO: a folder for each world of the study, run 0."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for world in range(len(inputs.study.worlds)):
            for name, text in sumo_files(inputs, world=world).items():
                archive.writestr(f"world-{world}/{name}", text)
    return buffer.getvalue()
