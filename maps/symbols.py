"""States, colours and shapes of the live map: the tables that its style, its legend and the pages read.

A state is told by its shape as well as by its colour. Shapes are SVG paths in a box of 24 × 24 that point to the top,
filled by the even-odd rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Theme = Literal["light", "dark"]
Names = dict[str, str]


@dataclass(frozen=True)
class Shades:
    """One colour in both themes."""

    light: str
    dark: str

    def of(self, theme: Theme) -> str:
        """The colour in `theme`."""
        return self.dark if theme == "dark" else self.light


@dataclass(frozen=True)
class TruckState:
    """How trucks in one state are drawn; `rank` orders the worse above the better, `rotates` with the heading.

    `on_road`: it is part of the traffic, so that its speed tells how the road flows.
    """

    state: str
    name: Names
    shades: Shades
    path: str
    rank: int
    rotates: bool = False
    on_road: bool = False


@dataclass(frozen=True)
class Flow:
    """A class of traffic on a road piece: mean speed as a share of the free speed, from `share_from` up."""

    flow: str
    name: Names
    shades: Shades
    width: float
    share_from: float


def _names(vi: str, en: str, zh: str) -> Names:
    return {"vi": vi, "en": en, "zh": zh}


TRUCK_STATES: Final = (
    TruckState(
        "moving",
        _names("Đang chạy", "Moving", "行驶"),
        Shades("#14773a", "#4ade80"),
        "M12 1L20 22L12 17L4 22Z",
        4,
        rotates=True,
        on_road=True,
    ),
    TruckState(
        "slow",
        _names("Chạy chậm", "Slow", "缓行"),
        Shades("#a84d08", "#fbbf24"),
        "M12 1L20 16L12 12.5L4 16Z M4 18.5H20V23H4Z",
        5,
        rotates=True,
        on_road=True,
    ),
    TruckState(
        "queued",
        _names("Đang xếp hàng", "Queued", "排队"),
        Shades("#c81e1e", "#ff6b6b"),
        "M3 3H21V21H3Z",
        7,
        on_road=True,
    ),
    TruckState(
        "stopped",
        _names("Đang dừng", "Stopped", "停车"),
        Shades("#7f5560", "#c9a0ab"),
        "M12 3A9 9 0 1 0 12 21A9 9 0 1 0 12 3Z",
        6,
        on_road=True,
    ),
    TruckState(
        "yard",
        _names("Trong bãi", "In the yard", "在停车场"),
        Shades("#1d4ed8", "#7aa5ff"),
        "M6 1.5H14A6.75 6.75 0 0 1 14 15H11V22.5H6Z M11 6V10.5H13.5A2.25 2.25 0 0 0 13.5 6Z",
        2,
    ),
    TruckState(
        "staging",
        _names("Ở điểm dừng chờ", "At a staging area", "在待行区"),
        Shades("#7c3aed", "#c4a1ff"),
        "M12 1L23 12L12 23L1 12Z",
        3,
    ),
    TruckState(
        "gate",
        _names("Tại cửa khẩu", "At the gate", "在口岸"),
        Shades("#0e7490", "#4fd1e5"),
        "M2.5 22V11A9.5 9.5 0 0 1 21.5 11V22H16V11.5A4 4 0 0 0 8 11.5V22Z",
        2,
    ),
    TruckState(
        "off_road",
        _names("Ngoài tuyến", "Off the road", "离开道路"),
        Shades("#4f5d70", "#94a3b8"),
        "M5 1.5L12 8.5L19 1.5L22.5 5L15.5 12L22.5 19L19 22.5L12 15.5L5 22.5L1.5 19L8.5 12L1.5 5Z",
        1,
    ),
    TruckState(
        "silent",
        _names("Mất tín hiệu", "No signal", "无信号"),
        Shades("#5f6f82", "#8797a9"),
        "M12 3A9 9 0 1 0 12 21A9 9 0 1 0 12 3Z M12 7A5 5 0 1 1 12 17A5 5 0 1 1 12 7Z",
        0,
    ),
    TruckState(
        "here_silent",
        _names("Đang ở đây, mất tín hiệu", "Here, no signal", "在此处，无信号"),
        Shades("#475569", "#b6c2d1"),
        "M3 3H21V21H3Z M7 7V17H17V7Z",
        2,
    ),
)
"""Colours are the tokens `--ck-state-…` of the pages, shapes as docs/pages.md lists them."""

FLOWS: Final = (
    Flow("free", _names("Thông thoáng", "Free", "畅通"), Shades("#2f9e58", "#3fbf70"), 3.0, 0.6),
    Flow("slow", _names("Chậm", "Slow", "缓慢"), Shades("#e08a00", "#f5a623"), 4.5, 0.2),
    Flow("queue", _names("Xếp hàng", "Queue", "排队"), Shades("#c81e1e", "#ff5a5a"), 6.5, 0.0),
)
"""Tokens `--ck-road-…`; a worse road is wider too. The limits are assumed: below three fifths of the free speed
drivers speak of slow traffic, below a fifth (some 12 km/h) trucks stop and go."""

NO_FLOW: Final = Flow(
    "unknown", _names("Không có xe", "No trucks seen", "无车辆"), Shades("#9aa7b4", "#5b6b7a"), 2.5, 1.0
)

TAIL_NOW: Final = Shades("#c81e1e", "#ff6b6b")
TAIL_FORECAST: Final = Shades("#0b5cad", "#6cb6f7")
SELECTION: Final = Shades("#a21caf", "#f0abfc")

OVERLAYS: Final[tuple[tuple[str, Names, Shades], ...]] = (
    ("tail_now", _names("Đuôi hàng chờ hiện tại", "Queue tail now", "当前队尾"), TAIL_NOW),
    (
        "tail_forecast",
        _names("Đuôi hàng chờ dự báo (10–50–90 %)", "Queue tail, forecast (10–50–90 %)", "预测队尾(10–50–90 %)"),
        TAIL_FORECAST,
    ),
    ("selection", _names("Đang chọn", "Selected", "已选"), SELECTION),
)

SITE_SHAPES: Final = {
    "barrier": "M3 10H21V15H3Z M3 5H6V22H3Z M10 10L8 15H10.5L12.5 10Z M16 10L14 15H16.5L18.5 10Z",
    "camera": "M2 7H15V17H2Z M16 11L22 7V17L16 13Z",
    "staging": "M12 1L23 12L12 23L1 12Z M12 4L4 12L12 20L20 12Z M9 8H11V16H9Z M13 8H15V16H13Z",
    "temporary_yard": "M3 3H21V21H3Z M5.5 5.5V18.5H18.5V5.5Z M10 8V16H12V13.5H13A2.75 2.75 0 0 0 13 8Z",
}
"""Gates and yards are not among them: pages draw these as shapes that fill with their occupancy."""

GROUND: Final = Shades("#eef2f6", "#0d151d")
CASING: Final = Shades("#ffffff", "#060b10")
INK: Final = Shades("#16212c", "#dde6ee")
INK_SOFT: Final = Shades("#55636f", "#9cacbb")
FENCE: Final = Shades("#1d4ed8", "#7aa5ff")
