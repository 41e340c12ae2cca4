"""The fields of the registers' entries, for pages and programs alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.platform.labels import N_
from app.registers.papers import MAX_AXLES, MAX_LOAD_KG, MIN_PAYLOAD_KG
from app.registers.vocabulary import (
    ContainerSize,
    DocumentKind,
    DriverLanguage,
    IdentityPaper,
    Subject,
    VehicleClass,
)
from app.web.forms import Field

_NOTE: Final = Field(kind="text", label=N_("Note"), length=300)

FIELDS: Final[Mapping[Subject, Mapping[str, Field]]] = MappingProxyType(
    {
        Subject.VEHICLE: {
            "plate": Field(kind="plate", label=N_("Plate"), required=True, placeholder="29C-123.45"),
            "vehicle_class": Field(
                kind="choice", label=N_("Class of vehicle"), choices=tuple(VehicleClass), required=True
            ),
            "chassis_number": Field(
                kind="text",
                label=N_("Chassis number"),
                length=30,
                help=N_("from the registration certificate; needed to book a place"),
                placeholder="LZZ5ELND8NW123456",
            ),
            "payload_kg": Field(
                kind="whole", label=N_("Registered payload (kg)"), minimum=MIN_PAYLOAD_KG, maximum=MAX_LOAD_KG
            ),
            "axles": Field(kind="whole", label=N_("Axles"), minimum=1, maximum=MAX_AXLES),
            "inspection_expires": Field(kind="date", label=N_("Vehicle inspection valid to")),
            "note": _NOTE,
        },
        Subject.DRIVER: {
            "full_name": Field(kind="text", label=N_("Name as in the papers"), required=True),
            "phone": Field(kind="text", label=N_("Phone"), length=30),
            "language": Field(kind="choice", label=N_("Language"), choices=tuple(DriverLanguage), required=True),
            "account_id": Field(kind="whole", label=N_("Account"), empty=N_("signs in nowhere")),
            "paper": Field(kind="choice", label=N_("Identity paper"), choices=tuple(IdentityPaper)),
            "paper_number": Field(kind="text", label=N_("Number of the identity paper"), length=30),
            "paper_expires": Field(kind="date", label=N_("Identity paper valid to")),
            "licence_number": Field(kind="text", label=N_("Driving licence number"), length=30),
            "licence_class": Field(kind="text", label=N_("Class of licence"), length=10, placeholder="CE"),
            "licence_expires": Field(kind="date", label=N_("Driving licence valid to")),
            "note": _NOTE,
        },
        Subject.CONTAINER: {
            "number": Field(
                kind="text", label=N_("Container number"), length=20, required=True, placeholder="CSQU 305438 3"
            ),
            "size": Field(kind="choice", label=N_("Size"), choices=tuple(ContainerSize), required=True),
            "refrigerated": Field(kind="flag", label=N_("Refrigerated"), required=True),
            "note": _NOTE,
        },
    }
)
"""The fields of an entry by what it is about."""

DOCUMENT_FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "kind": Field(kind="choice", label=N_("Document"), choices=tuple(DocumentKind), required=True),
        "number": Field(kind="text", label=N_("Number"), length=60, required=True),
        "expires_on": Field(kind="date", label=N_("Valid to")),
        "note": _NOTE,
    }
)

CHOICES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "vehicle_class": VehicleClass.labels(),
        "language": DriverLanguage.labels(),
        "paper": IdentityPaper.labels(),
        "size": ContainerSize.labels(),
        "refrigerated": {"yes": N_("Yes"), "no": N_("No")},
        "kind": DocumentKind.labels(),
    }
)
"""The words of the fields' choices, by the field's name."""
