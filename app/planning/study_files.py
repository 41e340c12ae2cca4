"""All files of a finished study, written into a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.planning.exports import series_csv, series_parquet, sumo_zip, totals_csv
from maps.study_chart import study_png
from routing.scenario_records import ResultRecord
from routing.study import StudyInputs


def write_files(folder: Path, record: ResultRecord, inputs: StudyInputs, report: str) -> Mapping[str, int]:
    """Write a study with all its files into a folder; name and size of each, bytes."""
    contents: dict[str, bytes] = {
        "series.csv": series_csv(record).encode(),
        "series.parquet": series_parquet(record),
        "totals.csv": totals_csv(record).encode(),
        "variants.png": study_png(record),
        "sumo.zip": sumo_zip(inputs),
        "report.html": report.encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: len(content) for name, content in contents.items()}
