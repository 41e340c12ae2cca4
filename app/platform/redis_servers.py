"""Clients of Redis, of one server or of a cluster; which, its URL says.

`redis://…`, `rediss://…` and `unix://…` are one server. `redis+cluster://[user:password@]host:port,host:port,…` is a
Redis Cluster of which those nodes tell the others. No key needs another beside it: a stream, a hash, a lock is one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, cast
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError

from geo.errors import InvalidInputError

CLUSTER_SCHEME = "redis+cluster"


@dataclass(frozen=True)
class ClusterAddress:
    """Some nodes of a cluster, and the credentials that all its nodes take."""

    nodes: tuple[tuple[str, int], ...]
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address in a URL of the scheme `redis+cluster`.

        Raises
        ------
        InvalidInputError
            If a node has no port.
        """
        login, _, places = urlsplit(url).netloc.rpartition("@")
        username, _, password = login.partition(":")
        nodes = []
        for place in places.split(","):
            host, _, port = place.rpartition(":")
            if not host or not port.isdecimal():
                raise InvalidInputError("{value} is not HOST:PORT of a node of the cluster.", field="url", value=place)
            nodes.append((host.strip("[]"), int(port)))
        return cls(tuple(nodes), unquote(username) or None, unquote(password) or None)


def is_cluster(url: str) -> bool:
    """Whether a URL is that of a cluster."""
    return url.startswith(f"{CLUSTER_SCHEME}://")


def open_redis(url: str, *, client_name: str) -> Redis:
    """A blocking client; that of a cluster has the same methods."""
    if not is_cluster(url):
        return Redis.from_url(url, decode_responses=False, client_name=client_name)
    address = ClusterAddress.parse(url)
    nodes = [ClusterNode(host, port) for host, port in address.nodes]  # type: ignore[no-untyped-call]
    return cast(
        Redis,
        RedisCluster(
            startup_nodes=nodes, client_name=client_name, username=address.username, password=address.password
        ),
    )


def open_async_redis(url: str, *, client_name: str) -> AsyncRedis:
    """A client for one event loop; that of a cluster has the same methods."""
    if not is_cluster(url):
        pool = ConnectionPool.from_url(url, decode_responses=False, client_name=client_name)
        pool.connection_class = steady(cast(type[Connection], pool.connection_class))
        return AsyncRedis.from_pool(pool)
    address = ClusterAddress.parse(url)
    nodes = [AsyncClusterNode(host, port) for host, port in address.nodes]
    cluster = AsyncRedisCluster(
        startup_nodes=nodes, client_name=client_name, username=address.username, password=address.password
    )
    cluster.nodes_manager.connection_kwargs["connection_class"] = steady(Connection)
    for node in cluster.nodes_manager.startup_nodes.values():
        node.connection_class = steady(Connection)
    return cast(AsyncRedis, cluster)


def steady(connection_class: type[Connection]) -> type[Connection]:
    """That class of connections, for which a socket that was just reset is a lost connection like any other.

    uvloop says so with a bare `RuntimeError`, which the client takes for a fault of its caller.
    """

    class Steady(connection_class):  # type: ignore[valid-type,misc]
        async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
            try:
                await super().send_packed_command(*arguments, **options)
            except RuntimeError as error:
                await self.disconnect(nowait=True)
                raise RedisConnectionError(f"The connection was reset: {error}") from error

    return Steady
