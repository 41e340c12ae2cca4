"""The JSON forms in which advice and orders are kept."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from app.platform.json import JsonObject


class MessageRecord(TypedDict):
    """A code of `wording.MESSAGES` and what fills it."""

    code: str
    values: JsonObject


class StretchRecord(TypedDict):
    """A stretch of road; `direction` is "to_border", "from_border" or "both"."""

    road: str
    km_from: float
    km_to: float
    direction: str


class SelectionRecord(TypedDict, total=False):
    """The criteria of an order that were given; `area` is a GeoJSON Polygon or MultiPolygon."""

    stretch: StretchRecord
    gate_id: str
    area: JsonObject
    site_id: str
    goods_classes: list[str]
    perishable: bool
    regimes: list[str]
    stages: list[str]
    vehicle_ids: list[int]
    limit_veh: int


class ReleaseRecord(TypedDict):
    """Groups in which trucks are let go: `veh` at once, every `every_s` seconds, or `groups` of a plan."""

    veh: int
    every_s: int
    groups: NotRequired[list[int]]


class ParametersRecord(TypedDict, total=False):
    """What an order says besides its kind; a hold names a site, a divert a gate, a yard order a yard."""

    reason: str
    site_id: str
    gate_id: str
    yard_id: str
    release: ReleaseRecord


class DraftRecord(TypedDict):
    """An order that a measure proposes, as `POST /api/v1/orders` takes it."""

    kind: str
    selection: SelectionRecord
    parameters: ParametersRecord
    valid_to: str


class MeasureRecord(TypedDict):
    """What would help; `draft` is a body of `POST /api/v1/orders`."""

    kind: str
    message: MessageRecord
    draft: DraftRecord


class EvidenceRecord(TypedDict, total=False):
    """Where a truck was when its order began; empty where that is not known."""

    road: str
    km: float | None
