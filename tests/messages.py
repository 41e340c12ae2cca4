"""What the platform says to people, read out of its sources by Babel (`[tool.babel]` in pyproject.toml).

`python -m tests.messages` adds messages that no catalogue knows to `app/web/locale/<language>/messages.po`, empty, for
somebody to translate.
"""

from __future__ import annotations

import ast
import io
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
LOCALE_DIR = ROOT / "app" / "web" / "locale"
TRANSLATED = ("vi", "zh")
"""Languages that need every message; message ids are English."""
PACKAGES = ("app", "geo", "ingest", "routing", "capacity", "maps")
NOT_SOURCES = ".venv node_modules var tests bench docs .git"
INTERFACE_KEYWORDS = ("N_",)
SCRIPT_KEYWORDS = ("t",)


SHIPPED = "*/*/**/*.yaml"


NO_MESSAGES = {"code"}
"""What Babel takes for a message in `gettext(reason["code"])`."""


@dataclass(frozen=True)
class Message:
    """A message id and the places (file:line) that use it."""

    text: str
    places: tuple[str, ...]


@cache
def interface_messages() -> dict[str, Message]:
    """Messages of templates, of scripts and of Python code marked with `N_` or `gettext`, by id."""
    scripts = {
        text: message
        for text, message in _extract(SCRIPT_KEYWORDS).items()
        if all(".js:" in place for place in message.places)
    }
    return _extract(INTERFACE_KEYWORDS, defaults=True) | scripts | _shipped()


def _shipped() -> dict[str, Message]:
    """Where the procedures and tariffs that are shipped come from, and what they assume."""
    found: dict[str, Message] = {}
    for path in sorted((ROOT / "app").glob(SHIPPED)):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(definition, dict) and {"steps", "rates"} & set(definition):
            told = [definition.get("source"), *definition.get("sources", ()), *definition.get("assumptions", ())]
            found |= {text: Message(text, (f"{path.relative_to(ROOT)}:1",)) for text in told if text}
    return found


@cache
def error_messages() -> dict[str, Message]:
    """Messages of the errors that the platform raises on purpose, by id."""
    return _extract(tuple(sorted(_error_names())))


def known_messages(language: str) -> set[str]:
    """The ids that have a translation in any catalogue of `language`."""
    return set(translations(language))


def translations(language: str) -> dict[str, tuple[str, ...]]:
    """What the catalogues of `language` say, by id: one text, or one for each form."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((LOCALE_DIR / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file):
                if message.id and message.string:
                    said = message.string
                    found[_id(message.id)] = (said,) if isinstance(said, str) else tuple(said)
    return found


def _extract(keywords: tuple[str, ...], *, defaults: bool = False) -> dict[str, Message]:
    with TemporaryDirectory() as folder:
        target = Path(folder) / "messages.pot"
        arguments = ["pybabel", "-q", "extract", "-F", str(ROOT / "pyproject.toml"), "--ignore-dirs", NOT_SOURCES]
        arguments += [] if defaults else ["--no-default-keywords"]
        for keyword in keywords:
            arguments += ["-k", keyword]
        CommandLineInterface().run([*arguments, "-o", str(target), str(ROOT)])
        catalogue = read_po(io.BytesIO(target.read_bytes()))
    return {
        _id(message.id): Message(
            _id(message.id), tuple(f"{Path(file).relative_to(ROOT)}:{line}" for file, line in message.locations)
        )
        for message in catalogue
        if message.id and message.id not in NO_MESSAGES
    }


def _id(message_id: str | tuple[str, ...]) -> str:
    return message_id if isinstance(message_id, str) else message_id[0]


def _error_names() -> set[str]:
    """The classes of our error tree, wherever they are defined."""
    names, bases = {"CuaKhauError"}, []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    bases += [(node.name, base.id) for base in node.bases if isinstance(base, ast.Name)]
    while more := {name for name, base in bases if base in names} - names:
        names |= more
    return names


def add_missing() -> int:
    """Add what is not translated to each language's `messages.po`; how many entries were added."""
    added = 0
    for language in TRANSLATED:
        path = LOCALE_DIR / language / "messages.po"
        if path.exists():
            with path.open("rb") as file:
                catalogue = read_po(file, locale=language)
        else:
            catalogue = Catalog(language, charset="utf-8", fuzzy=False)
        missing = interface_messages().keys() - known_messages(language)
        for text in sorted(missing):
            if text not in catalogue:
                catalogue.add(text, locations=[tuple(interface_messages()[text].places[0].rsplit(":", 1))])
                added += 1
                print(f"{language}: {text}")
        if missing:
            with path.open("wb") as file:
                write_po(file, catalogue, include_lineno=False, omit_header=False)
    return added


if __name__ == "__main__":
    print(f"{add_missing()} added")
    sys.exit(0)
