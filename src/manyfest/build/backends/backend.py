"""What a back end is, and what it is given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct

from manyfest.build.backends.running import Runner
from manyfest.build.bases import BaseImage
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.build.dockerfile.plan import Plan
from manyfest.build.request import BuildRequest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source


class Job(Struct, frozen=True, kw_only=True):
    """One platform's build. ``folder`` is its own, and gone afterwards. ``dockerfile`` holds what
    was planned, beside it lies its ignore file, and ``secrets`` are the files of the secrets.
    ``images`` are those of its images that registries have, and ``has_others`` tells whether there
    are more, which only the builder can have."""

    plan: Plan
    request: BuildRequest
    folder: Path
    dockerfile: Path
    secrets: Sequence[tuple[str, Path]]
    images: Sequence[BaseImage]
    has_others: bool

    @property
    def ignore(self) -> Path:
        """The ignore file, under the name by which BuildKit finds it."""
        return self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")

    @property
    def secret_options(self) -> list[str]:
        """The secrets as all builders take them, which run in ``folder``: its own path may have a
        comma in it, and these words may not."""
        return [
            f"--secret=id={name},src={os.path.relpath(path, self.folder)}"
            for name, path in self.secrets
        ]

    @property
    def platform(self) -> Platform:
        return self.plan.platform


class Given(NamedTuple):
    """An image that was built: where it is, and the descriptor of its manifest."""

    source: Source
    manifest: Descriptor


class Backend(Protocol):
    """A builder that is there."""

    @property
    def name(self) -> str:
        """As ``--backend`` has it."""
        ...

    def reads(self, dockerfile: Dockerfile) -> bool:
        """Whether it knows all that the Dockerfile says: here-documents are what some do not."""
        ...

    def require(self, platforms: Sequence[Platform]) -> None:
        """Return if it can run programs for ``platforms``.

        Raises :class:`~manyfest.errors.BuildError` that says what is missing.
        """
        ...

    def build(self, job: Job, runner: Runner) -> AbstractContextManager[Given]:
        """Build one platform; what is given is gone after the block, with all else that was made.

        Raises :class:`~manyfest.errors.BuildError`.
        """
        ...
