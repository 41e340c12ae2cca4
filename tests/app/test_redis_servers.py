"""Clients of Redis: what the network does to them is always an error of Redis, which everybody waits out."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from app.ops.embedded import ServerUrls
from app.platform.redis_servers import open_async_redis


def test_a_socket_that_is_gone_is_a_lost_connection_also_to_uvloop(servers: ServerUrls) -> None:
    async def write_to_a_closed_socket() -> None:
        redis = open_async_redis(servers.redis_url, client_name="test")
        connection = await redis.connection_pool.get_connection()
        connection._writer.transport.abort()
        await asyncio.sleep(0.01)
        try:
            with pytest.raises(RedisConnectionError, match="reset"):
                await connection.send_packed_command([b"PING"], check_health=False)
        finally:
            await redis.connection_pool.release(connection)
        assert await redis.ping()  # the next one connects again
        await redis.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write_to_a_closed_socket())


def test_a_server_that_resets_every_connection(servers: ServerUrls) -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def ask() -> list[object]:
        server = await asyncio.start_server(reset, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        redis = open_async_redis(f"redis://127.0.0.1:{port}/0", client_name="test")
        answers = await asyncio.gather(*(redis.ping() for _ in range(40)), return_exceptions=True)
        await redis.aclose()
        server.close()
        return list(answers)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answers = runner.run(ask())
    assert [type(answer) for answer in answers if not isinstance(answer, RedisError)] == []
