"""The neighbours that can be simulated: a file each, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from app.integrations.messages import Codec
from app.integrations.simulators.bank import BankScript
from app.integrations.simulators.customs import CustomsScript
from app.integrations.simulators.exports import nanning, single_window
from app.integrations.simulators.registration import RegistrationScript
from app.integrations.simulators.seals import SealsScript
from app.integrations.simulators.server import Script
from app.integrations.simulators.text_messages import GatewayCodec, TextMessagesScript
from app.integrations.simulators.weather import WeatherScript

SIMULATED: Final[Mapping[str, Callable[[int], Script]]] = {
    "customs": CustomsScript,
    "registration": RegistrationScript,
    "single-window": single_window,
    "nanning": nanning,
    "bank": BankScript,
    "seals": SealsScript,
    "text-messages": TextMessagesScript,
    "weather": WeatherScript,
}
"""What makes each neighbour's script from a seed, by name."""
CODECS: Final[Mapping[str, Codec]] = {"text-messages": GatewayCodec()}
"""The form that a simulator speaks, where it is not that of `JsonCodec`."""
