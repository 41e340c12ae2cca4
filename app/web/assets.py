"""Static files: our own, and the third-party packages that npm installed.

Those of the shell are served at `/static/`, those of a feature, `app/<feature>/static`, at `/static/<feature>/`, those
that the reports of `maps` use as well at `/static/maps/`.

A package is served at `/vendor/<name>-<version>/`, all that is ours also at `/static/<release>/`, the digest of
all of it: a browser may keep both for a year. Pages name the latter; the import map leads there from `/static/`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastapi import FastAPI
from jinja2.ext import Extension
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.settings import PROJECT_DIR
from app.web.kit import FIRST_SCRIPTS, Kit, list_sources

APP_DIR = Path(__file__).parents[1]
FOR_A_YEAR = "public, max-age=31536000, immutable"
SERVED_SUFFIXES = frozenset({".js", ".mjs", ".css", ".woff2"})

_LATE_SHEET = re.compile(r'<link rel="stylesheet"(?! href="\{\{ first_sheet)')
_DEFERRED = re.compile(r"<script (src=\"[^\"]+\") defer>")
_NAMED = re.compile(r'(\b(?:src|href)=)"/static/([\w/-]+\.(?:js|css|svg))"')

MEDIA_TYPES = {".css": "text/css", ".woff": "font/woff"}

PACKAGES = {
    "tabler": ("@tabler/core", "dist"),
    "tabler-icons": ("@tabler/icons-webfont", "dist"),
    "be-vietnam-pro": ("@fontsource/be-vietnam-pro", ""),
    "noto-sans-sc": ("@fontsource-variable/noto-sans-sc", ""),
    "htmx": ("htmx.org", "dist"),
    "lit": ("lit", ""),
    "lit-html": ("lit-html", ""),
    "lit-element": ("lit-element", ""),
    "lit-reactive-element": ("@lit/reactive-element", ""),
    "maplibre-gl": ("maplibre-gl", "dist"),
    "echarts": ("echarts", "dist"),
    "jsqr": ("jsqr", "dist"),
}
"""URL name → package, and the folder of it that is served."""
FOLDERS = {name: PROJECT_DIR / "node_modules" / package / folder for name, (package, folder) in PACKAGES.items()}


@dataclass(frozen=True)
class Assets:
    """Where the pages find their static files."""

    versions: dict[str, str]
    release: str = ""
    """The digest of all files of ours, `r-…`; empty while they change, as in development: nobody keeps them then."""

    @classmethod
    def load(cls, lock_file: Path = PROJECT_DIR / "package-lock.json", *, are_changing: bool = False) -> Assets:
        """Read the pinned versions from npm's lock file."""
        lock = lock_file.read_bytes()
        packages = json.loads(lock)["packages"]
        versions = {name: packages[f"node_modules/{package}"]["version"] for name, (package, _) in PACKAGES.items()}
        return cls(versions, "" if are_changing else _release(lock))

    def own(self, path: str) -> str:
        """The URL of a file of ours by its path below `/static/`."""
        return f"/static/{self.release}/{path}" if self.release else f"/static/{path}"

    def first_sheet(self, template: str) -> str:
        """The URL of the style sheet that a page waits for before it is drawn."""
        return self.own(f"kit/first/{template}.css")

    def first_rules(self, template: str) -> str:
        """What stands in that sheet; empty if there is no such template."""
        sheet = self.kit.first_sheet(template)
        return "" if sheet is None else sheet.body.decode()

    @cached_property
    def kit(self) -> Kit:
        """The sheets that are made by machine."""
        return Kit(FOLDERS, self.vendor, self.own, is_watched=not self.release)

    @cached_property
    def first_script(self) -> str:
        """What runs before a page is drawn, within the page itself."""
        return "".join((APP_DIR / "web" / "static" / name).read_text(encoding="utf-8") for name in FIRST_SCRIPTS)

    def vendor(self, name: str, path: str) -> str:
        """The URL of a file of a third-party package."""
        return f"/vendor/{name}-{self.versions[name]}/{path}"

    def import_map(self) -> str:
        """The import map of the bare module names that our ES modules use."""
        imports = {
            "lit": self.vendor("lit", "index.js"),
            "lit/": self.vendor("lit", ""),
            "lit-html": self.vendor("lit-html", "lit-html.js"),
            "lit-html/": self.vendor("lit-html", ""),
            "lit-element": self.vendor("lit-element", "index.js"),
            "lit-element/": self.vendor("lit-element", ""),
            "@lit/reactive-element": self.vendor("lit-reactive-element", "reactive-element.js"),
            "@lit/reactive-element/": self.vendor("lit-reactive-element", ""),
            "maplibre-gl": self.vendor("maplibre-gl", "maplibre-gl.mjs"),
            "echarts": self.own("charts/echarts.js"),
            "echarts-common": self.vendor("echarts", "echarts.common.min.js"),
            "echarts-full": self.vendor("echarts", "echarts.esm.min.mjs"),
        }
        if self.release:
            imports |= {"/static/": self.own(""), self.own(""): self.own("")}
        return json.dumps({"imports": imports})

    def mount(self, app: FastAPI) -> None:
        """Serve `/static` and `/vendor` from `app`.

        To be called before the routes are included: a page asks for dozens of files, and each would be compared with
        hundreds of routes first.
        """
        packages = [
            Mount(f"/{name}-{self.versions[name]}", VendorFiles(directory=folder, check_dir=False))
            for name, folder in FOLDERS.items()
        ]
        features = [
            Mount(f"/{directory.parent.name}", OwnFiles(directory=directory))
            for directory in sorted(APP_DIR.glob("*/static"))
            if directory.parent.name != "web"
        ]
        kit = Route("/kit/{name:path}", KitSheets(self.kit))
        maps = Mount("/maps", OwnFiles(directory=PROJECT_DIR / "maps" / "static"))
        shell = Mount("/", OwnFiles(directory=APP_DIR / "web" / "static"))
        own = Router([kit, *features, maps, shell])
        released = [Mount(f"/{self.release}", ForAYear(own))] if self.release else []
        app.mount("/vendor", Router(packages))
        app.mount("/static", Router([*released, Mount("/r-{other_release}", own), Mount("/", own)]))


def _release(lock: bytes) -> str:
    digest = hashlib.sha256(lock)
    for path in sorted({*list_sources(), *APP_DIR.glob("*/static/**/*"), *PROJECT_DIR.glob("maps/static/**/*")}):
        if path.is_file():
            digest.update(path.relative_to(PROJECT_DIR).as_posix().encode())
            digest.update(path.read_bytes())
    return f"r-{digest.hexdigest()[:16]}"


class OwnAddresses(Extension):
    """Templates name files of ours as `/static/…`: pages name the release, and wait for no style sheet but the first.

    Nor for any script. A browser that is told of a sheet fetches and reads it before it draws, whatever its medium, so
    they are named as links of no known kind: early.js makes sheets and scripts of them once the page is drawn.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's
        """A template's source with the addresses that a browser is told."""
        assets: Assets = self.environment.assets  # type: ignore[attr-defined]
        late = _LATE_SHEET.sub('<link rel="late"', source)
        late = late.replace('<script type="module" src=', '<script type="late-module" src=')
        late = _DEFERRED.sub(r'<script type="late" \1>', late)
        return _NAMED.sub(lambda found: f'{found[1]}"{assets.own(found[2])}"', late)


class ForAYear:
    """What is found there never changes under its URL."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; who gets a file may keep it."""

        async def send_to_keep(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                MutableHeaders(scope=message)["Cache-Control"] = FOR_A_YEAR
            await send(message)

        await self.app(scope, receive, send_to_keep)


class KitSheets:
    """The sheets of the kit: asked for again each time, answered 304 while they are the same; 404 for any other."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        response = await run_in_threadpool(self._answer, request.path_params["name"], request.headers)
        await response(scope, receive, send)

    def _answer(self, name: str, asked: Headers) -> Response:
        template = name.removeprefix("first/")
        sheet = self.kit.sheet(name) if template == name else self.kit.first_sheet(template.removesuffix(".css"))
        if sheet is None:
            return Response(status_code=404)
        headers = {"ETag": sheet.tag, "Cache-Control": "no-cache"}
        if sheet.tag in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(sheet.body, headers=headers, media_type=MEDIA_TYPES[Path(name).suffix])


class VendorFiles(StaticFiles):
    """Files of a pinned package: they never change under their URL. Only what a browser loads is served."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for a year; 404 for what no browser needs."""
        if Path(path).suffix not in SERVED_SUFFIXES:
            return Response(status_code=404)
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = FOR_A_YEAR
        return response


class OwnFiles(StaticFiles):
    """Our own files: asked for again each time, answered 304 while they are the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be revalidated."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        if path == "service-worker.js":
            response.headers["Service-Worker-Allowed"] = "/"
        return response
