"""The fields of a study: labels for the scenario's own names; kinds, units and limits come from its models."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.planning.endpoints import ScenarioIn
from app.platform.labels import N_
from app.web.forms import Field, RecordForm, Rule, fields_of
from routing.scenario_inputs import (
    Ban,
    DemandChange,
    Diversion,
    GateWorld,
    Hold,
    RoadClosure,
    Scenario,
    Variant,
    World,
    YardChange,
)

GATE_FIELDS: Final = fields_of(
    GateWorld,
    {
        "lanes": N_("Lanes at the crossing"),
        "reversed_lanes": N_("Import lanes reversed for exports"),
        "opens": N_("Opens"),
        "closes": N_("Closes"),
        "service_mean_s": N_("Service time, mean"),
        "service_cv": N_("Service time, variation"),
        "cleared_exports_veh_per_day": N_("or: exports cleared a day"),
        "entrance_lanes": N_("Lanes at the entrance"),
        "entrance_service_mean_s": N_("Check at the entrance, mean"),
        "entrance_service_cv": N_("Check at the entrance, variation"),
        "dwell_mean_s": N_("Stay in the yard, mean"),
        "dwell_cv": N_("Stay in the yard, variation"),
        "exports_veh_per_day": N_("Exports a day"),
        "imports_veh_per_day": N_("Imports a day"),
        "standing_veh": N_("Standing at the start"),
    },
    reversed_lanes={"placeholder": "0"},
    opens={"kind": "clock"},
    closes={"kind": "clock"},
    exports_veh_per_day={"unit": N_("trucks")},
    imports_veh_per_day={"unit": N_("trucks")},
)
WORLD_GATE_FIELDS: Final = ("exports_veh_per_day", "imports_veh_per_day", "standing_veh")
"""What only the base says of a gate; the other gate fields can be changed as well."""
CHANGED_GATE_FIELDS: Final = tuple(name for name in GATE_FIELDS if name not in WORLD_GATE_FIELDS)

ROW_FIELDS: Final[dict[str, dict[str, Field]]] = {
    "demand": fields_of(
        DemandChange,
        {
            "factor": N_("Multiply demand by"),
            "gate": N_("Gate"),
            "goods": N_("Goods"),
            "from_hour": N_("From hour"),
            "to_hour": N_("To hour"),
        },
        factor={"unit": "×"},
        gate={"kind": "choice", "empty": N_("All gates")},
        goods={"empty": N_("All goods")},
        from_hour={"placeholder": "0"},
        to_hour={"placeholder": "24"},
    ),
    "closures": fields_of(
        RoadClosure,
        {
            "road": N_("Road"),
            "km_from": N_("From kilometre"),
            "km_to": N_("To kilometre"),
            "direction": N_("Direction"),
            "from_h": N_("Closed from hour after the start"),
            "to_h": N_("Until hour after the start"),
        },
        road={"kind": "choice", "required": True},
        direction={"required": True},
        km_from={"unit": "km", "minimum": 0},
        km_to={"unit": "km", "minimum": 0},
        from_h={"placeholder": "0"},
    ),
    "diversions": fields_of(
        Diversion,
        {
            "from_gate": N_("From gate"),
            "to_gate": N_("To gate"),
            "share": N_("Share of the trucks"),
            "goods": N_("Goods"),
        },
        from_gate={"kind": "choice", "required": True},
        to_gate={"kind": "choice", "required": True},
        goods={"empty": N_("All goods")},
    ),
    "holds": fields_of(
        Hold,
        {
            "staging": N_("Staging area"),
            "until_h": N_("Held until hour after the start"),
            "share": N_("Share of the trucks"),
            "gate": N_("Gate"),
            "goods": N_("Goods"),
            "release_veh_per_h": N_("Then released an hour"),
        },
        staging={"kind": "choice", "required": True},
        share={"placeholder": "100"},
        gate={"kind": "choice", "empty": N_("All gates")},
        goods={"empty": N_("All goods")},
        release_veh_per_h={"unit": N_("trucks")},
    ),
    "bans": fields_of(
        Ban,
        {
            "gate": N_("Gate"),
            "goods": N_("Goods"),
            "from_h": N_("Banned from hour after the start"),
            "to_h": N_("Until hour after the start"),
        },
        gate={"kind": "choice", "empty": N_("All gates")},
        goods={"empty": N_("All goods")},
        from_h={"placeholder": "0"},
    ),
}
"""Lists of changes, each with the fields of a row. A required choice is always made."""
STUDY_FIELDS: Final = {
    **fields_of(
        Scenario,
        {
            "name": N_("Name"),
            "start": N_("Starts at, local time"),
            "horizon_h": N_("Hours looked at"),
            "step_s": N_("One value every"),
        },
        name={"required": True},
        start={"kind": "clock"},
    ),
    **fields_of(ScenarioIn, {"runs": N_("Runs of each world"), "seed": N_("Seed")}),
}
WORLD_FIELDS: Final = fields_of(World, {"perishable_share": N_("Share of perishable goods")})
VARIANT_NAME: Final = fields_of(Variant, {"name": N_("Name of the variant")}, name={"required": True})["name"]
CHANGE_TITLE: Final = replace(VARIANT_NAME, required=False)
YARD_FIELDS: Final = fields_of(
    YardChange,
    {
        "capacity_veh": N_("Places for trucks"),
        "from_h": N_("From hour after the start"),
        "to_h": N_("Until hour after the start"),
    },
    from_h={"placeholder": "0"},
)

CHOICES: Final = {
    "goods": {"perishable": N_("Perishable goods"), "other": N_("Other goods")},
    "direction": {
        "to_border": N_("To the border"),
        "from_border": N_("From the border"),
        "both": N_("Both directions"),
    },
}
STUDY_FORM: Final = RecordForm(
    ScenarioIn,
    {
        **{name: field for fields in ROW_FIELDS.values() for name, field in fields.items()},
        **GATE_FIELDS,
        **STUDY_FIELDS,
        **WORLD_FIELDS,
        "capacity_veh": YARD_FIELDS["capacity_veh"],
    },
    rules=(
        Rule(
            "service_mean_s or cleared",
            "service_mean_s",
            N_("Give a service time or what is cleared a day, not both."),
        ),
        Rule("exports_veh_per_day or", "exports_veh_per_day", N_("Give exports a day or by the hour, not both.")),
        Rule("before it begins", "to_h", N_("The closure must end after it begins.")),
        Rule("the ban ends", "to_h", N_("The ban must end after it begins.")),
        Rule("is given twice", "", N_("Give each variant a name of its own, other than base and variant.")),
        Rule("no time of day", "", N_("Write a time of day like 07:30.")),
    ),
    root="scenario",
)
