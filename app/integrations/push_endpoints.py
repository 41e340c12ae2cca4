"""The door of neighbours that push their messages: `POST /neighbours/{name}/messages`, signed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request
from pydantic import BaseModel

from app.integrations import push
from app.integrations.dependencies import NeighboursDep, SecretsDep
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.web.routers import ApiRouter

router = ApiRouter(tags=["neighbours"])


class Pushed(BaseModel):
    """How many messages came, and how many of them were new."""

    received: int
    new: int


async def read_body(request: Request) -> bytes:
    """The body as it came, for its signature."""
    return await request.body()


@router.post("/neighbours/{name}/messages", status_code=202, responses=problems(401, 404))
def receive_messages(
    name: Annotated[str, Path(max_length=60)],
    request: Request,
    body: Annotated[bytes, Depends(read_body)],
    neighbours: NeighboursDep,
    secrets: SecretsDep,
    session: SessionDep,
    clock: ClockDep,
) -> Pushed:
    """Messages that a neighbour pushes, in the form that it is spoken to, signed by Standard Webhooks with its secret.
    The same message again has no second effect; what cannot be read is refused whole."""
    neighbour, now = neighbours.get(name), clock.now()
    push.check_signature(secrets.get(name), request.headers, body, now)
    received = push.receive(session, neighbour, body, now)
    return Pushed(received=received.received, new=received.new)
