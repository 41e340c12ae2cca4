"""Unit conversions, exact where the definition is exact."""

from __future__ import annotations

MPS_PER_KNOT = 1852.0 / 3600.0
"""The international knot: 1,852 m an hour, exact (BIPM, SI Brochure 8th ed., table 8)."""

MPS_PER_KMH = 1.0 / 3.6


def knots_to_mps(speed_kn: float) -> float:
    """Knots to metres a second."""
    return speed_kn * MPS_PER_KNOT


def kmh_to_mps(speed_kmh: float) -> float:
    """Kilometres an hour to metres a second."""
    return speed_kmh * MPS_PER_KMH


def mps_to_kmh(speed_mps: float) -> float:
    """Metres a second to kilometres an hour."""
    return speed_mps / MPS_PER_KMH
