"""Skill and forecast as the charts of the skill page take them."""

from __future__ import annotations

from math import isfinite

from app.forecasting.skill import GateSkill, LeadSkill
from app.forecasting.skill_vocabulary import Quantity, Source
from app.forecasting.skill_wording import SkillWording
from app.platform.json import JsonObject
from routing.store import GateForecast

SHOWN = (Quantity.QUEUE, Quantity.WAIT)
SCALES = {Quantity.WAIT: 60.0, Quantity.ENTRY: 60.0, Quantity.TRUCK_WAIT: 60.0}
"""Seconds are shown as minutes."""


def fans_of(forecast: GateForecast | None) -> dict[str, JsonObject]:
    """A gate's forecast as the data of fan charts, by quantity."""
    if forecast is None:
        return {}
    head: JsonObject = {
        "made_at": forecast.made_at.isoformat(),
        "step_s": forecast.step_s,
        "quantiles": list(forecast.quantiles),
    }
    queue: JsonObject = {**head, "fans": [{"values": forecast.queue_veh.round(1).tolist()}], "digits": 0}
    waits = [[wait_s if isfinite(wait_s) else None for wait_s in row] for row in forecast.wait_s.tolist()]
    wait: JsonObject = {**head, "fans": [{"values": waits}], "scale": 3600, "digits": 1, "unit": "h"}
    return {Quantity.QUEUE: queue, Quantity.WAIT: wait}


def charts_of(skill: GateSkill, wording: SkillWording) -> dict[str, JsonObject]:
    """By quantity: errors by horizon and by hour of the day, of what was published and of the best it has to beat, and
    the share inside the band by horizon."""
    found: dict[str, JsonObject] = {}
    for quantity in SHOWN:
        leads = [place_skill for place_skill in skill.of(quantity) if place_skill.place_id == skill.gate_id]
        head = skill.headline(quantity)
        if head is None:
            continue
        hours = [hour for hour in skill.hours if hour.quantity is quantity and hour.lead_s == head.lead_s]
        found[quantity] = {
            "leads": {"x": [wording.lead(lead.lead_s) for lead in leads], **_errors(quantity, leads)},
            "hours": {"x": [f"{hour.hour}:00" for hour in hours], **_errors(quantity, hours)},
            "inside": {
                "x": [wording.lead(lead.lead_s) for lead in leads],
                "published": [round(100 * lead.issued.coverage80, 1) for lead in leads],
                "raw": [
                    round(100 * lead.scores[Source.RAW].coverage80, 1) for lead in leads if Source.RAW in lead.scores
                ],
            },
        }
    return found


def _errors(quantity: Quantity, skills: list[LeadSkill]) -> JsonObject:
    scale = SCALES.get(quantity, 1.0)
    rivals = [skill.scores[Source.PERSISTENCE].mae if Source.PERSISTENCE in skill.scores else None for skill in skills]
    return {
        "published": [round(skill.issued.mae / scale, 2) for skill in skills],
        "persistence": [None if mae is None else round(mae / scale, 2) for mae in rivals],
    }
