"""The command that holds what a running platform publishes against the schemas of DATEX II.

The official schemas, which datex2.eu gives out, are not here: who has them names their folder.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from geo.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    import httpx

ROOT_SCHEMA: Final = "DATEXII_3_D2Payload.xsd"
PUBLICATIONS: Final = ("situations", "parking-table", "parking", "travel-times")
TIMEOUT_S: Final = 30.0
MAX_SHOWN: Final = 20


def check_datex(
    schemas: Annotated[Path, typer.Argument(help=f"Folder of the schemas, with {ROOT_SCHEMA} in it.")],
    url: Annotated[str, typer.Option(help="Address of the platform.")] = "http://127.0.0.1:8080",
) -> None:
    """Validate the DATEX II publications of a running platform against the schemas in a folder, such as the official
    ones of datex2.eu; leave 1 if any is not valid. Needs lxml."""
    import httpx

    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        try:
            found = validate(schemas, client.get)
        except httpx.HTTPError as error:
            raise UnavailableError("{url} does not answer: {error}", url=url, error=str(error)) from None
    for name, errors in found.items():
        verdict = "nothing to publish" if errors is None else f"{len(errors)} errors" if errors else "valid"
        typer.echo(f"{name}: {verdict}")
        for fault in (errors or [])[:MAX_SHOWN]:
            typer.echo(f"  {fault}")
    if any(found.values()):
        raise typer.Exit(1)


def validate(schemas: Path, get: Callable[[str], httpx.Response]) -> dict[str, list[str] | None]:
    """What is wrong with each publication, line by line; `None` where there is nothing to publish now.

    Raises
    ------
    UnavailableError
        If lxml is not installed.
    InvalidInputError
        If the folder has no such schema, or it cannot be read; if what is answered is no XML.
    """
    try:
        from lxml import etree
    except ImportError as error:
        raise UnavailableError("Validation needs lxml: pip install lxml") from error
    path = schemas / ROOT_SCHEMA
    if not path.is_file():
        raise InvalidInputError("There is no {name} in {folder}.", name=ROOT_SCHEMA, folder=str(schemas))
    try:
        schema = etree.XMLSchema(etree.parse(path))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as error:
        raise InvalidInputError("The schema {name} cannot be read: {error}", name=str(path), error=str(error)) from None
    found: dict[str, list[str] | None] = {}
    for name in PUBLICATIONS:
        answer = get(f"/api/v1/datex/{name}")
        if answer.status_code == HTTPStatus.NOT_FOUND and "json" in answer.headers.get("content-type", ""):
            found[name] = None
            continue
        try:
            document = etree.fromstring(answer.content)
        except etree.XMLSyntaxError as error:
            raise InvalidInputError(
                "What was answered for {name} is no XML: {error}", name=name, error=str(error)
            ) from None
        schema.validate(document)
        found[name] = [f"line {fault.line}: {fault.message}" for fault in schema.error_log]  # type: ignore[attr-defined]
    return found
