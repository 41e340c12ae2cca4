"""What an operator does with dead letters: look at them, mend and replay them, drop them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from redis import Redis

from app.ops.install import transaction
from app.platform.json import JsonObject
from app.platform.redis_servers import open_redis
from app.settings import Settings
from geo.errors import InvalidInputError
from ingest import dead_letters
from ingest.dead_letters import DeadFix

PAGE = 500


def list_letters(settings: Settings, limit: int) -> list[JsonObject]:
    """The oldest dead letters that wait."""
    with transaction(settings) as session:
        return [_record(letter) for letter in dead_letters.list_dead(session, limit=limit)]


def show_letter(settings: Settings, dead_letter_id: int) -> JsonObject:
    """One dead letter."""
    with transaction(settings) as session:
        return _record(dead_letters.get_dead(session, dead_letter_id))


def replay_letters(settings: Settings, which: str, mend: str) -> list[JsonObject]:
    """Put one dead letter (its number) or `all` that wait back into the stream, with the values of `mend` (JSON).

    Each is a transaction of its own: one that cannot be mended keeps those before it from nothing.

    Raises
    ------
    InvalidInputError
        If `which` is neither, or `mend` is no JSON object.
    """
    values = _read_mend(mend)
    if which != "all" and not which.isdecimal():
        raise InvalidInputError("{value} is neither the number of a dead letter nor all.", field="which", value=which)
    numbers = [int(which)] if which != "all" else list(_waiting(settings))
    replayed = []
    with _redis(settings) as redis:
        for number in numbers:
            with transaction(settings) as session:
                now, shards = settings.clock().now(), settings.ingest_shards
                letter = dead_letters.replay(session, redis, number, shards, now=now, mend=values)
                replayed.append(_record(letter))
    return replayed


def drop_letter(settings: Settings, dead_letter_id: int) -> None:
    """Throw a dead letter away."""
    with transaction(settings) as session:
        dead_letters.drop(session, dead_letter_id)


def _waiting(settings: Settings) -> Iterator[int]:
    """The numbers of all that wait now; those that fail again get new numbers and are not among them."""
    with transaction(settings) as session:
        after = 0
        while page := dead_letters.list_dead(session, limit=PAGE, after=after):
            after = page[-1].dead_letter_id
            yield from (letter.dead_letter_id for letter in page)


@contextmanager
def _redis(settings: Settings) -> Iterator[Redis]:
    redis = open_redis(settings.redis_url.get_secret_value(), client_name="cuakhau-cli")
    try:
        yield redis
    finally:
        redis.close()


def _read_mend(mend: str) -> Mapping[str, object]:
    try:
        values = json.loads(mend or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise InvalidInputError(
            "The mend {value} is not a JSON object such as {example}.",
            field="mend",
            value=mend[:80],
            example='{"lat": 21.97}',
        )
    return values


def _record(letter: DeadFix) -> JsonObject:
    record: JsonObject = json.loads(json.dumps(asdict(letter), default=str))
    return record
