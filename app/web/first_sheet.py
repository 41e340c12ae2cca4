"""How the style sheet that a page waits for comes to the browser: within the page on a first visit, from then on by its
address, where the browser has kept it.

A first visit waits for one answer instead of two, one after the other; later ones do not carry the rules again. Which
sheets a browser keeps, its scripts say in a cookie once they have fetched them (`static/early.js`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from app.web.assets import Assets

COOKIE: Final = "sheets"
"""The keys of the sheets that a browser has kept, the newest first, with dots between."""
VARIES_BY: Final = ("Sec-Fetch-Dest", "Cookie")
"""What a page's form depends on."""
_KEY_BYTES: Final = 4


@dataclass(frozen=True)
class FirstSheet:
    """Where the sheet is found, its key among those that a browser says it has, and whether the page brings it."""

    url: str
    key: str
    is_brought: bool

    @classmethod
    def of(cls, assets: Assets, template: str, request: Request) -> FirstSheet:
        """The sheet of a template's page, as the caller needs it.

        The page brings it to a browser that opens it as a document and has not kept it. Who fetches a page to take a
        part out of it has the rules already, and sheets that change while they are worked on are kept by nobody.
        """
        url = assets.first_sheet(template)
        key = hashlib.blake2b(url.encode(), digest_size=_KEY_BYTES).hexdigest()
        is_opened = request.headers.get("sec-fetch-dest") == "document"
        is_kept = key in request.cookies.get(COOKIE, "").split(".")
        return cls(url, key, bool(assets.release) and is_opened and not is_kept)
