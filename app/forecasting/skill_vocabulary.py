"""What forecasts are scored for, beside what, and how far ahead."""

from __future__ import annotations

from typing import Final

from app.platform.labels import N_, Vocabulary

LEADS_S: Final = (300, 900, 1800, 3600, 7200, 10800, 21600)
"""How far ahead forecasts are scored and calibrated; of a truck, how far ahead its entry is expected, at most."""


class Source(Vocabulary):
    """Who says what will be: what was published, the model as calibrated and as it was, and what it has to beat."""

    PUBLISHED = "published", N_("What was published")
    MODEL = "model", N_("Forecast of the model")
    RAW = "raw", N_("The model before calibration")
    PERSISTENCE = "persistence", N_("“It stays as it is”")
    AGE_OF_HEAD = "age_of_head", N_("Drivers' rule: as long as the first in the queue has stood")
    QUEUE_OVER_THROUGHPUT = "queue_over_throughput", N_("Drivers' rule: queue ÷ trucks of the last hour")


class Quantity(Vocabulary):
    """What is forecast; the names of series are those of the forecast's arrays.

    `unit` is the smallest difference that matters, in the quantity's own unit; `rivals` what else could be published;
    `is_of_trucks` whether it is forecast for each truck and scored when it is let in.
    """

    unit: float
    rivals: tuple[Source, ...]
    is_of_trucks: bool

    def __init__(
        self, _name: str, label: str, unit: float, rivals: tuple[Source, ...], is_of_trucks: bool = False
    ) -> None:
        super().__init__(_name, label)
        self.unit, self.rivals, self.is_of_trucks = unit, rivals, is_of_trucks

    QUEUE = "queue_veh", N_("Queue"), 0.5, (Source.PERSISTENCE,)
    WAIT = (
        "wait_s",
        N_("Wait"),
        60.0,
        (Source.PERSISTENCE, Source.AGE_OF_HEAD, Source.QUEUE_OVER_THROUGHPUT),
    )
    TAIL = "tail_km", N_("Tail of the queue"), 0.1, (Source.PERSISTENCE,)
    YARD = "occupancy_veh", N_("Trucks in the yard"), 0.5, (Source.PERSISTENCE,)
    ENTRY = "entry_s", N_("Entry of a truck"), 60.0, (Source.AGE_OF_HEAD, Source.QUEUE_OVER_THROUGHPUT), True
    TRUCK_WAIT = "truck_wait_s", N_("Wait of a truck"), 60.0, (Source.AGE_OF_HEAD, Source.QUEUE_OVER_THROUGHPUT), True

    @property
    def candidates(self) -> tuple[Source, ...]:
        """What may be published: the model first."""
        return (Source.MODEL, *self.rivals)

    @property
    def scored(self) -> tuple[Source, ...]:
        """What is scored."""
        return (Source.PUBLISHED, Source.MODEL, Source.RAW, *self.rivals)

    @classmethod
    def of_gates(cls) -> tuple[Quantity, ...]:
        """Series of a gate."""
        return (cls.QUEUE, cls.WAIT, cls.TAIL)

    @classmethod
    def of_drivers(cls) -> tuple[Quantity, ...]:
        """What a driver is told."""
        return (cls.WAIT, *cls.of_trucks())

    @classmethod
    def of_trucks(cls) -> tuple[Quantity, ...]:
        """Forecasts for single trucks."""
        return tuple(quantity for quantity in cls if quantity.is_of_trucks)
