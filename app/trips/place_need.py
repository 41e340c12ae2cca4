"""Which kind of place in a yard a trip's truck needs, by its declaration. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.gates.vocabulary import GoodsClass
from capacity.kinds import kind_needed
from capacity.vocabulary import ZoneKind


def need_of(goods_class: str | None, facts: Mapping[str, object]) -> ZoneKind:
    """The kind of place, by the class of the goods and the facts of the sheet (`app.procedures.procedure.Facts`)."""
    return kind_needed(
        dangerous=bool(hazards_of(facts)),
        live_animals=goods_class == GoodsClass.LIVE_ANIMALS,
        chilled=facts.get("chilled") is True,
        transshipment=facts.get("transshipment") is True,
        forty_foot=facts.get("forty_foot") is True,
    )


def hazards_of(facts: Mapping[str, object]) -> frozenset[str]:
    """The classes of the dangerous goods on board, by the facts of the sheet."""
    found = facts.get("hazard_class")
    return frozenset(map(str, found)) if isinstance(found, list | tuple | frozenset) else frozenset()
