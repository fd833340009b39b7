"""Which platform an ELF binary was built for, told by its header.

The rule that an image is held to: every executable and shared library that it ships is built for
the image's own platform. A 386 binary in an amd64 image breaks it, though most amd64 kernels can
run it: some cannot (IA-32 emulation is a kernel option, and gVisor and several cloud runtimes have
none), and a binary that landed in the wrong image is far commoner than one that is there on
purpose. The same holds for 32-bit ARM in an arm64 image, as many arm64 processors have no 32-bit
mode. Who ships such a file on purpose names its path.

Two kinds of ELF file are no binaries of a platform, and are not judged (``Elf.is_program``): what
is not linked (objects, kernel modules, core dumps), and code for machines that no platform names
(eBPF, firmware), which the processor that runs the container never executes.

Sources: System V ABI, "ELF Header", and its processor supplements.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from msgspec import Struct

from manyfest.check.arm_attributes import Window, arm_variant
from manyfest.errors import ContentError
from manyfest.layers.streams import CHUNK, Reader, read_head

MAGIC = b"\x7fELF"
_HEAD_SIZE = 64 * 1024
_TAIL_SIZE = 1024 * 1024  # holds the sections' table unless symbols were left in and are large

_IDENTITY_SIZE = 16
_CLASSES = {1: (32, "HHIIIIIHHHHHH"), 2: (64, "HHIQQQIHHHHHH")}
"""Bits, and the fields after the identity, by the identity's class."""

_BYTE_ORDERS = {1: "<", 2: ">"}
_EXECUTABLE = 2
_SHARED = 3

_SYSTEMS = {0: "linux", 3: "linux", 97: "linux", 1: "hpux", 2: "netbsd", 6: "solaris", 7: "aix",
            9: "freebsd", 12: "openbsd"}  # fmt: skip
"""By the identity's OS ABI. Most of Linux's binaries have 0, which says nothing; 97 is ARM's."""

_ARM = 40
ARCHITECTURES = {
    (3, 32, "<"): "386",
    (8, 32, "<"): "mipsle",
    (8, 32, ">"): "mips",
    (8, 64, "<"): "mips64le",
    (8, 64, ">"): "mips64",
    (21, 64, "<"): "ppc64le",
    (21, 64, ">"): "ppc64",
    (22, 64, ">"): "s390x",
    (_ARM, 32, "<"): "arm",
    (62, 64, "<"): "amd64",
    (183, 64, "<"): "arm64",
    (243, 64, "<"): "riscv64",
    (258, 64, "<"): "loong64",
}
"""By machine, bits and byte order, in the names of the OCI image specification (Go's)."""

_MIPS = 8
_MIPS_N32 = 0x20  # EF_MIPS_ABI2: 64-bit code with 32-bit pointers
_ARM_HARD_FLOAT = 0x400  # EF_ARM_ABI_FLOAT_HARD


class _Header(NamedTuple):
    bits: int
    byte_order: str
    os_abi: int
    type: int
    machine: int
    sections: int
    flags: int
    section_count: int


class Elf(Struct, frozen=True, kw_only=True):
    """What an ELF header says about where its file runs.

    ``architecture`` is empty for a machine that no platform names. ``variant`` is the least ARM
    variant that it needs, empty when the file does not tell. ``machine``, ``bits`` and
    ``byte_order`` (``<`` or ``>``) are the header's own.
    """

    os: str
    architecture: str
    variant: str = ""
    linked: bool = True
    hard_float: bool = False
    machine: int
    bits: int
    byte_order: str

    @property
    def is_program(self) -> bool:
        """Whether it is an executable or a shared library for a processor that runs containers."""
        return self.linked and bool(self.architecture)

    @property
    def built_for(self) -> str:
        """``linux/amd64``; for what no platform names, the machine's number."""
        if not self.architecture:
            order = "little" if self.byte_order == "<" else "big"
            return f"ELF machine {self.machine} ({self.bits}-bit, {order}-endian)"
        parts = [self.os, self.architecture, self.variant]
        return "/".join(part for part in parts if part)


def runs_on(elf: Elf, os: str, architecture: str, variant: str = "") -> bool:
    """Whether a program is built for this platform (normalised; ``arm`` alone is ``arm/v7``).

    What a file does not tell is not held against it: variants of amd64 and arm64 leave no mark.
    A 32-bit ARM program runs on its variant and on later ones.
    """
    if (elf.os, elf.architecture) != (os, architecture):
        return False
    if architecture != "arm":
        return True
    least = max(_generation(elf.variant), 6 if elf.hard_float else 0)
    return least <= _generation(variant or "v7")


def _generation(variant: str) -> int:
    digits = variant.removeprefix("v")
    return int(digits) if digits.isdecimal() else 0


def read_elf(source: bytes | Reader, *, where: str = "") -> Elf | None:
    """What the ELF header of ``source`` says; ``None`` if it is no ELF file.

    ``source`` is a file's content, or at least its first 64 bytes, or a reader of it. Of a reader
    the first 64 KiB are read, and all of it, in bounded memory, only for 32-bit ARM, whose variant
    is told near the end. Raises ``ContentError`` for an ELF file that is cut off or invalid.
    """
    head = source if isinstance(source, bytes) else read_head(source, _HEAD_SIZE)
    if not head.startswith(MAGIC):
        return None
    header = _parse(head, where)
    architecture = _architecture(header)
    variant = ""
    if architecture == "arm" and header.sections:
        tail, size = (b"", len(head)) if isinstance(source, bytes) else _read_tail(source, head)
        variant = arm_variant(Window(head, tail, size), header.sections, header.section_count)
    return Elf(
        os=_SYSTEMS.get(header.os_abi, ""),
        architecture=architecture,
        variant=variant,
        linked=header.type in {_EXECUTABLE, _SHARED},
        hard_float=architecture == "arm" and bool(header.flags & _ARM_HARD_FLOAT),
        machine=header.machine,
        bits=header.bits,
        byte_order=header.byte_order,
    )


def _parse(head: bytes, where: str) -> _Header:
    try:
        bits, layout = _CLASSES[head[4]]
        byte_order = _BYTE_ORDERS[head[5]]
        fields = struct.unpack_from(byte_order + layout, head, _IDENTITY_SIZE)
    except (IndexError, KeyError, struct.error):
        raise ContentError(
            "begins as an ELF file, but its header is damaged or cut off", where=where
        ) from None
    type_, machine, _, _, _, sections, flags, *_, section_count, _ = fields
    return _Header(bits, byte_order, head[7], type_, machine, sections, flags, section_count)


def _architecture(header: _Header) -> str:
    if header.machine == _MIPS and header.bits == 32 and header.flags & _MIPS_N32:
        return ""
    return ARCHITECTURES.get((header.machine, header.bits, header.byte_order), "")


def _read_tail(source: Reader, head: bytes) -> tuple[bytes, int]:
    """The last bytes of a file whose ``head`` has been read, and the whole file's size."""
    tail = bytearray()
    size = len(head)
    while part := source.read(CHUNK):
        size += len(part)
        tail += part
        del tail[:-_TAIL_SIZE]
    return bytes(tail), size
