"""What a declaration takes over from the file of its enterprise where nothing else is written."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.registers.picking import PICKS, take_over
from app.web.form_values import is_given
from geo.errors import InvalidInputError

NOTHING_SAID = {"container": "none"}
"""What a form sends where nobody chose anything: an entry that is picked says more."""


def fill(session: Session, organisation_id: int, written: Mapping[str, object]) -> Mapping[str, object]:
    """What was written, with the fields of the picked entries in the blanks.

    Raises
    ------
    InvalidInputError
        If an entry is not on the file of the enterprise.
    """
    picked = {name: _entry(name, written.get(name)) for name in PICKS}
    if not any(picked.values()):
        return written
    taken = take_over(session, organisation_id, picked)
    blank = {name: value for name, value in taken.items() if not is_given(written.get(name))}
    if picked["container_entry"] is not None and written.get("container") == NOTHING_SAID["container"]:
        blank["container"] = taken["container"]
    return {**written, **blank}


def _entry(name: str, written: object) -> int | None:
    if not is_given(written):
        return None
    text = str(written)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInputError("There is no entry {value} on your file.", field=name, value=text[:20])
    return int(text)
