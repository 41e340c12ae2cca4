"""The command that makes a yard plan of a problem in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.ops.command_options import Json, print_result


def plan_yards(
    problem: Annotated[Path, typer.Argument(help="Yard problem in JSON (docs/yards.md).", exists=True, dir_okay=False)],
    time_limit_s: Annotated[float, typer.Option(min=0.0, help="Seconds to look for the plan.")] = 10.0,
    mip_gap: Annotated[float, typer.Option(min=0.0, max=1.0, help="How near to the best plan is near enough.")] = 0.01,
    as_json: Json = False,
) -> None:
    """Say which truck gets a place in which yard and zone, when, and why."""
    from capacity.plan_report import plan_document
    from capacity.problem_document import read_document

    report = plan_document(read_document(problem), time_limit_s=time_limit_s, mip_gap=mip_gap)
    if as_json:
        print_result(report.model_dump(mode="json"), as_json)
        return
    for truck in report.trucks:
        place = "-" if truck.place_at is None else f"{truck.place_at:%d/%m %H:%M} {truck.zone_id}"
        typer.echo(f"{truck.truck_id}: {place}. {truck.text}")
    print_result(report.model_dump(mode="json", exclude={"trucks", "zones"}), as_json)
