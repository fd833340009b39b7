"""Archives of images and OCI layouts as repositories, read where they lie.

All manifests are read once, at the start, which takes milliseconds; blobs are sent out of the
archive when they are asked for. What is changed in a layout afterwards is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from manyfest.errors import InvalidArchive, InvalidReference, NotFound, UsageError
from manyfest.graph import Graph, read_graph
from manyfest.images.companions import companions
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.reference import DEFAULT_TAG, DOCKER_HUB, Name, is_companion_tag, is_tag
from manyfest.serve.bodies import FilePart, StreamPart
from manyfest.serve.errors import unknown_manifest, unknown_repository
from manyfest.stores.archives.names import place_of
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.layout import LayoutStore
from manyfest.stores.referrers import as_referrer

_NAMELESS = "image"
"""The repository of what neither its own names nor its file's name give one."""

Source: TypeAlias = ArchiveStore | LayoutStore


class Sources:
    """The images of several archives and layouts. Their own names say which repository they are
    in, without the registry; those that only have a tag are in one named after the file."""

    read_only = True
    why_read_only = "nothing can be pushed to archives and layouts: they are served as they are"
    storage = None

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._opened = ExitStack()
        self._repositories: dict[str, SourceRepository] = {}

    def prepare(self, *, read_only: bool = True) -> None:  # noqa: ARG002 - it always is
        """Open the files, and read and verify every manifest in them.

        Raises :class:`~manyfest.errors.ContentError` for what is damaged,
        :class:`~manyfest.errors.NotFound` for what is not there or has no image, and
        :class:`~manyfest.errors.UsageError` if two images have one name.
        """
        self.close()
        try:
            for path in self._paths:
                source = _source(path)
                self._opened.callback(source.close)
                self._add(source, path)
        except BaseException:
            self.close()
            raise

    def names(self) -> list[str]:
        """Every repository, in ASCII order."""
        return sorted(self._repositories)

    def images(self) -> list[str]:
        """What can be pulled, as ``repository:tag``; what only belongs to an image is left out."""
        return [
            f"{name}:{tag}"
            for name in self.names()
            for tag in self._repositories[name].names
            if not is_companion_tag(tag)
        ]

    def repository(self, name: str) -> SourceRepository:
        """The repository of this valid name; an empty one if there is none."""
        return self._repositories.get(name) or SourceRepository(name)

    def existing(self, name: str) -> SourceRepository:
        """The same; raises :class:`~manyfest.serve.errors.Refusal` if there is none."""
        if name not in self._repositories:
            raise unknown_repository(name)
        return self._repositories[name]

    def named(self, name: str, registry: str) -> str:  # noqa: ARG002 - it stands for all of them
        """The name as it is: whichever registry it was in, it is here under this name."""
        return name

    def other_name(self, name: str) -> str:  # noqa: ARG002 - an image has one repository
        """Empty: each repository has one name."""
        return ""

    def tidy(self) -> None:
        """Nothing is left behind here."""

    def give_up(self) -> None:
        """Nobody else is ever asked."""

    def close(self) -> None:
        """Let go of the files."""
        self._repositories = {}
        self._opened.close()

    def _add(self, source: Source, path: Path) -> None:
        images = list(dict.fromkeys(_images(source)))
        named = {image.repository for image in images if image.repository}
        own = named.pop() if len(named) == 1 else _repository_of(path)
        graphs: dict[str, list[Graph]] = {}
        for image in images:
            repository = self._repositories.setdefault(
                image.repository or own, SourceRepository(image.repository or own)
            )
            graph = read_graph(source, image.root, select=partial(_is_here, source))
            repository.add(source, graph, image.tag)
            graphs.setdefault(repository.name, []).append(graph)
        for name, found in graphs.items():
            for item in companions(source, found):
                self._repositories[name].add(source, item.graph, *item.tags)


class SourceRepository:
    """One repository. It has the blobs that its images have, and no others."""

    warning = ""

    def __init__(self, name: str) -> None:
        self.name = name
        self.by_name: dict[str, Digest] = {}
        self._manifests: dict[Digest, Manifest] = {}
        self._blobs: dict[Digest, tuple[Source, Descriptor]] = {}
        self._referrers: dict[Digest, dict[Digest, Descriptor]] = {}

    @cached_property
    def names(self) -> list[str]:
        """The tags in ASCII order."""
        return sorted(self.by_name)

    def add(self, source: Source, graph: Graph, *tags: str) -> None:
        """Take an image in. Raises as :meth:`Sources.prepare` does."""
        root = graph.root.descriptor.digest
        for tag in tags:
            if self.by_name.setdefault(tag, root) != root:
                raise UsageError(
                    f"{self.name}:{tag} is two different images",
                    where=source.label,
                    mend="serve them one after the other, or at two addresses",
                )
        for manifest in graph.manifests:
            self._keep(manifest)
        for blob in graph.blobs:
            if not source.has(blob):
                raise InvalidArchive(
                    f"{blob.digest} is missing or damaged",
                    where=source.label,
                    mend="get it again from where it came from",
                )
            self._blobs.setdefault(blob.digest, (source, blob))

    async def find_blob(self, digest: Digest, *, to_send: bool) -> FilePart | StreamPart | None:  # noqa: ARG002 - it costs nothing
        """The blob; ``None`` if it is not in this repository."""
        return self.known_blob(digest)

    def known_blob(self, digest: Digest) -> FilePart | StreamPart | None:
        """The same."""
        found = self._blobs.get(digest)
        if found is None:
            return None
        source, blob = found
        if isinstance(source, LayoutStore):
            return FilePart(source.blobs.path(digest), blob.size)
        return StreamPart(partial(source.open, blob), blob.size)

    def known_manifest(self, digest: Digest) -> Manifest | None:
        """The manifest: all of them are in memory."""
        return self._manifests.get(digest)

    def manifest(self, digest: Digest) -> Manifest:
        """Raises :class:`~manyfest.serve.errors.Refusal` if it is not here."""
        found = self.known_manifest(digest)
        if found is None:
            raise unknown_manifest(str(digest), self.name)
        return found

    async def find_manifest(self, digest: Digest) -> Manifest:
        """The same."""
        return self.manifest(digest)

    async def find_tag(self, tag: str) -> Digest | None:
        """The manifest that the tag means, if there is such a tag."""
        return self.by_name.get(tag)

    async def find_referrers(self, subject: Digest) -> list[Descriptor]:
        """The same as :meth:`referrers`."""
        return self.referrers(subject)

    async def tag_names(self) -> list[str]:
        """All tags, in ASCII order."""
        return self.names

    async def tag_list(self) -> SourceRepository:
        """Its tags, which never change."""
        return self

    def referrers(self, subject: Digest) -> list[Descriptor]:
        """What points at ``subject``, by digest."""
        found = self._referrers.get(subject, {})
        return sorted(found.values(), key=lambda referrer: str(referrer.digest))

    def _keep(self, manifest: Manifest) -> None:
        digest, subject = manifest.descriptor.digest, manifest.body.subject
        self._manifests[digest] = manifest
        if subject is not None:
            self._referrers.setdefault(subject.digest, {})[digest] = as_referrer(manifest)


class _Image(Struct, frozen=True):
    """An image's name, with no ``repository`` if the archive tells none, and what it means."""

    repository: str
    tag: str
    root: Descriptor


def _images(source: Source) -> Iterator[_Image]:
    for tag in list(source.tags()) or [""]:
        root = source.resolve(tag)
        for name in source.names_of(root.digest) or (DEFAULT_TAG,):
            yield _Image(*_split(name), root)


def _split(name: str) -> tuple[str, str]:
    """A repository without its registry and a tag, either of which may be empty."""
    if is_tag(name):
        return "", name
    try:
        parsed = Name.parse(name)
    except InvalidReference:
        return "", ""  # OCI's tools allow anything; it can still be had by its digest
    own = parsed.familiar_place if parsed.registry == DOCKER_HUB else parsed.repository
    return own, parsed.tag or DEFAULT_TAG


def _source(path: Path) -> Source:
    return LayoutStore(path) if path.is_dir() else ArchiveStore(path)


def _repository_of(path: Path) -> str:
    return place_of(path.resolve()) or _NAMELESS


def _is_here(source: Source, entry: Descriptor) -> bool:
    """Whether an index's manifest is in the source, which may have fewer platforms than the index.
    One of another size than it should have is damaged, and to be read, so that this is told."""
    if source.has(entry):
        return True
    try:
        source.open(entry).close()
    except NotFound:
        return False
    return True
