"""Programs of a few instructions, which need nothing but a processor and Linux."""

from __future__ import annotations

import struct

_BASE = 0x400000
_HEADERS = 64 + 56
_EXIT = 12
"""Bytes of the instructions that exit, for either processor."""

_MACHINES = {"amd64": 62, "arm64": 183}


def printing(architecture: str, text: str, *, status: int = 0) -> bytes:
    """A program that prints ``text`` to stdout, and exits with ``status``."""
    data = text.encode()
    return _program(architecture, *_PRINTING[architecture](data, status))


def hanging(architecture: str, text: str = "") -> bytes:
    """A program that prints ``text``, and then turns in a circle for ever."""
    data = text.encode()
    code, _ = _PRINTING[architecture](data, 0)
    loop = {"amd64": b"\xeb\xfe", "arm64": _words(0x14000000)}[architecture]
    return _program(architecture, code[:-_EXIT] + loop.ljust(_EXIT, b"\0"), data)


def _amd64(data: bytes, status: int) -> tuple[bytes, bytes]:
    write = b"\xbf\x01\0\0\0"  # mov edi, 1
    write += b"\x48\x8d\x35" + struct.pack("<i", 12 + _EXIT)  # lea rsi, [rip + ...]: the text
    write += b"\xba" + struct.pack("<I", len(data))  # mov edx, length
    write += b"\xb8\x01\0\0\0\x0f\x05"  # mov eax, 1 (write); syscall
    leave = b"\xbf" + struct.pack("<I", status)  # mov edi, status
    leave += b"\xb8\x3c\0\0\0\x0f\x05"  # mov eax, 60 (exit); syscall
    return write + leave, data


def _arm64(data: bytes, status: int) -> tuple[bytes, bytes]:
    def mov(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    def adr(register: int, distance: int) -> int:
        return 0x10000000 | (distance & 3) << 29 | (distance >> 2) << 5 | register

    call = 0xD4000001  # svc 0
    write = _words(mov(0, 1), adr(1, 4 * 4 + _EXIT), mov(2, len(data)), mov(8, 64), call)
    return write + _words(mov(0, status), mov(8, 93), call), data


_PRINTING = {"amd64": _amd64, "arm64": _arm64}


def _words(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


def _program(architecture: str, code: bytes, data: bytes) -> bytes:
    """An ELF file of one segment: its headers, ``code`` and ``data``."""
    size = _HEADERS + len(code) + len(data)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH",
        2, _MACHINES[architecture], 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + code + data
