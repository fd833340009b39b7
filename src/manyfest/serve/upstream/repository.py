"""A repository of an upstream, answered for from what is kept of it and, if need be, filled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct

from manyfest.errors import (
    AccessDenied,
    InvalidManifest,
    ManyfestError,
    NotFound,
    RateLimited,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.parse import parse_manifest
from manyfest.oci.reference import Name
from manyfest.serve.batches import landed
from manyfest.serve.bodies import Body, FilePart
from manyfest.serve.content import TagNames
from manyfest.serve.errors import Refusal, unknown_manifest, unknown_repository
from manyfest.serve.pool import touch
from manyfest.serve.pushes import Push
from manyfest.serve.repository import Repository
from manyfest.serve.storage import Storage
from manyfest.serve.upstream.downloads import Download, Downloads
from manyfest.serve.upstream.flights import Flights
from manyfest.serve.upstream.origin import Origin, Origins
from manyfest.serve.upstream.refusals import is_away, refusal_for, stale, tell_operator
from manyfest.serve.upstream.timed import Timed
from manyfest.stores.base import read_all

T = TypeVar("T")

ABSENT = 10.0
"""Seconds for which what an upstream does not have or refuses is not asked for again."""

AWAY = 10.0
"""Seconds for which an upstream that did not answer is not asked about what is here."""

_USED = 5.0
"""Seconds after which it is noted again that something is of use; fewer than
:data:`~manyfest.serve.upstream.eviction.JUST_USED`."""

Key = tuple[str, str, str]
"""What kind of thing was asked for, in which repository, and its tag or digest."""


class Shared(Struct, frozen=True):
    """What the repositories of one cache have in common. ``fresh`` is for how many seconds a tag
    is believed."""

    storage: Storage
    origins: Origins
    downloads: Downloads
    make_room: Callable[[int], None]
    fresh: float
    flights: Flights
    looked: Timed[Key, bool]
    absent: Timed[Key, Refusal]
    away: Timed[str, bool]
    lists: Timed[Key, Sequence[str]]
    referring: Timed[Key, Sequence[Descriptor]]
    expected: Timed[tuple[str, Digest], Descriptor]


class Answer(Struct, Generic[T], frozen=True):
    """What an upstream says, or what it said once, with a warning."""

    value: T
    warning: str = ""


class CachedRepository:
    """One repository for one request: ``warning`` belongs to its answer."""

    def __init__(self, name: str, origin: Name, kept: Repository, shared: Shared) -> None:
        self.name = name
        self.warning = ""
        self._origin_name = origin
        self._kept = kept
        self._shared = shared

    # What a tag means

    async def find_tag(self, tag: str) -> Digest:
        """What the upstream says that the tag means, asked again when that is no longer fresh.
        Raises :class:`~manyfest.serve.errors.Refusal` if there is no such tag."""
        local = await self._kept.find_tag(tag) if self._kept.exists() else None
        key = self._key("tag", tag)
        if local is not None:
            if self._shared.looked.get(key, within=self._shared.fresh):
                return local
            if self._is_resting():
                self.warning = stale(self._registry)
                return local
        return self._told(await self._ask(key, partial(self._look, key, tag, local)))

    def _look(self, key: Key, tag: str, local: Digest | None) -> Answer[Digest]:
        try:
            answer = self._now_or_then(lambda: self._resolve(tag, local), lambda: local)
        except NotFound:
            if local is not None:
                self._kept.tags.remove(tag)
            raise
        if not answer.warning:
            self._shared.looked.put(key, value=True)
        return answer

    def _resolve(self, tag: str, local: Digest | None) -> Digest:
        """The tag's manifest, which is whole and here before the tag means it."""
        origin = self._origin()
        if local is not None and self._kept.is_manifest(local) and origin.means(tag, local):
            return local
        entry = origin.resolve(tag)
        if not self._kept.is_manifest(entry.digest):
            self._fetch(origin, entry, tag)
        elif entry.digest != local:
            # As a push, so that it is not removed as garbage at this moment.
            here = self._kept.manifest(entry.digest)
            self._kept.pushes.do(Push(lambda: here, [tag], whole=False))
        return entry.digest

    # Manifests

    def known_manifest(self, digest: Digest) -> Manifest | None:
        """The manifest, if no disk is needed for that."""
        manifest = self._kept.known_manifest(digest)
        if manifest is not None:
            self._use(self._kept.blob(digest))
        return manifest

    def manifest(self, digest: Digest) -> Manifest:
        """The manifest, if it is here. Raises :class:`~manyfest.serve.errors.Refusal`."""
        manifest = self._kept.manifest(digest)
        self._expect(manifest)
        return manifest

    async def find_manifest(self, digest: Digest) -> Manifest:
        """The manifest, from the upstream if it is not here. Raises
        :class:`~manyfest.serve.errors.Refusal`."""
        return await self._ask(self._key("manifest", str(digest)), partial(self._read, digest))

    def _read(self, digest: Digest) -> Manifest:
        if self._kept.is_manifest(digest):
            self._use(self._kept.blob(digest))
            return self.manifest(digest)
        origin = self._origin()
        entry = self._shared.expected.get((self._kept.name, digest))
        if entry is None or not entry.is_manifest:
            entry = origin.resolve(str(digest))
        return self._fetch(origin, entry)

    def _fetch(self, origin: Origin, entry: Descriptor, *tags: str) -> Manifest:
        """Get a manifest and keep it under these tags; what it points at may come later."""
        raw = read_all(origin, entry)
        manifest = parse_manifest(raw, algorithm=entry.digest.algorithm)
        if manifest.descriptor.media_type != entry.media_type:
            raise InvalidManifest(
                f"it is served as {entry.media_type!r}, but is {manifest.descriptor.media_type!r}",
                where=f"{origin.label}@{entry.digest}",
            )
        self._shared.make_room(len(raw))
        self._kept.pushes.do(Push(lambda: manifest, tags, whole=False))
        self._expect(manifest)
        return manifest

    def _expect(self, manifest: Manifest) -> None:
        """What a manifest names will be asked for, and need not be measured then."""
        for child in manifest.children:
            self._shared.expected.put((self._kept.name, child.digest), child)

    # Blobs

    async def find_blob(self, digest: Digest, *, to_send: bool) -> Body:
        """The blob, from the upstream if it is not here. Raises
        :class:`~manyfest.serve.errors.Refusal`."""
        here = self.known_blob(digest)
        if here is not None:
            return here
        if not to_send:
            size = await self._ask(self._key("size", str(digest)), partial(self._size, digest))
            return FilePart(self._kept.blob(digest), size)
        key = self._key("blob", str(digest))
        running = self._shared.downloads.find(digest)
        if running is None or not running.is_for(self._kept.name):
            found = await self._ask(key, partial(self._bring, digest))
            if isinstance(found, FilePart):
                return found
            running = found
        try:
            await landed(running.begun)
        except ManyfestError as error:
            raise self._refused(key, error) from None
        return running.body()

    def known_blob(self, digest: Digest) -> FilePart | None:
        """The blob, if it is here."""
        path = self._kept.blob(digest)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return None
        self._use(path)
        return FilePart(path, size)

    def _size(self, digest: Digest) -> int:
        return self._origin().measure(digest)

    def _bring(self, digest: Digest) -> FilePart | Download:
        """The blob, or the download that brings it. What another repository has or gets is not
        fetched once more, but only after the upstream said that this one has it too."""
        shared, name, origin = self._shared, self._kept.name, self._origin()
        is_shared = shared.storage.is_held(digest) or shared.downloads.find(digest) is not None
        expected = shared.expected.get((name, digest))
        if expected is None or is_shared:
            size = origin.measure(digest)
            media_type = "application/octet-stream"
            expected = Descriptor(media_type=media_type, digest=digest, size=size)
        if self._kept.mount_any(digest):
            mounted = self.known_blob(digest)
            if mounted is not None:
                return mounted
        return shared.downloads.begin(expected, origin, name)

    # Lists

    async def tag_list(self) -> TagNames:
        """The tags of which something is here. Raises :class:`~manyfest.serve.errors.Refusal` if
        nothing is."""
        if not self._kept.exists():
            raise unknown_repository(self.name)
        return await self._kept.tag_list()

    async def tag_names(self) -> Sequence[str]:
        """All tags that the upstream has; those that are known if it cannot be asked."""
        key = self._key("tags", "")
        known = self._shared.lists.get(key, within=self._shared.fresh)
        if known is None:
            known = self._told(await self._ask(key, partial(self._list, key)))
        return known

    def _list(self, key: Key) -> Answer[Sequence[str]]:
        def ask() -> Sequence[str]:
            names = sorted(self._origin().tags())
            self._shared.lists.put(key, names)
            return names

        return self._now_or_then(ask, lambda: self._shared.lists.get(key) or self._local_names())

    def _local_names(self) -> Sequence[str] | None:
        return self._kept.tags.read().names if self._kept.exists() else None

    async def find_referrers(self, subject: Digest) -> Sequence[Descriptor]:
        """What the upstream lists, by digest; what is known if it cannot be asked."""
        key = self._key("referrers", str(subject))
        known = self._shared.referring.get(key, within=self._shared.fresh)
        if known is None:
            known = self._told(await self._ask(key, partial(self._refer, key, subject)))
        return known

    def _refer(self, key: Key, subject: Digest) -> Answer[Sequence[Descriptor]]:
        def ask() -> Sequence[Descriptor]:
            found = sorted(self._origin().referrers(subject), key=lambda each: str(each.digest))
            for each in found:
                self._shared.expected.put((self._kept.name, each.digest), each)
            self._shared.referring.put(key, found)
            return found

        def then() -> Sequence[Descriptor] | None:
            known = self._shared.referring.get(key)
            return list(self.referrers(subject)) if known is None else known

        return self._now_or_then(ask, then)

    def referrers(self, subject: Digest) -> Iterable[Descriptor]:
        """What is here that points at ``subject``."""
        return self._kept.referrers(subject)

    # Asking the upstream

    @property
    def _registry(self) -> str:
        return self._origin_name.registry

    def _origin(self) -> Origin:
        return self._shared.origins.repository(self._origin_name)

    def _key(self, kind: str, item: str) -> Key:
        return kind, self._kept.name, item

    def _told(self, answer: Answer[T]) -> T:
        """What was answered; the client will hear of its warning."""
        self.warning = self.warning or answer.warning
        return answer.value

    async def _ask(self, key: Key, work: Callable[[], T]) -> T:
        """What ``work`` gives, done once for all who ask the same at this time. Raises
        :class:`~manyfest.serve.errors.Refusal`, again for a while without asking."""
        refused = self._shared.absent.get(key, within=ABSENT)
        if refused is not None:
            raise refused.with_traceback(None)  # or it would grow each time
        return await self._shared.flights.share(key, partial(self._answered, key, work))

    def _answered(self, key: Key, work: Callable[[], T]) -> T:
        try:
            return work()
        except ManyfestError as error:
            raise self._refused(key, error) from None

    def _refused(self, key: Key, error: ManyfestError) -> Refusal:
        """What a client is told of an error; what will not pass at once is remembered."""
        if isinstance(error, NotFound):
            refusal = self._unknown(key)
        else:
            if not (self._note_away(error) or isinstance(error, Refusal)):
                tell_operator(error, self._registry)
            pause = self._shared.origins.pause(self._registry)
            refusal = refusal_for(error, self._registry, pause=pause)
        if isinstance(error, NotFound | AccessDenied | RateLimited):
            self._shared.absent.put(key, refusal)
        return refusal

    def _unknown(self, key: Key) -> Refusal:
        kind, _, item = key
        if kind in ("tag", "manifest"):
            return unknown_manifest(item, self.name)
        if kind in ("blob", "size"):
            return Refusal("BLOB_UNKNOWN", f"{item} is not in {self._origin_name.place}")
        return unknown_repository(self.name)

    def _now_or_then(self, ask: Callable[[], T], then: Callable[[], T | None]) -> Answer[T]:
        """What ``ask`` gives; what ``then`` has if the upstream is away."""
        if self._is_resting():
            old = then()
            if old is not None:
                return Answer(old, stale(self._registry))
        try:
            return Answer(ask())
        except ManyfestError as error:
            old = then() if self._note_away(error) else None
            if old is None:
                raise
            return Answer(old, stale(self._registry))

    def _is_resting(self) -> bool:
        """Whether the upstream wants to be left alone, or just did not answer."""
        return self._is_away() or self._shared.origins.pause(self._registry) > 0

    def _is_away(self) -> bool:
        return bool(self._shared.away.get(self._registry, within=AWAY))

    def _note_away(self, error: ManyfestError) -> bool:
        """Whether it is away now. The operator is told when that begins, not at each request."""
        away = is_away(error)
        if away:
            if not self._is_away():
                tell_operator(error, self._registry)
            self._shared.away.put(self._registry, value=True)
        return away

    @staticmethod
    def _use(path: Path) -> None:
        """Note that a blob is of use, so that it does not have to make room for others."""
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _USED:
                touch(path)
