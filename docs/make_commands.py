"""Writes docs/commands.md from the command line's own help: `python -m docs.make_commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from app.cli import app

TARGET = Path(__file__).with_name("commands.md")


def reference() -> str:
    """The reference of all commands as Markdown."""
    root = typer.main.get_command(app)
    parts = ["# Commands\n\nGenerated from `bin/cuakhau --help` by `python -m docs.make_commands`.\n"]
    _describe(root, ["bin/cuakhau"], parts)
    return "\n".join(parts)


def _describe(command: Any, path: list[str], parts: list[str]) -> None:
    """Append a command, or all commands of a group; both are click's, however typer brings it."""
    for name, found in getattr(command, "commands", {}).items():
        _describe(found, [*path, name], parts)
    if hasattr(command, "commands"):
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([*path, *(str(p.name).upper() for p in arguments)])
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
