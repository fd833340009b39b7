"""The programs that are compared, where they are and which they are."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent.parent
VERSIONS = {
    "buildah": "--version",
    "skopeo": "--version",
    "crane": "version",
    "regctl": "version",
    "curl": "--version",
    "python3": "--version",
    "docker-registry": "--version",
    "manyfest": "--version",
}
_VERSION = re.compile(r"v?\d+\.\d+[\w.+~-]*")


def folders() -> list[Path]:
    """Where the peers are looked for, besides the PATH: what ``PEERS`` names, what ``make peers``
    made, and Go's own folder."""
    named = [Path(folder) for folder in os.environ.get("PEERS", "").split(os.pathsep) if folder]
    found = [*named, HERE / ".peers", Path.home() / "go" / "bin"]
    return [folder.absolute() for folder in found if folder.is_dir()]


def find(tool: str) -> str | None:
    """The program's path, if it is installed."""
    own = str(Path(sys.executable).parent)
    path = [*map(str, folders()), own, os.environ.get("PATH", os.defpath)]
    return shutil.which(tool, path=os.pathsep.join(path))


def version(tool: str) -> str:
    """The version that a tool tells, or the empty string."""
    program = find(tool)
    if program is None:
        return ""
    said = subprocess.run([program, VERSIONS[tool]], capture_output=True, text=True, check=False)
    found = _VERSION.search(said.stdout + said.stderr)
    return found[0].removeprefix("v") if found else ""


def machine() -> str:
    """The processor, its cores, the memory and the system, in one line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GiB of memory,"
        f" Linux {platform.release()}, Python {platform.python_version()}"
    )
