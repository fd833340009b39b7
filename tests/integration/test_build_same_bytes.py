"""One commit makes one image: in whatever folder, for whatever user, zone, language and umask.

What remains of a machine are the permission bits of the checkout: a file that was checked out under
umask 077 is 0600 there, and in the image.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import real
from tests.integration.conftest import MANYFEST

pytestmark = pytest.mark.real

NOBODY = 65534
TO_READ_PYTHON = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
"""Python and manyfest may lie in root's home."""

DOCKERFILE = """\
FROM scratch AS parts
COPY --chown=7 . /src
FROM scratch
ARG TARGETARCH
COPY --from=parts /src/docs /docs
COPY --chmod=755 bin/$TARGETARCH /app
COPY . /all
ADD packed.tar.gz /packed
COPY <<EOF /hello
hello
EOF
ENV LANG=C
LABEL b=2 a=1
USER 1000:1000
WORKDIR /data
"""


@dataclass(frozen=True)
class Machine:
    """Who builds, where, and in what surroundings."""

    folder: str
    user: int
    zone: str
    language: str
    umask: int
    processors: str

    def environment(self, home: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "USER": f"user{self.user}",
            "TZ": self.zone,
            "LANG": self.language,
            "LC_ALL": self.language,
        }


HERE = Machine("here", 0, "UTC", "C.UTF-8", 0o022, "0-1")
THERE = Machine("a/folder with blanks/thère", NOBODY, "Pacific/Kiritimati", "POSIX", 0o077, "0")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one commit of every kind of file that git keeps."""
    real.need_programs("git", "setpriv", "taskset")
    real.need_root()
    origin = tmp_path / "origin"
    for name, content in {
        "Dockerfile": DOCKERFILE,
        ".dockerignore": ".git\nignored\n",
        "ignored": "no",
        "bin/amd64": "a" * 3_000_000,
        "bin/arm64": "b" * 3_000_000,
        "docs/größe 😀": "unicode",
        "docs/" + "/".join(["long" * 25] * 4): "long",
        "run": "#!",
    }.items():
        path = origin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (origin / "run").chmod(0o755)
    (origin / "link").symlink_to("docs")
    with tarfile.open(origin / "packed.tar.gz", "w:gz") as archive:
        archive.add(origin / "docs", "docs")
    git(origin, "init", "--quiet")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "one")
    git(origin, "tag", "v1.2.3")
    return origin


def git(folder: Path, *arguments: str) -> None:
    dates = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2026-01-02T03:04:05+0600")
    words = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "safe.directory=*")
    subprocess.run(["git", *words, *arguments], cwd=folder, env={**os.environ, **dates}, check=True)


def build(origin: Path, machine: Machine, tmp_path: Path) -> tuple[str, str]:
    """The digest of the archive that is built from a clone, and the digest that is printed."""
    folder = tmp_path / machine.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    git(tmp_path, "clone", "--quiet", str(origin), str(folder))
    git(folder, "remote", "set-url", "origin", "https://example.org/team/app.git")
    home = tmp_path / f"home{machine.user}"
    home.mkdir()
    for path in (home, folder, *folder.rglob("*")):
        os.chown(path, machine.user, machine.user, follow_symlinks=False)
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    archive = home / "image.tar"
    done = subprocess.run(
        ["setpriv", f"--reuid={machine.user}", f"--regid={machine.user}", "--clear-groups",
         *TO_READ_PYTHON, "taskset", "-c", machine.processors, str(MANYFEST), "build", ".",
         "--platform", "linux/amd64,linux/arm64", "-o", f"oci-archive:{archive}:v1"],
        cwd=folder,
        env=machine.environment(home),
        umask=machine.umask,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert archive.stat().st_uid == machine.user
    return hashlib.sha256(archive.read_bytes()).hexdigest(), done.stdout.strip()


def test_two_machines_build_the_same_bytes(origin: Path, tmp_path: Path) -> None:
    first = build(origin, HERE, tmp_path)
    second = build(origin, THERE, tmp_path)

    assert first == second


def test_another_commit_builds_others(origin: Path, tmp_path: Path) -> None:
    first = build(origin, HERE, tmp_path)
    (origin / "run").write_text("#! ")
    git(origin, "commit", "--quiet", "-am", "two")
    second = build(origin, THERE, tmp_path)

    assert first[1] != second[1]
