"""The manifests of one repository: asked about, read, and put (OCI distribution specification,
"Pulling manifests", "Pushing Manifests")."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress

from manyfest.errors import DigestMismatch, InvalidManifest, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Manifest
from manyfest.oci.mediatypes import MANIFESTS
from manyfest.oci.parse import parse_manifest
from manyfest.oci.reference import is_tag
from manyfest.stores.base import CHUNK_SIZE, Content, Reader, VerifyingReader
from manyfest.stores.names import as_digest
from manyfest.stores.registry.answers import check_stated, expect, expect_taken, lied, stated_digest
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import BytesReader, Response
from manyfest.stores.registry.manifest_cache import KeptReader, ManifestCache
from manyfest.stores.registry.repository import PUSH, Repository

_ACCEPT = (("Accept", ", ".join(sorted(MANIFESTS))),)
_SIZE = re.compile(r"[0-9]{1,9}")
_NOT_MODIFIED = 304

_PAUSES = (0.1, 0.5)
"""Seconds before a manifest is put once more that the registry says has another digest."""


class Manifests:
    """Threads may share it.

    With a ``cache`` a manifest that was read before comes from there, once a HEAD request said
    that it is still in the repository.
    """

    def __init__(
        self,
        repository: Repository,
        cache: ManifestCache | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._repository = repository
        self._cache = cache
        self._sleep = sleep
        self._seen: set[Digest] = set()
        self._lock = threading.Lock()

    def resolve(self, name: str) -> Descriptor:
        """See :class:`~manyfest.stores.base.Place`. HEAD requests are enough, and registries do
        not count them; one that leaves the digest out of its answer is asked for the manifest."""
        self._require_name(name)
        with self._ask("HEAD", name) as response:
            described = self._described(response, name)
        described = described or self.read(name).descriptor
        self._note_seen(described.digest)
        return described

    def means(self, name: str, digest: Digest) -> bool:
        """Whether the tag ``name`` means ``digest``. A registry that has digests for entity tags,
        as docker-registry does, need not even look at the manifest then (RFC 9110, section
        13.1.2)."""
        if not is_tag(name):
            return self.resolve(name).digest == digest
        unless = (*_ACCEPT, ("If-None-Match", f'"{digest}"'))
        with self._repository.send("HEAD", f"manifests/{name}", unless) as response:
            if response.status == _NOT_MODIFIED:
                return True
            expect(response, 200, doing=f"the manifest {name}", where=self._where)
            described = self._described(response, name)
        return (described or self.read(name).descriptor).digest == digest

    def read(self, name: str) -> Manifest:
        """See :class:`~manyfest.stores.base.Reads`."""
        self._require_name(name)
        response = self._ask("GET", name)
        raw = response.read_all(MAX_MANIFEST_SIZE)
        wanted = as_digest(name)
        digest = Digest.of(raw, wanted.algorithm if wanted else "sha256")
        if wanted and digest != wanted:
            raise lied(wanted, str(digest), where=self._where)
        check_stated(response, digest, where=self._where)
        try:
            media_type = response.headers.media_type
            found = parse_manifest(raw, media_type=media_type, algorithm=digest.algorithm)
        except InvalidManifest as error:
            where = f"{self._where}@{digest}"
            raise InvalidManifest(error.what, where=where, mend=error.mend) from None
        if self._cache is not None:
            self._cache.put(self._where, found.descriptor, raw)
        return found

    def has(self, digest: Digest) -> bool:
        """Whether it is here. Only 404 says that it is not."""
        with self._repository.send("HEAD", f"manifests/{digest}", _ACCEPT) as response:
            if response.status == 404:
                return False
            expect(response, 200, doing=f"a look for {digest}", where=self._where)
            check_stated(response, digest, where=self._where)
        return True

    def open(self, descriptor: Descriptor) -> Reader:
        """Its bytes, unverified. Raises :class:`~manyfest.errors.NotFound`, and
        :class:`~manyfest.errors.InvalidManifest` for one of another kind (CVE-2021-41190)."""
        kept = self._kept(descriptor)
        if kept is not None:
            return BytesReader(kept)
        response = self._ask("GET", str(descriptor.digest))
        stated = response.headers.media_type
        if stated in MANIFESTS and stated != descriptor.media_type:
            response.close()
            raise InvalidManifest(
                f"it is listed as {descriptor.media_type!r}, but came as {stated!r}",
                where=f"{self._where}@{descriptor.digest}",
            )
        cache = self._cache
        if cache is None:
            return response
        return KeptReader(
            response, descriptor.size, lambda raw: cache.put(self._where, descriptor, raw)
        )

    def put(
        self, name: str, content: Content, before_repeat: Callable[[], None] | None = None
    ) -> Headers:
        """Put it under a tag or its digest; the header fields of the answer. ``before_repeat`` is
        called each time before it is sent again, and what it raises ends this."""
        # The registry takes anything under a tag: what is not the manifest must not get there.
        reader = VerifyingReader(content.open(), content.descriptor, where=self._where)
        with closing(reader):
            raw = b"".join(iter(lambda: reader.read(CHUNK_SIZE), b""))
        for pause in _PAUSES:
            # These bytes have their digest. What docker-registry finds wrong may be the link to
            # something below them, which somebody else is just writing.
            with suppress(DigestMismatch):
                return self._put(name, content.descriptor, raw, before_repeat)
            self._sleep(pause)
            if before_repeat is not None:
                before_repeat()
        return self._put(name, content.descriptor, raw, before_repeat)

    def _put(
        self,
        name: str,
        descriptor: Descriptor,
        raw: bytes,
        before_repeat: Callable[[], None] | None,
    ) -> Headers:
        kind = (("Content-Type", descriptor.media_type),)
        response = self._repository.send(
            "PUT", f"manifests/{name}", kind, body=raw, actions=PUSH, before_repeat=before_repeat
        )
        doing = f"the manifest {name}"
        with expect_taken(response, descriptor.digest, doing=doing, where=self._where):
            check_stated(response, descriptor.digest, where=self._where)
        return response.headers

    @property
    def _where(self) -> str:
        return self._repository.label

    def _require_name(self, name: str) -> None:
        if as_digest(name) is None and not is_tag(name):
            raise NotFound(f"{name[:140]!r} is no tag", where=self._where)

    def _ask(self, method: str, name: str) -> Response:
        response = self._repository.send(method, f"manifests/{name}", _ACCEPT)
        return expect(response, 200, doing=f"the manifest {name}", where=self._where)

    def _kept(self, descriptor: Descriptor) -> bytes | None:
        """What the cache has, if the registry has it too. A look a moment ago is not repeated."""
        raw = self._cache.get(self._where, descriptor) if self._cache else None
        if raw is not None and not self._was_seen(descriptor.digest):
            with self._ask("HEAD", str(descriptor.digest)) as response:
                check_stated(response, descriptor.digest, where=self._where)
        return raw

    def _note_seen(self, digest: Digest) -> None:
        if self._cache is not None:
            with self._lock:
                self._seen.add(digest)

    def _was_seen(self, digest: Digest) -> bool:
        """Whether a look told that it is here; each look counts once."""
        with self._lock:
            known = digest in self._seen
            self._seen.discard(digest)
        return known

    def _described(self, response: Response, name: str) -> Descriptor | None:
        """What the headers say, if they say it all."""
        headers = response.headers
        length, media_type = headers.get("Content-Length"), headers.media_type
        stated = stated_digest(response, where=self._where)
        if not (stated and _SIZE.fullmatch(length) and media_type in MANIFESTS):
            return None
        wanted = as_digest(name)
        if wanted is not None:
            # Asked by one algorithm, a registry may answer with its own; it was asked for this one.
            check_stated(response, wanted, where=self._where)
        return Descriptor(media_type=media_type, digest=wanted or stated, size=int(length))
