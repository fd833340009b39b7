"""The platforms that were staged are joined into one index, checked, and published.

The index is the one that a release in a single job makes of the same images: in the order of the
configuration, with the annotations that all of them have.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from manyfest.amounts import counted
from manyfest.build.assemble import PlatformImage, write_index
from manyfest.errors import ReleaseError
from manyfest.graph import read_graph
from manyfest.release.rendezvous.staged import Staged, look_for, one_digest, opened, shared
from manyfest.release.rendezvous.staging import staging_tag
from manyfest.release.rendezvous.waiting import Patience, Waiting
from manyfest.release.steps.check import CHECK
from manyfest.release.steps.preflight import PREFLIGHT_WITHOUT_BUILD
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.step import Image, Release, Step
from manyfest.release.steps.tags import TAGS
from manyfest.stores.base import Source
from manyfest.stores.memory import MemoryStore
from manyfest.stores.overlay import Overlay


def publish_steps(release: Release, patience: Patience) -> tuple[Step, ...]:
    """The steps that wait for the platforms of ``release`` and publish them, in order."""
    rendezvous = _Rendezvous(release, patience)
    wait = Step("wait", rendezvous.check, rendezvous.wait)
    join = Step("join", lambda _: "", rendezvous.join)
    return (PREFLIGHT_WITHOUT_BUILD, wait, join, CHECK, PUBLISH, TAGS)


class _Rendezvous:
    """What the waiting finds is what is joined."""

    def __init__(self, release: Release, patience: Patience) -> None:
        self._waiting = Waiting(release)
        self._patience = patience

    def check(self, _: Release) -> str:
        self._waiting.look()
        return "" if self._waiting.late else self._told

    def wait(self, _: Release) -> str:
        self._waiting.wait(self._patience)
        return self._told

    def join(self, release: Release) -> str:
        """Make the index. What it points at is read from the first repository that has it, each
        part for itself: none of them need have all."""
        staged = [self._waiting.found[each] for each in release.config.build.platforms]
        _require_unchanged(release, staged)
        made = MemoryStore(release.destinations[0].place)
        index = write_index(
            [PlatformImage(each.platform, each.manifest, each.config) for each in staged], made
        )
        places: list[Source] = [opened(release, name) for name in shared(release)]
        known = [
            replace(each.manifest, descriptor=entry)
            for each, entry in zip(staged, index.index.manifests, strict=True)
        ]
        source = Overlay([made, *places])
        release.image = Image(source, read_graph(source, index.descriptor, known=known))
        return f"{counted(len(staged), 'platform')} joined in {release.image.digest}"

    @property
    def _told(self) -> str:
        return f"{counted(len(self._waiting.found), 'platform')} found"


def _require_unchanged(release: Release, staged: Sequence[Staged]) -> None:
    """Nobody may have put another image under a tag since it was read.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    held = look_for(release, [each.platform for each in staged])
    for each in staged:
        before = each.manifest.descriptor.digest
        now = one_digest(release, each.platform, held[each.platform])
        if now not in (None, before):
            raise ReleaseError(
                f"{staging_tag(release.version, each.platform)} was {before} a moment ago, and is"
                f" {now} now; nothing was changed",
                where=release.destinations[0].place,
                mend="see which job staged it again, and run the same command again",
            )
