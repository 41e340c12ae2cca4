"""What a procedure's definition says, in words: its facts and their values, parts, problems. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.gates.hazards import HazardClass
from app.gates.vocabulary import EquipmentKind, GoodsClass
from app.platform.labels import N_
from app.platform.permissions import Role
from app.procedures.checks import FACT_VALUES
from app.procedures.service import DefinitionProblem
from app.procedures.steps import Step, VehicleRole
from app.trips.vocabulary import Channel, Collector, Direction, Regime
from app.web.conditions import YES_NO, FactField

PART_LABELS: Final[Mapping[str, str]] = {
    "goods": N_("Goods"),
    "vehicle": N_("Vehicle"),
    "driver": N_("Driver"),
    "health": N_("Health"),
    "customs": N_("Customs"),
}
FACTS: Final[Mapping[str, FactField]] = {
    "goods_class": FactField(N_("Kind of goods"), GoodsClass.labels()),
    "perishable": FactField(N_("Perishable"), YES_NO),
    "chilled": FactField(N_("Chilled"), YES_NO),
    "forty_foot": FactField(N_("40-foot"), YES_NO),
    "hazard_class": FactField(N_("Class of dangerous goods"), HazardClass.labels()),
    "channel": FactField(N_("Customs channel"), Channel.labels()),
    "transshipment": FactField(N_("Goods change the vehicle"), YES_NO),
    "undeclared": FactField(N_("Came undeclared"), YES_NO),
    "fee_due": FactField(N_("A fee is due"), YES_NO),
    "collector": FactField(N_("Who collects the fee"), {each.value: Role.get(each).label for each in Collector}),
    "equipment": FactField(N_("Equipment that stands there and works"), EquipmentKind.labels()),
    "vehicle_role": FactField(N_("Part of the vehicle in a transshipment"), VehicleRole.labels()),
    "regime": FactField(N_("Regime"), Regime.labels()),
    "direction": FactField(N_("Direction"), Direction.labels()),
}
"""Facts as the editor shows them, those that conditions ask for most first."""
NAMES: Final[Mapping[str, str]] = {
    "steps": N_("Steps"),
    "exit": N_("The step that ends the trip"),
    "sources": N_("Sources"),
    "assumptions": N_("Assumptions"),
    "owner": N_("Owner"),
    "after": N_("Comes after"),
    "when": N_("Only if"),
    "at_once": N_("Confirmed at once if"),
    "checks": N_("Checks"),
    "organisations": N_("Organisations"),
    **{str(name): text for fact in FACTS.values() for name, text in fact.values.items() if isinstance(name, str)},
    **{name: fact.label for name, fact in FACTS.items()},
    **PART_LABELS,
    **Role.labels(),
    **Step.labels(),
}
"""Names in definitions with what they are called (gettext keys); where one name is several things, the step's."""

assert set(FACTS) == set(FACT_VALUES)


def entries_of(definition: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The steps of a definition, right or not, in the usual order, each with what stands of it."""
    steps = definition.get("steps")
    bodies = {str(name): body for name, body in steps.items()} if isinstance(steps, Mapping) else {}
    known = Step.in_order(name for name in bodies if Step.lookup(name) is not None)
    names = (*known, *(name for name in bodies if name not in known))
    return [(name, body if isinstance(body := bodies[name], Mapping) else {}) for name in names]


def tell(problem: DefinitionProblem, say: Callable[[str], str]) -> str:
    """A problem in the reader's language, steps and facts by what they are called."""
    return say(problem.message).format(**{name: _called(value, say) for name, value in problem.values.items()})


def _called(value: Any, say: Callable[[str], str]) -> str:
    for between in (" → ", ", "):
        if isinstance(value, str) and between in value:
            return between.join(_called(part, say) for part in value.split(between))
    return say(NAMES[value]) if isinstance(value, str) and value in NAMES else str(value)
