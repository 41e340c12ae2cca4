"""How the routes of the API are made."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from fastapi import APIRouter
from fastapi.params import Depends

from app.platform.errors import problems
from app.web.api_description import operation_id


class ApiRouter(APIRouter):
    """Routes of the API, which get the names of their operations and the problems that any of them may answer as they
    are made: told to `FastAPI.include_router`, they would be analysed a second time, at the first request.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        tags: list[str | Enum] | None = None,
        dependencies: Sequence[Depends] | None = None,
    ) -> None:
        super().__init__(
            prefix=prefix,
            tags=tags,
            dependencies=dependencies,
            responses=problems(),
            generate_unique_id_function=operation_id,
        )
