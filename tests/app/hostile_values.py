"""Values that nothing can keep or compute with, put into every field of every route, one field at a time.

The other fields get values that fit their type, so that what is sent reaches the function behind the route.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import UploadFile

TEXTS = ("a\0b", "\ud800", "\u202e\r\nX: y", "％" * 40, "'\"><{{7*7}}")
NUMBERS = ("2147483648", "9223372036854775808", "-9223372036854775809", "1e400", "nan", "٣", "9" * 5000)
TIMES = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59",
    "10000-01-01",
)
SPANS = ("P999999999D", "-P999999999DT23H", "1e300")
KNOWN: dict[str, Any] = {
    "gate_id": "huu-nghi",
    "gate": "huu-nghi",
    "site_id": "huu-nghi",
    "plate": "29C-123.45",
    "role": "planner",
    "password": "correct horse battery staple",
    "reason": "vì đường bị sạt lở",
}


@dataclass
class Sending:
    """One request: what is sent, and where what nobody can keep is in it."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] | None = None
    json: Any = None
    hostile: str = ""

    @property
    def field(self) -> str:
        """Where the hostile value is."""
        return self.hostile.partition("=")[0]

    @property
    def url(self) -> str:
        """Path and query as they are sent; surrogates that no encoding has are written as bytes all the same."""
        pairs = "&".join(f"{name}={_quoted(value)}" for name, value in self.query.items())
        return f"{self.path}?{pairs}" if pairs else self.path


def sendings(method: str, route: APIRoute, ids: dict[str, Any]) -> Iterator[Sending]:
    """Every request with one hostile value that a route could be sent."""
    fields = {kind: list(_params(route.dependant, kind)) for kind in ("path_params", "query_params", "body_params")}
    known = KNOWN | ids
    in_path = {
        each.alias: str(known.get(each.alias, fitting(each.field_info.annotation, each.alias)))
        for each in fields["path_params"]
    }
    query = {
        each.alias: str(known.get(each.alias, fitting(each.field_info.annotation, each.alias)))
        for each in fields["query_params"]
        if each.field_info.is_required()
    }
    bodies = fields["body_params"]
    is_json = any(_is_model(each.field_info.annotation) or type(each.field_info).__name__ == "Body" for each in bodies)
    body: Any = None
    if is_json:
        values = {each.alias: fitting(each.field_info.annotation, each.alias) for each in bodies}
        body = next(iter(values.values())) if len(values) == 1 else values
    elif bodies:
        body = {
            each.alias: str(known.get(each.alias, fitting(each.field_info.annotation, each.alias)))
            for each in bodies
            if not _is_file(each.field_info.annotation)
        }

    def made(path: dict[str, str], asked: dict[str, str], sent: Any, hostile: str) -> Sending:
        url = route.path
        for name, value in path.items():
            url = url.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
        form, document = (None, sent) if is_json else (sent, None)
        return Sending(method, url, asked, form, document, hostile)

    plain = {name: quote(value, safe="") for name, value in in_path.items()}
    for each in fields["path_params"]:
        for value in hostile_for(each.field_info.annotation):
            yield made(plain | {each.alias: _quoted(value)}, query, body, f"path {each.alias}={value!r:.40}")
    for each in fields["query_params"]:
        for value in hostile_for(each.field_info.annotation):
            yield made(plain, query | {each.alias: value}, body, f"query {each.alias}={value!r:.40}")
    if is_json:
        for where, changed in _changed(body):
            yield made(plain, query, changed, f"body {where}")
    elif isinstance(body, dict):
        for each in bodies:
            if each.alias in body:
                for value in hostile_for(each.field_info.annotation):
                    yield made(plain, query, body | {each.alias: value}, f"form {each.alias}={value!r:.40}")


def hostile_for(annotation: Any) -> tuple[str, ...]:
    """What a field of a type is sent as text."""
    kinds = set(_kinds(annotation))
    found: tuple[str, ...] = ()
    if kinds & {str}:
        found += (*TEXTS, *TIMES[:2], NUMBERS[0])
    if kinds & {int, float, Decimal}:
        found += NUMBERS
    if kinds & {date, datetime, time}:
        found += TIMES
    if timedelta in kinds:
        found += SPANS
    return found or ("a\0b",)


def fitting(annotation: Any, name: str = "") -> Any:
    """A value that fits a type, as JSON has it."""
    if name in KNOWN:
        return KNOWN[name]
    kinds = list(_kinds(annotation))
    for kind in kinds:
        if _is_model(kind):
            return {(each.alias or key): fitting(each.annotation, key) for key, each in kind.model_fields.items()}
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return next(iter(kind)).value
    origin = typing.get_origin(_bare(annotation))
    if origin in (list, tuple, set, frozenset) or (isinstance(origin, type) and issubclass(origin, typing.Sequence)):
        return [fitting(typing.get_args(_bare(annotation))[0])]
    simple: dict[Any, Any] = {
        bool: True,
        int: 1,
        float: 1.0,
        Decimal: "1",
        datetime: "2026-03-02T10:00:00+07:00",
        date: "2026-03-02",
        time: "10:00",
        timedelta: "PT1H",
        str: "abcdefghij",
        dict: {},
    }
    return next((simple[kind] for kind in kinds if kind in simple), "a")


def _changed(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """A document with each of its leaves in turn replaced by what nobody can keep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for place, changed in _changed(inner, f"{where}.{key}"):
                yield place, value | {key: changed}
        return
    if isinstance(value, list):
        for place, changed in _changed(value[0], f"{where}[0]") if value else ():
            yield place, [changed, *value[1:]]
        return
    leaves: tuple[Any, ...] = (
        float("nan"),
        float("inf"),
        "a\0b",
        2**31,
        2**63,
        -(2**63) - 1,
        1e308,
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        {},
        [],
        None,
    )
    if isinstance(value, str):
        leaves += (*TEXTS[2:], *TIMES[4:])
    for leaf in leaves:
        yield f"{where}={leaf!r:.40}", leaf


def _params(dependant: Dependant, kind: str) -> Iterator[Any]:
    yield from getattr(dependant, kind)
    for part in dependant.dependencies:
        yield from _params(part, kind)


def _bare(annotation: Any) -> Any:
    while typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        annotation = next(each for each in typing.get_args(annotation) if each is not type(None))
    return annotation


def _kinds(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        yield str
    elif origin is not None:
        if isinstance(origin, type) and issubclass(origin, dict):
            yield dict
            return
        for part in typing.get_args(annotation):
            yield from _kinds(part)
    elif annotation is not None:
        yield annotation


def _is_model(annotation: Any) -> bool:
    bare = _bare(annotation)
    return isinstance(bare, type) and issubclass(bare, BaseModel)


def _is_file(annotation: Any) -> bool:
    return any(isinstance(kind, type) and issubclass(kind, UploadFile) for kind in _kinds(annotation))


def _quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="")
