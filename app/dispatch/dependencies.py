"""What routes that answer orders are given."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from app.dispatch.order_answers import Mover


async def get_mover(request: Request) -> Mover:
    """What moves trips to other gates."""
    return cast(Mover, request.app.state.mover)


MoverDep = Annotated[Mover, Depends(get_mover)]
