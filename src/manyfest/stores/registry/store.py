"""A repository in a registry, as a store (OCI distribution specification 1.1)."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Self
from urllib.parse import urlencode, urljoin

from manyfest.errors import InvalidDigest, InvalidManifest, RegistryError, StoreError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.mediatypes import MANIFESTS
from manyfest.oci.parse import parse_manifest
from manyfest.oci.reference import DOCKER_HUB, Name
from manyfest.stores.base import CHUNK_SIZE, Content, Reader, Source, VerifyingReader
from manyfest.stores.registry.answers import expect
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Origin, Request, Response, Transport
from manyfest.stores.registry.pages import next_page, tags_in
from manyfest.stores.registry.uploads import Session, Uploader

_DOCKER_HUB_HOST = "registry-1.docker.io"
_ACCEPT = ("Accept", ", ".join(sorted(MANIFESTS)))
_SIZE = re.compile(r"[0-9]{1,9}")
_PAGE = 1000
_MAX_PAGES = 10_000
_MAX_PAGE_SIZE = 16 * 1024 * 1024


def address_of(registry: str, scheme: str) -> str:
    """Where a registry is asked: scheme and host."""
    return f"{scheme}://{_DOCKER_HUB_HOST if registry == DOCKER_HUB else registry}"


class RegistryStore:
    """The repository that ``name`` lies in; the tag and digest in ``name`` do not matter.

    ``transport`` carries the requests and belongs to the caller; ``scheme`` is ``https``, or
    ``http`` where the user allowed it. With ``writing`` every request asks for the right to push:
    one token is enough then, and of a repository that is yet to be made a registry may say nothing
    to those who only want to pull.
    """

    verifies = True

    def __init__(
        self, name: Name, transport: Transport, *, scheme: str = "https", writing: bool = False
    ) -> None:
        self.registry = name.registry
        self.repository = name.repository
        self._transport = transport
        self.address = address_of(name.registry, scheme)
        self._url = f"{self.address}/v2/{name.repository}"
        self.pull_scope = f"repository:{name.repository}:pull"
        self._push = f"repository:{name.repository}:pull,push"
        self._scope = self._push if writing else self.pull_scope
        self._begun: dict[Digest, Session] = {}
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        return f"{self.registry}/{self.repository}"

    def resolve(self, name: str) -> Descriptor:
        """HEAD requests are enough, and registries do not count them; a registry that leaves the
        digest out of its answer is asked for the manifest itself."""
        response = self._manifest("HEAD", name)
        with response:
            described = self._described(response, name)
        return described or self._resolve_by_reading(name)

    def open(self, descriptor: Descriptor) -> Reader:
        if descriptor.is_manifest:
            return self._manifest("GET", str(descriptor.digest))
        return expect(
            self._send("GET", f"blobs/{descriptor.digest}"),
            200,
            doing=f"the blob {descriptor.digest}",
            where=self.label,
        )

    def has(self, descriptor: Descriptor) -> bool:
        kind = "manifests" if descriptor.is_manifest else "blobs"
        fields = (_ACCEPT,) if descriptor.is_manifest else ()
        response = self._send("HEAD", f"{kind}/{descriptor.digest}", fields)
        if response.status == 404:
            response.close()
            return False
        doing = f"a look for {descriptor.digest}"
        with expect(response, 200, doing=doing, where=self.label):
            self._check_digest(response, descriptor.digest)
        return True

    def put(self, content: Content) -> None:
        if content.descriptor.is_manifest:
            self._put_manifest(str(content.descriptor.digest), content)
            return
        with self._lock:
            begun = self._begun.pop(content.descriptor.digest, None)
        self._uploader.upload(content, begun)

    def tag(self, name: str, manifest: Content) -> None:
        self._put_manifest(name, manifest)

    def mount(self, descriptor: Descriptor, source: Source) -> bool:
        """Ask the registry to take the blob from another of its repositories."""
        if not isinstance(source, RegistryStore) or source.address != self.address:
            return False
        if source.repository == self.repository:
            return False
        begun = self._uploader.mount(descriptor, source.repository, source.pull_scope)
        if isinstance(begun, Session):
            with self._lock:
                self._begun[descriptor.digest] = begun
            return False
        return begun

    def tags(self) -> Iterator[str]:
        """Page by page, as the registry gives them. Raises
        :class:`~manyfest.errors.NotFound` if there is no such repository."""
        url = f"{self._url}/tags/list?{urlencode({'n': _PAGE})}"
        seen: set[str] = set()
        while url not in seen and len(seen) < _MAX_PAGES:
            seen.add(url)
            response = self._transport.send(self._request("GET", url))
            with expect(response, 200, doing="the list of tags", where=self.label):
                yield from self._tags_in(response.read_all(_MAX_PAGE_SIZE))
            following = next_page(response)
            if not following:
                return
            url = urljoin(url, following)
            if Origin.of(url) != Origin.of(self._url):
                raise RegistryError("the list of tags goes on at another host", where=self.label)
        raise RegistryError("the list of tags does not end", where=self.label)

    def close(self) -> None:
        """The transport is the caller's. Uploads that were begun and not used are cancelled."""
        with self._lock:
            begun, self._begun = list(self._begun.values()), {}
        for session in begun:
            with suppress(StoreError):
                self._uploader.cancel(session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _uploader(self) -> Uploader:
        return Uploader(
            self._transport.send,
            f"{self._url}/blobs/uploads/",
            scopes=(self._push,),
            where=self.label,
        )

    def _manifest(self, method: str, name: str) -> Response:
        response = self._send(method, f"manifests/{name}", (_ACCEPT,))
        return expect(response, 200, doing=f"the manifest {name}", where=self.label)

    def _put_manifest(self, name: str, content: Content) -> None:
        descriptor = content.descriptor
        # The registry takes anything under a tag: what is not the manifest must not get there.
        with closing(VerifyingReader(content.open(), descriptor, where=self.label)) as reader:
            raw = b"".join(iter(lambda: reader.read(CHUNK_SIZE), b""))
        request = self._request(
            "PUT",
            f"{self._url}/manifests/{name}",
            (("Content-Type", descriptor.media_type),),
            body=raw,
            push=True,
        )
        response = self._transport.send(request)
        doing = f"the manifest {name}"
        with expect(response, 200, 201, 202, doing=doing, where=self.label):
            self._check_digest(response, descriptor.digest)

    def _described(self, response: Response, name: str) -> Descriptor | None:
        """What the headers say, if they say it all."""
        headers = response.headers
        length = headers.get("Content-Length")
        media_type = _media_type(response)
        stated = headers.get("Docker-Content-Digest")
        if not (stated and _SIZE.fullmatch(length) and media_type in MANIFESTS):
            return None
        digest = self._parse_digest(stated)
        if ":" in name:
            # Asked by one algorithm, a registry may answer with its own; it was asked for this one.
            digest = Digest.parse(name)
            self._check_digest(response, digest)
        return Descriptor(media_type=media_type, digest=digest, size=int(length))

    def _resolve_by_reading(self, name: str) -> Descriptor:
        response = self._manifest("GET", name)
        raw = response.read_all(MAX_MANIFEST_SIZE)
        wanted = Digest.parse(name) if ":" in name else None
        digest = Digest.of(raw, wanted.algorithm if wanted else "sha256")
        if wanted and digest != wanted:
            raise self._lied(wanted, str(digest))
        self._check_digest(response, digest)
        try:
            return parse_manifest(
                raw, media_type=_media_type(response), algorithm=digest.algorithm
            ).descriptor
        except InvalidManifest as error:
            where = f"{self.label}@{digest}"
            raise InvalidManifest(error.what, where=where, mend=error.mend) from None

    def _check_digest(self, response: Response, expected: Digest) -> None:
        stated = response.headers.get("Docker-Content-Digest")
        if not stated:
            return
        digest = self._parse_digest(stated)
        # Asked by one algorithm, a registry may answer with its own.
        if digest.algorithm == expected.algorithm and digest != expected:
            raise self._lied(expected, stated)

    def _parse_digest(self, stated: str) -> Digest:
        try:
            return Digest.parse(stated)
        except InvalidDigest as error:
            raise RegistryError(
                f"the registry answers with {error.what}", where=self.label
            ) from None

    def _lied(self, expected: Digest, stated: str) -> RegistryError:
        return RegistryError(
            f"asked for {expected}, the registry answers with {stated}",
            where=self.label,
            mend="do not trust this registry's content until its operator explains it",
        )

    def _tags_in(self, raw: bytes) -> list[str]:
        tags = tags_in(raw)
        if tags is None:
            raise RegistryError("the list of tags is not the specified JSON", where=self.label)
        return tags

    def _send(self, method: str, path: str, fields: tuple[tuple[str, str], ...] = ()) -> Response:
        return self._transport.send(self._request(method, f"{self._url}/{path}", fields))

    def _request(
        self,
        method: str,
        url: str,
        fields: tuple[tuple[str, str], ...] = (),
        *,
        body: bytes | None = None,
        push: bool = False,
    ) -> Request:
        scopes = (self._push if push else self._scope,)
        return Request(method=method, url=url, headers=Headers(fields), body=body, scopes=scopes)


def _media_type(response: Response) -> str:
    """Without parameters: a registry may add ``charset=utf-8``."""
    return response.headers.get("Content-Type").partition(";")[0].strip()
