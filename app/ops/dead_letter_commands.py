"""`cuakhau ingest dead-letters …`; each command imports what it runs, so that `--help` stays fast."""

from __future__ import annotations

from typing import Annotated

import typer

from app.ops.command_options import VAR, DataDir, Json, print_result

dead_letters_app = typer.Typer(help="Fixes that no worker could store, with the reason.", no_args_is_help=True)


@dead_letters_app.command("list")
def dead_letters_list(
    limit: Annotated[int, typer.Option(min=1, help="How many at most, oldest first.")] = 100,
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """List those that wait: number, time, kind, doors, device, reason."""
    from app.ops.dead_letters import list_letters
    from app.ops.running import find_settings

    letters = list_letters(find_settings(data_dir), limit)
    if as_json:
        print_result(letters, as_json)
        return
    for letter in letters:
        typer.echo(
            "\t".join(
                str(letter[name]) for name in ("dead_letter_id", "died_at", "kind", "door", "device_id", "reason")
            )
        )


@dead_letters_app.command("show")
def dead_letters_show(number: int, as_json: Json = False, data_dir: DataDir = VAR) -> None:
    """Show one with all that can be read of its fix."""
    from app.ops.dead_letters import show_letter
    from app.ops.running import find_settings

    print_result(show_letter(find_settings(data_dir), number), as_json)


@dead_letters_app.command("replay")
def dead_letters_replay(
    which: Annotated[str, typer.Argument(help="A number, or `all` that wait.")],
    mend: Annotated[
        str, typer.Option(help='JSON object of values to replace, such as {"lat": 21.97, "attributes": null}.')
    ] = "",
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Put one or all back into the stream, mended if asked. A fix that is stored already is not stored twice."""
    from app.ops.dead_letters import replay_letters
    from app.ops.running import find_settings

    replayed = replay_letters(find_settings(data_dir), which, mend)
    print_result(replayed if as_json else {"replayed": len(replayed)}, as_json)


@dead_letters_app.command("drop")
def dead_letters_drop(number: int, data_dir: DataDir = VAR) -> None:
    """Throw one away for good."""
    from app.ops.dead_letters import drop_letter
    from app.ops.running import find_settings

    drop_letter(find_settings(data_dir), number)
