"""What a step of a release is, and what all steps share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

from manyfest.check.report import PlatformSummary
from manyfest.errors import ReleaseError
from manyfest.graph import Graph
from manyfest.oci.digest import Digest
from manyfest.oci.reference import Reference
from manyfest.progress import Progress
from manyfest.release.destinations import Destination
from manyfest.release.project.config import Config
from manyfest.release.resume.journal import Began, Journal, journal_path, read_journal
from manyfest.release.steps.move import Move
from manyfest.release.tags.plan import PlannedTag
from manyfest.release.versions.version import Version
from manyfest.stores.base import Source
from manyfest.stores.open import Stores


class Release(Struct):
    """One release under way: what was asked for, and what the steps have found out so far."""

    config: Config
    version: Version
    tags: tuple[PlannedTag, ...]
    destinations: tuple[Destination, ...]
    archive: Path
    stores: Stores
    progress: Progress
    taken_from: Reference | None = None
    """An image that somebody built before; then nothing is built."""
    allow_dirty: bool = False
    allow_other_commit: bool = False
    joins: bool = False
    """The image is joined of platforms that were staged; then no archive is written."""

    image: Image | None = None
    checked: tuple[PlatformSummary, ...] = ()
    """What the check found in it: its platforms, in order."""
    build_seconds: dict[str, float] = field(default_factory=dict)
    """How long each platform took to build."""
    sent: dict[str, int] = field(default_factory=dict)
    """Bytes that were uploaded to each repository."""
    kept: dict[str, str] = field(default_factory=dict)
    """Moving tags that stay where they are, by reference, and why."""
    changed_tags: list[str] = field(default_factory=list)
    """References that were made to point at this release, in order."""
    moved_on: dict[str, Digest] = field(default_factory=dict)
    """Moving tags that somebody else has moved on since, by reference, and to what."""
    inputs: str = ""
    """What the image was built from, as a digest; empty if that cannot be told."""
    settled: bool = False
    """Whether every tag was found to point at this image already: nothing is left to be done."""
    looked: Digest | None = None
    """The image that this was found out of, whichever it was."""
    planned: Sequence[Move] = ()
    """The tags to set, and those that are set already, as they were found a moment ago."""
    journal: Journal | None = None
    """What was written down of it, on this machine; see :mod:`manyfest.release.resume.journal`."""
    unfinished: Journal | None = None
    """That of a run of this version which released another image, and may have been killed."""
    there: dict[Destination, Digest] = field(default_factory=dict)
    """What repositories that answered hold under the first tag that names this version alone."""
    sleep: Callable[[float], None] = time.sleep
    """Waits for so many seconds."""
    standing: dict[str, str] = field(default_factory=dict)
    """Where references stand that a release tried to set when it failed, in a few words."""

    @property
    def candidate(self) -> Path:
        """The archive while it is not yet checked."""
        return self.archive.with_name(f".unchecked-{self.archive.name}")

    @property
    def built(self) -> Image:
        """The image; only steps after the one that makes it ask."""
        if self.image is None:
            raise ReleaseError("there is no image yet")
        return self.image

    def open_journal(self) -> Journal:
        """The journal, once the image is known; a new one, of which nothing is on the disk yet, if
        there is none or only that of another image."""
        began = Began(name=self.config.name, version=self.version.text, digest=self.built.digest)
        if self.journal is None or self.journal.began != began:
            # Loaded once something is to be written down.
            from manyfest.release.project.building import make_output_folder

            path = journal_path(self.archive, self.version)
            found = read_journal(path, self.progress.say)
            if found is not None and found.began != began:
                self.unfinished = found
                found = None
            if found is None:
                make_output_folder(path.parent)
            self.journal = found or Journal(path, began)
        return self.journal

    def close(self) -> None:
        """Let go of the image's file. Harmless when repeated."""
        if self.image is not None:
            self.image.source.close()


class Image(Struct, frozen=True):
    """The image that is released, and where its parts are read from."""

    source: Source
    graph: Graph

    @property
    def digest(self) -> Digest:
        """The digest of the index."""
        return self.graph.root.descriptor.digest


class Step(NamedTuple):
    """``check`` says why there is nothing to do, or the empty string if there is; ``run`` does it
    and says in a few words what was done. Both raise when they cannot tell or cannot do it."""

    name: str
    check: Callable[[Release], str]
    run: Callable[[Release], str]


class Outcome(Struct, frozen=True):
    """How a step ended."""

    step: str
    skipped: bool
    what: str
    seconds: float
