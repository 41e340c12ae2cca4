"""The style sheets of the shell and of each page's first paint, without what no page, or this page, uses.

Made when they are first asked for. A slow phone waits for one sheet before it draws anything: what the templates of
the page name of the typeface, Tabler, the theme and the page's own sheets. The whole sheets come once it is drawn.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fontTools import subset

from app.settings import PROJECT_DIR
from app.web.trimming import Rule, Used, join, parse, trim, without_unread_properties

Address = Callable[[str, str], str]
"""The URL of a file of a third-party package."""

WEIGHTS: Final = {400: "400", 600: "500 700"}
"""Which weights of the typeface are loaded, and which weights they are drawn for. Each is two files that a slow phone
takes some 50 ms to read, before it can draw the first line."""
FIRST_SCRIPTS: Final = ("theme.js", "early.js")
"""What runs before a page is drawn, within the page itself."""
SHEETS: Final = {
    "base.css": (*(("be-vietnam-pro", f"{weight}.css") for weight in WEIGHTS), ("tabler", "css/tabler.min.css")),
    "icons.css": (("tabler-icons", "tabler-icons.min.css"),),
}
"""Each sheet of the kit, and the files of packages that it is made of."""
LOOK_EVERY_S: Final = 5.0
"""How often is looked whether a template or script has changed."""
SOURCES: Final = ("app/*/templates/**/*.html", "app/**/*.js", "app/**/*.py", "maps/static/*.js")
APP: Final = PROJECT_DIR / "app"
ICON_FONT: Final = "icons.woff"
"""Of the kit too: the signs of the icons that are used, a twentieth of all."""
_ICON_FONT_FILE: Final = "fonts/tabler-icons.ttf"
_ICON_FONT_SOURCE: Final = re.compile(r"src:url\([^;}]*")
_ICON_SIGN: Final = re.compile(r"content:\"\\([0-9a-f]+)\"")
_FACE: Final = re.compile(r"@font-face *\{[^}]*\}")
_OLD_FONT: Final = re.compile(r", *url\([^)]*\.woff\) format\('woff'\)")
_WEIGHT: Final = re.compile(r"font-weight: *(\d+)")
_RELATIVE_URL: Final = re.compile(r"url\((['\"]?)\./")
_TEXT_OF_PYTHON: Final = re.compile(r"[\"']([\w -]*)[\"']")
_OTHER_TEMPLATE: Final = re.compile(r"\{%-?\s*(?:extends|include|from|import)\s+\"([^\"]+)\"")
OWN_SHEET: Final = re.compile(r'<link rel="stylesheet" href="/static/([\w/-]+\.css)"')
"""How a template names a sheet of ours."""


@dataclass(frozen=True)
class Sheet:
    """A style sheet or font, and its entity tag."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, body: bytes) -> Sheet:
        """With the tag of its body."""
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


@dataclass
class Kit:
    """The sheets, kept in memory.

    `folders` are where the files of each package lie, `own` says the address of a file of ours by its path below
    `/static/`; `is_watched`: templates and scripts may change while the process runs.
    """

    folders: dict[str, Path]
    address: Address
    own: Callable[[str], str]
    is_watched: bool = False
    _made: dict[str, Sheet] = field(default_factory=dict)
    _rules: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    _made_of: tuple[int, float] | None = None
    _looked_at_s: float = 0.0

    def sheet(self, name: str) -> Sheet | None:
        """A sheet of `SHEETS`, or the font of the icons; none if there is none of that name."""
        self._look()
        if name == ICON_FONT and name not in self._made:
            self._made[name] = Sheet.of(self._make_icon_font())
        return self._made[name] if name in SHEETS or name == ICON_FONT else None

    def first_sheet(self, template: str) -> Sheet | None:
        """What the page of a template waits for before it is drawn; none if there is no such template."""
        if _file_of(template) is None:
            return None
        self._look()
        made = self._made.get(template)
        if made is None:
            made = self._made[template] = self._make_first(template)
        return made

    def _look(self) -> None:
        """Make the sheets if there are none, or the sources have changed since."""
        if self._made and not (self.is_watched and time.monotonic() - self._looked_at_s > LOOK_EVERY_S):
            return
        sources = list(_sources())
        made_of = len(sources), max(path.stat().st_mtime for path in sources)
        if made_of != self._made_of:
            self._rules = {}
            self._made, self._made_of = self._make_all(sources), made_of
        self._looked_at_s = time.monotonic()

    def _make_all(self, sources: Iterable[Path]) -> dict[str, Sheet]:
        kit_script = self.folders["tabler"] / "js/tabler.min.js"
        used = Used.of([*map(_words_of, sources), kit_script.read_text(encoding="utf-8")])
        return {name: Sheet.of(self._make(name, used).encode()) for name in SHEETS}

    def _make(self, name: str, used: Used) -> str:
        parts = []
        for package, file in SHEETS[name]:
            style = (self.folders[package] / file).read_text(encoding="utf-8")
            here = self.address(package, file).rsplit("/", 1)[0]
            if package == "be-vietnam-pro":
                style = _order_faces(style)
            elif package == "tabler-icons":
                style = _ICON_FONT_SOURCE.sub(f'src:url("{self.own(f"kit/{ICON_FONT}")}") format("woff")', style)
            parts.append(_RELATIVE_URL.sub(rf"url(\1{here}/", trim(style, used)))
        return "\n".join(parts)

    def _make_first(self, template: str) -> Sheet:
        sources = list(_templates(template, set()))
        used = Used.of([*sources, *(_own_file(name).read_text(encoding="utf-8") for name in FIRST_SCRIPTS)])
        names = dict.fromkeys(name for source in sources for name in OWN_SHEET.findall(source))
        style = "\n".join(join(self._rules_of(name), used) for name in names)
        return Sheet.of(without_unread_properties(style).encode())

    def _make_icon_font(self) -> bytes:
        """The font with the signs alone that the sheet of the icons names."""
        options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
        font = subset.load_font(str(self.folders["tabler-icons"] / _ICON_FONT_FILE), options)
        subsetter = subset.Subsetter(options)
        signs = _ICON_SIGN.findall(self._made["icons.css"].body.decode())
        subsetter.populate(unicodes=[int(sign, 16) for sign in signs])
        subsetter.subset(font)
        written = io.BytesIO()
        subset.save_font(font, written, options)
        return written.getvalue()

    def _rules_of(self, name: str) -> tuple[Rule, ...]:
        """Of a sheet by its path below `/static/`."""
        if name not in self._rules:
            kit = name.removeprefix("kit/")
            style = self._made[kit].body.decode() if kit != name else _own_file(name).read_text(encoding="utf-8")
            self._rules[name] = parse(style)
        return self._rules[name]


def _order_faces(style: str) -> str:
    """The files of a weight of the typeface, that of Vietnamese last: of several that have a sign browsers load the
    last one (CSS Fonts 4, 5.1). The package has it first, so that ă, đ, ơ and ư came from that of other Latin letters:
    a file more for each weight. Files of the older form, which no browser that runs our scripts needs, are left out.
    """
    faces = (_OLD_FONT.sub("", face) for face in reversed(_FACE.findall(style)))
    return "\n".join(_WEIGHT.sub(lambda found: f"font-weight: {WEIGHTS[int(found[1])]}", face) for face in faces)


def list_sources() -> list[Path]:
    """Whatever the sheets are made of, our own sheets among it."""
    return sorted({*_sources(), *PROJECT_DIR.glob("app/*/static/**/*.css")})


def _sources() -> Iterator[Path]:
    for pattern in SOURCES:
        yield from PROJECT_DIR.glob(pattern)


def _words_of(path: Path) -> str:
    source = path.read_text(encoding="utf-8")
    return " ".join(_TEXT_OF_PYTHON.findall(source)) if path.suffix == ".py" else source


def _templates(name: str, seen: set[str]) -> Iterator[str]:
    """The sources of a template and of those that it is made with, what it extends before itself."""
    seen.add(name)
    file = _file_of(name)
    if file is None:
        return
    source = file.read_text(encoding="utf-8")
    for other in _OTHER_TEMPLATE.findall(source):
        if other not in seen:
            yield from _templates(other, seen)
    yield source


def _file_of(template: str) -> Path | None:
    """Where a template lies: those of the shell by their name, those of a feature as `<feature>/<name>`."""
    feature, _, name = template.rpartition("/")
    file = APP / (feature or "web") / "templates" / name
    return file if re.fullmatch(r"(?:\w+/)?\w+\.html", template) and file.is_file() else None


def _own_file(name: str) -> Path:
    """A file of ours by its path below `/static/`."""
    feature, _, rest = name.partition("/")
    own = APP / feature / "static" / rest
    return own if rest and own.is_file() else APP / "web" / "static" / name
