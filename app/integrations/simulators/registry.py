"""The neighbours that can be simulated: a file each, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from app.integrations.simulators.bank import BankScript
from app.integrations.simulators.customs import CustomsScript
from app.integrations.simulators.exports import nanning, single_window
from app.integrations.simulators.registration import RegistrationScript
from app.integrations.simulators.seals import SealsScript
from app.integrations.simulators.server import Script

SIMULATED: Final[Mapping[str, Callable[[int], Script]]] = {
    "customs": CustomsScript,
    "registration": RegistrationScript,
    "single-window": single_window,
    "nanning": nanning,
    "bank": BankScript,
    "seals": SealsScript,
}
"""What makes each neighbour's script from a seed, by name."""
