"""Writes the table of settings in docs/operations.md from the settings' own classes: `python -m docs.make_settings`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app.settings import GatewaySettings, NeighbourSettings, OperationsSettings, ProcessSettings, Settings

TARGET = Path(__file__).with_name("operations.md")
BEGIN, END = "<!-- settings -->", "<!-- end of settings -->"
GROUPS = {
    Settings: "Every part",
    OperationsSettings: "Backups, alarms, traces: control, commands, and web for traces",
    ProcessSettings: "Several processes of a part on one machine",
    NeighbourSettings: "Systems of others that messages are exchanged with: control",
    GatewaySettings: "Gateways of trackers, as `bin/up` starts them",
}


@dataclass(frozen=True)
class Variable:
    """A variable of the environment, its default as text, and what it says."""

    name: str
    default: str
    what: str


def variables(settings: type[BaseSettings]) -> Iterator[Variable]:
    """The variables that a class of settings reads, in its order."""
    said = _docstrings(settings)
    for name, field in settings.model_fields.items():
        yield Variable(_variable(name, field), _default(field), said.get(name, ""))


def table() -> str:
    """All settings as Markdown."""
    parts = []
    for settings, title in GROUPS.items():
        rows = [f"| `{each.name}` | {each.what} | {each.default} |" for each in variables(settings)]
        parts.append("\n".join([f"### {title}", "", "| variable | what | default |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def rewritten(text: str) -> str:
    """The page with the table as it should be."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return str(alias) if alias else f"CUAKHAU_{name.upper()}"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "" if value in ("", None, {}) else f"`{value}`"


def _docstrings(settings: type[BaseSettings]) -> dict[str, str]:
    """What stands below each field."""
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    assert isinstance(made, ast.ClassDef)
    found = {}
    for field, below in zip(made.body, made.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[ast.unparse(field.target)] = " ".join(inspect.cleandoc(str(below.value.value)).split())
    return found


if __name__ == "__main__":
    TARGET.write_text(rewritten(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
