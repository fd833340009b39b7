"""What is moved: OCI archives with real images, made once and kept in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tools import HERE

CACHE = HERE / "benchmarks" / ".cache"
MANYFEST = str(Path(sys.executable).parent / "manyfest")
PACKAGES = "python3,perl,ca-certificates"
ARCHITECTURES = ("amd64", "arm64")
TAG = "v1"

DEBIAN = """\
FROM scratch
ARG TARGETARCH
ADD debian-${TARGETARCH}.tar /
CMD ["/bin/bash"]
"""
RANDOM = """\
FROM scratch
ARG TARGETARCH
COPY random-${TARGETARCH} /random
"""


def debian_archive() -> Path:
    """Debian with Python for two platforms, one layer each. Needs root, debootstrap and Debian's
    packages."""
    archive = CACHE / "debian.tar"
    if archive.exists():
        return archive
    if shutil.which("debootstrap") is None:
        raise SystemExit(
            "debootstrap is not installed (Debian has it); or: make bench ARGS=--short"
        )
    context = _context("debian", DEBIAN)
    for arch in ARCHITECTURES:
        # The first stage only: real packages, unpacked, for any processor.
        root = context.parent / f"root-{arch}"
        subprocess.run(
            ["debootstrap", "--foreign", f"--arch={arch}", f"--include={PACKAGES}",
             "bookworm", str(root)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        subprocess.run(
            ["tar", "--sort=name", "-C", str(root), "--exclude=./dev/*",
             "-cf", str(context / f"debian-{arch}.tar"), "."],
            check=True,
        )  # fmt: skip
        shutil.rmtree(root)
    return _build(context, ARCHITECTURES, archive)


def random_archive(size: int, architectures: Sequence[str] = ARCHITECTURES) -> Path:
    """Random bytes, ``size`` of them in the one layer of each platform."""
    archive = CACHE / f"random-{size}-{len(architectures)}.tar"
    if archive.exists():
        return archive
    context = _context("random", RANDOM)
    for arch in architectures:
        with (context / f"random-{arch}").open("wb") as file:
            left = size
            while left:
                left -= file.write(os.urandom(min(left, 1 << 20)))
    return _build(context, architectures, archive)


def _context(name: str, dockerfile: str) -> Path:
    context = CACHE / name
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    (context / "Dockerfile").write_text(dockerfile)
    return context


def _build(context: Path, architectures: Sequence[str], archive: Path) -> Path:
    platforms = [f"--platform=linux/{arch}" for arch in architectures]
    command = [MANYFEST, "build", "--quiet", str(context), *platforms]
    subprocess.run(
        [*command, "-o", f"oci-archive:{archive}:{TAG}"], check=True, stdout=subprocess.DEVNULL
    )
    shutil.rmtree(context)
    return archive
