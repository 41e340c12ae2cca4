"""Commands of the audit log: `cuakhau audit …`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.ops.command_options import VAR, DataDir, Json, print_result

audit_app = typer.Typer(help="The audit log.", no_args_is_help=True)


@audit_app.command("head")
def audit_head(data_dir: DataDir = VAR) -> None:
    """Print the signed head of the audit log, to be kept elsewhere for `audit verify --head`."""
    from app.ops.install import sign_audit_head
    from app.ops.running import find_settings

    typer.echo(sign_audit_head(find_settings(data_dir)) or "", nl=False)
    typer.echo()


@audit_app.command("verify")
def audit_verify(
    head: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File of signed heads that were kept elsewhere.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Public key of the heads; by default our own.")
    ] = None,
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Check the chain of the audit log; exit status 1 if anything was changed.

    With `--head` the log must also hold what was signed earlier: a log that was emptied, cut off or written again as
    a whole does not.
    """
    from app.ops.install import verify_audit
    from app.ops.running import find_settings

    faults = verify_audit(find_settings(data_dir), heads=head, key=key)
    print_result({"intact": not faults, "faults": [asdict(fault) for fault in faults]}, as_json)
    if faults:
        raise typer.Exit(1)
