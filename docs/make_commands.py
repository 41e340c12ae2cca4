"""Writes docs/commands.md from the command line's own help: `python -m docs.make_commands`."""

from __future__ import annotations

from pathlib import Path

import click
import typer

from app.cli import app

TARGET = Path(__file__).with_name("commands.md")


def reference() -> str:
    """The reference of all commands as Markdown."""
    root = typer.main.get_command(app)
    parts = ["# Commands\n\nGenerated from `bin/cuakhau --help` by `python -m docs.make_commands`.\n"]
    _describe(root, ["bin/cuakhau"], parts)
    return "\n".join(parts)


def _describe(command: click.Command, path: list[str], parts: list[str]) -> None:
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            _describe(found, [*path, name], parts)
        return
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option) and p.name != "help"]
    usage = " ".join([*path, *(p.make_metavar(click.Context(command)) for p in arguments)])
    parts.append(f"## `{usage}`\n\n{(command.help or '').strip()}\n")
    rows = [(f"`{p.name}`", getattr(p, "help", None) or "", "") for p in arguments]
    for option in options:
        names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
        default = "" if option.default in (None, False, "") or callable(option.default) else f"`{option.default}`"
        rows.append((names, option.help or "", default))
    if rows:
        parts.append("| argument or option | what | default |\n|---|---|---|")
        parts += [f"| {name} | {what} | {default} |" for name, what, default in rows]
        parts.append("")


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
