"""The parts that take part in a sheet: importing this module registers them all.

Each registers what it adds to a sheet and what it does when a step changes (`app.sheets.service.LISTENERS`, `READERS`).
A process that acts on sheets without one of them would, for example, open sheets without a fee; so they come together.
"""

from __future__ import annotations

import app.declarations.on_sheet
import app.equipment.on_sheet
import app.fees.on_sheet
import app.transshipments.service  # noqa: F401 - imported for what it registers, like those above
