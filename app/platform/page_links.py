"""Pages over HTTP: the parameters `before` and `limit`, and the header `Link` (RFC 8288) to the next page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Query, Request, Response

from app.platform.paging import Item, Page, PageRequest

Before = Annotated[int | None, Query(ge=1, le=2**63 - 1, description="From the `Link` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200)]


def page_of(default_limit: int) -> Callable[..., Awaitable[PageRequest]]:
    """A dependency that reads which page the caller wants."""

    async def read(before: Before = None, limit: Limit = default_limit) -> PageRequest:
        return PageRequest(before, limit)

    return read


PageParams = Annotated[PageRequest, Depends(page_of(50))]
"""For routes that list what may be long."""


class PageAnswer:
    """Answers with the items of a page, and points to the next in `Link`."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request, self._response = request, response

    def __call__(self, page: Page[Item]) -> dict[str, list[Item]]:
        """The body of the answer: `items`."""
        if page.next_before is not None:
            link_next(self._request, self._response, before=page.next_before)
        return {"items": page.items}


AnswerPage = Annotated[PageAnswer, Depends(PageAnswer)]


def link_next(request: Request, response: Response, **parameters: object) -> None:
    """Point to the following page, which has the query `parameters`."""
    url = request.url.include_query_params(**parameters)
    response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
