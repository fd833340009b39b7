from __future__ import annotations

import pytest

from manyfest.check.elf import Elf
from manyfest.check.programs import Damaged, Script, read_program
from manyfest.layers.entry import Entry, EntryType
from tests.unit.check_images import AMD64, elf, file, reader


def test_an_elf_file_of_any_mode() -> None:
    entry, content = file("lib.so", AMD64, 0o600)
    assert read_program(entry, reader(content)) == Elf(
        os="linux", architecture="amd64", machine=62, bits=64, byte_order="<"
    )


def test_an_elf_file_longer_than_its_head() -> None:
    entry, content = file("app", elf(183, size=1_000_000))
    found = read_program(entry, reader(content))
    assert isinstance(found, Elf)
    assert found.architecture == "arm64"


@pytest.mark.parametrize("size", [4, 5, 20, 63])
def test_an_elf_file_that_is_cut_off(size: int) -> None:
    entry, content = file("app", AMD64[:size])
    assert read_program(entry, reader(content)) == Damaged(
        "begins as an ELF file, but its header is damaged or cut off"
    )


@pytest.mark.parametrize(
    ("content", "interpreter"),
    [
        (b"#!/bin/sh\n", "/bin/sh"),
        (b"#!/bin/sh", "/bin/sh"),
        (b"#!  /bin/sh -e\n", "/bin/sh"),
        (b"#!\t/bin/sh\t-e\n", "/bin/sh"),
        (b"#!/usr/bin/env python3\nprint()\n", "/usr/bin/env"),
        (b"#!bin/sh\n", "bin/sh"),
        (b"#!\n/bin/sh\n", ""),
        (b"#!", ""),
        (b"#!/bin/sh\r\n", "/bin/sh\r"),
        (b"#!/bin/\xff\n", "/bin/\udcff"),
        (b"#!/bin/sh\0x\n", "/bin/sh"),
        (b"#!/" + b"x" * 252 + b"\n", "/" + "x" * 252),
        (b"#!/" + b"x" * 253, "/" + "x" * 253),
        (b"#!/" + b"x" * 254, ""),
        (b"#!/bin/sh " + b"x" * 300, "/bin/sh"),
    ],
)
def test_scripts(content: bytes, interpreter: str) -> None:
    entry, _ = file("run", content, 0o755)
    assert read_program(entry, reader(content)) == Script(interpreter)


@pytest.mark.parametrize(
    ("content", "mode"),
    [(b"", 0o755), (b"#", 0o755), (b"text", 0o755), (b"#!/bin/sh\n", 0o644), (b"\x7fEL", 0o755)],
)
def test_no_programs(content: bytes, mode: int) -> None:
    entry, _ = file("a", content, mode)
    assert read_program(entry, reader(content)) is None


@pytest.mark.parametrize("type_", [kind for kind in EntryType if kind is not EntryType.FILE])
def test_only_files_are_programs(type_: EntryType) -> None:
    assert read_program(Entry(name="a", type=type_), reader(b"")) is None


def test_no_more_is_read_of_other_files_than_their_heads() -> None:
    entry, content = file("data", bytes(1_000_000))
    source = reader(content)
    read_program(entry, source)
    assert source.tell() == 256
