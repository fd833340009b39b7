"""What Docker's daemon is asked: its API, version 1.24 and later
(https://docs.docker.com/reference/api/engine/)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec

from manyfest.errors import InvalidDigest, InvalidPlatform, NotFound, StoreError
from manyfest.oci.digest import Digest
from manyfest.oci.platform import Platform
from manyfest.stores.archives.media import Write
from manyfest.stores.runtimes.docker.address import Address, find_address
from manyfest.stores.runtimes.docker.connection import (
    MAX_ANSWER,
    Body,
    connection_to,
    raise_for_status,
    told_as_errors,
)
from manyfest.stores.runtimes.docker.upload import Upload
from manyfest.stores.runtimes.runtime import Info

_T = TypeVar("_T", bound=msgspec.Struct)

_CONTAINERD = "io.containerd.snapshotter.v1"


class Daemon:
    """The daemon that ``docker`` would speak to; it is looked up when it is first asked.

    Every method opens a connection of its own. They raise
    :class:`~manyfest.errors.ConnectionFailed`, :class:`~manyfest.errors.StoreError` for what the
    daemon refuses, and what :func:`~manyfest.stores.runtimes.docker.address.find_address` does.
    """

    def __init__(
        self, *, environ: Mapping[str, str] | None = None, home: Path | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._home = home

    @cached_property
    def address(self) -> Address:
        """Where it listens. Raises :class:`~manyfest.errors.NotFound` if there is none."""
        return find_address(self._environ, self._home or Path.home())

    def is_here(self) -> bool:
        """Whether something says where it listens, or a usual socket is there; it may be down."""
        try:
            return bool(self.address)
        except NotFound:
            return False

    @property
    def label(self) -> str:
        return f"Docker at {self.address}"

    def info(self) -> Info:
        """What it says of itself. With containerd's store it keeps indexes; with the classic one
        it does not."""
        found = self._read("/info", _Info)
        try:
            platform = Platform.parse(f"{found.os_type}/{found.architecture}")
        except InvalidPlatform as error:
            raise StoreError(error.what, where=self.label) from None
        kept_by = dict(pair for pair in found.driver_status or () if len(pair) == 2)
        return Info(platform, kept_by.get("driver-type") == _CONTAINERD)

    def image_id(self, name: str) -> Digest:
        """What it knows an image by: the digest of its configuration, or of its manifest with
        containerd's store. Raises :class:`~manyfest.errors.NotFound`."""
        found = self._read(f"/images/{quote(name, safe='/:@')}/json", _Image)
        try:
            return Digest.parse(found.id)
        except InvalidDigest as error:
            raise StoreError(error.what, where=self.label) from None

    def export(self, name: str) -> Body:
        """An image as ``docker save`` writes it, read as it comes. Raises
        :class:`~manyfest.errors.NotFound`."""
        with ExitStack() as opened:
            connection = opened.enter_context(closing(connection_to(self.address)))
            response = self._get(connection, f"/images/get?names={quote(name, safe='')}")
            return Body(response, opened.pop_all().close, where=self.label)

    @contextmanager
    def load(self) -> Iterator[Write]:
        """Where to write an archive to. It is loaded when the block ends, and not at all if the
        block raises."""
        with closing(connection_to(self.address)) as connection:
            upload = Upload(connection, "/images/load", where=self.label)
            yield upload.write
            upload.finish()

    def _read(self, path: str, kind: type[_T]) -> _T:
        """A small answer, decoded."""
        with closing(connection_to(self.address)) as connection:
            response = self._get(connection, path)
            with told_as_errors(self.label):
                raw = response.read(MAX_ANSWER)
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.DecodeError as error:
            raise StoreError(
                f"its answer to {path} is not understood: {error}", where=self.label
            ) from None

    def _get(self, connection: HTTPConnection, path: str) -> HTTPResponse:
        with told_as_errors(self.label):
            connection.request("GET", path)
            response = connection.getresponse()
            raise_for_status(response, self.label)
            return response


class _Info(msgspec.Struct, frozen=True, rename="pascal"):
    os_type: str = msgspec.field(name="OSType")
    architecture: str
    driver_status: tuple[tuple[str, ...], ...] | None = None


class _Image(msgspec.Struct, frozen=True, rename="pascal"):
    id: str
