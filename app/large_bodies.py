"""The routes that take more than a megabyte, how much, and who may send it."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy.orm import Session
from starlette.requests import Request

from app.accounts.cookies import find_caller
from app.attachments.service import MAX_SIZE_MB
from app.declarations.import_columns import MAX_FILE_BYTES as MAX_IMPORT_BYTES
from app.equipment.camera_endpoints import read_key
from app.equipment.pictures import MAX_BYTES as MAX_PICTURE_BYTES
from app.equipment.service import authenticate
from app.fees.statement_file import MAX_BYTES as MAX_STATEMENT_BYTES
from app.gates.adding import MAX_FILE_BYTES as MAX_GATE_BYTES
from app.platform.permissions import Principal
from app.tracking.trace_upload import MAX_FILE_BYTES as MAX_TRACE_BYTES
from app.web.bodies import LargeBody
from geo.clock import Clock
from geo.errors import UnauthenticatedError
from ingest.formats.camera_format import MAX_WEBHOOK_BYTES

FORM_BYTES: Final = 16 * 1024
"""What a form has around a file."""


def person(session: Session, request: Request, clock: Clock) -> Principal:
    """Somebody who is signed in."""
    principal = find_caller(session, request, clock)
    if principal is None:
        raise UnauthenticatedError("Sign in first.")
    return principal


def device(session: Session, request: Request, _clock: Clock) -> object:
    """A device with its key."""
    return authenticate(session, read_key(request))


LARGE_BODIES: Final = (
    LargeBody(re.compile(r"/cameras/\w+"), MAX_WEBHOOK_BYTES, device),
    LargeBody(re.compile(r"/equipment/scans"), MAX_PICTURE_BYTES * 4 // 3 + FORM_BYTES, device),
    LargeBody(
        re.compile(r"/api/v1/trips/\d+/attachments|/attachments/of-trip/\d+"),
        MAX_SIZE_MB * 2**20 + FORM_BYTES,
        person,
    ),
    LargeBody(re.compile(r"/api/v1/declarations/imports|/declarations/import"), MAX_IMPORT_BYTES + FORM_BYTES, person),
    LargeBody(re.compile(r"/api/v1/payments/statements"), MAX_STATEMENT_BYTES + FORM_BYTES, person),
    LargeBody(re.compile(r"/api/v1/devices/\d+/trace|/devices/traces"), MAX_TRACE_BYTES + FORM_BYTES, person),
    LargeBody(re.compile(r"/admin/gates"), MAX_GATE_BYTES + FORM_BYTES, person),
)
