"""A real image to move: Debian for two platforms, with Python, one layer each."""

from __future__ import annotations

import subprocess
from pathlib import Path

PACKAGES = "python3,perl,ca-certificates"
PLATFORMS = {"linux/amd64": "amd64", "linux/arm64": "arm64"}

DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
ADD debian-${TARGETARCH}.tar /
CMD ["/bin/bash"]
"""


def debian_archive(folder: Path, manyfest: str) -> Path:
    """The OCI archive, made once and kept in ``folder``. Needs root, debootstrap and Debian's
    packages."""
    archive = folder / "debian.tar"
    if archive.exists():
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    for arch in PLATFORMS.values():
        # The first stage only: real packages, unpacked, for any processor.
        subprocess.run(
            ["debootstrap", "--foreign", f"--arch={arch}", f"--include={PACKAGES}",
             "bookworm", str(folder / arch)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        subprocess.run(
            ["tar", "--sort=name", "-C", str(folder / arch), "--exclude=./dev/*",
             "-cf", str(folder / f"debian-{arch}.tar"), "."],
            check=True,
        )  # fmt: skip
        subprocess.run(["rm", "-rf", str(folder / arch)], check=True)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / ".dockerignore").write_text("*\n!debian-*.tar\n")
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    subprocess.run(
        [manyfest, "build", str(folder), *platforms, "-o", f"oci-archive:{archive}:v1"], check=True
    )
    return archive
