"""The builders. Each builds a case, and gives the archive with its image."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from manyfest.cli.main import run
from tests.differential.case import Case
from tests.docker_daemon import client_of

AT_ONCE = 3
"""Builds of one builder at the same time: most of one is waiting."""


class Refused(Exception):
    """A builder did not build it; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder to build in, and the addresses of the base images."""

    folder: Path
    images: Mapping[str, str]

    def context(self, case: Case) -> Path:
        """The case's context, made anew for each builder."""
        return case.write(Path(tempfile.mkdtemp(dir=self.folder)) / "context", self.images)

    def layout(self, case: Case) -> Path:
        """Built by us: a layout that holds the image as ``image``."""
        path = self.folder / "ours" / case.slug
        if not path.exists():
            told = io.StringIO()
            arguments = ["build", str(self.context(case)), "-o", f"oci:{path}:image"]
            with redirect_stdout(told), redirect_stderr(told):
                code = run([*arguments, *_options(case)])
            if code:
                raise Refused(told.getvalue())
        return path


@dataclass(frozen=True, slots=True)
class Docker:
    """BuildKit in a daemon; ``address`` is its DOCKER_HOST."""

    bench: Bench
    name: str
    address: str

    def __call__(self, case: Case) -> Path:
        context = self.bench.context(case)
        archive = self.bench.folder / f"{self.name}-{case.slug}.tar"
        docker = client_of(self.address)
        _run(*docker, "build", "-q", "-t", case.slug, *_options(case), context, DOCKER_BUILDKIT="1")
        _run(*docker, "save", "-o", archive, case.slug)
        return archive


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah with a store of its own."""

    bench: Bench

    def __call__(self, case: Case) -> Path:
        store, state, archive = (
            self.bench.folder / name for name in ("b", "r", f"buildah-{case.slug}.tar")
        )
        command: list[str | Path] = [
            "buildah", "--storage-driver=vfs", "--root", store, "--runroot", state, "bud", "-q",
            "--format=docker", "--tls-verify=false", "-t", f"docker-archive:{archive}:image",
            *_options(case), self.bench.context(case),
        ]  # fmt: skip
        try:
            _run(*command, BUILDAH_ISOLATION="chroot")
        except Refused as refused:
            # Another build pulled the same image anew between this one's pull and its look at it.
            if "locating pulled image" not in str(refused):
                raise
            _run(*command, BUILDAH_ISOLATION="chroot")
        return archive


class Ahead:
    """A builder that builds ``cases`` several at a time, as soon as the first of them is wanted."""

    def __init__(self, build: Callable[[Case], Path], cases: Iterable[Case]) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._begun: dict[str, Future[Path]] = {
            case.name: self._pool.submit(build, case) for case in cases
        }

    def __call__(self, case: Case) -> Path:
        """The case's archive. Raises :class:`Refused`."""
        return self._begun[case.name].result()

    def close(self) -> None:
        """Wait for what is being built, and begin nothing more."""
        self._pool.shutdown(cancel_futures=True)


def _options(case: Case) -> list[str]:
    options = ["--platform", case.platform]
    for key, value in case.build_args.items():
        options += ["--build-arg", f"{key}={value}"]
    return options + (["--target", case.target] if case.target else [])


def _run(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise Refused(f"{done.stdout}{done.stderr}")
