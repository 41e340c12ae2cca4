"""What routes that look after neighbours are given."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from app.integrations.neighbour import Neighbours


async def get_neighbours(request: Request) -> Neighbours:
    """The neighbours that this process knows."""
    return cast(Neighbours, request.app.state.neighbours)


NeighboursDep = Annotated[Neighbours, Depends(get_neighbours)]
