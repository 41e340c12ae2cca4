"""The one table from errors to HTTP answers: RFC 9457 problem details for all of them."""

from __future__ import annotations

from typing import Any

import psycopg2
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from redis.exceptions import RedisError
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.platform.json import JsonObject
from app.platform.labels import N_
from geo import errors

log = structlog.get_logger("app")

AWAY = (
    OperationalError,
    InterfaceError,
    InternalError,
    PoolTimeoutError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.InternalError,
)
"""A database that is away, restarting, full, or a standby; COPY speaks to the driver directly."""
BUSY = N_("The platform is busy; nothing was changed. Try again.")
OUT_OF_RANGE = N_("A number, a time or a character is out of the range that can be kept.")
LOST = N_(
    "The connection to the database broke; whether it was done is not certain. Look, or send it again with the same "
    "Idempotency-Key: it is done once."
)

STATUS: dict[type[errors.CuaKhauError], int] = {
    errors.MalformedError: 400,
    errors.UnauthenticatedError: 401,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.StaleError: 412,
    errors.InvalidInputError: 422,
    errors.PreconditionRequiredError: 428,
    errors.TooManyRequestsError: 429,
    errors.UnavailableError: 503,
}

TITLES = {
    400: "Malformed request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    412: "Changed since",
    413: "Too large",
    422: "Invalid input",
    428: "If-Match is missing",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


def status_of(error: errors.CuaKhauError) -> int:
    """The HTTP status of an error: that of its nearest class in the table."""
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """A problem details answer (RFC 9457) of type about:blank; `more` are its extension members."""
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def problems(*statuses: int) -> dict[int | str, JsonObject]:
    """The OpenAPI entries of the problem details a route may answer, beside 400, 401, 403 and 422."""
    schema = {"$ref": "#/components/schemas/Problem"}  # described in `app.web.api_description`
    return {
        status: {"description": TITLES[status], "content": {"application/problem+json": {"schema": schema}}}
        for status in sorted({400, 401, 403, 422, *statuses})
    }


async def _answer_own(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.CuaKhauError)
    return answer_own(request, error)


def answer_own(request: Request, error: errors.CuaKhauError) -> Response:
    """The answer to an error of ours; a route returns it where what it wrote down is to stay although it failed."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = str(error.values.get("challenge", "Bearer"))
    if "retry_after_s" in error.values:
        headers["Retry-After"] = str(error.values["retry_after_s"])
    page = getattr(request.app.state, "error_page", None)
    if page is not None and _wants_html(request):
        answer: Response = page(request, status, error)
        return answer
    more: JsonObject = {"field": error.field} if error.field else {}
    if error.code is not None:
        more["code"] = error.code
    if isinstance(error, errors.RefusedError):
        more["errors"] = [{"field": each.field, "detail": translate(request, each)} for each in error.problems]
    return problem(status, translate(request, error), headers=headers, **more)


def translate(request: Request, error: errors.CuaKhauError) -> str:
    """The error's message in the caller's language."""
    gettext = getattr(request.app.state, "gettext", None)
    template = gettext(request, error.message) if gettext is not None else error.message
    say_values = getattr(request.app.state, "say_values", None)
    values = error.values if say_values is None else say_values(request, error.values)
    return template.format(**values) if values else template


async def _answer_database(request: Request, error: Exception) -> Response:
    """Another transaction stood in the way, or the database is away: nothing was done, the caller tries again.

    A connection that broke may have taken the answer to a commit with it.
    """
    log.warning("the database could not do it", path=request.url.path, reason=str(error).split("\n", 1)[0][:200])
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return await _answer_own(request, errors.UnavailableError(LOST if is_lost else BUSY, retry_after_s=1))


async def _answer_out_of_range(request: Request, error: Exception) -> Response:
    """A value that neither the database nor the calendar can hold: the caller's to mend."""
    log.warning("a value is out of range", path=request.url.path, reason=str(error).split("\n", 1)[0][:200])
    return await _answer_own(request, errors.InvalidInputError(OUT_OF_RANGE))


async def _answer_redis(request: Request, error: Exception) -> Response:
    """Redis is away: whoever needs it waits; what is committed already waits for nobody (see `outbox`)."""
    log.warning("Redis could not do it", path=request.url.path, reason=str(error).split("\n", 1)[0][:200])
    return await _answer_own(request, errors.UnavailableError(BUSY, retry_after_s=1))


async def _answer_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    issues = [
        {"field": ".".join(str(part) for part in issue["loc"][1:]) or str(issue["loc"][0]), "detail": issue["msg"]}
        for issue in error.errors()
    ]
    detail = "; ".join(f"{issue['field']}: {issue['detail']}" for issue in issues)
    return problem(422, detail, errors=issues)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    page = getattr(request.app.state, "error_page", None)
    if page is not None and _wants_html(request) and error.status_code >= 400:
        answer: Response = page(request, error.status_code, error)
        return answer
    return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def answer_error(request: Request, error: Exception) -> Response:
    """How the application answers an error, for what stands beside its routes; one it has no answer for is raised."""
    handlers = request.app.exception_handlers
    handler = next((handlers[kind] for kind in type(error).__mro__[:-2] if kind in handlers), None)
    if handler is None:
        raise error
    answer: Response = await handler(request, error)
    return answer


OUR_FAULT = errors.CuaKhauError("Something went wrong on our side; it was written down. Try again in a moment.")


class Faults:
    """Answers a fault of ours without telling its inside, and raises it again for the server to log.

    Innermost of the middlewares, so that this answer passes the others like any other.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer if nobody else will."""
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception:  # answered here, then raised again for the server to log
            if scope["type"] == "http" and not has_started:
                answer = await _answer_own(Request(scope, receive), OUR_FAULT)
                await answer(scope, receive, send)
            raise


def _wants_html(request: Request) -> bool:
    path = request.url.path
    is_api = path.startswith(("/api/", "/gps/", "/cameras/", "/tiles/"))
    is_opened = request.headers.get("sec-fetch-mode") == "navigate"  # a file that a link leads to
    return (is_opened or not is_api) and "text/html" in request.headers.get("accept", "")


def install(app: FastAPI) -> None:
    """Let `app` answer every error as problem details (or as a page, to a browser that asks for one)."""
    app.add_exception_handler(errors.CuaKhauError, _answer_own)
    for away in AWAY:
        app.add_exception_handler(away, _answer_database)
    for out_of_range in (DataError, OverflowError):
        app.add_exception_handler(out_of_range, _answer_out_of_range)
    app.add_exception_handler(RedisError, _answer_redis)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_middleware(Faults)
