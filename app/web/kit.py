"""The style sheets of the shell, put together from what npm installed, without what no page of ours uses.

Made when they are first asked for, and again when a template or script has changed: a slow phone waits for
`base.css`, the faces of the typeface and the rules of Tabler, before it draws anything.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.settings import PROJECT_DIR
from app.web.trimming import Used, trim

Address = Callable[[str, str], str]
"""The URL of a file of a third-party package."""

WEIGHTS: Final = (400, 500, 600, 700)
SHEETS: Final = {
    "base.css": (*(("be-vietnam-pro", f"{weight}.css") for weight in WEIGHTS), ("tabler", "css/tabler.min.css")),
    "icons.css": (("tabler-icons", "tabler-icons.min.css"),),
}
"""Each sheet of the kit, and the files of packages that it is made of."""
LOOK_EVERY_S: Final = 5.0
"""How often is looked whether a template or script has changed."""
SOURCES: Final = ("app/*/templates/**/*.html", "app/**/*.js", "app/**/*.py", "maps/static/*.js")
_RELATIVE_URL: Final = re.compile(r"url\((['\"]?)\./")
_TEXT_OF_PYTHON: Final = re.compile(r"[\"']([\w -]*)[\"']")


@dataclass(frozen=True)
class Sheet:
    """A style sheet and its entity tag."""

    body: bytes
    tag: str


@dataclass
class Kit:
    """The sheets, kept in memory; `folders` are where the files of each package lie."""

    folders: dict[str, Path]
    address: Address
    _made: dict[str, Sheet] = field(default_factory=dict)
    _made_of: tuple[int, float] | None = None
    _looked_at_s: float = 0.0

    def sheet(self, name: str) -> Sheet:
        """A sheet of `SHEETS`, as it was `LOOK_EVERY_S` ago or later."""
        if not self._made or time.monotonic() - self._looked_at_s > LOOK_EVERY_S:
            sources = list(_sources())
            made_of = len(sources), max(path.stat().st_mtime for path in sources)
            if made_of != self._made_of:
                self._made, self._made_of = self._make_all(sources), made_of
            self._looked_at_s = time.monotonic()
        return self._made[name]

    def _make_all(self, sources: Iterable[Path]) -> dict[str, Sheet]:
        kit_script = self.folders["tabler"] / "js/tabler.min.js"
        used = Used.of([*map(_words_of, sources), kit_script.read_text(encoding="utf-8")])
        bodies = {name: self._make(name, used).encode() for name in SHEETS}
        return {name: Sheet(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"') for name, body in bodies.items()}

    def _make(self, name: str, used: Used) -> str:
        parts = []
        for package, file in SHEETS[name]:
            style = (self.folders[package] / file).read_text(encoding="utf-8")
            here = self.address(package, file).rsplit("/", 1)[0]
            parts.append(_RELATIVE_URL.sub(rf"url(\1{here}/", trim(style, used)))
        return "\n".join(parts)


def _sources() -> Iterator[Path]:
    for pattern in SOURCES:
        yield from PROJECT_DIR.glob(pattern)


def _words_of(path: Path) -> str:
    source = path.read_text(encoding="utf-8")
    return " ".join(_TEXT_OF_PYTHON.findall(source)) if path.suffix == ".py" else source
