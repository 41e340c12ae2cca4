"""The administrator's pages of tariffs: all versions, and the editor of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.accounts.authorisation import allow
from app.fees import tariffs, trial
from app.fees.endpoints import Id
from app.fees.load import CHOICES
from app.fees.pages import FACT_WORDS, VALUE_WORDS, WORDS
from app.fees.tables import TariffRow
from app.fees.tariff import FACTS
from app.fees.tariff_definition import MAX_FREE_H
from app.gates.vocabulary import Direction, GoodsClass, System
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.labels import N_
from app.platform.permissions import Principal, Role
from app.trips.vocabulary import Collector
from app.web.conditions import YES_NO, FactField, is_by_hand
from app.web.forms import Field
from app.web.pages import render
from app.web.versions import list_changes
from geo.clock import LOCAL_ZONE

router = APIRouter(include_in_schema=False, prefix="/admin/tariffs")

ReaderDep = Annotated[Principal, Depends(allow("tariffs.read"))]
HEAD_FIELDS: Final[dict[str, Field]] = {
    "valid_from": Field(kind="date", label=N_("In force from"), required=True),
    "valid_to": Field(kind="date", label=N_("Until the day before"), help=N_("empty: until replaced")),
    "rounding_unit_vnd": Field(
        kind="whole", label=N_("Rounded to a multiple of"), unit=N_("đồng"), minimum=1, maximum=1_000_000, required=True
    ),
    "free_h": Field(
        kind="whole",
        label=N_("Free hours in the gate area"),
        unit=N_("hours"),
        minimum=0,
        maximum=MAX_FREE_H,
        help=N_("empty: the stay is not counted"),
    ),
    "complete": Field(kind="flag", label=N_("Every load has a rate"), required=True),
    "combine_factors": Field(kind="flag", label=N_("Several shares multiply"), required=True),
    "source": Field(kind="text", label=N_("Source"), required=True),
}
TABLES: Final = {
    "rates": (N_("Rates"), N_("Add a rate")),
    "factors": (N_("Shares"), N_("Add a share")),
    "routing": (N_("Who collects"), N_("Add a collector")),
}
"""The tables of a tariff: heading, and the words of the button that adds a row."""


ENTRY_LABELS: Final = {
    "amount_vnd": N_("Amount, đồng"),
    "when": N_("Only if"),
    "numerator": N_("Numerator"),
    "denominator": N_("Denominator"),
    "label": N_("Label"),
    "vi": N_("Vietnamese"),
    "en": N_("English"),
    "zh": N_("Chinese"),
    "storage": N_("Time in the gate area"),
    "frozen_by": N_("The count stands while this is out at the gate"),
    "from": N_("from"),
    "below": N_("below"),
}


@router.get("")
def list_tariffs(request: Request, session: SessionDep, clock: ClockDep, _principal: ReaderDep) -> Response:
    """All tariffs with their versions; a new draft begins as a copy of the newest, in force from tomorrow on."""
    tomorrow = (clock.now().astimezone(LOCAL_ZONE) + timedelta(days=1)).date().isoformat()
    groups: dict[str, list[TariffRow]] = {}
    for tariff in tariffs.list_tariffs(session):
        groups.setdefault(tariff.code, []).append(tariff)
    drafts = {}
    for code, versions in groups.items():
        newest = max(versions, key=lambda tariff: tariff.version)
        changes = {"version": newest.version + 1, "valid_from": tomorrow, "valid_to": None}
        drafts[code] = {"rules": {**newest.rules, **changes}}
    return render(request, "fees/tariffs.html", groups=groups, drafts=drafts)


@router.get("/{tariff_id}")
def show_tariff(
    request: Request, tariff_id: Id, session: SessionDep, corridor: CorridorDep, _principal: ReaderDep
) -> Response:
    """One version: what differs from the one before, its rules to edit while it is a draft."""
    tariff = tariffs.get_tariff(session, tariff_id)
    older = [
        other
        for other in tariffs.list_tariffs(session)
        if other.code == tariff.code and other.version < tariff.version and other.status != "draft"
    ]
    before = max(older, key=lambda other: other.version, default=None)
    changes = list_changes(before.rules, tariff.rules) if before else []
    language = request.app.state.pages.language(request)
    facts = _facts({gate.site_id: gate.name[language] for gate in corridor.gates()})
    return render(
        request,
        "fees/tariff.html",
        tariff=tariff,
        before=before,
        changes=[change for change in changes if change.path != ("version",)],
        head_fields=HEAD_FIELDS,
        tables=TABLES,
        facts=facts,
        is_by_hand=is_by_hand,
        words=_names(facts),
        systems=System.labels(),
        collectors={each.value: Role.get(each).label for each in Collector},
    )


@router.get("/{tariff_id}/trial")
def show_trial(
    request: Request, tariff_id: Id, session: SessionDep, clock: ClockDep, _principal: ReaderDep
) -> Response:
    """What a version would have of today's fees."""
    tried = trial.try_draft(session, tariff_id, clock.now())
    return render(request, "fees/trial.html", trial=tried, **WORDS)


def _facts(gates: Mapping[str, str]) -> dict[str, FactField]:
    """The facts that conditions of a tariff ask for, as fields; `gates` by id with their names."""
    labels = VALUE_WORDS | GoodsClass.labels()

    def values(name: str) -> Mapping[Any, str]:
        if name == "gate_id":
            return dict(gates)
        if name == "direction":
            return Direction.labels()
        if FACTS[name] is bool:
            return YES_NO
        return {value: labels.get(value, value) for value in CHOICES.get(name, ())}

    return {name: FactField(FACT_WORDS[name], values(name), is_number=FACTS[name] is int) for name in FACTS}


def _names(facts: Mapping[str, FactField]) -> dict[str, str]:
    """Names in the rules of a tariff with what they are called."""
    values = {str(name): text for fact in facts.values() for name, text in fact.values.items() if name not in YES_NO}
    labels = {name: field.label for name, field in HEAD_FIELDS.items()} | {
        part: heading for part, (heading, _) in TABLES.items()
    }
    return values | System.labels() | {name: fact.label for name, fact in facts.items()} | labels | ENTRY_LABELS
