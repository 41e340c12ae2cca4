"""Poison: what no worker can store is kept with its reason, costs nothing else, and can be mended and replayed."""

from __future__ import annotations

import json

import psycopg2
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from app import cli
from app.platform.runtime import Runtime
from app.tracking.worker import MAX_TRIALS, Worker
from geo.errors import ConflictError, InvalidInputError, NotFoundError
from ingest import dead_letters, pipeline
from ingest.fixes import FixArray, pack
from ingest.stream import GROUP, MAX_DELIVERIES, stream_key
from tests.app.gps import counters, drain, rows
from tests.app.test_worker import fixes

NUL = {"note": "a\0b"}
"""jsonb holds no such character."""


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    return worker


def append(runtime: Runtime, made: FixArray, attributes: dict | None = None, shard: int = 0) -> None:
    runtime.redis.xadd(stream_key(shard), {**pack(made, attributes), b"d": b"batch,osmand"})  # type: ignore[dict-item]


def stored(runtime: Runtime) -> int:
    return rows(runtime, "SELECT count(*) FROM ingest.fix")[0][0]


def waiting(runtime: Runtime) -> list[dead_letters.DeadFix]:
    with runtime.sessions() as session:
        return dead_letters.list_dead(session)


@pytest.mark.parametrize("bad", [0, 17, 49])
def test_one_bad_fix_costs_no_other_of_its_batch_or_entry(runtime: Runtime, worker: Worker, bad: int) -> None:
    made = fixes(runtime, [2], 50)
    append(runtime, fixes(runtime, [4], 10))
    append(runtime, made, {bad: NUL, 20: {"battery": 80}})
    append(runtime, fixes(runtime, [6], 10))
    drain(worker)
    assert stored(runtime) == 69
    assert rows(runtime, "SELECT count(*) FROM ingest.fix WHERE attributes->>'battery' = '80'") == [(1,)]
    [letter] = waiting(runtime)
    assert (letter.kind, letter.door, letter.device_id, letter.vehicle_id) == ("refused", "batch,osmand", 2, 2)
    assert "\\u0000 cannot be converted to text" in letter.reason
    assert letter.attributes == NUL
    assert letter.lon == pytest.approx(made["lon"][bad])
    assert runtime.redis.xlen(stream_key(0)) == 0
    assert counters(runtime)["fixes_dead_total"] == 1
    assert counters(runtime)["fixes_stored_total"] == 69
    newest = "SELECT p.time = (SELECT max(time) FROM ingest.fix f WHERE f.vehicle_id = p.vehicle_id) FROM "
    assert rows(runtime, f"{newest} ingest.last_position p") == [(True,)] * 3


def test_many_bad_fixes_are_kept_each(runtime: Runtime, worker: Worker) -> None:
    append(runtime, fixes(runtime, [2], 40), {row: NUL for row in range(0, 40, 4)})
    drain(worker)
    assert stored(runtime) == 30
    assert len(waiting(runtime)) == 10


def test_a_worker_that_dies_over_poison_keeps_it_once(runtime: Runtime, worker: Worker) -> None:
    append(runtime, fixes(runtime, [2], 5), {3: NUL})
    acknowledge = worker.reader.acknowledge
    worker.reader.acknowledge = lambda *_: None  # type: ignore[method-assign] # dies right before it
    drain(worker)
    worker.reader.acknowledge = acknowledge  # type: ignore[method-assign]
    worker._forget()
    drain(worker)
    assert runtime.redis.xlen(stream_key(0)) == 0
    assert stored(runtime) == 4
    assert len(waiting(runtime)) == 1


def test_servers_that_are_away_for_long_make_no_poison(
    runtime: Runtime, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(runtime, fixes(runtime, [2], 5))
    worker.step(block_ms=20)
    append(runtime, fixes(runtime, [2], 5, ago_s=600))
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise psycopg2.OperationalError("could not connect to server: Connection refused")

        patch.setattr(pipeline, "run", refuse)
        for _ in range(4 * MAX_DELIVERIES):
            with pytest.raises(psycopg2.OperationalError):
                worker.step(block_ms=20)
            worker._forget()
    drain(worker)
    assert stored(runtime) == 10
    assert waiting(runtime) == []
    assert runtime.redis.hlen("ck:trials") == 0


class Death(BaseException):
    """A worker ends at once, as by SIGKILL or a fault in a library."""


def test_a_fix_that_ends_workers_is_found_and_costs_no_other(
    runtime: Runtime, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pipeline.run

    def end_at_fault(payloads: list[dict[bytes, bytes]], context: pipeline.Context) -> object:
        if any(b"deadly" in payload.get(b"a", b"") for payload in payloads):
            raise Death
        return run(payloads, context)

    monkeypatch.setattr(pipeline, "run", end_at_fault)
    append(runtime, fixes(runtime, [2], 8), {5: {"note": "deadly"}})
    append(runtime, fixes(runtime, [4], 8))
    deaths = 0
    while runtime.redis.xlen(stream_key(0)):
        try:
            drain(Worker(runtime, name="one"))
        except Death:
            deaths += 1
            assert deaths < 60
    assert deaths > MAX_TRIALS
    assert stored(runtime) == 15
    [letter] = waiting(runtime)
    assert (letter.kind, letter.attributes) == ("deadly", {"note": "deadly"})
    assert runtime.redis.xpending(stream_key(0), GROUP)["pending"] == 0


def test_workers_killed_at_random_condemn_nothing(runtime: Runtime, worker: Worker) -> None:
    worker.reader.create_groups()
    append(runtime, fixes(runtime, [2], 5))
    runtime.redis.xreadgroup(GROUP, "dead", {stream_key(0): ">"}, count=10)
    for number in range(MAX_DELIVERIES + 5):
        runtime.redis.xautoclaim(stream_key(0), GROUP, f"dead-{number}", min_idle_time=0)
    drain(worker)
    assert stored(runtime) == 5
    assert waiting(runtime) == []


def test_a_missing_partition_is_made_not_blamed(runtime: Runtime, owner_engine: Engine, worker: Worker) -> None:
    made = fixes(runtime, [2], 4)
    day = f"fix_{runtime.clock.now():%Y%m%d}"
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE ingest.{day}")
    worker._upkept_on = runtime.clock.now().date()
    for row in made:
        append(runtime, made[made["time_us"] == row["time_us"]])
    drain(worker)
    assert stored(runtime) == 4
    assert waiting(runtime) == []


def bury(runtime: Runtime, worker: Worker) -> int:
    append(runtime, fixes(runtime, [2], 1), {0: NUL})
    drain(worker)
    return waiting(runtime)[-1].dead_letter_id


def test_mended_and_replayed(runtime: Runtime, worker: Worker) -> None:
    number = bury(runtime, worker)
    with runtime.sessions() as session:
        mend = {"attributes": {"note": "ab"}, "speed_mps": None, "time": "2026-03-02T09:30:00+07:00"}
        replayed = dead_letters.replay(session, runtime.redis, number, 2, now=runtime.clock.now(), mend=mend)
        session.commit()
    assert replayed.replayed_at == runtime.clock.now()
    drain(worker)
    assert rows(runtime, "SELECT attributes->>'note', speed_mps, time::text FROM ingest.fix") == [
        ("ab", None, "2026-03-02 02:30:00+00")
    ]
    assert waiting(runtime) == []
    with runtime.sessions() as session, pytest.raises(ConflictError, match=f"{number} was replayed"):
        dead_letters.replay(session, runtime.redis, number, 2, now=runtime.clock.now())


@pytest.mark.parametrize(
    "mend",
    [
        {"colour": "red"},
        {"lat": "north"},
        {"lat": None},
        {"time": "2026-03-02T09:30:00"},
        {"time": 5},
        {"vehicle_id": 2**40},
        {"vehicle_id": True},
        {"attributes": [1]},
    ],
)
def test_a_mend_that_makes_no_sense_is_refused_by_name(runtime: Runtime, worker: Worker, mend: dict) -> None:
    number = bury(runtime, worker)
    with runtime.sessions() as session, pytest.raises(InvalidInputError) as refusal:
        dead_letters.replay(session, runtime.redis, number, 2, now=runtime.clock.now(), mend=mend)
    assert refusal.value.field == next(iter(mend))
    assert len(waiting(runtime)) == 1


def test_replayed_unmended_it_is_a_dead_letter_again(runtime: Runtime, worker: Worker) -> None:
    number = bury(runtime, worker)
    with runtime.sessions() as session:
        dead_letters.replay(session, runtime.redis, number, 2, now=runtime.clock.now())
        session.commit()
    drain(worker)
    assert [letter.dead_letter_id for letter in waiting(runtime)] == [number + 1]


def test_the_command(runtime: Runtime, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ops.running.find_settings", lambda _folder: runtime.settings)
    number = bury(runtime, worker)

    def call(*arguments: str) -> object:
        done = CliRunner().invoke(cli.app, ["ingest", "dead-letters", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.output) if "--json" in arguments else done.output

    [listed] = call("list", "--json")
    assert (listed["dead_letter_id"], listed["kind"], listed["door"]) == (number, "refused", "batch,osmand")
    assert str(number) in str(call("list"))
    assert call("show", str(number), "--json")["attributes"] == NUL
    call("replay", str(number), "--mend", '{"attributes": null}')
    drain(worker)
    assert stored(runtime) == 1
    assert call("list", "--json") == []
    with pytest.raises(InvalidInputError, match="is not a JSON object"):
        call("replay", str(bury(runtime, worker)), "--mend", "[1]")
    call("drop", str(number + 1))
    assert waiting(runtime) == []
    with pytest.raises(NotFoundError, match="no dead letter 999"):
        call("show", "999")


def test_all_that_wait_are_replayed_at_once(runtime: Runtime, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ops.running.find_settings", lambda _folder: runtime.settings)
    append(runtime, fixes(runtime, [2], 6), {row: NUL for row in range(6)})
    drain(worker)
    arguments = ["ingest", "dead-letters", "replay", "all", "--mend", '{"attributes": null}', "--json"]
    done = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert len(json.loads(done.output)) == 6
    drain(worker)
    assert stored(runtime) == 6
    assert waiting(runtime) == []
