"""Whether a truck at a yard's gate is to be stopped: it has no trip here, or owes its fee where that is due. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.platform.labels import N_
from app.procedures.steps import StepStatus
from app.yards.store import TripAtYard
from capacity.store import Yard

NO_TRIP: Final = N_("Stop {plate}: no trip is declared for it.")
OTHER_GATE: Final = N_("Stop {plate}: its trip is declared for another gate, {gate}.")
FEE_UNPAID: Final = N_("Stop {plate}: its fee is due and not paid.")


@dataclass(frozen=True)
class GateStop:
    """Why a truck is to be stopped: a code, and a message (gettext key) with its values."""

    code: str
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


def find_stop(yard: Yard, trip: TripAtYard | None) -> GateStop | None:
    """Why the truck of `trip` is to be stopped at the gate of `yard`; `None`: let it through.

    Temporary yards take trucks without a trip. A fee is due once its turn in the procedure has come.
    """
    if trip is None:
        return GateStop("no_trip", NO_TRIP) if yard.kind == "yard" else None
    if trip.gate_id != yard.gate_id:
        return GateStop("other_gate", OTHER_GATE, {"gate": trip.gate_id})
    if trip.fee_status in StepStatus.open():
        return GateStop("fee_unpaid", FEE_UNPAID)
    return None
