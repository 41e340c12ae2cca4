"""Charts for a page that stands alone: the pages' own fan chart and ECharts, written into the file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from geo.errors import UnavailableError
from maps.comparison import WORLDS, Values

ECHARTS_DIR: Final = Path(__file__).resolve().parents[1] / "node_modules" / "echarts"
STATIC_DIR: Final = Path(__file__).with_name("static")
BANDS: Final = {"base": "rgba(11, 92, 173, 0.16)", "variant": "rgba(180, 83, 9, 0.16)"}


def fan_chart(
    worlds: Mapping[str, Sequence[Values]],
    *,
    title: str,
    names: Mapping[str, str],
    quantiles: Sequence[float],
    start: str,
    step_s: float,
    scale: float = 1.0,
    digits: int = 0,
) -> str:
    """Base and variant in one chart: the median as a line, the outer quantiles as a band.

    Arguments: `worlds`, [quantile][time] for "base" and "variant", divided by `scale` to be shown with `digits`
    decimals; `title` and `names` of the two, safe in HTML; `start`, the local time "HH:MM" of the first value. The
    data is what `maps/static/fan-option.js` describes; a missing value interrupts line and band.
    """
    fan = {
        "quantiles": list(quantiles),
        "step_s": step_s,
        "start": start,
        "scale": scale,
        "digits": digits,
        "fans": [{"look": world, "name": names[world], "values": worlds[world]} for world in WORLDS],
    }
    return f'<div class="chart" role="img" aria-label="{title}" data-fan="{escape(json.dumps(fan))}"></div>'


def chart_scripts(*, locale: str, day_mark: str, colours: Mapping[str, str]) -> str:
    """The scripts that draw every `fan_chart` before them.

    Arguments: `day_mark`, put after a time {day} days on; `colours` of the two worlds' lines.

    Raises
    ------
    UnavailableError
        If ECharts' files are not installed.
    """
    looks = {
        "ink": "#16212c",
        "muted": "#55636f",
        "line": "#d5dde5",
        "surface": "#ffffff",
        "level": "#b91c1c",
        "counted": "#1d4ed8",
        "fans": {world: {"line": colours[world], "band": BANDS[world]} for world in WORLDS},
    }
    setting = {"locale": locale, "day_mark": day_mark, "now": "", "looks": looks}
    module = "".join((STATIC_DIR / name).read_text(encoding="utf-8") for name in ("fan-option.js", "report-charts.js"))
    written = json.dumps(setting, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="chart-setting">{written}</script>'
        f'<script>{echarts_js()}</script><script type="module">{module}</script>'
    )


@cache
def echarts_js() -> str:
    """ECharts' script, without the pointer to its source map."""
    script = _read("dist/echarts.min.js")
    return re.sub(r"//# sourceMappingURL=.*", "", script).replace("</script", "<\\/script")


@cache
def echarts_version() -> str:
    """The version that is inlined."""
    version: str = json.loads(_read("package.json"))["version"]
    return version


def _read(name: str) -> str:
    try:
        return (ECHARTS_DIR / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnavailableError(
            "ECharts is not installed ({path} is missing); run npm ci in the project's folder.", path=name
        ) from None
