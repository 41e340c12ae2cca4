"""What anybody may see of a trip whose code they have: its stage, its gate, its place in the queue and the wait there.

The code is the key: 58 random bits, printed on nothing but the driver's own phone and the enterprise's page. No name,
no goods, no position; of the plate the last two characters, enough to know one's own truck by.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import segno
from limits import RateLimitItemPerMinute
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from app.forecasting.service import is_current
from app.platform.shared_facts import SharedFact, read_shared
from app.platform.throttle import limiter
from app.public import store
from app.trips.codes import find_code
from app.trips.vocabulary import Direction, Stage
from geo.errors import NotFoundError, TooManyRequestsError
from routing.store import GateForecast, latest_forecast

SHOWN_AFTER: Final = timedelta(days=7)
"""How long the page of a trip that is over stays."""
VIEWS: Final = RateLimitItemPerMinute(120, namespace="public:views")
"""Views from one address: a whole office may share one."""
MISSES: Final = RateLimitItemPerMinute(20, 10, "public:misses")
"""Unknown codes from one address, in ten minutes."""


@dataclass(frozen=True)
class PublicTrip:
    """A trip as the public sees it; `wait_s` are the quantiles 0.1, 0.5, 0.9 of the wait at its gate now.

    A wait that is infinite is longer than `reach_s`, how far ahead the forecast looks.
    """

    trip_id: int
    code: str
    plate_end: str
    gate_id: str
    direction: str
    stage: str
    since: datetime
    wait_s: tuple[float, float, float] | None
    forecast_at: datetime | None
    reach_s: float | None
    simulated: bool


def view(session: Session, redis: Redis, written: str, *, address: str, now: datetime) -> PublicTrip:
    """The trip of a code, as the public may see it.

    Raises
    ------
    NotFoundError
        If there is none, or it has been over for long; which of them is not told.
    TooManyRequestsError
        If the caller's address asks too often, or tries too many codes.
    """
    check_pace(redis, address)
    code = find_code(written)
    row = store.find_public_trip(session, code) if code is not None else None
    is_old = row is not None and row.stage not in Stage.open() and now - row.stage_since > SHOWN_AFTER
    if row is None or is_old:
        _note_miss(redis, address)
        raise NotFoundError("There is no trip with this code. Check the twelve characters.")
    queues = row.direction == Direction.EXPORT and row.stage in Stage.open()
    waits, forecast = _expected_wait(session, row.gate_id, now) if queues else (None, None)
    return PublicTrip(
        trip_id=row.trip_id,
        code=row.code,
        plate_end=row.plate_end,
        gate_id=row.gate_id,
        direction=row.direction,
        stage=row.stage,
        since=row.stage_since,
        wait_s=waits,
        forecast_at=None if forecast is None else forecast.made_at,
        reach_s=None if forecast is None else forecast.horizon_s,
        simulated=row.simulated,
    )


def page_address(base_url: str, code: str) -> str:
    """The address of a trip's public page."""
    return f"{base_url.rstrip('/')}/t/{code}"


def draw_qr(address: str) -> bytes:
    """The QR code of an address as SVG: error correction M, four modules of quiet zone (ISO/IEC 18004)."""
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        out, kind="svg", scale=8, border=4, dark="#000", light="#fff", xmldecl=False
    )
    return out.getvalue()


def _expected_wait(
    session: Session, gate_id: str, now: datetime
) -> tuple[tuple[float, float, float] | None, GateForecast | None]:
    forecast = read_shared(session, SharedFact.FORECASTS, gate_id, lambda: latest_forecast(session, gate_id))
    if forecast is None or not is_current(forecast.made_at, now):
        return None, None
    return forecast.at(forecast.wait_s, now), forecast


def check_pace(redis: Redis, address: str) -> None:
    """Refuse an address that asks too often. While Redis is away nobody is refused: the code alone keeps the page."""
    windows = limiter(redis)
    try:
        over = None if windows.hit(VIEWS, address) else VIEWS
        over = over or (None if windows.test(MISSES, address) else MISSES)
    except RedisError:
        return
    if over is not None:
        message = "Too many requests from your address. Wait a moment."
        raise TooManyRequestsError(message, retry_after_s=over.get_expiry())


def _note_miss(redis: Redis, address: str) -> None:
    with suppress(RedisError):
        limiter(redis).hit(MISSES, address)


def progress(direction: str, stage: str) -> list[tuple[Stage, str]]:
    """The stages in order as `(stage, place)`; `place` is `done`, `now` or `ahead`.

    An inbound trip comes over the border first: it has no queue on this side.
    """
    way = Stage.way(direction)
    here = way.index(Stage(stage)) if stage in way else (0 if stage == Stage.ON_THE_ROAD else -1)
    return [
        (stage_on_way, "done" if n < here else "now" if n == here else "ahead") for n, stage_on_way in enumerate(way)
    ]
