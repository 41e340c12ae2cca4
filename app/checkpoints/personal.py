"""What of warnings, findings and overrides a role reads, by the rule of `app.procedures.readers`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from app.checkpoints.case import StandingFinding
from app.checkpoints.override_store import LoggedOverride
from app.checkpoints.vocabulary import Part, WarningKind
from app.checkpoints.warnings import OF_DRIVER, StepWarning
from app.platform.permissions import Role
from app.platform.personal_fields import is_health_step, mask
from app.procedures.readers import reads_in_clear


def project_warnings(found: Iterable[StepWarning], role: Role) -> list[StepWarning]:
    """Warnings as a role reads them: those of health not at all, the number of a driver's paper by its end."""
    health, driver = reads_in_clear(role, "health"), reads_in_clear(role, "driver")
    shown = (each for each in found if health or each.kind is not WarningKind.SYMPTOMS)
    return [
        each
        if driver or not each.identity.startswith(OF_DRIVER)
        else replace(each, values={name: mask(value) for name, value in each.values.items()})
        for each in shown
    ]


def project_finding(finding: StandingFinding, role: Role) -> StandingFinding:
    """A finding as a role reads it: of the number of a driver's paper the end."""
    if finding.part is not Part.DRIVER or reads_in_clear(role, "driver"):
        return finding
    return replace(finding, seen=mask(finding.seen), declared=tuple(map(mask, finding.declared)))


def project_override(logged: LoggedOverride, role: Role) -> LoggedOverride:
    """A line of the log as a role reads it: what kind of warning was passed over, and no more of health."""
    if logged.kind == WarningKind.SYMPTOMS and not reads_in_clear(role, "health"):
        return replace(logged, details=dict.fromkeys(logged.details, "…"))
    if logged.identity.startswith(OF_DRIVER) and not reads_in_clear(role, "driver"):
        return replace(logged, details={name: mask(value) for name, value in logged.details.items()})
    return logged


def project_overrides_of_trips(logged: Iterable[LoggedOverride], role: Role) -> list[LoggedOverride]:
    """What sheets tell a role of overrides: of a step that looks at health nothing to who does not
    read health, for its reason may say what was seen."""
    health = reads_in_clear(role, "health")
    return [
        project_override(each, role)
        for each in logged
        if health or not (each.kind == WarningKind.SYMPTOMS or is_health_step(each.step))
    ]
