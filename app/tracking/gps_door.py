"""The doors of GPS clients beside the framework: thousands of messages a second, each worth a few microseconds.

Pure ASGI, innermost of the middlewares: a message for one of the formats is read, taken in and answered here. Whatever
else comes to those paths, another method for instance, goes on to the framework, which also documents the doors
(`app.tracking.gps_endpoints`). How clients are answered is said there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.platform.errors import answer_error
from app.tracking.fix_intake import shared_intake, texts_for
from app.tracking.request_body import read_body
from ingest.formats.gps_format import GpsFormat, RawMessage

_NAMES_DEVICE: Final = re.compile(rb"(?:^|&)(?:id|deviceid)=[^&]")


def names_device(query: bytes) -> bool:
    """Whether the query of a GET of the bare host is a client's message, and not somebody who looks at the board."""
    return _NAMES_DEVICE.search(query) is not None


class GpsDoors:
    """Answers messages at the paths of `formats`, and passes everything else on."""

    def __init__(self, app: ASGIApp, formats: Mapping[str, GpsFormat]) -> None:
        self.app = app
        self._doors = {
            (gps_format.path, way): gps_format for gps_format in formats.values() for way in gps_format.methods
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take in a message, or pass the request on."""
        gps_format = self._doors.get((scope["path"], scope["method"])) if scope["type"] == "http" else None
        if gps_format is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = await answer_message(request, gps_format)
        except Exception as error:
            answer = await answer_error(request, error)
        await answer(scope, receive, send)


async def answer_message(request: Request, gps_format: GpsFormat) -> Response:
    """Take in the message of a request; what its client expects to hear.

    Raises
    ------
    CuaKhauError
        As `FixIntake.receive`; `UnavailableError` as well while too much is being sent at once.
    HTTPException
        As `read_body`.
    """
    rest: str = request.path_params.get("rest", "")
    intake = shared_intake(request.app.state)
    await intake.writer.require_room()  # before memory is spent on what could not be kept
    with intake.messages.share() as share:
        message = RawMessage(
            payload=await read_body(request, gps_format.max_bytes, share) if request.method == "POST" else b"",
            query=request.scope["query_string"],
            headers=request.headers,
            gateway_token=_gateway_token(request),
            path=tuple(part for part in rest.split("/") if part)[:4],
        )
        result = await intake.receive(gps_format, message)
        texts = await texts_for(request.app.state, intake, gps_format, result)
    return Response(gps_format.answer_with(result, texts), media_type=gps_format.answer_type)


def _gateway_token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
