"""Which parts of a device's set-up are secret: all but those named here, so that none is forgotten.

The secret parts are encrypted in the database and never shown again. Of an address people see where it leads, without
user, password and query.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from app.equipment.tables import Equipment
from app.platform.json import JsonObject
from geo.errors import InvalidInputError

PLAIN: Final = frozenset(
    {
        "camera_id",
        "enter_heading_deg",
        "movement",
        "silent_after_s",
        "simulated",
        "timeout_s",
        "tolerance_kg",
        "tolerance_share",
        "topic",
    }
)
"""What is kept and shown in clear."""
ADDRESSES: Final = frozenset({"broker", "url"})
HIDDEN: Final = "••••"


def config_of(device: Equipment) -> JsonObject:
    """The whole set-up of a device, for who talks to it."""
    return {**device.config, **(device.secrets or {})}


def shown_config(device: Equipment) -> JsonObject:
    """The set-up of a device as people may see it, in answers and in the audit log."""
    return {name: value if name in PLAIN else _hide(name, value) for name, value in sorted(config_of(device).items())}


def split(config: Mapping[str, object]) -> tuple[JsonObject, JsonObject | None]:
    """A set-up in its plain and its secret parts, as the table holds them."""
    plain = {name: value for name, value in config.items() if name in PLAIN}
    secret = {name: value for name, value in config.items() if name not in PLAIN}
    return plain, secret or None


def keep_hidden(device: Equipment, entered: Mapping[str, object]) -> JsonObject:
    """A set-up as entered; what came back as it was shown stays what it was.

    Raises
    ------
    InvalidInputError
        If something was changed of which a part is hidden: what is hidden there nobody entered.
    """
    was, shown = config_of(device), shown_config(device)
    kept = {name: was[name] if name in was and value == shown[name] else value for name, value in entered.items()}
    for name, value in kept.items():
        if isinstance(value, str) and HIDDEN in value:
            raise InvalidInputError("Enter {name} whole: a part of it is hidden.", field=f"config.{name}", name=name)
    return kept


def _hide(name: str, value: object) -> object:
    if not value:
        return value
    if name not in ADDRESSES:
        return HIDDEN
    try:
        parts = urlsplit(str(value))
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return HIDDEN
    user = f"{HIDDEN}@" if "@" in parts.netloc else ""
    return f"{parts.scheme}://{user}{host}{parts.path}{f'?{HIDDEN}' if parts.query else ''}"
