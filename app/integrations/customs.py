"""Customs (VNACCS/VCIS, VASSCM): asked by declaration number; channel, release, hold, amendments and lines come back,
passages, weighings, containers and seals go there.

The form of these messages is assumed; no specification of customs' systems for such a link is public
(docs/integrations.md). What they do to trips is in `customs_effects`.
"""

from __future__ import annotations

from app.gates.vocabulary import System
from app.integrations import customs_effects, customs_store, store
from app.integrations.customs_messages import NAME, CustomsPassage, CustomsQuery, CustomsStatus, CustomsWeighing
from app.integrations.messages import Message
from app.integrations.neighbour import Incoming, Neighbour, Taken
from app.platform.actions import ActionContext
from app.platform.labels import N_
from app.sheets.service import Sheets
from geo.errors import InvalidInputError


def customs(sheets: Sheets) -> Neighbour:
    """The neighbour; what it says acts on `sheets`."""

    def take_status(action: ActionContext, message: Message, body: CustomsStatus) -> Taken:
        if message.version is None:
            raise InvalidInputError("The message cannot be read: {reason}", reason="version: missing")
        row = store.find_neighbour(action.session, NAME)
        values = body.model_dump(mode="json") | {
            "version": message.version,
            "released_at": body.released_at,
            "as_of": message.sent_at,
            "is_simulated": row is not None and row.is_simulated,
        }
        if not customs_store.keep_declaration(action.session, values):
            return Taken(is_superseded=True)
        for trip_id in customs_store.trips_with(action.session, body.number):
            customs_effects.apply(action, sheets, trip_id)
        return Taken()

    return Neighbour(
        name=NAME,
        label=N_("Customs (VNACCS/VCIS)"),
        icon="building-bank",
        sends=(CustomsQuery, CustomsPassage, CustomsWeighing),
        takes=(Incoming(CustomsStatus, take_status),),
        system=System.CUSTOMS_SYSTEM,
    )
