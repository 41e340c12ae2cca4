"""What people are told of the place that a plan has for a truck."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from app.trip_eta.reasons import Wording
from app.trips.places import Places
from geo.corridor import Corridor


@dataclass(frozen=True)
class Place:
    yard_id: str | None
    zone_id: str | None = None
    place_kind: str | None = None

    @property
    def reason(self) -> dict[str, object]:
        return {"code": "wait_for_entry", "before_veh": 3}


@pytest.mark.parametrize(
    ("yard_id", "gate_id", "named"),
    [("bao-nguyen", "huu-nghi", "Cửa khẩu Tân Thanh"), ("xuan-cuong", "tan-thanh", "Cửa khẩu Hữu Nghị")],
)
def test_a_place_at_another_gate_is_said_to_be_a_suggestion_first(
    corridor: Corridor, yard_id: str, gate_id: str, named: str
) -> None:
    wording = Wording(str, "vi", Places.of(corridor), datetime(2026, 3, 2, tzinfo=UTC))
    own = wording.reason(Place(yard_id), corridor.sites[yard_id].gate_id or "")
    other = wording.reason(Place(yard_id), gate_id)
    assert other.startswith(f"This yard is at {named}. It is a suggestion")
    assert other.endswith(own)
    assert "suggestion" not in own
    assert "suggestion" not in wording.reason(Place(None), gate_id)
