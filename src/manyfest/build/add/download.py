"""ADD of a URL: one file, fetched over http or https.

Nobody is told who asks: no credentials, no cookies. Redirects go by the rules for registries
(:mod:`manyfest.stores.registry.redirects`). What comes over plain http from another machine must
have the digest that ``--checksum`` names, since anybody on the way could have put something else in
its place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from manyfest.build.dockerfile.place import shown
from manyfest.errors import BuildError, DockerfileError, InvalidDigest, RegistryError, StoreError
from manyfest.layers.streams import CHUNK
from manyfest.oci.digest import Digest
from manyfest.stores.registry.addresses import Place, place_of
from manyfest.stores.registry.http import Origin, Request, Response, Transport, show_url

LARGEST = 32 * 1024**3
"""Bytes that a file may have."""


class Download(Struct, frozen=True):
    """A file that was fetched, and lies at ``path``; ``size`` is in bytes."""

    path: Path
    size: int
    digest: Digest


def parse_checksum(text: str) -> Digest:
    """``--checksum`` of a file. Raises :class:`~manyfest.errors.DockerfileError`, without a
    place."""
    try:
        return Digest.parse(text)
    except InvalidDigest as error:
        raise DockerfileError(f"--checksum: {error.what}", mend=error.mend) from None


def check_trust(url: str, *, has_checksum: bool) -> None:
    """Raise :class:`~manyfest.errors.DockerfileError`, without a place, for an address that is
    none, and for plain http that nothing vouches for."""
    try:
        origin = Origin.of(url)
    except RegistryError as error:
        raise DockerfileError(error.what) from None
    is_local = place_of(origin.host) is Place.LOOPBACK
    if origin.scheme == "http" and not is_local and not has_checksum:
        raise DockerfileError(
            f"{shown(show_url(url))} comes over plain http, where anybody can change it",
            mend="use https, or add --checksum=sha256:…",
        )


def download(
    url: str,
    transport: Transport,
    folder: Path,
    *,
    given_up: Callable[[], bool] = lambda: False,
    limit: int = LARGEST,
) -> Download:
    """Fetch the file at ``url`` into ``folder``; it ends early once ``given_up`` says yes.

    Raises :class:`~manyfest.errors.BuildError` if it cannot be had, or is larger than ``limit``.
    """
    path = folder / f"fetched-{os.urandom(8).hex()}"
    request = Request(method="GET", url=url.partition("#")[0], bulk=True, given_up=given_up)
    try:
        with transport.send(request) as response, path.open("xb") as file:
            if response.status != 200:
                raise _failure(url, f"the server answers {response.status}")
            hashed, size = hashlib.sha256(), 0
            while chunk := response.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise _failure(url, f"it is larger than {limit} bytes")
                hashed.update(chunk)
                file.write(chunk)
            _check_size(url, response, size)
    except StoreError as error:
        where = f"{error.where}: " if error.where else ""
        raise _failure(url, f"{where}{error.what}") from error
    return Download(path, size, Digest("sha256", hashed.hexdigest()))


def verify(downloaded: Download, url: str, wanted: Digest) -> None:
    """Raise :class:`~manyfest.errors.BuildError` unless the file has the digest ``wanted``."""
    found = downloaded.digest
    if wanted.algorithm != found.algorithm:
        with downloaded.path.open("rb") as file:
            digest = hashlib.file_digest(file, wanted.algorithm)
        found = Digest(wanted.algorithm, digest.hexdigest())
    if found != wanted:
        raise BuildError(
            f"{shown(show_url(url))} is not what --checksum says: its digest is {found}",
            mend="if the file was meant to change, change --checksum too",
        )


def _check_size(url: str, response: Response, size: int) -> None:
    told = response.headers.get("Content-Length")
    if told.isascii() and told.isdecimal() and int(told) != size:
        raise _failure(url, f"it has {size} bytes instead of {told}")


def _failure(url: str, why: str) -> BuildError:
    return BuildError(f"{shown(show_url(url))} cannot be fetched: {why}")
