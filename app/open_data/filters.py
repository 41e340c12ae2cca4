"""Which filters (CQL2, OGC 21-065r2) strangers may ask with: its own operators on the columns of a collection. Pure.

The library that turns a filter into SQL hands on every function by its name, PostgreSQL's own among them
(`pg_sleep`, `set_config`); so what is not an operator of the standard is refused before it gets there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from cql2 import Expr

from geo.errors import MalformedError

MAX_LENGTH: Final = 2000
MAX_NODES: Final = 200
_LOGIC: Final = {"and", "or", "not", "=", "<>", "<", ">", "<=", ">=", "like", "between", "in", "isnull", "casei"}
_ARITHMETIC: Final = {"+", "-", "*", "/", "%", "div", "^"}
_SPATIAL: Final = {"intersects", "equals", "disjoint", "touches", "within", "overlaps", "crosses", "contains"}
_TEMPORAL: Final = {
    *("after", "before", "contains", "disjoint", "during", "equals", "finishedby", "finishes", "intersects", "meets"),
    *("metby", "overlappedby", "overlaps", "startedby", "starts"),
}
OPERATORS: Final = frozenset(
    {*_LOGIC, *_ARITHMETIC, *(f"s_{name}" for name in _SPATIAL), *(f"t_{name}" for name in _TEMPORAL)}
)
"""In lower case."""


def read_filter(written: str, columns: Collection[str]) -> Expr:
    """The filter of a request, CQL2 as text or JSON, on these columns.

    Raises
    ------
    MalformedError
        If it cannot be read, is too long, or names an operator or a column that there is not.
    """
    if len(written) > MAX_LENGTH:
        raise MalformedError("The filter is too long (limit {most}).", field="filter", most=MAX_LENGTH)
    try:
        found = Expr(written).to_json()
    except Exception as problem:  # the library raises nothing narrower
        raise MalformedError(
            "The filter cannot be read as CQL2: {reason}", field="filter", reason=str(problem)[:200]
        ) from None
    _check(found, columns, [0])
    return Expr(found)


def _check(node: Any, columns: Collection[str], count: list[int]) -> None:
    count[0] += 1
    if count[0] > MAX_NODES:
        raise MalformedError("The filter is too long (limit {most}).", field="filter", most=MAX_NODES)
    if isinstance(node, list):
        for each in node:
            _check(each, columns, count)
    if not isinstance(node, dict):
        return
    if "op" in node:
        if str(node["op"]).lower() not in OPERATORS:
            raise MalformedError(
                "The filter uses {name}, which is no operator of CQL2 that is offered here.",
                field="filter",
                name=str(node["op"])[:60],
            )
        _check(node.get("args", []), columns, count)
    elif "property" in node:
        if node["property"] not in columns:
            raise MalformedError(
                "The collection has no column {name}; its queryables list them.",
                field="filter",
                name=str(node["property"])[:60],
            )
    elif "interval" in node:
        _check(node["interval"], columns, count)
    elif not node.keys() <= {"type", "coordinates", "geometries", "bbox", "timestamp", "date"}:
        raise MalformedError(
            "The filter uses {name}, which is no operator of CQL2 that is offered here.",
            field="filter",
            name=", ".join(node)[:60],
        )
