from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.check.elf import Elf, read_elf, runs_on
from manyfest.errors import ContentError

EXECUTABLE = 2
SHARED = 3


def elf(
    machine: int,
    bits: int = 64,
    order: str = "<",
    *,
    type_: int = EXECUTABLE,
    os_abi: int = 0,
    flags: int = 0,
    sections: int = 0,
    count: int = 0,
) -> bytes:
    identity = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1, os_abi])
    layout = "HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"
    fields = (type_, machine, 1, 0, 0, sections, flags, 0, 0, 0, 40, count, 0)
    return identity.ljust(16, b"\0") + struct.pack(order + layout, *fields)


def arm(cpu_arch: int | None, *, flags: int = 0x5000400, filler: int = 0) -> bytes:
    """A 32-bit ARM file with build attributes, as GNU tools lay it out, ``filler`` bytes long."""
    tags = b"\x05Cortex-A7\0" + (b"" if cpu_arch is None else bytes([6, cpu_arch]))
    tags += bytes([8, 1, 32, 1]) + b"other\0" + bytes([34, 1, 67]) + b"2.09\0"
    scope = b"\x01" + struct.pack("<I", len(tags) + 5) + tags
    vendor = b"aeabi\0" + scope
    section = b"A" + struct.pack("<I", len(vendor) + 4) + vendor
    start = 52 + filler
    headers = struct.pack("<10I", *[0] * 10)
    headers += struct.pack("<10I", 1, 0x70000003, 0, 0, start, len(section), 0, 0, 1, 0)
    head = elf(40, 32, flags=flags, sections=start + len(section), count=2)
    return head + bytes(filler) + section + headers


def read(data: bytes) -> Elf:
    found = read_elf(data)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("header", "built_for"),
    [
        (elf(62), "linux/amd64"),
        (elf(62, os_abi=3), "linux/amd64"),
        (elf(62, os_abi=9), "freebsd/amd64"),
        (elf(3, 32), "linux/386"),
        (elf(183), "linux/arm64"),
        (elf(40, 32), "linux/arm"),
        (elf(243), "linux/riscv64"),
        (elf(21), "linux/ppc64le"),
        (elf(21, 64, ">"), "linux/ppc64"),
        (elf(22, 64, ">"), "linux/s390x"),
        (elf(8), "linux/mips64le"),
        (elf(8, 32), "linux/mipsle"),
        (elf(258), "linux/loong64"),
        (elf(62, 32), "ELF machine 62 (32-bit, little-endian)"),  # x32
        (elf(8, 32, flags=0x20), "ELF machine 8 (32-bit, little-endian)"),  # n32
        (elf(183, 64, ">"), "ELF machine 183 (64-bit, big-endian)"),
        (elf(247), "ELF machine 247 (64-bit, little-endian)"),  # eBPF
    ],
)
def test_the_header_tells_the_platform(header: bytes, built_for: str) -> None:
    assert read(header).built_for == built_for


@pytest.mark.parametrize(
    ("cpu_arch", "built_for"),
    [
        (None, "linux/arm/v5"),
        (4, "linux/arm/v5"),
        (7, "linux/arm/v6"),
        (8, "linux/arm/v7"),
        (10, "linux/arm/v7"),
        (14, "linux/arm/v8"),
        (13, "linux/arm"),
    ],
)
def test_build_attributes_tell_the_arm_variant(cpu_arch: int | None, built_for: str) -> None:
    assert read(arm(cpu_arch)).built_for == built_for


def test_attributes_near_the_end_of_a_long_stream_are_found() -> None:
    found = read_elf(io.BytesIO(arm(10, filler=3_000_000)))
    assert found is not None
    assert found.built_for == "linux/arm/v7"


def test_attributes_that_were_not_given_leave_the_variant_open() -> None:
    assert read(arm(10)[:64]).built_for == "linux/arm"


@pytest.mark.parametrize(
    ("data", "platform", "answer"),
    [
        (elf(62), "linux/amd64", True),
        (elf(62), "linux/amd64/v3", True),
        (elf(62), "linux/arm64", False),
        (elf(62), "windows/amd64", False),
        (elf(62, os_abi=9), "linux/amd64", False),
        (elf(3, 32), "linux/amd64", False),
        (elf(40, 32), "linux/arm64", False),
        (elf(247), "linux/amd64", False),
        (arm(7), "linux/arm/v5", False),
        (arm(7), "linux/arm/v6", True),
        (arm(7), "linux/arm/v7", True),
        (arm(10), "linux/arm/v6", False),
        (arm(10), "linux/arm/v7", True),
        (arm(10), "linux/arm", True),
        (arm(14), "linux/arm/v7", False),
        (elf(40, 32, flags=0x5000200), "linux/arm/v5", True),
        (elf(40, 32, flags=0x5000400), "linux/arm/v5", False),  # hard float
        (elf(40, 32, flags=0x5000400), "linux/arm/v6", True),
    ],
)
def test_a_program_runs_where_it_was_built_for(data: bytes, platform: str, answer: bool) -> None:
    assert runs_on(read(data), *platform.split("/")) is answer


@pytest.mark.parametrize(
    ("header", "program"),
    [
        (elf(62), True),
        (elf(62, type_=SHARED), True),
        (elf(62, type_=1), False),  # an object or a kernel module
        (elf(62, type_=4), False),  # a core dump
        (elf(247), False),  # eBPF
        (elf(83, 32), False),  # AVR firmware
    ],
)
def test_what_the_processor_never_runs_is_no_program(header: bytes, program: bool) -> None:
    assert read(header).is_program is program


@pytest.mark.parametrize("data", [b"", b"\x7fEL", b"#!/bin/sh\n", b"MZ" + bytes(100)])
def test_other_files_are_no_elf(data: bytes) -> None:
    assert read_elf(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF",
        elf(62)[:63],
        elf(3, 32)[:51],
        b"\x7fELF\x03" + elf(62)[5:],
        b"\x7fELF\x02\x07" + elf(62)[6:],
    ],
)
def test_a_broken_header_is_an_error_and_no_answer(data: bytes) -> None:
    with pytest.raises(ContentError) as caught:
        read_elf(data, where="bin/tool")
    assert str(caught.value) == (
        "bin/tool: begins as an ELF file, but its header is damaged or cut off"
    )


@settings(deadline=None)
@given(st.data())
def test_damaged_attributes_never_fail(data: st.DataObject) -> None:
    damaged = bytearray(arm(10))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(52, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert read(bytes(damaged)).architecture == "arm"
