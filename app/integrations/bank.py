"""The bank: transfers that came in on a collector's account, fetched from it as messages.

Beside the doors that banks and gateways report to (docs/fees.md): a transfer that both report is one. The form of the
message is assumed.
"""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import Field

from app.fees import bank as fees_bank
from app.fees.matching import Transfer
from app.gates.vocabulary import System
from app.integrations.messages import Body, Message
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.platform.actions import ActionContext
from app.platform.fields import Moment, PlainText
from app.platform.labels import N_

NAME: Final = "bank"


class BankTransfer(Body):
    """Money that came in on an account; `bank_ref` is the bank's own name for it."""

    KIND: ClassVar[str] = "bank.transfer"

    account_number: PlainText = Field(min_length=1, max_length=40)
    bank_ref: PlainText = Field(min_length=1, max_length=100)
    amount_vnd: int = Field(gt=0, le=10**12)
    received_at: Moment
    content: PlainText = Field(max_length=500)
    payer: PlainText = Field("", max_length=200)


def bank() -> Neighbour:
    """The neighbour; it is told nothing."""
    return Neighbour(
        name=NAME,
        label=N_("Bank"),
        icon="building-bank",
        takes=(Incoming(BankTransfer, take_transfer),),
        system=System.PAYMENT,
    )


def take_transfer(action: ActionContext, _message: Message, body: BankTransfer) -> Taken:
    """Take the transfer down and match it, as one that was reported at the door; raises NotFoundError if the account is
    nobody's here."""
    transfer = Transfer(body.bank_ref, body.amount_vnd, body.received_at, body.content, body.payer)
    is_new = fees_bank.take_transfer(action, body.account_number, transfer, channel=NAME)
    return Taken(is_superseded=not is_new)
