"""Whether this machine can run programs of a platform: by itself, or by an emulator that is
registered with the kernel (Linux, "Kernel Support for miscellaneous Binary Formats")."""

from __future__ import annotations

import platform as this
import shutil
import struct
import subprocess
from pathlib import Path

from msgspec import Struct

from manyfest.check.elf import ARCHITECTURES, MAGIC
from manyfest.errors import BuildError
from manyfest.oci.machine import platform_of_machine
from manyfest.oci.platform import Platform

FORMATS = Path("/proc/sys/fs/binfmt_misc")

_BY_ITSELF = {"amd64": {"amd64", "386"}, "ppc64le": {"ppc64le"}, "arm64": {"arm64"}}
"""What a processor runs besides itself, on every kernel that is in use."""

_ELF = {architecture: header for header, architecture in ARCHITECTURES.items()}
"""What a program's header says: its machine, bits and byte order."""


def require_emulation(platform: Platform, *, formats: Path = FORMATS) -> None:
    """Return if programs for ``platform`` can run here.

    Raises :class:`~manyfest.errors.BuildError` that says what is missing, with the line that
    installs it.
    """
    platform = platform.normalised()
    if _runs_by_itself(platform):
        return
    why = _what_is_wrong(platform, formats)
    if why:
        raise BuildError(f"cannot run programs for {platform}: {why}", mend=_how_to_mend(platform))


def _runs_by_itself(platform: Platform) -> bool:
    here = platform_of_machine(this.machine())
    if here is None or platform.os != "linux":
        return False
    if here.architecture == "arm64" and platform.architecture == "arm":
        return _has_32_bit()
    return platform.architecture in _BY_ITSELF.get(here.architecture, {here.architecture})


def _has_32_bit() -> bool:
    """Whether this arm64 kernel and processor run 32-bit programs: else the kernel refuses to
    take on the looks of such a machine."""
    setarch = shutil.which("setarch")
    if setarch is None:
        return False
    return (
        subprocess.run([setarch, "linux32", "true"], capture_output=True, check=False).returncode
        == 0
    )


def _what_is_wrong(platform: Platform, formats: Path) -> str:
    if platform.os != "linux" or platform.architecture not in _ELF:
        return "no emulator is known for it"
    if not (formats / "status").exists():
        return f"{formats} is not mounted, so emulators cannot be found"
    if (formats / "status").read_text().strip() != "enabled":
        return f"emulation is switched off in {formats}/status"
    header = _header(platform.architecture)
    found = [each for each in map(_read, _entries(formats)) if each.takes(header)]
    if not found:
        return "no emulator is registered for it"
    if not any(each.enabled for each in found):
        return f"its emulator {found[0].interpreter} is switched off"
    if not any(each.enabled and "F" in each.flags for each in found):
        return (
            f"its emulator {found[0].interpreter} is registered without the flag F,"
            " so containers do not find it"
        )
    return ""


class _Format(Struct, frozen=True, kw_only=True):
    """One kind of program that the kernel gives to an interpreter.

    With the flag F the kernel holds the interpreter open since it was registered. Its file need
    not be there any more, nor ever have been in this container, so nobody looks for it.
    """

    enabled: bool
    interpreter: str
    flags: str
    offset: int
    magic: bytes
    mask: bytes

    def takes(self, header: bytes) -> bool:
        part = header[self.offset : self.offset + len(self.magic)]
        mask = self.mask or b"\xff" * len(self.magic)
        masked = bytes(byte & bits for byte, bits in zip(part, mask, strict=False))
        return bool(self.magic) and masked == self.magic


def _entries(formats: Path) -> list[Path]:
    return [path for path in sorted(formats.iterdir()) if path.name not in {"register", "status"}]


def _read(path: Path) -> _Format:
    state, *lines = path.read_text().splitlines() or [""]
    fields = {key.rstrip(":"): value for key, _, value in (line.partition(" ") for line in lines)}
    return _Format(
        enabled=state == "enabled",
        interpreter=fields.get("interpreter", ""),
        flags=fields.get("flags", ""),
        offset=int(fields.get("offset", "0")),
        magic=bytes.fromhex(fields.get("magic", "")),
        mask=bytes.fromhex(fields.get("mask", "")),
    )


def _header(architecture: str) -> bytes:
    """The first bytes of a program (System V ABI, "ELF Header")."""
    machine, bits, order = _ELF[architecture]
    identity = MAGIC + bytes((bits // 32, 1 if order == "<" else 2, 1)) + bytes(9)
    return identity + struct.pack(f"{order}HHI", 2, machine, 1)


def _how_to_mend(platform: Platform) -> str:
    if shutil.which("apt-get"):
        return "run: apt-get install qemu-user-static binfmt-support"
    return f"run: docker run --privileged --rm tonistiigi/binfmt --install {platform.architecture}"
