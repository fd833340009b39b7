"""What the jobs share: the inputs, two registries, the slow lines to them, and a scratch folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import inputs, verify
from benchmarks.inputs import MANYFEST, TAG
from benchmarks.scratch import Scratch
from benchmarks.servers import Registry, Server, SlowLine
from benchmarks.tags import Repository, write_tags

REPOSITORY = "debian"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much of everything. ``few`` rounds are for what takes long; a ``program`` has so many
    bytes, and there are so many ``assets`` and small ``files`` to build images of; so much content
    goes to and from a registry that is measured itself."""

    rounds: int
    few: int
    tags: tuple[int, ...]
    layer: int
    program: int
    assets: int
    files: int
    served_bytes: int
    served_manifests: int
    make: Callable[[], Path]
    milliseconds: int
    """A round trip to what is far away."""


FULL = Scale(
    rounds=9, few=3, tags=(200, 1000), layer=2_000_000_000, milliseconds=30,
    program=12_000_000, assets=300, files=50_000, served_bytes=1_000_000_000,
    served_manifests=10_000,
    make=inputs.debian_archive,
)  # fmt: skip
SHORT = Scale(
    rounds=2, few=1, tags=(5, 10), layer=64_000_000, milliseconds=5,
    program=1_000_000, assets=30, files=500, served_bytes=32_000_000, served_manifests=200,
    make=lambda: inputs.random_archive(8_000_000),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Image:
    """An OCI archive, and its image's digest."""

    archive: Path
    digest: str

    @property
    def reference(self) -> str:
        """The image in the archive, as manyfest and skopeo write it."""
        return f"oci-archive:{self.archive}:{TAG}"

    @property
    def megabytes(self) -> str:
        """The archive's size, for titles."""
        return f"{self.archive.stat().st_size / 1e6:,.0f} MB"


class Bench:
    """Open it, and everything is there; leave it, and nothing stays but the inputs' archives."""

    def __init__(self, scale: Scale, rounds: int | None = None, folder: Path | None = None) -> None:
        self._folder = folder
        self._joining: list[Server] = []
        self.scale = scale
        self.rounds = rounds or scale.rounds
        self.few = min(rounds or scale.few, scale.few)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.scratch = Scratch(self._folder)
            stack.callback(self.scratch.remove)
            self.source = Registry(self.scratch.root / "source")
            self.target = Registry(self.scratch.root / "target")
            stack.callback(self.source.stop)
            stack.callback(self.target.stop)
            self._job = stack.enter_context(ExitStack())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stack.close()

    @cached_property
    def image(self) -> Image:
        """The real image, for two platforms."""
        return _image(self.scale.make())

    @cached_property
    def large(self) -> Image:
        """The image with one large layer, for one platform."""
        return _image(inputs.random_archive(self.scale.layer, ["amd64"]))

    def servers_processor(self) -> float:
        """The seconds of processors that the registries have used since they were started."""
        return sum(each.processor for each in (self.source, self.target, *self._joining))

    def join(self, server: Server) -> None:
        """Count it among the registries until the job has ended, and stop it then."""
        self._joining.append(server)
        self._job.callback(server.stop)

    def between_jobs(self) -> None:
        """Throw away what the last job left."""
        self._job.close()
        self._joining.clear()
        self.source.empty()
        self.target.empty()
        self.scratch.forget()

    def fill_source(self, image: Image) -> None:
        """The source registry, with nothing but the image."""
        self.source.restart_empty()
        place = f"{self.source.address}/{REPOSITORY}"
        subprocess.run(
            [MANYFEST, "copy", "--quiet", image.reference, f"{place}:{TAG}"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        verify.registry_holds(self.source.address, REPOSITORY, TAG, image.digest)

    def fill_both(self, repository: str, count: int) -> None:
        """Both registries, with the same tags."""
        for registry in (self.source, self.target):
            registry.empty()
            write_tags(Repository(registry.data, repository), count)
            registry.start()

    def slow_lines(self) -> tuple[Server, Server]:
        """Lines to the source and to the target, open until the bench is left."""
        lines = []
        for registry in (self.source, self.target):
            line = SlowLine(registry, self.scale.milliseconds)
            line.start()
            self._stack.callback(line.stop)
            lines.append(line)
        return lines[0], lines[1]

    def target_holds(self, image: Image) -> Callable[[], None]:
        """A verification: the target registry has the whole image."""
        return lambda: verify.registry_holds(self.target.address, REPOSITORY, TAG, image.digest)


def _image(archive: Path) -> Image:
    # Read once, so that the first tool does not wait for the disk when the others do not.
    with archive.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    return Image(archive, verify.root_of(archive))
