"""Many tags of one repository at once: what differs is copied, what does not is left alone.

A tag made from a digest keeps what refers to that: signatures, bills of materials. Those of cosign
are copied as any tag is. A list of referrers is not, since the target may have more in its own, or
know its referrers without one: what it names is attached there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from manyfest.copy import Item, copy_graphs, means
from manyfest.errors import ContentError, ManyfestError, NotFound, RegistryError
from manyfest.graph import READERS, read_graph
from manyfest.images.companions import companions, listed_companions
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.reference import is_companion_tag
from manyfest.progress import NoProgress, Progress
from manyfest.stores.base import Attaches, Place, Source, Target
from manyfest.stores.referrers import fallback_tag, is_fallback_list
from manyfest.threads import batches, workers

LOOKS = 64
"""Tags looked up at the same time, at both sides together. The registry client has its own limit
for each host."""

BATCH = 32
"""Images whose manifests are in memory together."""


class Differences(Struct, frozen=True):
    """Which tags mean something else at the target, or nothing, and which are the same.

    ``unreadable`` could not be looked up at the source.
    """

    moved: dict[str, Descriptor] = field(default_factory=dict)
    same: dict[str, Descriptor] = field(default_factory=dict)
    unreadable: dict[str, ManyfestError] = field(default_factory=dict)


class CopiedTags(Struct):
    """What came of it: the tags that were set, in order; why others could not be; bytes sent."""

    copied: list[str] = field(default_factory=list)
    failed: dict[str, ManyfestError] = field(default_factory=dict)
    sent: int = 0


def differences(source: Source, target: Place, tags: Iterable[str]) -> Differences:
    """Compare the tags by one HEAD request at each side."""

    def look(tag: str) -> tuple[Descriptor | ManyfestError, bool]:
        try:
            root = source.resolve(tag)
        except ManyfestError as error:
            if not _is_of_one_image(error):
                raise
            return error, False
        return root, means(target, tag, root.digest)

    found = Differences()
    with workers(LOOKS, "look") as pool:
        for tag, looked in [(tag, pool.submit(look, tag)) for tag in tags]:
            root, is_same = looked.result()
            if isinstance(root, ManyfestError):
                found.unreadable[tag] = root
            else:
                (found.same if is_same else found.moved)[tag] = root
    return found


def copy_tags(
    source: Source,
    tags: Mapping[str, Descriptor],
    target: Target,
    *,
    known: Collection[str] | None = None,
    referrers: bool = True,
    progress: Progress | None = None,
) -> CopiedTags:
    """Copy what ``tags`` mean in ``source``, and set them; ``known`` are all tags there are in it.

    With ``referrers``, what refers to the images goes along. An image that cannot be read does not
    keep the others from being copied; a target that fails does, and its error is raised.
    """
    run = _Run(source, target, known, referrers=referrers, progress=progress or NoProgress())
    lists = {tag: root for tag, root in tags.items() if is_fallback_list(tag, root)}
    # Images first, each with what refers to it; then what is left of that, whose images are there.
    for is_companion in (False, True):
        run.copy_images(
            {
                tag: root
                for tag, root in tags.items()
                if tag not in lists and is_companion_tag(tag) is is_companion
            }
        )
    run.copy_lists(lists)
    return run.result


class _Job(Struct, frozen=True):
    """Something to copy at one go, and the tags that fail with it."""

    tags: tuple[str, ...]
    items: Sequence[Item]


class _Run:
    """One copy of many tags."""

    def __init__(
        self,
        source: Source,
        target: Target,
        known: Collection[str] | None,
        *,
        referrers: bool,
        progress: Progress,
    ) -> None:
        self.result = CopiedTags()
        self._source = source
        self._target = target
        self._known = known
        self._referrers = referrers
        self._progress = progress
        self._set: set[str] = set()
        self._listed: set[str] = set()

    def copy_images(self, tags: Mapping[str, Descriptor]) -> None:
        """Copy the images, each once, and set their tags, except for what was set before."""
        named: dict[Descriptor, list[str]] = {}
        for tag, root in tags.items():
            named.setdefault(root, []).append(tag)
        for batch in batches(named.items(), BATCH):
            left = [
                (root, names)
                for root, every in batch
                if (names := tuple(tag for tag in every if tag not in self._set))
            ]
            self._copy(self._read(left, self._image))

    def copy_lists(self, lists: Mapping[str, Descriptor]) -> None:
        """Attach what these lists of referrers name, except for what was found before."""
        if not isinstance(self._target, Attaches):
            return
        for batch in batches(lists.items(), BATCH):
            left = [(root, (tag,)) for tag, root in batch if tag not in self._listed]
            self._copy(self._read(left, self._referring))

    def _image(self, root: Descriptor, tags: tuple[str, ...]) -> Sequence[Item]:
        graph = read_graph(self._source, root)
        along = companions(self._source, [graph], tags=self._known) if self._referrers else []
        return [*along, Item(graph=graph, tags=tags)]

    def _referring(self, root: Descriptor, _: tuple[str, ...]) -> Sequence[Item]:
        return listed_companions(self._source, root)

    def _read(
        self,
        wanted: Sequence[tuple[Descriptor, tuple[str, ...]]],
        items: Callable[[Descriptor, tuple[str, ...]], Sequence[Item]],
    ) -> list[_Job]:
        """What is to be copied, as far as it can be read."""

        def read(each: tuple[Descriptor, tuple[str, ...]]) -> Sequence[Item] | ManyfestError:
            try:
                return items(*each)
            except ManyfestError as error:
                if not _is_of_one_image(error):
                    raise
                return error

        jobs: list[_Job] = []
        with workers(READERS, "read") as pool:
            for (_, tags), found in zip(wanted, pool.map(read, wanted), strict=True):
                if isinstance(found, ManyfestError):
                    self.result.failed |= dict.fromkeys(tags, found)
                elif found:
                    jobs.append(_Job(tags, found))
        return jobs

    def _copy(self, jobs: Sequence[_Job]) -> None:
        """Copy them together; if one cannot be read after all, each for itself."""
        if not jobs:
            return
        items = [item for job in jobs for item in job.items]
        try:
            copied = copy_graphs(self._source, items, self._target, progress=self._progress)
        except ManyfestError as error:
            if error.where == self._target.label or not _is_of_one_image(error):
                raise
            if len(jobs) == 1:
                self.result.failed |= dict.fromkeys(jobs[0].tags, error)
            else:
                for job in jobs:
                    self._copy([job])
            return
        self.result.sent += copied.sent
        self._note(items)

    def _note(self, items: Iterable[Item]) -> None:
        """What is done now, and need not be done again."""
        for item in items:
            new = [tag for tag in item.tags if tag not in self._set]
            self.result.copied += new
            self._set.update(new)
            if self._referrers:
                self._listed.update(fallback_tag(m.descriptor.digest) for m in item.graph.manifests)


def _is_of_one_image(error: ManyfestError) -> bool:
    """Whether a source that says so may have other images all the same."""
    if isinstance(error, RegistryError):
        return 400 <= error.status < 500 and error.status != 429
    return isinstance(error, NotFound | ContentError)
