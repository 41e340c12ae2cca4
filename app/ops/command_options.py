"""What the commands of `cuakhau` have in common: options, and how results are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DataDir = Annotated[
    Path, typer.Option(envvar="CUAKHAU_DATA_DIR", help="Folder of the running platform, as given to `up`.")
]
VAR: Final = Path("var")


def print_result(result: object, as_json: bool) -> None:
    """Print a result as one JSON document, or for people to read."""
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, default=str))
    elif isinstance(result, dict):
        for name, value in result.items():
            typer.echo(f"{name}: {value}")
    else:
        typer.echo(str(result))
