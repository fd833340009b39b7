"""The records of a PAX extended header: ``LENGTH KEY=VALUE`` and a newline, again and again.

Source: POSIX.1-2017, pax, "pax Extended Header"; the SCHILY.xattr keys are star's and are what
container runtimes read and write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from manyfest.errors import InvalidArchive

XATTR = b"SCHILY.xattr."
_NEWLINE = ord("\n")
_LENGTH = re.compile(rb"([0-9]{1,10}) ")
_NUMBER_DIGITS = 19
_MAX_NUMBER = (1 << 63) - 1
_TIME = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?")


def parse(body: bytes) -> dict[bytes, bytes]:
    """The records of ``body``. Raises ``InvalidArchive`` for anything but whole, single records:
    of two records with one key some readers take the first and some the last."""
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(body):
        length = _LENGTH.match(body, start)
        end = start + int(length[1]) if length else start
        if length is None or not length.end() < end <= len(body) or body[end - 1] != _NEWLINE:
            raise InvalidArchive(f"a PAX record at {start} has a wrong length")
        key, equals, value = body[length.end() : end - 1].partition(b"=")
        if not key or not equals:
            raise InvalidArchive(f"a PAX record at {start} has no key")
        if key in records:
            raise InvalidArchive(f"a PAX header has two records {key!r}")
        records[key] = value
        start = end
    return records


def serialise(records: Mapping[bytes, bytes]) -> bytes:
    """The body of an extended header, its records in the order of their keys."""
    return b"".join(_record(key, records[key]) for key in sorted(records))


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" %b=%b\n" % (key, value)
    length = len(rest) + len(str(len(rest)))
    # The length counts its own digits, and may need one more for having counted them.
    length = len(rest) + len(str(length))
    return b"%d%b" % (length, rest)


def parse_number(value: bytes, key: str) -> int:
    """A decimal number, as in ``size``, ``uid`` and ``gid``. Raises ``InvalidArchive``."""
    if not value.isdigit() or len(value) > _NUMBER_DIGITS or int(value) > _MAX_NUMBER:
        raise InvalidArchive(f"a PAX record's {key} is not a number: {value[:40]!r}")
    return int(value)


def parse_time(value: bytes) -> tuple[int, int]:
    """Seconds (rounded down) and nanoseconds of ``[-]S[.F]``. Raises ``InvalidArchive``."""
    match = _TIME.fullmatch(value)
    if match is None:
        raise InvalidArchive(f"a PAX record's time is not a number: {value[:40]!r}")
    sign, seconds, fraction = match.groups()
    total = int(seconds) * 10**9 + int((fraction or b"")[:9].ljust(9, b"0"))
    return divmod(-total if sign else total, 10**9)


def format_time(seconds: int, nanoseconds: int) -> bytes:
    """The shortest decimal text of a time; the inverse of ``parse_time``."""
    total = seconds * 10**9 + nanoseconds
    whole, fraction = divmod(abs(total), 10**9)
    text = f"{whole}.{fraction:09d}".rstrip("0").rstrip(".") if fraction else str(whole)
    return f"{'-' if total < 0 else ''}{text}".encode("ascii")
