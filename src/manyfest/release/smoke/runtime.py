"""What a runtime of containers is to the smoke test."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from manyfest.oci.platform import Platform
from manyfest.progress import Progress
from manyfest.release.smoke.trial import Ran, Subject, Trial
from manyfest.stores.base import Source


class Session(Protocol):
    """Runs containers of the images that it was given, several at a time."""

    def run(self, subject: Subject, trial: Trial) -> Ran:
        """Run the trial in a container of its own, which is gone afterwards.

        Raises :class:`~manyfest.errors.CheckFailed` for what no runtime could run, and what
        reading the image raises.
        """
        ...

    def stop(self) -> None:
        """End all that runs, and begin nothing else; from any thread."""
        ...


class SmokeRuntime(Protocol):
    """Docker, Podman or crun."""

    name: str
    """As ``check.smoke.runtime`` has it."""

    def why_not(self) -> str:
        """Why it cannot be used here; nothing if it can, as far as it can tell itself."""
        ...

    @property
    def here(self) -> Platform | None:
        """The platform that it runs by itself."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether its containers run on this machine's kernel, and so with its emulators."""
        ...

    def session(
        self, source: Source, subjects: Sequence[Subject], room: Path, progress: Progress
    ) -> AbstractContextManager[Session]:
        """Give it the images. What it makes of them is gone when the block ends, or when this
        process does; files are in ``room``.

        Raises :class:`~manyfest.errors.StoreError` for what it refuses, and what reading raises.
        """
        ...
