"""Every webhook that banks report by, one line each, in the order in which a message is held against them.

A new gateway is a module beside this one with `claims`, `verify` and `read`, and its line here. What of each is
documented and what is assumed stands in its module and in docs/fees.md.
"""

from __future__ import annotations

from typing import Final

from app.fees.gateways import casso, own, payos, sepay
from app.fees.gateways.messages import Gateway, Message

GATEWAYS: Final = (
    Gateway("sepay", sepay.claims, sepay.verify, sepay.read),
    Gateway("casso", casso.claims, casso.verify, casso.read),
    Gateway("payos", payos.claims, payos.verify, payos.read),
    Gateway("own", own.claims, own.verify, own.read),
)
OWN: Final = GATEWAYS[-1].name
"""The platform's own, which answers in more detail."""
NAMES: Final = tuple(gateway.name for gateway in GATEWAYS)


def gateway_of(message: Message) -> Gateway:
    """The gateway that a message is from, by how it proves its sender."""
    return next(gateway for gateway in GATEWAYS if gateway.claims(message))
