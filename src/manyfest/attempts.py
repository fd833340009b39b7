"""How often a password may be tried, from one address and for one name.

After that many failures within a quarter of an hour, the next is not looked at until the oldest of
them is that old. Addresses have their own limit, so that one that tries many names gets no further,
and names have a wider one, so that many addresses do not either: who knows a name can keep its
owner out for that time, and no longer.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque

WINDOW = 15 * 60.0
PER_ADDRESS = 10
PER_NAME = 30

_MOST_KEYS = 10_000
"""Names and addresses that are remembered; the one that failed longest ago is forgotten first."""


class Attempts:
    """Failures, as they are counted. Threads may share it. Times are in seconds, on any clock."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, name: str, address: str, now: float) -> float:
        """For how many seconds no attempt is looked at; 0 if this one may be made."""
        with self._lock:
            return max(self._wait(key, most, now) for key, most in _keys(name, address))

    def failed(self, name: str, address: str, now: float) -> None:
        """Count a failure."""
        with self._lock:
            for key, most in _keys(name, address):
                times = self._failures.setdefault(key, deque(maxlen=most))
                times.append(now)
                self._failures.move_to_end(key)
            while len(self._failures) > _MOST_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name. Those of an address stay: who has one password may still
        be looking for another."""
        with self._lock:
            self._failures.pop(_of_name(name), None)

    def _wait(self, key: str, most: int, now: float) -> float:
        times = self._failures.get(key)
        if times is None or len(times) < most:
            return 0.0
        oldest = times[0]
        if not oldest <= now < oldest + WINDOW:  # a clock that was set back lets people in
            return 0.0
        return oldest + WINDOW - now


def network(address: str) -> str:
    """The part of an address that stands for one client: one who has an IPv6 address has the whole
    /64 of it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _keys(name: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
    return (_of_name(name), PER_NAME), (f"address {network(address)}", PER_ADDRESS)


def _of_name(name: str) -> str:
    return f"name {name[:200]}"
