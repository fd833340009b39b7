"""``make bench``: every measurement that there is, printed as Markdown.

``make bench ARGS=--short`` takes three rounds instead of nine.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.floor import unpack_largest
from benchmarks.image import debian_archive
from benchmarks.measure import Contender, compare, report
from benchmarks.registry import Registry

CACHE = Path(__file__).parent / ".cache"
PORT = 5077
MANYFEST = str(Path(sys.executable).parent / "manyfest")
NEEDED = ("docker-registry", "skopeo", "debootstrap", "curl")


def main() -> None:
    options = argparse.ArgumentParser(prog="make bench")
    options.add_argument("--short", action="store_true", help="three rounds, not nine")
    rounds = 3 if options.parse_args().short else 9
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        print(f"nothing measured: {', '.join(missing)} not installed (Debian has them)")
        return
    archive = debian_archive(CACHE, MANYFEST)
    print(describe_machine(), end="\n\n")
    print(archive_to_registry(archive, rounds), end="\n\n")
    print(startup(rounds))


def archive_to_registry(archive: Path, rounds: int) -> str:
    """A cold push: an empty registry, nothing in any cache but the kernel's."""
    registry = Registry(scratch_folder(), PORT)
    blobs = unpack_largest(archive, CACHE / "floor")
    target = f"{registry.address}/debian:v1"
    skopeo = ["skopeo", "copy", "--all", "--quiet", "--dest-tls-verify=false"]
    contenders = [
        Contender(
            "manyfest",
            [MANYFEST, "copy", "--quiet", f"oci-archive:{archive}:v1", target],
            registry.restart_empty,
        ),
        Contender(
            version("skopeo"),
            [*skopeo, f"oci-archive:{archive}:v1", f"docker://{target}"],
            registry.restart_empty,
        ),
        Contender(
            "the floor: curl, the two layers at once",
            [sys.executable, "-m", "benchmarks.floor", str(blobs), registry.address],
            registry.restart_empty,
        ),
    ]
    try:
        runs = compare(contenders, rounds)
    finally:
        registry.remove()
    megabytes = archive.stat().st_size / 1e6
    title = f"OCI archive to docker-registry, {megabytes:.0f} MB, two platforms, cold"
    return report(title, runs)


def scratch_folder() -> Path:
    """Where a registry keeps its content during a run: in memory if that can be, so that the tools
    are measured and not the disk."""
    memory = Path("/dev/shm")
    return (memory if os.access(memory, os.W_OK) else CACHE) / "manyfest-benchmark"


def startup(rounds: int) -> str:
    """What it takes to start."""
    contenders = [
        Contender("manyfest --version", [MANYFEST, "--version"], prepare_nothing),
        Contender("manyfest --help", [MANYFEST, "--help"], prepare_nothing),
        Contender("python -c pass", [sys.executable, "-c", "pass"], prepare_nothing),
    ]
    return report("Starting up", compare(contenders, rounds))


def prepare_nothing() -> None:
    """For commands that leave nothing behind."""


def version(tool: str) -> str:
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
    return " ".join(said.stdout.split()[:3])


def describe_machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {system}"


if __name__ == "__main__":
    main()
