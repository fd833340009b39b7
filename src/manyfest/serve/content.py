"""What a registry serves: repositories as they are read, whatever keeps them.

:class:`~manyfest.serve.storage.Storage` is a folder that can be pushed to,
:class:`~manyfest.serve.sources.Sources` are archives and layouts, which cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from manyfest.errors import NotFound, UsageError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.serve.bodies import Body, FilePart, StreamPart

if TYPE_CHECKING:
    from manyfest.serve.storage import Storage


class TagNames(Protocol):
    """A repository's tags at one time."""

    @property
    def by_name(self) -> Mapping[str, Digest]:
        """Each tag's manifest."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The tags in ASCII order, as the specification lists them."""
        ...


class Readable(Protocol):
    """A repository, to be read."""

    @property
    def name(self) -> str: ...

    @property
    def warning(self) -> str:
        """What a client should know of the last answer in the form of the
        specification ("Warnings"); empty as a rule."""
        ...

    async def find_blob(self, digest: Digest, *, to_send: bool) -> Body | None:
        """The blob; ``None`` if it is not in this repository. Unless it is ``to_send``, nobody
        will read it."""
        ...

    async def find_tag(self, tag: str) -> Digest | None:
        """The manifest that the tag means, if there is such a tag."""
        ...

    async def find_manifest(self, digest: Digest) -> Manifest:
        """Raises :class:`~manyfest.serve.errors.Refusal` if it is not here."""
        ...

    async def find_referrers(self, subject: Digest) -> Iterable[Descriptor]:
        """What points at ``subject``, by digest: artifact type and annotations included."""
        ...

    def known_blob(self, digest: Digest) -> FilePart | StreamPart | None:
        """The blob, if it is here: nobody else is asked for it."""
        ...

    def known_manifest(self, digest: Digest) -> Manifest | None:
        """The manifest, if no disk is needed for that."""
        ...

    def manifest(self, digest: Digest) -> Manifest:
        """Raises :class:`~manyfest.serve.errors.Refusal` if it is not here."""
        ...

    async def tag_list(self) -> TagNames:
        """The tags whose manifests are here."""
        ...

    async def tag_names(self) -> Sequence[str]:
        """All tags that there are, in ASCII order."""
        ...

    def referrers(self, subject: Digest) -> Iterable[Descriptor]:
        """What points at ``subject``, by digest: artifact type and annotations included."""
        ...


class Content(Protocol):
    """All that a registry serves."""

    @property
    def read_only(self) -> bool:
        """Whether nothing can ever be pushed to it."""
        ...

    @property
    def why_read_only(self) -> str:
        """What whoever pushes to it is told when it is only read."""
        ...

    @property
    def storage(self) -> Storage | None:
        """The folder that all of it is kept in, if there is one."""
        ...

    def prepare(self, *, read_only: bool = False) -> None:
        """Look whether it can be served, before the first request.

        Raises :class:`~manyfest.errors.UsageError`, :class:`~manyfest.errors.StoreError`,
        :class:`~manyfest.errors.ContentError` and :class:`~manyfest.errors.NotFound`.
        """
        ...

    def names(self) -> list[str]:
        """Every repository, in ASCII order."""
        ...

    def repository(self, name: str) -> Readable:
        """The repository of this valid name; an empty one if there is none."""
        ...

    def existing(self, name: str) -> Readable:
        """The same; raises :class:`~manyfest.serve.errors.Refusal` if there is none."""
        ...

    def tidy(self) -> None:
        """Clear what was given up; called from time to time."""
        ...

    def give_up(self) -> None:
        """Let no client wait any longer for what others are asked for: the server is to end. May be
        called from any thread."""
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...

    def named(self, name: str, registry: str) -> str:
        """What the repository is called here that ``registry`` calls ``name``. Clients that take
        this registry for a mirror of others ask so (containerd's ``?ns=``).

        Raises :class:`~manyfest.serve.errors.Refusal` if it cannot be had here.
        """
        ...

    def other_name(self, name: str) -> str:
        """A second name of the repository, under which it takes the same rights; empty if it has
        none."""
        ...


def content_at(
    paths: Sequence[Path], *, quota: int | None = None, largest: int | None = None
) -> Content:
    """What is to be served of ``paths``: one registry's folder, which need not be there yet, or
    any number of archives and layouts. Which they are is seen by looking. ``quota`` is how many
    bytes a folder may have, and ``largest`` how many a blob that is pushed to it.

    Raises :class:`~manyfest.errors.UsageError` and :class:`~manyfest.errors.NotFound`.
    """
    from manyfest.serve.sources import Sources
    from manyfest.serve.storage import Storage
    from manyfest.stores.archives.names import is_archive_name

    for path in paths:
        if not path.exists() and (len(paths) > 1 or is_archive_name(path)):
            raise NotFound("there is no such file", where=str(path))
    folders = [path for path in paths if not _is_source(path)]
    if not folders:
        return Sources(paths)
    if len(paths) > 1:
        raise UsageError(
            "is a registry's folder, which is served alone",
            where=str(folders[0]),
            mend="name archives and OCI layouts only, or this folder only",
        )
    return Storage(folders[0], quota=quota, largest=largest)


def _is_source(path: Path) -> bool:
    return path.is_file() or (path / "oci-layout").is_file()
