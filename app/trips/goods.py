"""Goods classes as the trip knows them: what spoils, and what it is called."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class GoodsClass(Vocabulary):
    """A class of goods; `perishable` is what holds unless the declarant says otherwise."""

    perishable: bool

    def __init__(self, _name: str, perishable: bool, label: str) -> None:
        super().__init__(_name, label)
        self.perishable = perishable

    FRESH_FRUIT = "fresh_fruit", True, N_("Fresh fruit")
    FRESH_PRODUCE = "fresh_produce", True, N_("Vegetables and other fresh produce")
    SEAFOOD = "seafood", True, N_("Seafood")
    MEAT = "meat", True, N_("Chilled or frozen meat")
    LIVE_ANIMALS = "live_animals", True, N_("Live animals")
    FLOWERS = "flowers", True, N_("Flowers and living plants")
    DRY_FOOD = "dry_food", False, N_("Dry food")
    TIMBER = "timber", False, N_("Timber")
    ORE = "ore", False, N_("Ore and minerals")
    TEXTILES = "textiles", False, N_("Textiles and footwear")
    ELECTRONICS = "electronics", False, N_("Electronics")
    MACHINERY = "machinery", False, N_("Machinery")
    VEHICLES = "vehicles", False, N_("New vehicles")
    GENERAL = "general", False, N_("Other goods")
    """The class of goods that are of no other."""
    EMPTY = "empty", False, N_("Empty")
