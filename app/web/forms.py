"""Forms: fields described once, shown by `templates/form.html`, read into typed records.

A record that must be whole (a scenario, a setting) is validated by its Pydantic model: `RecordForm`. Labels, units and
limits of its fields come from the model, so that a new field is written once. A record that is kept while it is
incomplete (a declaration's draft) is read field by field: `app.web.form_values`. Knows no request and no template.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, Generic, Literal, TypedDict, TypeVar, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from app.platform.labels import N_
from geo.errors import CuaKhauError

Kind = Literal["text", "plate", "choice", "whole", "decimal", "date", "time", "clock", "flag"]
Written = dict[str, str]
"""A form as the browser sends it: texts by the field's name."""
M = TypeVar("M", bound=BaseModel)

PERCENT: Final = "%"
"""A field of this unit is a share of 1 in the record and is written in per cent."""
UNIT_SUFFIXES: Final = {
    "_km": "km",
    "_s": "s",
    "_h": N_("h"),
    "_hour": N_("h"),
    "_share": PERCENT,
    "_veh": N_("trucks"),
}
"""The unit shown for a name with such an end."""

MESSAGES: Final = {
    "greater_than_equal": N_("Give {ge} or more."),
    "greater_than": N_("Give more than {gt}."),
    "less_than_equal": N_("Give at most {le}."),
    "less_than": N_("Give less than {lt}."),
    "string_too_short": N_("Give a value."),
    "string_too_long": N_("Give at most {max_length} characters."),
    "missing": N_("Give a value."),
    "time_parsing": N_("Write a time of day like 07:30."),
    "too_long": N_("Give at most {max_length} of them."),
}
WHOLE_NUMBER, NUMBER = N_("Give a whole number."), N_("Give a number.")
REFUSED = N_("This cannot be accepted; choose another value.")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a form: what kind of value it takes, how it is called and measured, what it accepts.

    `label`, `unit`, `help`, `empty` are gettext keys. `kind`: `time` is a moment, `clock` a time of day. `minimum` and
    `maximum` are as written, so per cent for a share. `empty` is what an unchosen choice means.
    """

    kind: Kind
    label: str
    unit: str = ""
    help: str = ""
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    length: int = 80
    choices: Collection[str] = ()
    empty: str = ""
    placeholder: str = ""

    @property
    def scale(self) -> float:
        """By how much a written number is larger than the one in the record."""
        return 100.0 if self.unit == PERCENT else 1.0


@dataclass(frozen=True)
class Problem:
    """What is wrong with a field ("" for the whole form) and what to do.

    `message` is a `str.format` template and gettext key. A note does not stand in the way of submitting.
    """

    field: str
    message: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    is_note: bool = False

    @classmethod
    def of_error(cls, error: CuaKhauError, written: Mapping[str, Any]) -> Problem:
        """An error at its field, if the form has that field."""
        return cls(error.field if error.field and error.field in written else "", error.message, error.values)

    def text(self) -> str:
        """The message in English."""
        return self.message.format(**self.values)


def problems_by_field(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Problems as `form.html` looks them up."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.field, []).append(problem)
    return found


@dataclass(frozen=True)
class Rule:
    """A rule of a model in the form's words: known by a `part` of the model's message, shown at a `field` beside."""

    part: str
    field: str
    message: str


@dataclass(frozen=True)
class Reading(Generic[M]):
    """What was read: the record, or why there is none."""

    record: M | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class RecordForm(Generic[M]):
    """The form of a Pydantic model. A nested field is named by its path, "change.closures.0.km_from".

    `fields`, by the last part of their names, are those that are shown; the model may have more. `root` is a part of
    the record whose name the form's fields leave out.
    """

    model: type[M]
    fields: Mapping[str, Field]
    rules: tuple[Rule, ...] = ()
    root: str = ""

    @classmethod
    def of(cls, model: type[M], rules: tuple[Rule, ...] = ()) -> RecordForm[M]:
        """The form of all fields of `model` that have a title."""
        return cls(model, fields_of(model), rules)

    def read(self, written: Mapping[str, Any]) -> Reading[M]:
        """The record that was written: texts, or values ready as they are; a field left out of the form is left out."""
        try:
            return Reading(self.model.model_validate(self._nest(written)))
        except ValidationError as error:
            found = (self._problem(detail) for detail in error.errors(include_url=False))
            first = {problem.field: problem for problem in reversed(list(found))}
            return Reading(None, tuple(first.values()))

    def write(self, values: Any, path: str = "") -> Written:
        """A record's plain values as the form's fields."""
        written: Written = {}
        for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
            name = f"{path}.{key}" if path else str(key)
            if isinstance(value, Mapping | list | tuple):
                written |= self.write(value, name)
            elif isinstance(value, time):
                written[name] = value.strftime("%H:%M")
            elif isinstance(value, float | int):
                written[name] = f"{self._scale(str(key)) * value:.10g}"
            elif value is not None:
                written[name] = str(value)
        return written

    def _scale(self, name: str) -> float:
        return self.fields[name].scale if name in self.fields else 1.0

    def _nest(self, written: Mapping[str, Any]) -> Any:
        """Dotted names as nested records and lists, per cent as shares."""
        tree: dict[str, Any] = {}
        for name, value in written.items():
            *path, last = name.split(".")
            here = tree
            for part in path:
                here = here.setdefault(part, {})
            here[last] = _divided(value, self._scale(last)) if isinstance(value, str) else value
        return _with_lists(tree)

    def _problem(self, detail: ErrorDetails) -> Problem:
        path = [str(part) for part in detail["loc"]]
        name = ".".join(path[1:] if path[:1] == [self.root] else path)
        kind, values = detail["type"], dict(detail.get("ctx", {}))
        if kind == "value_error":
            cause = values["error"].__cause__
            if isinstance(cause, CuaKhauError):  # a validator passes on what the domain refuses, in the domain's words
                part = f".{cause.field}" if cause.field in self.fields else ""
                return Problem(name + part, cause.message, cause.values)
            for rule in self.rules:
                if rule.part in detail["msg"]:
                    return Problem(f"{name}.{rule.field}" if rule.field else name, rule.message)
            return Problem(name, detail["msg"].removeprefix("Value error, "))
        if kind in MESSAGES:
            scale = self._scale(path[-1]) if path else 1.0
            limits = {key: f"{scale * value:g}" for key, value in values.items() if isinstance(value, int | float)}
            return Problem(name, MESSAGES[kind], limits)
        if kind.startswith("int_"):
            return Problem(name, WHOLE_NUMBER)
        if kind.startswith("float_") or kind == "finite_number":
            return Problem(name, NUMBER)
        return Problem(name, REFUSED)


def fields_of(
    model: type[BaseModel], labels: Mapping[str, str] = MappingProxyType({}), **changes: Mapping[str, Any]
) -> dict[str, Field]:
    """The form's fields of a model: those with a title in the model or a label here.

    Kind and limits come from the annotation, the help from the description, the unit from the end of the name or
    from `json_schema_extra={"unit": …}`. `changes` are attributes of single fields that the model cannot know.
    """
    found = {}
    for name, info in model.model_fields.items():
        label = labels.get(name) or info.title
        if label:
            found[name] = replace(_field_of(name, label, info), **changes.get(name, {}))
    return found


class _Limits(TypedDict, total=False):
    minimum: float
    maximum: float
    length: int


def _field_of(name: str, label: str, info: FieldInfo) -> Field:
    annotation, metadata = _unwrapped(info.annotation, list(info.metadata))
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, Mapping) else {}
    suffix = next((unit for end, unit in UNIT_SUFFIXES.items() if name.endswith(end) or name == end[1:]), "")
    kinds: dict[Any, Kind] = {int: "whole", float: "decimal", bool: "flag", date: "date", time: "clock"}
    is_choice = get_origin(annotation) is Literal
    made = Field(
        kind="choice" if is_choice else kinds.get(annotation, "text"),
        label=label,
        unit=str(extra.get("unit", suffix)),
        help=info.description or "",
        choices=get_args(annotation) if is_choice else (),
    )
    limits: _Limits = {}
    for constraint in metadata:
        if isinstance(constraint, annotated_types.Ge | annotated_types.Gt):
            limits["minimum"] = (
                _number(constraint.ge if isinstance(constraint, annotated_types.Ge) else constraint.gt) * made.scale
            )
        elif isinstance(constraint, annotated_types.Le | annotated_types.Lt):
            limits["maximum"] = (
                _number(constraint.le if isinstance(constraint, annotated_types.Le) else constraint.lt) * made.scale
            )
        elif isinstance(constraint, annotated_types.MaxLen):
            limits["length"] = constraint.max_length
    return replace(made, **limits)


def _number(limit: Any) -> float:
    return float(limit)


def _unwrapped(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """The plain type of an annotation without `None`, and all its limits."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        for constraint in more:
            metadata += constraint.metadata if isinstance(constraint, FieldInfo) else [constraint]
        return _unwrapped(inner, metadata)
    given = [kind for kind in get_args(annotation) if kind is not NoneType]
    if NoneType in get_args(annotation) and len(given) == 1:
        return _unwrapped(given[0], metadata)
    return annotation, metadata


def _with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdigit() for key in tree):
        return [_with_lists(tree[key]) for key in sorted(tree, key=int)]
    return {key: _with_lists(value) for key, value in tree.items()}


def _divided(written: str, scale: float) -> float | str:
    """A number as the record has it; what is none stays for the model to refuse."""
    if scale == 1.0:
        return written
    try:
        return float(written) / scale
    except ValueError:
        return written
