"""Podman on this machine, by its own program, which needs no service for that."""

from __future__ import annotations

import os
import platform as this
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import IO, cast

from manyfest.errors import InvalidDigest, NotFound, StoreError
from manyfest.oci.digest import Digest
from manyfest.oci.machine import platform_of_machine
from manyfest.stores.archives.media import Write
from manyfest.stores.runtimes.runtime import Info

_PROGRAM = "podman"
_TEMPORARY = "/var/tmp"  # noqa: S108 - where podman itself puts what it reads
_MAX_MESSAGE = 400


class Podman:
    """The images that ``podman`` keeps for the user who runs this.

    Raises :class:`~manyfest.errors.StoreError` for what it refuses, and
    :class:`~manyfest.errors.NotFound` if it is not installed.
    """

    label = "Podman"

    def is_here(self) -> bool:
        """Whether the program is installed."""
        return shutil.which(_PROGRAM) is not None

    def info(self) -> Info:
        """It runs what this machine runs, and keeps one platform under a name."""
        platform = platform_of_machine(this.machine())
        if platform is None:
            raise StoreError(f"no platform is known for {this.machine()}", where=self.label)
        return Info(platform)

    def image_id(self, name: str) -> Digest:
        """The digest of an image's configuration."""
        with _run("image", "inspect", "--format", "{{.Id}}", name) as program:
            out = program.finish()
        try:
            return Digest.parse(f"sha256:{out.strip()}")
        except InvalidDigest as error:
            raise StoreError(error.what, where=self.label) from None

    @contextmanager
    def load(self) -> Iterator[Write]:
        """See :class:`~manyfest.stores.runtimes.runtime.Runtime`."""
        with _run("load", "--quiet") as program:
            yield program.write
            program.finish()


class _Program:
    """Podman at work. ``said`` is where its errors go."""

    def __init__(self, process: Popen[bytes], said: IO[bytes]) -> None:
        self._process = process
        self._input = cast("IO[bytes]", process.stdin)
        self._output = cast("IO[bytes]", process.stdout)
        self._said = said

    def write(self, data: bytes, /) -> None:
        """Send it bytes."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._input.write(left) :]
        except BrokenPipeError:
            self.finish()
            raise StoreError("it did not take all of it", where=Podman.label) from None

    def finish(self) -> str:
        """Wait for its end, and give what it printed."""
        self._input.close()
        out = self._output.read().decode(errors="replace")
        if self._process.wait():
            self._said.seek(0)
            said = self._said.read(_MAX_MESSAGE).decode(errors="replace")
            message = " ".join(said.removeprefix("Error: ").split())
            raise StoreError(message or "it failed", where=Podman.label)
        return out


@contextmanager
def _run(*arguments: str) -> Iterator[_Program]:
    """Start podman; it is killed if the block raises.

    It keeps what it reads in a temporary file, in a folder of ours, so that none is left then.
    """
    parent = os.environ.get("TMPDIR") or _TEMPORARY
    with (
        tempfile.TemporaryDirectory(prefix="manyfest-", dir=parent) as folder,
        tempfile.TemporaryFile() as said,
        _started([_PROGRAM, *arguments], folder, said) as process,
    ):
        try:
            yield _Program(process, said)
        except BaseException:
            process.kill()
            raise


def _started(command: list[str], folder: str, said: IO[bytes]) -> Popen[bytes]:
    environ = {**os.environ, "TMPDIR": folder}
    try:
        # Unbuffered: what is written is large, and closing must not have to write anything.
        return Popen(command, bufsize=0, stdin=PIPE, stdout=PIPE, stderr=said, env=environ)
    except FileNotFoundError:
        raise NotFound("there is no podman here", mend="install it, or load into Docker") from None
