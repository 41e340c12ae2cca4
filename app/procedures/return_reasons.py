"""Why a sheet is returned: what is offered at each step, and which fields of the declaration each disputes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.platform.labels import N_, Vocabulary
from app.procedures.steps import Step
from geo.errors import InvalidInputError


class ReturnReason(Vocabulary):
    """A reason; `steps` are those where it is offered, none for all of them.

    `fields` are those of the declaration that it disputes, `lines.` before those of each line of goods.
    """

    steps: tuple[Step, ...]
    fields: tuple[str, ...]

    def __init__(self, _name: str, label: str, steps: tuple[Step, ...] = (), fields: tuple[str, ...] = ()) -> None:
        super().__init__(_name, label)
        self.steps, self.fields = steps, fields

    PLATE_DIFFERS = (
        "plate_differs",
        N_("The plate differs from the declaration"),
        (Step.HEALTH, Step.BARRIER_1, Step.BARRIER_2, Step.YARD),
        ("plate",),
    )
    TRAILER_DIFFERS = (
        "trailer_differs",
        N_("The trailer's plate differs from the declaration"),
        (Step.BARRIER_1, Step.BARRIER_2, Step.YARD),
        ("trailer_plate",),
    )
    DRIVER_DIFFERS = (
        "driver_differs",
        N_("The driver is not the one declared"),
        (Step.HEALTH, Step.BARRIER_1, Step.BARRIER_2),
        ("driver_name",),
    )
    PAPERS_EXPIRED = (
        "papers_expired",
        N_("A document is expired or its number is wrong"),
        (Step.HEALTH, Step.BARRIER_1, Step.BARRIER_2),
        ("driver_paper_number", "driver_paper_expires", "driver_licence_number", "driver_licence_expires"),
    )
    VEHICLE_PAPERS = (
        "vehicle_papers",
        N_("The vehicle's papers do not fit"),
        (Step.BARRIER_1, Step.BARRIER_2),
        ("payload_kg", "inspection_expires"),
    )
    HEALTH_INCOMPLETE = (
        "health_incomplete",
        N_("The health declaration is incomplete or wrong"),
        (Step.HEALTH, Step.QUARANTINE_HEALTH),
        ("health_symptoms", "health_temperature_c"),
    )
    GOODS_DIFFER = (
        "goods_differ",
        N_("The goods differ from the declaration"),
        (
            Step.BARRIER_1,
            Step.BARRIER_2,
            Step.CUSTOMS,
            Step.QUARANTINE_ANIMAL,
            Step.QUARANTINE_PLANT,
            Step.TRANSSHIPMENT,
        ),
        ("lines.description",),
    )
    HS_CODE_WRONG = (
        "hs_code_wrong",
        N_("The HS code does not fit the goods"),
        (Step.CUSTOMS, Step.QUARANTINE_ANIMAL, Step.QUARANTINE_PLANT),
        ("lines.hs_code",),
    )
    QUANTITY_DIFFERS = (
        "quantity_differs",
        N_("The quantity differs from the declaration"),
        (Step.CUSTOMS, Step.YARD, Step.TRANSSHIPMENT, Step.QUARANTINE_ANIMAL, Step.QUARANTINE_PLANT),
        ("lines.quantity",),
    )
    WEIGHT_DIFFERS = (
        "weight_differs",
        N_("The weight differs from the declaration"),
        (Step.BARRIER_1, Step.BARRIER_2, Step.CUSTOMS, Step.YARD),
        ("lines.gross_weight_kg", "lines.net_weight_kg"),
    )
    PACKAGING_DIFFERS = (
        "packaging_differs",
        N_("The packaging differs from the declaration"),
        (Step.CUSTOMS, Step.QUARANTINE_PLANT, Step.TRANSSHIPMENT),
        ("lines.packages", "lines.packaging"),
    )
    CERTIFICATE_MISSING = (
        "certificate_missing",
        N_("The quarantine certificate is missing"),
        (Step.QUARANTINE_ANIMAL, Step.QUARANTINE_PLANT, Step.QUARANTINE_HEALTH),
        (),
    )
    CUSTOMS_NUMBER_WRONG = (
        "customs_number_wrong",
        N_("The customs declaration number is wrong or not registered"),
        (Step.CUSTOMS,),
        ("customs_number",),
    )
    SEAL_BROKEN = (
        "seal_broken",
        N_("The seal is broken or has another number"),
        (Step.BARRIER_1, Step.BARRIER_2, Step.CUSTOMS),
        ("seal_numbers",),
    )
    WRONG_GATE = (
        "wrong_gate",
        N_("These goods may not pass this gate"),
        (Step.BARRIER_1, Step.BARRIER_2, Step.CUSTOMS),
        ("gate_id",),
    )
    OTHER = (
        "other",
        N_("Another reason (say which)"),
        (),
        (),
    )


def reasons_for(step: str) -> list[ReturnReason]:
    """The reasons to offer at a step."""
    return [reason for reason in ReturnReason if not reason.steps or step in reason.steps]


def disputed_fields(codes: Sequence[str], lines: int) -> list[tuple[str, ReturnReason]]:
    """The fields of a declaration with so many `lines` of goods that reasons dispute, each with its first reason."""
    found: dict[str, ReturnReason] = {}
    for reason in (known for code in codes if (known := ReturnReason.lookup(code)) is not None):
        for name in reason.fields:
            of_each = [name.replace("lines.", f"lines.{n}.") for n in range(1, lines + 1)]
            for field in of_each if name.startswith("lines.") else [name]:
                found.setdefault(field, reason)
    return list(found.items())


def check_reasons(codes: Sequence[str], text: str) -> list[str]:
    """The reasons of a return, each once; a text alone is a reason too.

    Raises
    ------
    InvalidInputError
        If there is none, one is unknown, or it is "other" and nothing is said.
    """
    unknown = sorted(set(codes) - set(ReturnReason))
    if unknown or not (codes or text.strip()):
        raise InvalidInputError(
            "Choose why the sheet is returned; {value} is not one of {known}.",
            field="reasons",
            value=", ".join(unknown) or "–",
            known=", ".join(ReturnReason),
        )
    if ReturnReason.OTHER in codes and not text.strip():
        raise InvalidInputError("Say which other reason there is.", field="text")
    return list(dict.fromkeys(codes))
