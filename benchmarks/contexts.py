"""What is built: folders with a Dockerfile, their files cut out of a real program."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from benchmarks.tools import find

PROGRAM = "program"
ASSETS = "assets"
ARCHITECTURES = ("amd64", "arm64", "arm", "386", "riscv64")
SMALL = 500
"""Bytes in each of many files."""
LARGER = 10_000
"""Bytes in each asset."""
IN_A_FOLDER = 100

PROGRAMS = f"""\
FROM scratch
ARG TARGETARCH
COPY {ASSETS} /srv/{ASSETS}
COPY {PROGRAM}-$TARGETARCH /{PROGRAM}
ENTRYPOINT ["/{PROGRAM}"]
"""
MANY = """\
FROM scratch
COPY files /srv
"""


def programs_and_assets(context: Path, *, program: int, assets: int) -> None:
    """A program of so many bytes for each platform, all different, and so many assets."""
    context.mkdir(parents=True)
    (context / "Dockerfile").write_text(PROGRAMS)
    for number, arch in enumerate(ARCHITECTURES):
        path = context / f"{PROGRAM}-{arch}"
        path.write_bytes(_stretch(number * program // 3, program))
        path.chmod(0o755)
    _files(context / ASSETS, assets, LARGER)


def many_files(context: Path, number: int) -> None:
    """So many small files."""
    context.mkdir(parents=True)
    (context / "Dockerfile").write_text(MANY)
    _files(context / "files", number, SMALL)


def _files(folder: Path, number: int, size: int) -> None:
    for each in range(number):
        path = folder / str(each // IN_A_FOLDER) / str(each)
        if each % IN_A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(_stretch(each * size, size))


def _stretch(start: int, size: int) -> bytes:
    """Bytes of a real program, which begins again where it ends."""
    source = _source()
    start %= len(source)
    part = source[start : start + size]
    while len(part) < size:
        part += source[: size - len(part)]
    return part


@cache
def _source() -> bytes:
    return Path(find("buildah") or sys.executable).read_bytes()
