"""What routes that act on sheets are given."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from app.sheets.service import Sheets


async def get_sheets(request: Request) -> Sheets:
    """The sheets of this process, with what takes part in them."""
    return cast(Sheets, request.app.state.sheets)


SheetsDep = Annotated[Sheets, Depends(get_sheets)]
