"""Static files: our own, and the third-party packages that npm installed.

Those of the shell are served at `/static/`, those of a feature, `app/<feature>/static`, at `/static/<feature>/`, those
that the reports of `maps` use as well at `/static/maps/`.

A package is served at `/vendor/<name>-<version>/`, so that a browser may keep it for a year.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from app.settings import PROJECT_DIR
from app.web.kit import SHEETS, Kit

APP_DIR = Path(__file__).parents[1]
SERVED_SUFFIXES = frozenset({".js", ".mjs", ".css", ".woff2"})

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


@dataclass(frozen=True)
class Assets:
    """Where the pages find their static files."""

    versions: dict[str, str]

    @classmethod
    def load(cls, lock_file: Path = PROJECT_DIR / "package-lock.json") -> Assets:
        """Read the pinned versions from npm's lock file."""
        packages = json.loads(lock_file.read_text(encoding="utf-8"))["packages"]
        return cls({name: packages[f"node_modules/{package}"]["version"] for name, (package, _) in PACKAGES.items()})

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
            "echarts": "/static/charts/echarts.js",
            "echarts-common": self.vendor("echarts", "echarts.common.min.js"),
            "echarts-full": self.vendor("echarts", "echarts.esm.min.mjs"),
        }
        return json.dumps({"imports": imports})

    def mount(self, app: FastAPI) -> None:
        """Serve `/static` and `/vendor` from `app`.

        To be called before the routes are included: a page asks for dozens of files, and each would be compared with
        hundreds of routes first.
        """
        folders = {
            name: PROJECT_DIR / "node_modules" / package / folder for name, (package, folder) in PACKAGES.items()
        }
        packages = [
            Mount(f"/{name}-{self.versions[name]}", VendorFiles(directory=folder, check_dir=False))
            for name, folder in folders.items()
        ]
        features = [
            Mount(f"/{directory.parent.name}", OwnFiles(directory=directory))
            for directory in sorted(APP_DIR.glob("*/static"))
            if directory.parent.name != "web"
        ]
        kit = Route("/kit/{name}", KitSheets(Kit(folders, self.vendor)))
        maps = Mount("/maps", OwnFiles(directory=PROJECT_DIR / "maps" / "static"))
        shell = Mount("/", OwnFiles(directory=APP_DIR / "web" / "static"))
        app.mount("/vendor", Router(packages))
        app.mount("/static", Router([kit, *features, maps, shell]))


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
        if name not in SHEETS:
            return Response(status_code=404)
        sheet = self.kit.sheet(name)
        headers = {"ETag": sheet.tag, "Cache-Control": "no-cache"}
        if sheet.tag in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(sheet.body, headers=headers, media_type="text/css")


class VendorFiles(StaticFiles):
    """Files of a pinned package: they never change under their URL. Only what a browser loads is served."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for a year; 404 for what no browser needs."""
        if Path(path).suffix not in SERVED_SUFFIXES:
            return Response(status_code=404)
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
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
