"""What routes that look after neighbours are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import SecretStr

from app.integrations.neighbour import Neighbours


async def get_neighbours(request: Request) -> Neighbours:
    """The neighbours that this process knows."""
    return cast(Neighbours, request.app.state.neighbours)


async def get_secrets(request: Request) -> Mapping[str, SecretStr]:
    """What signs the messages of each neighbour, by name."""
    return cast("Mapping[str, SecretStr]", request.app.state.neighbour_secrets)


SecretsDep = Annotated[Mapping[str, SecretStr], Depends(get_secrets)]
NeighboursDep = Annotated[Neighbours, Depends(get_neighbours)]
