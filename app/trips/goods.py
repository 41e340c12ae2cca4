"""Goods classes as the trip knows them: what spoils, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class GoodsClass:
    """A class of goods; `perishable` is what holds unless the declarant says otherwise. `label` is a gettext key."""

    goods_class: str
    perishable: bool
    label: str


OTHER: Final = "general"
"""The class of goods that are of no other."""

GOODS_CLASSES: Final = {
    one.goods_class: one
    for one in (
        GoodsClass("fresh_fruit", True, "Fresh fruit"),
        GoodsClass("fresh_produce", True, "Vegetables and other fresh produce"),
        GoodsClass("seafood", True, "Seafood"),
        GoodsClass("meat", True, "Chilled or frozen meat"),
        GoodsClass("live_animals", True, "Live animals"),
        GoodsClass("flowers", True, "Flowers and living plants"),
        GoodsClass("dry_food", False, "Dry food"),
        GoodsClass("timber", False, "Timber"),
        GoodsClass("ore", False, "Ore and minerals"),
        GoodsClass("textiles", False, "Textiles and footwear"),
        GoodsClass("electronics", False, "Electronics"),
        GoodsClass("machinery", False, "Machinery"),
        GoodsClass("vehicles", False, "New vehicles"),
        GoodsClass(OTHER, False, "Other goods"),
        GoodsClass("empty", False, "Empty"),
    )
}
