"""Conditional requests (RFC 9110, 13): the version of a thing as its ETag, and the one that an edit expects.

The check itself is `geo.versions.check_version`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Response

from geo.errors import InvalidInputError, PreconditionRequiredError

Resource = TypeVar("Resource")


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


async def read_expected_version(
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="The ETag that you edited.", examples=['"3"'])
    ] = None,
) -> int:
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


def with_etag(response: Response, resource: Resource) -> Resource:
    """Answer with a resource, a mapping or an object, and its ETag: its `version`, or `edit` where it is a draft's."""
    found: Any = resource if isinstance(resource, Mapping) else vars(resource)
    response.headers["ETag"] = etag(found.get("edit", found["version"]))
    return resource


ExpectedVersion = Annotated[int, Depends(read_expected_version)]
"""For routes that edit what two people can edit: the version of `If-Match`."""
