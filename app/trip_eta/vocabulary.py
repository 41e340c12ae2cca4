"""Why a place in the queue moves."""

from __future__ import annotations

from app.platform.labels import N_, Vocabulary


class MoveKind(Vocabulary):
    """What moved a truck's place in the queue, or the time of its turn; labels are sentences with a count."""

    WENT_IN = "went_in", N_("{count} trucks ahead went in"), "arrow-up"
    LEFT = "left", N_("{count} trucks ahead left the line"), "arrow-up"
    UNSEEN = "unseen", N_("{count} trucks ahead are not seen any more"), "arrow-up"
    FELL_BACK = "fell_back", N_("{count} trucks that stood ahead stand behind now"), "arrow-up"
    LET_PERISHABLE = "let_perishable", N_("{count} trucks with perishable goods were let pass"), "snowflake"
    LET_PRIORITY = "let_priority", N_("{count} trucks with priority were let pass"), "star"
    TAKEN_BEFORE = "taken_before", N_("{count} trucks that stood behind went in before"), "arrow-down"
    CAME_AHEAD = "came_ahead", N_("{count} more trucks stand ahead"), "arrow-down"
    RECOUNTED = "recounted", N_("Trucks that send no position were counted again"), "calculator"
    LANES_CLOSED = "lanes_closed", N_("Fewer lanes are open at the gate"), "barrier-block"
    LANES_OPENED = "lanes_opened", N_("More lanes are open at the gate"), "road"
