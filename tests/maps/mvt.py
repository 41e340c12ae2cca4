"""A reader of Mapbox Vector Tiles 2.1 for tests: what PostGIS wrote is read back by other hands."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

Value = int | bytes


def read_fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each protobuf field; groups do not occur in tiles."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            number, at = read_varint(data, at)
            yield key >> 3, number
            continue
        if kind == 2:
            size, at = read_varint(data, at)
        else:
            size = {1: 8, 5: 4}[kind]
        yield key >> 3, data[at : at + size]
        at += size


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A base-128 integer and where the next thing begins."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def packed(data: bytes) -> list[int]:
    """The integers of a packed field."""
    values, at = [], 0
    while at < len(data):
        value, at = read_varint(data, at)
        values.append(value)
    return values


def zigzag(value: int) -> int:
    """A signed integer from its zigzag form."""
    return (value >> 1) ^ -(value & 1)


def read_value(data: bytes) -> Any:
    """A property's value."""
    for field, value in read_fields(data):
        if isinstance(value, bytes):
            return value.decode() if field == 1 else struct.unpack("<f" if field == 2 else "<d", value)[0]
        return {6: zigzag(value), 7: bool(value)}.get(field, value)
    return None


def read_layers(data: bytes) -> dict[str, list[dict[str, Any]]]:
    """Features of each layer: `id`, `properties`, `points` (tile coordinates of the first part)."""
    found: dict[str, list[dict[str, Any]]] = {}
    for field, layer in read_fields(data):
        assert field == 3
        assert isinstance(layer, bytes)
        parts: dict[int, list[Any]] = {1: [], 2: [], 3: [], 4: [], 5: [], 15: []}
        for number, value in read_fields(layer):
            parts[number].append(value)
        keys = [key.decode() for key in parts[3]]
        values = [read_value(value) for value in parts[4]]
        assert parts[5] == [4096]
        found[parts[1][0].decode()] = [read_feature(feature, keys, values) for feature in parts[2]]
    return found


def read_feature(data: bytes, keys: list[str], values: list[Any]) -> dict[str, Any]:
    """One feature."""
    feature: dict[str, Any] = {"id": None, "properties": {}, "points": []}
    for field, value in read_fields(data):
        if field == 1:
            feature["id"] = value
        elif field == 2 and isinstance(value, bytes):
            tags = packed(value)
            feature["properties"] = {keys[k]: values[v] for k, v in zip(tags[::2], tags[1::2], strict=True)}
        elif field == 4 and isinstance(value, bytes):
            feature["points"] = read_points(packed(value))
    return feature


def read_points(commands: list[int]) -> list[tuple[int, int]]:
    """Tile coordinates along all commands of a geometry."""
    points: list[tuple[int, int]] = []
    x = y = at = 0
    while at < len(commands):
        command, count = commands[at] & 7, commands[at] >> 3
        at += 1
        if command == 7:
            continue
        for _ in range(count):
            x, y = x + zigzag(commands[at]), y + zigzag(commands[at + 1])
            points.append((x, y))
            at += 2
    return points
