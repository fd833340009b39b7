"""The least that a push can take: the largest blobs sent by curl, all at once, and nothing else.

``python -m benchmarks.floor FOLDER ADDRESS`` sends what :func:`unpack_largest` put into FOLDER.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

LARGEST = 2


def unpack_largest(archive: Path, folder: Path) -> Path:
    """The archive's largest blobs as files, so that reading them is all that is left to do."""
    if not folder.exists():
        with tarfile.open(archive) as tar:
            members = sorted(tar.getmembers(), key=lambda member: -member.size)[:LARGEST]
            for member in members:
                member.name = Path(member.name).name
                tar.extract(member, folder, filter="data")
    return folder


def push(folder: Path, address: str) -> None:
    """One POST and one PUT for each file."""
    uploads = []
    for blob in folder.iterdir():
        begun = subprocess.run(
            ["curl", "-sSi", "-X", "POST", f"http://{address}/v2/floor/blobs/uploads/"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        location = re.search(r"(?mi)^location: (\S+)", begun.stdout)
        if location is None:
            sys.exit(begun.stdout)
        put = ["curl", "-sSf", "-H", "Expect:", "-T", str(blob)]
        uploads.append(subprocess.Popen([*put, f"{location[1]}&digest=sha256:{blob.name}"]))
    sys.exit(max(upload.wait() for upload in uploads))


if __name__ == "__main__":
    push(Path(sys.argv[1]), sys.argv[2])
