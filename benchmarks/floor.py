"""The least that a job can take: curl moving the largest blobs, all at once, and nothing else.

``floor.py push FOLDER ADDRESS`` sends the files in FOLDER, which
:func:`unpack_largest` put there; ``pass-on FROM TO REPOSITORY DIGEST…`` takes blobs from one
registry to another, and ``pull FROM FOLDER REPOSITORY DIGEST…`` into a folder. ``ask LIST`` sends
a HEAD request for each address that curl finds in LIST.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

LARGEST = 2
AT_ONCE = "64"
INDEX = "application/vnd.oci.image.index.v1+json"


def unpack_largest(archive: Path, folder: Path) -> list[str]:
    """The archive's largest blobs as files, so that reading them is all that is left to do; their
    digests."""
    with tarfile.open(archive) as tar:
        members = sorted(tar.getmembers(), key=lambda member: -member.size)[:LARGEST]
        for member in members:
            member.name = Path(member.name).name
            tar.extract(member, folder, filter="data")
    return [f"sha256:{member.name}" for member in members]


def push(folder: str, to: str) -> list[subprocess.Popen[bytes]]:
    """One POST and one PUT for each file."""
    return [
        subprocess.Popen(["curl", "-sSf", "-H", "Expect:", "-T", str(blob), where])
        for blob in Path(folder).iterdir()
        for where in [_begin(to, "floor", f"sha256:{blob.name}")]
    ]


def pass_on(from_: str, to: str, repository: str, *digests: str) -> list[subprocess.Popen[bytes]]:
    """One GET into one PUT for each digest."""
    running = []
    for digest in digests:
        where = _begin(to, repository, digest)
        get = subprocess.Popen(
            ["curl", "-sSf", f"http://{from_}/v2/{repository}/blobs/{digest}"],
            stdout=subprocess.PIPE,
        )
        put = ["curl", "-sSf", "-H", "Expect:", "-T", "-", where]
        running += [get, subprocess.Popen(put, stdin=get.stdout)]
    return running


def pull(from_: str, folder: str, repository: str, *digests: str) -> list[subprocess.Popen[bytes]]:
    """One GET for each digest."""
    return [
        subprocess.Popen(
            ["curl", "-sSf", "-o", f"{folder}/{digest[7:]}",
             f"http://{from_}/v2/{repository}/blobs/{digest}"]
        )
        for digest in digests
    ]  # fmt: skip


def ask(addresses: str) -> list[subprocess.Popen[bytes]]:
    """One HEAD for each address, over as few connections as curl needs."""
    options = ["-sSfI", "-H", f"Accept: {INDEX}", "--parallel", "--parallel-max", AT_ONCE]
    return [subprocess.Popen(["curl", *options, "-K", addresses], stdout=subprocess.DEVNULL)]


def address_list(file: Path, addresses: Sequence[str]) -> Path:
    """What :func:`ask` reads."""
    file.write_text("".join(f'url = "{address}"\noutput = /dev/null\n' for address in addresses))
    return file


def _begin(address: str, repository: str, digest: str) -> str:
    begun = subprocess.run(
        ["curl", "-sSi", "-X", "POST", f"http://{address}/v2/{repository}/blobs/uploads/"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    location = re.search(r"(?mi)^location: (\S+)", begun.stdout)
    if location is None:
        sys.exit(begun.stdout)
    return f"{location[1]}&digest={digest}"


if __name__ == "__main__":
    jobs: dict[str, Callable[..., list[subprocess.Popen[bytes]]]] = {
        "push": push, "pass-on": pass_on, "pull": pull, "ask": ask,
    }  # fmt: skip
    sys.exit(max(running.wait() for running in jobs[sys.argv[1]](*sys.argv[2:])))
