"""What routes share: conditional edits, repeated requests, pages, problem details, plain text."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import Header, Request, Response
from pydantic import AfterValidator, AwareDatetime

from app.platform.errors import TITLES
from geo.errors import InvalidInputError, PreconditionRequiredError


def _check_plain(text: str) -> str:
    if "\x00" in text:
        raise ValueError("The text holds a NUL character; remove it.")
    return text


PlainText = Annotated[str, AfterValidator(_check_plain)]
"""Text that the database can hold."""


def _check_json(value: Any) -> Any:
    try:
        encoded = orjson.dumps(value)
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The value cannot be kept: {error}.") from error
    if b"\\u0000" in encoded:
        raise ValueError("The text holds a NUL character; remove it.")
    return value


StorableJson = AfterValidator(_check_json)
"""For JSON that goes to the database as it is: no NUL, no NaN, no number beyond 64 bits."""


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("The time is beyond the calendar; give one between the years 1 and 9999.") from None


Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A time with an offset, turned to UTC: the database refuses offsets that no place has."""
IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag that you edited.", examples=['"3"'])]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A value of your own, such as a UUID: the same request sent again has one effect.",
        examples=["5f0c2b9e-6f0e-4a55-9d53-0d1c5b6f3a10"],
    ),
]


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def read_if_match(if_match: str | None) -> int:
    """The version that the caller edited.

    Raises
    ------
    PreconditionRequiredError
        If the header is missing.
    InvalidInputError
        If it is no tag of ours.
    """
    if if_match is None:
        raise PreconditionRequiredError("Send If-Match with the ETag of what you edited; fetch it first.")
    match = re.fullmatch(r'(?:W/)?"?(\d{1,9})"?', if_match.strip())
    if match is None:
        raise InvalidInputError(
            "If-Match {value} is not an ETag of this platform; send the one you got.",
            field="If-Match",
            value=if_match[:40],
        )
    return int(match[1])


def link_next(request: Request, response: Response, **parameters: Any) -> None:
    """Point to the following page in the header `Link` (RFC 8288)."""
    url = request.url.include_query_params(**parameters)
    response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the problem details a route may answer, beside 400, 401, 403 and 422."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in ("type", "title", "detail")}}
    return {
        status: {"description": TITLES[status], "content": {"application/problem+json": {"schema": schema}}}
        for status in sorted({400, 401, 403, 422, *statuses})
    }
