"""Small values written in instructions: times, numbers, ports and signals.

Errors are :class:`~manyfest.errors.DockerfileError` without a place; callers add it.
"""

from __future__ import annotations

import re

from manyfest.build.dockerfile.place import shown
from manyfest.duration import nanoseconds
from manyfest.errors import DockerfileError, UsageError

_DIGITS = re.compile(r"[0-9]{1,18}")
_SHORTEST = 1_000_000

_SIGNALS = frozenset(
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT RTMAX RTMIN"
    " SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ".split()
) | frozenset(
    [f"RTMIN+{n}" for n in range(1, 16)] + [f"RTMAX-{n}" for n in range(1, 15)],
)


def parse_duration(text: str) -> int:
    """Go's durations (``1m30s``, ``1.5h``) in nanoseconds; at least a millisecond, or zero."""
    try:
        total = nanoseconds(text)
    except UsageError as error:
        raise DockerfileError(error.what, mend=error.mend, word=text) from None
    if 0 < total < _SHORTEST:
        raise DockerfileError(
            f"the duration {shown(text)} is under 1ms", mend="use 1ms or more", word=text
        )
    return total


def parse_count(text: str) -> int:
    """A whole number from 0 to 2**31 - 1."""
    if not _DIGITS.fullmatch(text) or int(text) >= 1 << 31:
        raise DockerfileError(
            f"{shown(text)} is not a count", mend="write a whole number, 0 or more", word=text
        )
    return int(text)


def parse_ports(text: str) -> list[str]:
    """``8080``, ``53/udp`` or ``8000-8010/tcp`` as ``NUMBER/PROTOCOL``, one for each port.

    An address or a port of the host, ``127.0.0.1:80:8080``, is checked and left out as Docker
    does: EXPOSE publishes nothing.
    """
    published, _, container = text.rpartition(":")
    port_range, _, protocol = container.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in {"tcp", "udp", "sctp"}:
        raise DockerfileError(
            f"unknown protocol {shown(protocol)} in port {shown(text)}", mend="use tcp, udp or sctp"
        )
    ports = _port_range(port_range, text)
    address, _, host_ports = published.rpartition(":")
    _check_address(address, text)
    if host_ports and len(ports) not in {1, len(_port_range(host_ports, text))}:
        raise DockerfileError(f"the two ranges of {shown(text)} differ in length")
    return [f"{port}/{protocol}" for port in ports]


def _port_range(text: str, whole: str) -> range:
    first, dash, last = text.partition("-")
    low = _parse_port(first, whole)
    high = _parse_port(last, whole) if dash else low
    if high < low:
        raise DockerfileError(f"port range {shown(whole)} runs backwards", mend="swap its ends")
    return range(low, high + 1)


def _check_address(text: str, whole: str) -> None:
    if not text:
        return
    from ipaddress import ip_address

    try:
        ip_address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
    except ValueError:
        raise DockerfileError(
            f"{shown(text)} in port {shown(whole)} is not an IP address", mend="leave it out"
        ) from None


def check_signal(text: str) -> None:
    """Raise unless ``text`` is a signal of Linux: a number, or a name with or without SIG."""
    if _DIGITS.fullmatch(text) and int(text) > 0:
        return
    if text.upper().removeprefix("SIG") not in _SIGNALS:
        raise DockerfileError(
            f"unknown signal {shown(text)}", mend="use a name such as SIGTERM", word=text
        )


def _parse_port(text: str, whole: str) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > 65535:
        raise DockerfileError(
            f"{shown(whole)} is not a port", mend="write a number from 0 to 65535, or a range"
        )
    return int(text)
