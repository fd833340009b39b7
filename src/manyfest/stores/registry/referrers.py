"""What refers to the manifests of a repository: asked of the registry, or, where it does not know,
kept under a tag by its clients (OCI distribution specification, "Listing Referrers", "Referrers Tag
Schema").
"""

from __future__ import annotations

import io
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from manyfest.errors import (
    AccessDenied,
    ContentError,
    InvalidManifest,
    NotFound,
    PartsMissing,
    RegistryError,
    StoreError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE, MAX_REFERRERS, MAX_REFERRERS_BYTES
from manyfest.oci.manifest import Index
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.oci.parse import parse_manifest
from manyfest.stores.base import Content, Store, read_all
from manyfest.stores.referrers import (
    EMPTY,
    fallback_tag,
    list_manifest,
    unique,
    with_referrer,
    without_referrer,
)
from manyfest.stores.registry.answers import expect, read_complaint
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Response
from manyfest.stores.registry.pages import Pages, next_page
from manyfest.stores.registry.repository import Repository

_MAX_PAGES = 256
_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds, about, before a list that others changed at the same time is changed again."""

_LOOKS = 3
"""How often a list is looked up that is gone when it is read."""

_NO_SUCH_API = frozenset({400, 404, 405, 406, 501})
_WHAT = "the list of referrers"


class Referrers:
    """The referrers of ``store``, which is the repository's. Threads may share it.

    Whether the registry has the referrers API is found out once.
    """

    def __init__(
        self,
        repository: Repository,
        store: Store,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._repository = repository
        self._store = store
        self._sleep = sleep
        self._jitter = jitter
        self._has_api: bool | None = None
        self._probing = threading.Lock()
        self._changing = threading.Lock()

    def of(self, subject: Digest) -> tuple[Descriptor, ...]:
        """See :class:`~manyfest.stores.base.Refers`."""
        listed = self._by_api(subject)
        if listed is None:
            found = self._list_at(fallback_tag(subject))
            # Something else than a list, under that tag, says nothing.
            listed = found.manifests if isinstance(found, Index) else ()
        return unique(listed)

    def subject_of(self, manifest: Digest) -> Digest | None:
        """What a manifest refers to; ``None`` if that is nothing, or cannot be read.

        Raises :class:`~manyfest.errors.NotFound` if the manifest is not here.
        """
        try:
            found = self._store.resolve(str(manifest))
            raw = read_all(self._store, found)
            subject = parse_manifest(raw, media_type=found.media_type).body.subject
        except ContentError:
            return None
        return subject.digest if subject else None

    def attach(self, subject: Digest, referrer: Descriptor) -> None:
        """See to it that ``referrer`` is listed: if the registry does not do that itself, it is
        added to the list under the fallback tag."""
        if not self._is_indexed(subject):
            self._change(fallback_tag(subject), lambda listed: with_referrer(listed, referrer))

    def detach(self, subject: Digest, referrer: Digest) -> None:
        """See to it that what was deleted is no longer listed."""
        if not self._is_indexed(subject):
            self._change(fallback_tag(subject), lambda listed: without_referrer(listed, referrer))

    def note_put(self, answered: Headers) -> None:
        """Take notice of the answer to a manifest: a registry with the API says so in it."""
        if "OCI-Subject" in answered:
            self._has_api = True

    def _is_indexed(self, subject: Digest) -> bool:
        if self._has_api is None:
            self._by_api(subject)
        return bool(self._has_api)

    def _by_api(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        """What the registry lists; ``None`` if it has no such list."""
        if self._has_api is None:
            with self._probing:
                if self._has_api is None:
                    return self._listed(subject)
        return self._listed(subject) if self._has_api else None

    def _listed(self, subject: Digest) -> tuple[Descriptor, ...] | None:
        url = f"{self._repository.url}/referrers/{subject}"
        pages = Pages(url, what=_WHAT, where=self._repository.label, most=_MAX_PAGES)
        response = self._repository.get(url, (("Accept", OCI_INDEX),))
        if not self._has_api and not self._is_from_api(response):
            return None
        if response.status == 404:
            response.close()
            return ()  # of a manifest that is not there, some registries have no list
        found: list[Descriptor] = []
        left = MAX_REFERRERS_BYTES
        while True:
            with expect(response, 200, doing=_WHAT, where=self._repository.label):
                raw = response.read_all(min(MAX_MANIFEST_SIZE, left))
            left -= len(raw)
            found += self._index(raw).manifests
            if len(found) > MAX_REFERRERS:
                raise self._error(f"it lists more than {MAX_REFERRERS} referrers of {subject}")
            pages.turn(next_page(response))
            if not pages.goes_on:
                return tuple(found)
            response = self._repository.get(pages.url, (("Accept", OCI_INDEX),))

    def _is_from_api(self, response: Response) -> bool:
        """Whether this first answer comes from the API. Something else than an index is what a
        web server says to whatever it does not know."""
        if response.status in _NO_SUCH_API:
            # Of a repository that is yet to be made, nothing is learnt.
            if read_complaint(response).code != "NAME_UNKNOWN":
                self._has_api = False
            return False
        if response.status == 200:
            self._has_api = response.headers.media_type == OCI_INDEX
            if not self._has_api:
                response.close()
                return False
        return True

    def _index(self, raw: bytes) -> Index:
        """A list, or a page of one, in its form."""
        try:
            return parse_manifest(raw, media_type=OCI_INDEX).index
        except InvalidManifest as error:
            raise self._error(f"{_WHAT} is not what is specified: {error.what}") from None

    def _list_at(self, tag: str) -> Index | Descriptor:
        """The list under a fallback tag, empty if there is none; what else lies there instead."""
        for _ in range(_LOOKS):
            found = self._found(tag)
            if found is None:
                return EMPTY
            if found.media_type != OCI_INDEX:
                return found
            with suppress(NotFound):  # others replace the list, and delete the old one
                return self._index(read_all(self._store, found))
        raise self._error(f"{_WHAT} ({tag}) is gone whenever it is read")

    def _found(self, tag: str) -> Descriptor | None:
        try:
            return self._store.resolve(tag)
        except NotFound:
            return None
        except AccessDenied as error:
            # Artifactory's answer for a tag that is not there; it was let in a moment ago.
            if error.status == 403:
                return None
            raise

    def _change(self, tag: str, change: Callable[[Index], Index]) -> None:
        """Change the list under ``tag``, read it back, and change it again if somebody else put
        his own there meanwhile."""
        with self._changing:
            for pause in _PAUSES:
                listed = self._to_change(tag)
                changed = change(listed)
                if changed == listed:
                    return
                put = self._put(tag, changed)
                seen = self._found(tag)
                if seen is not None and seen.digest == put.digest:
                    return
                self._sleep(pause * (1 + self._jitter()) / 2)
            listed = self._to_change(tag)
            if change(listed) != listed:
                raise StoreError(
                    f"others change {_WHAT} ({tag}) all the time, and a change was lost",
                    where=self._repository.label,
                    mend="run it again",
                )

    def _to_change(self, tag: str) -> Index:
        found = self._list_at(tag)
        if isinstance(found, Descriptor):
            raise self._error(
                f"{tag} is where {_WHAT} belongs, and is something else: {found.media_type}"
            )
        return found

    def _put(self, tag: str, listed: Index) -> Descriptor:
        """Store the list. A registry that wants all of it to be there gets what is."""
        try:
            return self._tag(tag, listed)
        except PartsMissing:
            alive = tuple(entry for entry in listed.manifests if self._store.has(entry))
            if alive == listed.manifests:
                raise
            return self._tag(tag, msgspec.structs.replace(listed, manifests=alive))

    def _tag(self, tag: str, listed: Index) -> Descriptor:
        manifest = list_manifest(listed, where=self._repository.label)
        self._store.tag(tag, Content(manifest.descriptor, lambda: io.BytesIO(manifest.raw)))
        return manifest.descriptor

    def _error(self, what: str) -> RegistryError:
        return RegistryError(what, where=self._repository.label)
