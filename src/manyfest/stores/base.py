"""What a store is: a handful of methods, and capabilities that some stores add.

Copying, building, checking and releasing are written against these protocols and never against
one kind of store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from msgspec import Struct

from manyfest.errors import DigestMismatch
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Manifest

CHUNK_SIZE = 1024 * 1024
"""Bytes asked of a reader at a time: large enough that Python's part of the work is small."""


class Reader(Protocol):
    """A stream of bytes, read once."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; the empty string at the end."""
        ...

    def close(self) -> None: ...


class Content(Struct, frozen=True):
    """Bytes that can be opened again and again, so that a failed transfer can start over."""

    descriptor: Descriptor
    open: Callable[[], Reader]


class Place(Protocol):
    """Where content lies under its digest, and names point at it."""

    @property
    def label(self) -> str:
        """The place as a person would write it: what errors and progress show."""
        ...

    def resolve(self, name: str) -> Descriptor:
        """The descriptor of the manifest that ``name``, a tag or a digest, points at.

        Raises :class:`~manyfest.errors.NotFound` if there is none.
        """
        ...

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the content is here. An error is raised, never answered as no."""
        ...

    def close(self) -> None:
        """Finish what was written and let go of files and connections."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


class Source(Place, Protocol):
    """A place to read from."""

    def open(self, descriptor: Descriptor) -> Reader:
        """The content, unverified: wrap it in :class:`VerifyingReader` before trusting it."""
        ...


class Target(Place, Protocol):
    """A place to write to."""

    def put(self, content: Content) -> None:
        """Store the content under its digest, whole or not at all.

        Raises :class:`~manyfest.errors.DigestMismatch` if the bytes are not the descriptor's.
        """
        ...

    def tag(self, name: str, manifest: Content) -> None:
        """Store the manifest, if it is not here, and point ``name`` at it."""
        ...


class Store(Source, Target, Protocol):
    """A place to read from and to write to."""


@runtime_checkable
class Lists(Protocol):
    """A store that can name its tags."""

    def tags(self) -> Iterator[str]:
        """Every tag, in the store's own order."""
        ...


@runtime_checkable
class Names(Protocol):
    """A store that can tell what its images are called, tags and whole names."""

    def names_of(self, root: Digest) -> tuple[str, ...]:
        """Every name of the manifest ``root``: as Docker knows it, ``team/app:v1``, or a tag where
        no repository is told."""
        ...


@runtime_checkable
class Mounts(Protocol):
    """A store that can take a blob from a neighbour without moving its bytes."""

    def mount(self, descriptor: Descriptor, source: Source) -> bool:
        """Take the blob from ``source``; ``False`` if it must be transferred after all."""
        ...


@runtime_checkable
class Compares(Protocol):
    """A store that can tell whether a name means what it is thought to mean, and with less work
    than it takes to tell what it means."""

    def means(self, name: str, digest: Digest) -> bool:
        """Whether ``name`` means ``digest``. Raises :class:`~manyfest.errors.NotFound`."""
        ...


@runtime_checkable
class Reads(Protocol):
    """A store that gives the manifest which a name means by one request, where to resolve the name
    and to open what it means takes two."""

    def read(self, name: str) -> Manifest:
        """The manifest that ``name`` means, verified. Raises
        :class:`~manyfest.errors.NotFound`, and :class:`~manyfest.errors.InvalidManifest`."""
        ...


@runtime_checkable
class Gathers(Protocol):
    """A source that gets its content from several others."""

    def origin(self, descriptor: Descriptor) -> Source:
        """The one that has this content."""
        ...


@runtime_checkable
class Verifies(Protocol):
    """A store whose other side hashes what it receives and refuses what does not match.

    What is sent there need not be hashed a second time on this side.
    """

    verifies: bool


@runtime_checkable
class Local(Protocol):
    """A store whose content lies on this machine.

    What comes from elsewhere is hashed on arrival, even if the place it goes to hashes it too.
    """

    local: bool


@runtime_checkable
class Plans(Protocol):
    """A store that wants to know what will come before it comes.

    An archive lays its blobs out in this order, whichever arrives first.
    """

    def plan(self, descriptors: Sequence[Descriptor]) -> None: ...


@runtime_checkable
class Ordered(Protocol):
    """A store that, if it is ``ordered``, takes one thing at a time: what was planned, in that
    order, and then the rest.

    A stream is one: what was sent cannot be gone back to.
    """

    ordered: bool


@runtime_checkable
class Refers(Protocol):
    """A store that knows what refers to a manifest: signatures, bills of materials, attestations
    (OCI distribution specification, "Listing Referrers")."""

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Descriptors of the manifests whose ``subject`` this is, with their artifact types and
        annotations; none if there are none, or if the manifest is not here."""
        ...


@runtime_checkable
class Attaches(Protocol):
    """A store in which a referrer can be found from its subject."""

    def attach(self, subject: Descriptor, referrer: Descriptor) -> None:
        """See to it that ``referrer``, which is here, is among the referrers of ``subject``."""
        ...


@runtime_checkable
class Deletes(Protocol):
    """A store whose names and manifests can be taken away."""

    def untag(self, name: str) -> None:
        """Take ``name`` away. In a registry what it named stays, and is found by its digest; where
        everything hangs on names, what nothing else leads to goes.

        Raises :class:`~manyfest.errors.NotFound` if there is no such name, and
        :class:`~manyfest.errors.Unsupported` where names cannot be taken away alone.
        """
        ...

    def delete(self, manifest: Digest) -> None:
        """Take the manifest away, and with it every name that it has.

        Raises :class:`~manyfest.errors.NotFound`.
        """
        ...


@runtime_checkable
class Settles(Protocol):
    """A store in which what was written may show a little later."""

    def settle(self, name: str, digest: Digest) -> None:
        """Return once ``name`` is seen to mean ``digest``; wait a bounded time for that.

        Raises :class:`~manyfest.errors.StoreError` if it does not come to pass.
        """
        ...


@runtime_checkable
class Repeats(Protocol):
    """A store that sends again what failed, after pauses in which somebody else may set a tag."""

    def tag_guarded(self, name: str, manifest: Content, before_repeat: Callable[[], None]) -> None:
        """As :meth:`Target.tag`; ``before_repeat`` is called each time just before the manifest is
        sent again, and what it raises ends this."""
        ...


@runtime_checkable
class Admits(Protocol):
    """A store that can tell whether it would take anything, before there is anything to take."""

    def require_push(self) -> None:
        """Return if something may be put here.

        Raises :class:`~manyfest.errors.AccessDenied` where we may not, and
        :class:`~manyfest.errors.RegistryError` where there is no such repository and putting
        something there would not make it.
        """
        ...


@runtime_checkable
class Skips(Protocol):
    """A reader that can begin later than at its first byte."""

    def skip(self, count: int, /) -> None:
        """Pass over the next ``count`` bytes, which need not be read for that."""
        ...


def pass_over(reader: Reader, count: int) -> None:
    """Leave out the next ``count`` bytes of ``reader``, or what there is of them."""
    if count and isinstance(reader, Skips):
        reader.skip(count)
        return
    while count:
        chunk = reader.read(min(count, CHUNK_SIZE))
        if not chunk:
            return  # whoever reads on will say that it ends too early
        count -= len(chunk)


class VerifyingReader:
    """Passes bytes through and raises unless, at the end, size and digest are the descriptor's.

    Never gives out more bytes than the descriptor promises. It does not skip: all that is hashed
    must be read, so that an upload out of another registry which goes on half-way reads what was
    sent already once more.
    """

    def __init__(self, reader: Reader, descriptor: Descriptor, *, where: str) -> None:
        self._reader = reader
        self._descriptor = descriptor
        self._where = where
        self._hash = descriptor.digest.hasher()
        self._left = descriptor.size

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; raises :class:`~manyfest.errors.DigestMismatch` at the end."""
        if not size:
            return b""  # nothing was asked for: that says nothing of the end
        chunk = self._reader.read(size)
        if not chunk:
            self._check_end()
            return b""
        self._left -= len(chunk)
        if self._left < 0:
            raise self._mismatch(f"is longer than the {self._descriptor.size} bytes promised")
        self._hash.update(chunk)
        if self._left == 0:
            self._check_digest()
        return chunk

    def close(self) -> None:
        self._reader.close()

    def _check_end(self) -> None:
        if self._left:
            got = self._descriptor.size - self._left
            raise self._mismatch(f"ends after {got} of {self._descriptor.size} bytes")
        self._check_digest()

    def _check_digest(self) -> None:
        found = self._hash.hexdigest()
        if found != self._descriptor.digest.hex:
            raise self._mismatch(f"has the digest {self._descriptor.digest.algorithm}:{found}")

    def _mismatch(self, what: str) -> DigestMismatch:
        return DigestMismatch(
            f"{self._descriptor.digest} {what}",
            where=self._where,
            mend="the content is damaged: get it again from where it came from",
        )


def read_all(source: Source, descriptor: Descriptor, *, limit: int = MAX_MANIFEST_SIZE) -> bytes:
    """The whole, verified content of something small: a manifest or a configuration.

    Raises :class:`~manyfest.errors.DigestMismatch` if it is not what the descriptor says or is
    larger than ``limit`` bytes.
    """
    if descriptor.size > limit:
        raise DigestMismatch(
            f"{descriptor.digest} is {descriptor.size} bytes, more than the {limit} allowed",
            where=source.label,
        )
    reader = VerifyingReader(source.open(descriptor), descriptor, where=source.label)
    with closing(reader):
        return b"".join(iter(lambda: reader.read(CHUNK_SIZE), b""))
