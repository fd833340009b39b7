"""A repository in a registry, as a store (OCI distribution specification 1.1)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from manyfest.errors import ManyfestError, RegistryError, StoreError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.reference import Name
from manyfest.stores.base import Content, Reader, Source
from manyfest.stores.registry.answers import check_stated, expect
from manyfest.stores.registry.deletion import delete_manifest, delete_tag
from manyfest.stores.registry.http import Response, Transport
from manyfest.stores.registry.manifest_cache import ManifestCache
from manyfest.stores.registry.manifests import Manifests
from manyfest.stores.registry.pages import read_names
from manyfest.stores.registry.referrers import Referrers
from manyfest.stores.registry.repository import PUSH, Repository
from manyfest.stores.registry.settling import settle
from manyfest.stores.registry.upload_sessions import Session
from manyfest.stores.registry.uploads import Uploader


class RegistryStore:
    """The repository that ``name`` lies in; the tag and digest in ``name`` do not matter.

    ``transport`` carries the requests and belongs to the caller; ``scheme`` is ``https``, or
    ``http`` where the user allowed it. With ``writing`` every request asks for the right to push:
    one token is enough then, and of a repository that is yet to be made a registry may say nothing
    to those who only want to pull. ``cache`` keeps manifests that were read. Errors of a look for a
    name begin their advice with ``hint``.
    """

    verifies = True

    def __init__(
        self,
        name: Name,
        transport: Transport,
        *,
        scheme: str = "https",
        writing: bool = False,
        cache: ManifestCache | None = None,
        hint: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.repository = Repository(
            registry=name.registry,
            name=name.repository,
            transport=transport,
            scheme=scheme,
            writing=writing,
        )
        self._sleep = sleep
        self._hint = hint
        self._manifests = Manifests(self.repository, cache, sleep=sleep)
        self._referrers = Referrers(self.repository, self, sleep=sleep)
        self._uploader = Uploader(
            transport.send,
            f"{self.repository.url}/blobs/uploads/",
            scopes=(self.repository.scope(*PUSH),),
            where=self.label,
            has=self.has,
            sleep=sleep,
        )
        self._begun: dict[Digest, Session] = {}
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        return self.repository.label

    def resolve(self, name: str) -> Descriptor:
        """One HEAD request, as a rule."""
        with self._hinting():
            return self._manifests.resolve(name)

    def means(self, name: str, digest: Digest) -> bool:
        """See :class:`~manyfest.stores.base.Compares`."""
        return self._manifests.means(name, digest)

    def read(self, name: str) -> Manifest:
        """See :class:`~manyfest.stores.base.Reads`."""
        with self._hinting():
            return self._manifests.read(name)

    def open(self, descriptor: Descriptor) -> Reader:
        if descriptor.is_manifest:
            return self._manifests.open(descriptor)
        # Loaded when a blob is read: what is there already is only asked about.
        from manyfest.stores.registry.downloads import Download
        from manyfest.stores.registry.ranges import Blob
        from manyfest.stores.registry.streams import Patience

        blob = Blob(
            send=self.repository.transport.send,
            url=f"{self.repository.url}/blobs/{descriptor.digest}",
            scopes=(self.repository.scope(),),
            descriptor=descriptor,
            where=self.label,
        )
        return Download(blob, patience=Patience(sleep=self._sleep)).open()

    def has(self, descriptor: Descriptor) -> bool:
        if descriptor.is_manifest:
            return self._manifests.has(descriptor.digest)
        with self.repository.send("HEAD", f"blobs/{descriptor.digest}") as response:
            if response.status == 404:
                return False
            expect(response, 200, doing=f"a look for {descriptor.digest}", where=self.label)
            check_stated(response, descriptor.digest, where=self.label)
        return True

    def measure(self, blob: Digest) -> int:
        """The size of a blob in bytes, of which nothing but its digest is known.

        Raises :class:`~manyfest.errors.NotFound`.
        """
        with self.repository.send("HEAD", f"blobs/{blob}") as response:
            expect(response, 200, doing=f"the blob {blob}", where=self.label)
            check_stated(response, blob, where=self.label)
            size = response.headers.get("Content-Length")
        if not (size.isascii() and size.isdigit() and len(size) < 17):
            raise RegistryError(f"the registry does not say how large {blob} is", where=self.label)
        return int(size)

    def put(self, content: Content) -> None:
        if content.descriptor.is_manifest:
            self.tag(str(content.descriptor.digest), content)
            return
        with self._lock:
            begun = self._begun.pop(content.descriptor.digest, None)
        self._uploader.upload(content, begun)

    def require_push(self) -> None:
        """See :class:`~manyfest.stores.base.Admits`: an upload is begun and cancelled."""
        session = self._uploader.begin()
        # One that it does not cancel the registry forgets by itself: ECR has no such request.
        with suppress(StoreError):
            self._uploader.cancel(session)

    def tag(self, name: str, manifest: Content) -> None:
        self._referrers.note_put(self._manifests.put(name, manifest))

    def tag_guarded(self, name: str, manifest: Content, before_repeat: Callable[[], None]) -> None:
        """See :class:`~manyfest.stores.base.Repeats`."""
        self._referrers.note_put(self._manifests.put(name, manifest, before_repeat))

    def settle(self, name: str, digest: Digest) -> None:
        """See :class:`~manyfest.stores.base.Settles`: about 15 seconds are waited."""
        settle(lambda: self.resolve(name).digest, name, digest, where=self.label, sleep=self._sleep)

    def mount(self, descriptor: Descriptor, source: Source) -> bool:
        """Ask the registry to take the blob from another of its repositories."""
        if not isinstance(source, RegistryStore):
            return False
        origin = source.repository
        if origin.address != self.repository.address or origin.name == self.repository.name:
            return False
        begun = self._uploader.mount(descriptor, origin.name, origin.scope("pull"))
        if isinstance(begun, Session):
            with self._lock:
                self._begun[descriptor.digest] = begun
            return False
        return begun

    def tags(self) -> Iterator[str]:
        """Every tag, page by page, in the registry's own order."""
        doing = "the list of tags"

        def ask(url: str) -> Response:
            return expect(self.repository.get(url), 200, doing=doing, where=self.label)

        url = f"{self.repository.url}/tags/list"
        return read_names(ask, url, "tags", what=doing, where=self.label)

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """See :class:`~manyfest.stores.base.Refers`."""
        return self._referrers.of(subject)

    def attach(self, subject: Descriptor, referrer: Descriptor) -> None:
        """See :class:`~manyfest.stores.base.Attaches`."""
        self._referrers.attach(subject.digest, referrer)

    def untag(self, name: str) -> None:
        """See :class:`~manyfest.stores.base.Deletes`."""
        delete_tag(self.repository, name)

    def delete(self, manifest: Digest) -> None:
        """See :class:`~manyfest.stores.base.Deletes`; it leaves the list of referrers as well."""
        subject = self._referrers.subject_of(manifest)
        delete_manifest(self.repository, manifest)
        if subject is not None:
            self._referrers.detach(subject, manifest)

    def close(self) -> None:
        """The transport is the caller's. Uploads that were begun and not used are cancelled."""
        with self._lock:
            begun, self._begun = list(self._begun.values()), {}
        for session in begun:
            with suppress(StoreError):
                self._uploader.cancel(session)

    @contextmanager
    def _hinting(self) -> Iterator[None]:
        try:
            yield
        except ManyfestError as error:
            error.mend = "; ".join(filter(None, (self._hint, error.mend)))
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
