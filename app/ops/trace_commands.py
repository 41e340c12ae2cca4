"""Commands on recorded ways, into the platform and out of it; each imports what it runs: `--help` stays fast."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.ops.command_options import VAR, DataDir, Json, print_result


def replay(
    file: Annotated[
        Path, typer.Argument(help="GPX, GeoJSON, KML, NMEA, CSV, NDJSON, Parquet, FIT or TCX.", exists=True)
    ],
    speed: Annotated[float, typer.Option(help="How many times faster than recorded; 0 for as fast as it goes.")] = 1.0,
    url: Annotated[str, typer.Option(help="The platform to feed; empty: the one that runs on `--data-dir`.")] = "",
    shift: Annotated[bool, typer.Option("--shift/--no-shift", help="Shift the times so that the first is now.")] = True,
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Feed recorded GPS through the real doors; each bad point is told with its line and value.

    Ends with an error if not one point was accepted.
    """
    from app.ops.replay import replay as run
    from app.ops.running import find_url

    url = url or find_url(data_dir)
    result = run(file, url=url, speed=speed, shift=shift, progress=not as_json)
    for fault in result["faults"]:
        print(f"{file.name}, {fault['line']}: {fault['value']}: {fault['reason']}", file=sys.stderr)
    print_result(result, as_json)
    if not result["accepted"]:
        refused = ", ".join(f"{reason} {count}" for reason, count in result["refused"].items()) or "no point to send"
        print(f"Nothing was accepted of {file.name}: {refused}.", file=sys.stderr)
        raise typer.Exit(1)


def export_trace(
    plate: Annotated[str, typer.Argument(help="Plate of the vehicle.")],
    output: Annotated[Path, typer.Argument(help="File to write: .gpx, .geojson, .csv or .parquet.")],
    begin: Annotated[str, typer.Option("--from", help="RFC 3339 time with offset.")],
    end: Annotated[str, typer.Option("--to", help="RFC 3339 time with offset.")],
    data_dir: DataDir = VAR,
) -> None:
    """Write a vehicle's stored way to a file; the audit log keeps that it was."""
    from app.ops.running import find_settings
    from app.platform.actions import ActionContext
    from app.platform.runtime import Runtime
    from app.tracking import traces
    from geo.clock import parse_time

    runtime = Runtime.open(find_settings(data_dir), part="export")
    with runtime.sessions() as session:
        action = ActionContext(session, None, runtime.clock.now())
        vehicle_id = traces.get_vehicle_id(session, plate)
        span = parse_time(begin, field="from"), parse_time(end, field="to")
        file = traces.export(action, vehicle_id, *span, output.suffix.lower().lstrip("."))
        output.write_bytes(file.content)
        session.commit()
    print(f"{file.points} positions of {plate} in {output}")
