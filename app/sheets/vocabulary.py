"""What corrections of a sheet can be and how they stand."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class CorrectionKind(Vocabulary):
    """What is corrected of a step that was confirmed."""

    REOPEN = "reopen", N_("The confirmation was wrong: the step is to be done again"), "rotate"
    RECORD = "record", N_("What was noted is wrong: something else holds"), "pencil"


class CorrectionStatus(Vocabulary):
    """How a correction stands."""

    ASKED = "asked", N_("Waits for a second person"), "hourglass"
    APPROVED = "approved", N_("Corrected"), "circle-check"
    REFUSED = "refused", N_("Correction refused"), "ban"
