"""Fetches ruff's binary for one platform from the Python package index into bin/<platform>/.

``manyfest release`` runs this before the build, once for each platform, with TARGETPLATFORM in the
environment. What is there already, and unchanged, is not fetched again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PINS = HERE / "ruff.txt"

WHEELS = {
    "linux/amd64": "musllinux_1_2_x86_64",
    "linux/arm64": "musllinux_1_2_aarch64",
    "linux/arm/v7": "musllinux_1_2_armv7l",
    "linux/386": "musllinux_1_2_i686",
}
NO_NETWORK = ("connection", "name resolution", "timed out", "unreachable", "proxy", "max retries")


def main() -> None:
    platform = os.environ["TARGETPLATFORM"]
    if platform not in WHEELS:
        sys.exit(f"ruff is not published for {platform}")
    folder = HERE / "bin" / platform
    if is_fetched(folder):
        print("ruff is there already")
        return
    with tempfile.TemporaryDirectory() as temporary:
        unpack(download(WHEELS[platform], temporary), folder)
    print("fetched ruff")


def is_fetched(folder: Path) -> bool:
    """Whether the folder holds what was unpacked from the pinned release."""
    try:
        return (folder / "stamp").read_text() == stamp((folder / "ruff").read_bytes())
    except FileNotFoundError:
        return False


def stamp(binary: bytes) -> str:
    """Which pins, and which binary came of them."""
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()
    return f"{pins} {hashlib.sha256(binary).hexdigest()}\n"


def download(tag: str, folder: str) -> Path:
    """The wheel for one platform; pip checks its digest against the pins."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--only-binary=:all:", "--platform", tag, "--require-hashes"]
    pip += ["--retries", "1", "--timeout", "15", "--dest", folder, "-r", str(PINS)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.lower()
        if any(sign in said for sign in NO_NETWORK):
            sys.exit("the Python package index cannot be reached; check the network and try again")
        sys.exit(f"pip could not fetch ruff: {done.stderr.strip().splitlines()[-1]}")
    return next(Path(folder).glob("*.whl"))


def unpack(wheel: Path, folder: Path) -> None:
    """Take the binary and its licence out of the wheel; the stamp comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith((".data/scripts/ruff", ".dist-info/licenses/LICENSE")):
                (folder / Path(name).name).write_bytes(archive.read(name))
    (folder / "stamp").write_text(stamp((folder / "ruff").read_bytes()))


if __name__ == "__main__":
    main()
