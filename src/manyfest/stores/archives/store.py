"""Archives of images, read where they lie: OCI archives and those of ``docker save``.

:mod:`.tar_files` finds the files in it. An OCI archive is an image layout in a tar file. What has
no ``index.json`` is seen through :mod:`.docker_view`; what has both (Docker 25 and ours) is an OCI
archive in which ``manifest.json`` gives some images more names. :mod:`.writer` writes archives.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Self

from msgspec import Struct

from manyfest.errors import InvalidArchive, InvalidManifest, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.reference import STREAM
from manyfest.stores.archives.docker_archive import LIST, read_list
from manyfest.stores.archives.docker_names import all_docker_names, entries_named, names_of
from manyfest.stores.archives.docker_view import oci_view
from manyfest.stores.archives.images import find_by_config, find_by_list
from manyfest.stores.archives.spool import open_archive, open_standard_input, spooled
from manyfest.stores.archives.tar_files import TarFiles
from manyfest.stores.base import Reader, read_all
from manyfest.stores.names import as_digest, described, listing, only, parse_top, pick, tags_in
from manyfest.stores.referrers import NamedReferrers

_INDEX = "index.json"


class ArchiveStore:
    """The archive at ``path``, to read from. The file is opened when something is first asked.

    A compressed one is spooled then: :mod:`.spool`. ``label`` is how errors and progress name it.
    """

    local = True

    def __init__(self, path: Path, *, label: str = "") -> None:
        self.path = path
        self.label = label or f"oci-archive:{path}"
        self._open_file: Callable[[], BinaryIO] = lambda: open_archive(path, self.label)
        self._lock = threading.Lock()
        self._archive: _Archive | None = None
        self._referrers = NamedReferrers(lambda entry: read_all(self, entry))

    @classmethod
    def streamed(cls, open_stream: Callable[[], Reader], *, label: str) -> Self:
        """The archive in a stream, which is opened, spooled and closed when something is first
        asked."""
        return cls._opened_by(lambda: spooled(open_stream(), label), label)

    @classmethod
    def standard_input(cls, *, label: str, descriptor: int = 0) -> Self:
        """The archive on standard input; see
        :func:`~manyfest.stores.archives.spool.open_standard_input`."""
        return cls._opened_by(lambda: open_standard_input(descriptor, label), label)

    @classmethod
    def _opened_by(cls, open_file: Callable[[], BinaryIO], label: str) -> Self:
        store = cls(Path(STREAM), label=label)
        store._open_file = open_file
        return store

    @property
    def is_synthesized(self) -> bool:
        """Whether the archive holds no manifests, so that those given out were made here."""
        return self._opened().is_synthesized

    def resolve(self, name: str) -> Descriptor:
        """What ``name`` means: a tag, a name as Docker knows it, the digest of a manifest or of a
        configuration (Docker's image id), ``@N`` for the Nth image of ``manifest.json``, or
        nothing for the only image."""
        archive = self._opened()
        try:
            return pick(archive.top, name, where=self.label)
        except NotFound as error:
            found = self._otherwise(archive, name)
            if found is None:
                raise self._not_found(archive, error) from None
            return found

    def open(self, descriptor: Descriptor) -> Reader:
        return self._opened().open(descriptor.digest)

    def has(self, descriptor: Descriptor) -> bool:
        return self._opened().size(descriptor.digest) == descriptor.size

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """See :class:`~manyfest.stores.base.Refers`."""
        return self._referrers.of(subject, self._opened().top.index)

    def tags(self) -> Iterator[str]:
        """The tags of an OCI archive, but whole names where several images have one tag; in
        Docker's old form, all names as Docker shows them."""
        archive = self._opened()
        if archive.is_synthesized:
            return all_docker_names(archive.top)
        return tags_in(archive.top)

    def names_of(self, root: Digest) -> tuple[str, ...]:
        return names_of(self._opened().top, root)

    def close(self) -> None:
        with self._lock:
            if self._archive is not None:
                self._archive.files.file.close()
                self._archive = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> _Archive:
        """The archive with its headers read: once, whichever thread is first."""
        with self._lock:
            if self._archive is None:
                self._archive = _read(self._open_file(), self.label)
            return self._archive

    def _otherwise(self, archive: _Archive, name: str) -> Descriptor | None:
        """What ``name`` means that is not in the index as it is written."""
        digest = as_digest(name)
        if digest is not None:
            return self._by_digest(archive, digest)
        entries = entries_named(archive.top, name)
        if entries:
            return only(archive.top, entries, name, where=self.label)
        return find_by_list(self, archive.top, archive.files, name)

    def _not_found(self, archive: _Archive, error: NotFound) -> NotFound:
        """The error, naming what there is as Docker's users know it, if it is theirs."""
        names = list(all_docker_names(archive.top))
        if not names or archive.files.stretch(LIST) is None:
            return error
        return NotFound(error.what, where=error.where, mend=f"name one of {listing(names)}")

    def _by_digest(self, archive: _Archive, digest: Digest) -> Descriptor | None:
        """A manifest that no name points at, or the image that has this configuration."""
        if archive.size(digest) is None:
            return None
        try:
            return described(archive.small(digest), digest, where=self.label)
        except InvalidManifest:
            found = find_by_config(self, archive.top, digest)
            if found is None:
                raise
            return found


class _Archive(Struct, frozen=True):
    """An open archive. ``made`` has what lies in no file of its own: ``index.json`` as a manifest,
    and manifests that were made; ``members`` the files of what lies elsewhere than a layout has
    it."""

    files: TarFiles
    top: Manifest
    made: Mapping[Digest, bytes]
    members: Mapping[Digest, str]
    is_synthesized: bool

    def open(self, digest: Digest) -> Reader:
        if digest in self.made:
            return io.BytesIO(self.made[digest])
        return self.files.open(self._member(digest))

    def size(self, digest: Digest) -> int | None:
        """Bytes of what has this digest; ``None`` if it is not here."""
        if digest in self.made:
            return len(self.made[digest])
        stretch = self.files.stretch(self._member(digest))
        return None if stretch is None else stretch[1]

    def small(self, digest: Digest) -> bytes:
        """The whole of a manifest."""
        if digest in self.made:
            return self.made[digest]
        return self.files.small(self._member(digest))

    def _member(self, digest: Digest) -> str:
        return self.members.get(digest) or f"blobs/{digest.algorithm}/{digest.hex}"


def _read(file: BinaryIO, where: str) -> _Archive:
    """The archive in ``file``, which is closed if it is none."""
    try:
        files = TarFiles.scanned(file, where)
        return _layout(files) if files.stretch(_INDEX) is not None else _listed(files)
    except BaseException:
        file.close()
        raise


def _layout(files: TarFiles) -> _Archive:
    """An OCI archive. Its ``index.json`` may be an image's own index, and is in no blob then."""
    top = parse_top(files.small(_INDEX), where=f"{files.where}, {_INDEX}")
    return _Archive(files, top, {top.descriptor.digest: top.raw}, {}, is_synthesized=False)


def _listed(files: TarFiles) -> _Archive:
    """An archive that has no manifests."""
    if files.stretch(LIST) is None:
        raise InvalidArchive(
            f"it has neither {_INDEX} nor {LIST}, so it is no archive of images", where=files.where
        )
    view = oci_view(files, read_list(files))
    made = {each.descriptor.digest: each.raw for each in (view.top, *view.manifests)}
    return _Archive(files, view.top, made, view.members, is_synthesized=True)
