"""The least ARM variant that a 32-bit ARM binary needs, told by its build attributes.

Binaries for v6 and v7 have the same ELF header; only the section ``.ARM.attributes`` differs. It
lies near the end of the file, as does the table of sections that leads to it.

Source: ELF for the Arm Architecture (AAELF32), section types; Addenda to, and Errata in, the ABI
for the Arm Architecture, "Build Attributes".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_ATTRIBUTES_SECTION = 0x70000003
_VENDOR = b"aeabi\0"
_FILE_SCOPE = 1
_MAX_ATTRIBUTES = 4096  # real ones have about 60 bytes
_CPU_NAMES = frozenset({4, 5})
_CPU_ARCH = 6
_COMPATIBILITY = 32
_SECTION = struct.Struct("<10I")

_VARIANTS = {
    **dict.fromkeys(range(6), "v5"),  # v4 to v5TEJ: v5 is the oldest variant that platforms name
    6: "v6",  # v6
    7: "v6",  # v6KZ
    8: "v7",  # v6T2: its Thumb-2 is not on the v6 boards that containers run on
    9: "v6",  # v6K
    10: "v7",
    14: "v8",  # v8-A
    22: "v9",  # v9-A
}
"""``Tag_CPU_arch`` to variant; microcontroller profiles are not in it."""


class Window:
    """The beginning and the end of a file, as far as they are known."""

    def __init__(self, head: bytes, tail: bytes, size: int) -> None:
        self._head = head
        self._tail = tail
        self._tail_at = size - len(tail)

    def at(self, offset: int, size: int) -> bytes:
        """Those bytes of the file, or none unless all of them are known."""
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        start = offset - self._tail_at
        if start < 0 or start + size > len(self._tail):
            return b""
        return self._tail[start : start + size]


def arm_variant(file: Window, table: int, count: int) -> str:
    """``v5`` to ``v9``, or nothing when the file does not tell.

    ``table`` is the offset of the section headers and ``count`` their number.
    """
    headers = file.at(table, count * _SECTION.size)
    for _, type_, _, _, offset, size, *_ in _SECTION.iter_unpack(headers):
        if type_ == _ATTRIBUTES_SECTION and size <= _MAX_ATTRIBUTES:
            try:
                return _VARIANTS.get(_cpu_arch(file.at(offset, size)), "")
            except (IndexError, struct.error):
                return ""  # damaged attributes tell nothing
    return ""


def _cpu_arch(section: bytes) -> int:
    """``Tag_CPU_arch`` of the whole file, or -1."""
    if section[:1] != b"A":
        return -1
    for name, body in _vendors(section):
        if name == _VENDOR:
            for tag, value in _file_attributes(body):
                if tag == _CPU_ARCH:
                    return value
            return 0  # an attribute that is left out is 0: before v4
    return -1


def _vendors(section: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each subsection: a length that counts itself, the vendor's name, its data."""
    at = 1
    while at < len(section):
        (length,) = struct.unpack_from("<I", section, at)
        subsection = section[at + 4 : at + length]
        end = subsection.index(0) + 1 if 0 in subsection else len(subsection)
        yield subsection[:end], subsection[end:]
        at += max(length, 4)


def _file_attributes(body: bytes) -> Iterator[tuple[int, int]]:
    """The numbers that hold for the whole file, as (tag, value)."""
    if body[0] != _FILE_SCOPE:
        return
    (end,) = struct.unpack_from("<I", body, 1)
    at = 5
    while at < min(end, len(body)):
        tag, at = _uleb(body, at)
        value = 0
        if tag not in _CPU_NAMES and (tag <= _COMPATIBILITY or tag % 2 == 0):
            value, at = _uleb(body, at)
        if tag in _CPU_NAMES or tag == _COMPATIBILITY or (tag > _COMPATIBILITY and tag % 2):
            at = body.find(0, at) + 1 or len(body)
        yield tag, value


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    """A number in LEB128 at ``at``, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
