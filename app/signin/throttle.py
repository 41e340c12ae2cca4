"""Slows down whoever guesses, and not whose account it is: attempts are counted in Redis before they are judged.

A browser that an account was signed in with before carries proof of it (`known_devices`) and has a count of its own.
Strangers share the counts of their network and of the account, so that locking an account out takes nothing from its
owner at the usual desk. Networks are single IPv4 addresses and /64 of IPv6, what one customer is given (RFC 6177).
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import Final, NamedTuple

from limits import RateLimitItem, RateLimitItemPerSecond
from redis import Redis

from app.platform.throttle import limiter, wait_s
from geo.errors import TooManyRequestsError

WINDOW_S: Final = 900
PAIR: Final = RateLimitItemPerSecond(10, WINDOW_S, "signin:pair")
ACCOUNT: Final = RateLimitItemPerSecond(60, WINDOW_S, "signin:account")
ACCOUNT_HOUR: Final = RateLimitItemPerSecond(100, 3600, "signin:account-hour")
"""No more of one account than that, from wherever (ASVS 4.0.3, 2.2.1)."""
ADDRESS: Final = RateLimitItemPerSecond(100, WINDOW_S, "signin:address")
DEVICE: Final = RateLimitItemPerSecond(10, WINDOW_S, "signin:device")
"""Failures within the window after which sign-in pauses: of one account from one network, of one account from anywhere
but its known devices, from one network (a yard's whole office may share one), of one account on one known device."""
CODES: Final = RateLimitItemPerSecond(10, WINDOW_S, "signin:codes")
DEVICE_CODES: Final = RateLimitItemPerSecond(10, WINDOW_S, "signin:device-codes")
"""The same of codes of a second factor, by account and by known device: whoever tries them knows the password."""
QUESTIONS: Final = RateLimitItemPerSecond(400, WINDOW_S, "signin:questions")
"""What is asked for before anybody is known, and kept in Redis for minutes: of one network."""
OF_OWNERS: Final = (PAIR, DEVICE, CODES, DEVICE_CODES)
IPV6_PREFIX: Final = 64


class Counter(NamedTuple):
    """What is counted, and of whom."""

    item: RateLimitItem
    names: tuple[str, ...]


@dataclass(frozen=True)
class Knock:
    """One attempt: for which user name or account, from where, on which known device of it (`None`: a stranger's)."""

    name: str
    address: str
    device: str | None = None

    def passwords(self) -> list[Counter]:
        """What an attempt with a password counts in."""
        account = hash_name(self.name)
        if self.device is not None:
            return [Counter(DEVICE, (account, self.device))]
        network = network_of(self.address)
        return [
            Counter(PAIR, (account, network)),
            Counter(ACCOUNT, (account,)),
            Counter(ACCOUNT_HOUR, (account,)),
            Counter(ADDRESS, (network,)),
        ]

    def codes(self) -> list[Counter]:
        """What an attempt with a code counts in."""
        account = hash_name(self.name)
        if self.device is not None:
            return [Counter(DEVICE_CODES, (account, self.device))]
        return [Counter(CODES, (account,))]


def count_question(redis: Redis, address: str) -> None:
    """Count what a stranger asks for; raises as `count`."""
    count(redis, [Counter(QUESTIONS, (network_of(address),))])


def count(redis: Redis, counters: list[Counter]) -> None:
    """Count an attempt before it is judged: of any number at once no more than the limit are.

    What the first of `counters` refuses does not count in the others: one network fills the count of no account.

    Raises
    ------
    TooManyRequestsError
        With `retry_after_s`, the time until the window ends.
    """
    windows = limiter(redis)
    full = next((counter for counter in counters if not windows.hit(counter.item, *counter.names)), None)
    if full is not None:
        seconds = wait_s(windows, full.item, *full.names)
        raise TooManyRequestsError(
            "Too many failed sign-ins. Try again in {minutes} minutes.",
            minutes=-(-seconds // 60),
            retry_after_s=seconds,
        )


def forgive(redis: Redis, counters: list[Counter]) -> None:
    """Take an attempt back that succeeded: only failures count, and those of this account from here are forgotten."""
    windows = limiter(redis)
    for item, names in counters:
        if item in OF_OWNERS:
            windows.clear(item, *names)
            continue
        windows.storage.incr(item.key_for(*names), item.get_expiry(), amount=-1)


def network_of(address: str) -> str:
    """What stands for one customer of a network: an IPv4 address, or 64 bits of an IPv6 one.

    IPv4 addresses written as IPv6 are IPv4 ones; what is no address stays as it is.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)


def hash_name(name: str) -> str:
    """A user name as Redis holds it for a quarter of an hour."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
