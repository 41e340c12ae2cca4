"""Today's notice: what the public board tells everybody on one day, in each language."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.platform.labels import N_
from app.platform.policies import Policy


def _unwritten(value: object) -> object:
    """An empty field of a form is no day."""
    return None if value == "" else value


class BoardNotice(BaseModel):
    """A notice for the public board; without a day it stays until it is changed. No text: there is none."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"vi": "Mở thêm làn số 3 từ 13 giờ."}]})

    vi: str = Field("", max_length=300, title=N_("Notice in Vietnamese"))
    en: str = Field("", max_length=300, title=N_("Notice in English"))
    zh: str = Field("", max_length=300, title=N_("Notice in Chinese"))
    day: Annotated[date | None, BeforeValidator(_unwritten)] = Field(
        None,
        title=N_("On this day only"),
        description=N_("Such as 2026-02-14; empty: until it is changed."),
    )

    def text_on(self, day: date, language: str) -> str:
        """What is told on a local day: in the language, else in Vietnamese; empty if nothing is."""
        if self.day is not None and self.day != day:
            return ""
        return (getattr(self, language, "") or self.vi).strip()


BOARD_NOTICE: Final = Policy("board_notice", BoardNotice, "settings.board_notice")
