"""Pieces of Debian for any processor, unpacked into a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests import real

NO_SOURCES = "Debian's packages cannot be fetched"


def unpack(packages: list[str], architecture: str, folder: Path, scratch: Path) -> None:
    """Put what these packages hold into ``folder``, without installing anything."""
    real.need_programs("apt-get", "dpkg-deb")
    for path in (scratch / "lists/partial", scratch / "cache/archives/partial", scratch / "debs"):
        path.mkdir(parents=True)
    apt = [
        "apt-get", "-q",
        "-o", f"APT::Architecture={architecture}",
        "-o", f"APT::Architectures={architecture}",
        "-o", f"Dir::State::Lists={scratch}/lists",
        "-o", f"Dir::Cache={scratch}/cache",
        "-o", "Dir::State::status=/dev/null",
        "-o", "APT::Sandbox::User=root",
    ]  # fmt: skip
    for command in (["update"], ["download", *packages]):
        done = subprocess.run(
            [*apt, *command], cwd=scratch / "debs", capture_output=True, check=False
        )
        real.need(NO_SOURCES, met=done.returncode == 0)
    folder.mkdir(parents=True)
    for package in sorted((scratch / "debs").glob("*.deb")):
        real.output_of("dpkg-deb", "--extract", package, folder)
