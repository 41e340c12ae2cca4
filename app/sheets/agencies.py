"""What the agencies are called where a trip is followed."""

from __future__ import annotations

from typing import Final

from app.platform.labels import N_
from app.platform.permissions import Role

AGENCY_NAMES: Final = {**Role.labels(), "platform": N_("Platform, by itself")}
"""The roles, and the platform, which confirms some steps by itself."""
