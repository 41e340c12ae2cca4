"""What an order says to a driver, in the three languages at once.

An order carries its text in all languages, because whoever reads it later (another driver, an officer across the
border, a court) reads what was sent; so these are not looked up in the reader's catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from app.dispatch.vocabulary import OrderKind
from geo.clock import LOCAL_ZONE
from geo.errors import InvalidInputError

LOCALES: Final = ("vi", "en", "zh")
MAX_TEXT_LENGTH: Final = 500

TEMPLATES: Final[Mapping[str, Mapping[str, str]]] = {
    OrderKind.HOLD: {
        "vi": "Dừng chờ tại {place} đến {until}. {reason}",
        "en": "Wait at {place} until {until}. {reason}",
        "zh": "请在{place}停车等候至{until}。{reason}",
    },
    OrderKind.PROCEED: {
        "vi": "Tiếp tục đi {place}. {reason}",
        "en": "Proceed {place}. {reason}",
        "zh": "请继续行驶{place}。{reason}",
    },
    OrderKind.DIVERT: {
        "vi": "Chuyển hướng sang {place}, đi ngay trước {until}. {reason}",
        "en": "Divert to {place} before {until}. {reason}",
        "zh": "请在{until}前改道前往{place}。{reason}",
    },
    OrderKind.YARD: {
        "vi": "Vào {place} trước {until}. {reason}",
        "en": "Go to {place} before {until}. {reason}",
        "zh": "请在{until}前进入{place}。{reason}",
    },
    OrderKind.STOP: {
        "vi": "Dừng xe ngay ở chỗ an toàn, chờ lệnh đến {until}. {reason}",
        "en": "Stop now where it is safe and await orders until {until}. {reason}",
        "zh": "请立即在安全处停车，等候指令至{until}。{reason}",
    },
    OrderKind.NOTICE: {
        "vi": "Thông báo (đến {until}): {reason}",
        "en": "Notice (until {until}): {reason}",
        "zh": "通知（至{until}）：{reason}",
    },
}
ONWARD: Final[Mapping[str, str]] = {"vi": "về cửa khẩu", "en": "to your gate", "zh": "前往口岸"}
"""The place of an order to proceed that names no gate."""

REASONS: Final[Mapping[str, Mapping[str, str]]] = {
    "queue": {
        "vi": "Cửa khẩu đang ùn tắc.",
        "en": "There is a long queue at the gate.",
        "zh": "口岸拥堵。",
    },
    "yard_full": {
        "vi": "Bến bãi sắp hết chỗ.",
        "en": "The yard is nearly full.",
        "zh": "停车场即将满位。",
    },
    "gate_closed": {
        "vi": "Cửa khẩu ngừng thông quan.",
        "en": "The gate is closed.",
        "zh": "口岸已停止通关。",
    },
    "shorter_wait": {
        "vi": "Thời gian chờ ở đó ngắn hơn.",
        "en": "The wait there is shorter.",
        "zh": "那里等候时间更短。",
    },
    "queue_dissolves": {
        "vi": "Đường phía trước đã thông.",
        "en": "The road ahead is clearing.",
        "zh": "前方道路已疏通。",
    },
    "lane_opened": {
        "vi": "Cửa khẩu mở thêm làn, sẵn sàng di chuyển khi đến lượt.",
        "en": "The gate opens one more lane; be ready to move up.",
        "zh": "口岸增开一条通道，请准备依次前行。",
    },
    "longer_hours": {
        "vi": "Cửa khẩu kéo dài giờ thông quan hôm nay.",
        "en": "The gate stays open longer today.",
        "zh": "口岸今天延长通关时间。",
    },
    "stay_home": {
        "vi": "Cửa khẩu tạm ngừng tiếp nhận xe mới, chưa khởi hành.",
        "en": "The gate takes in no new trucks for now; do not set out yet.",
        "zh": "口岸暂停接收新到车辆，请暂勿出发。",
    },
    "accident": {
        "vi": "Phía trước có tai nạn.",
        "en": "There is an accident ahead.",
        "zh": "前方发生事故。",
    },
    "road_works": {
        "vi": "Phía trước đang thi công.",
        "en": "There are road works ahead.",
        "zh": "前方道路施工。",
    },
}
"""Reasons by their code; anything else given as a reason is shown as written."""

PLACEHOLDERS: Final = ("place", "until", "reason")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def render(
    kind: str,
    places: Mapping[str, str],
    until: datetime,
    reason: str,
    now: datetime,
    *,
    edited: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The text of an order in each language.

    Arguments: `places`, the name of the place it speaks of by language; `until`, aware, shown in local time; `reason`,
    a code of `REASONS` or free text; `edited`, templates that replace the standard ones, by language.

    Raises
    ------
    InvalidInputError
        If an edited text is empty, too long, in another language, or has a placeholder that does not exist.
    """
    templates = {**TEMPLATES[kind], **check_edited(edited or {})}
    return {
        locale: _fill(
            templates[locale],
            {
                "place": places.get(locale) or places.get("vi") or ONWARD[locale],
                "until": format_until(until, now, locale),
                "reason": REASONS.get(reason, {}).get(locale, reason),
            },
        )
        for locale in LOCALES
    }


def check_edited(edited: Mapping[str, str]) -> dict[str, str]:
    """Edited templates, if they can be used; raises InvalidInputError (see `render`)."""
    for locale, template in edited.items():
        field = f"text.{locale}"
        if locale not in LOCALES:
            raise InvalidInputError("There is no language {locale}; use vi, en or zh.", field=field, locale=locale)
        if not template.strip() or len(template) > MAX_TEXT_LENGTH:
            raise InvalidInputError(
                "The text has {length} characters; write 1 to {most}.",
                field=field,
                length=len(template.strip()),
                most=MAX_TEXT_LENGTH,
            )
        for name in _PLACEHOLDER.findall(template):
            if name not in PLACEHOLDERS:
                raise InvalidInputError(
                    "The text has an unknown placeholder {name}; use place, until or reason in braces.",
                    field=field,
                    name=name[:40],
                )
    return dict(edited)


def format_until(until: datetime, now: datetime, locale: str) -> str:
    """A time as a driver reads it: hours and minutes in local time, with the day if it is another one."""
    local, today = until.astimezone(LOCAL_ZONE), now.astimezone(LOCAL_ZONE).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local.month}月{local.day}日{local:%H:%M}" if locale == "zh" else f"{local:%H:%M %d/%m}"


def _fill(template: str, values: Mapping[str, str]) -> str:
    filled = _PLACEHOLDER.sub(lambda match: values[match[1]], template)
    return " ".join(filled.split())
