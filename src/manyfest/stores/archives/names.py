"""Names in the archives that are written: a tag for OCI's tools, a whole name for Docker's."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from manyfest.errors import InvalidReference
from manyfest.layers.compression import Compression
from manyfest.oci.platform import Platform
from manyfest.oci.reference import DEFAULT_TAG, Name, is_companion_tag, is_tag
from manyfest.stores.names import CONTAINERD_NAME, REF_NAME

_SUFFIXES = {
    ".tar": Compression.NONE,
    ".tar.gz": Compression.GZIP,
    ".tgz": Compression.GZIP,
    ".tar.zst": Compression.ZSTD,
}


class Naming(Struct, frozen=True):
    """How Docker is to know the images of an archive.

    ``place`` is the repository that a bare tag belongs to: ``ghcr.io/team/app``. The image for
    ``platform`` gets the plain name, ``ghcr.io/team/app:v1``; of several images the others are
    known by their processor only, ``ghcr.io/team/app:v1-arm64``.
    """

    place: str = ""
    platform: Platform | None = None


class ArchiveName(Struct, frozen=True):
    """A tag in an archive and, if it is one, the name that Docker has for it."""

    tag: str
    docker: Name | None = None

    @classmethod
    def parse(cls, text: str, place: str) -> ArchiveName:
        """``text`` is a tag, of the repository ``place`` if that is known, or a whole name as
        Docker writes it. Anything else is kept as it is, for OCI's tools."""
        if is_tag(text):
            return cls(text, _within(place, text))
        name = _whole(text)
        return cls(name.tag, name) if name else cls(text)

    @property
    def annotations(self) -> dict[str, str]:
        """What ``index.json`` says of the image that has this name, as Docker 25 and BuildKit
        write it."""
        docker = {CONTAINERD_NAME: str(self.docker)} if self.docker else {}
        tag = {REF_NAME: self.tag} if self.tag else {}
        return docker | tag

    def __str__(self) -> str:
        return str(self.docker) if self.docker else self.tag


def place_of(path: Path) -> str:
    """The repository that a file's name suggests, ``app`` for ``app.tar``; the empty string if
    it could be none."""
    try:
        name = Name.parse(path.name.removesuffix(_suffix(path)))
    except InvalidReference:
        return ""
    return name.familiar_place if name.is_repository else ""


def compression_of(path: Path) -> Compression:
    """How a file with this name is compressed: ``.tar.gz``, ``.tgz``, ``.tar.zst``, or not."""
    return _SUFFIXES.get(_suffix(path), Compression.NONE)


def is_archive_name(path: Path) -> bool:
    """Whether a file with this name should be an archive."""
    return bool(_suffix(path))


def _suffix(path: Path) -> str:
    return next((suffix for suffix in _SUFFIXES if path.name.endswith(suffix)), "")


def _within(place: str, tag: str) -> Name | None:
    """A tag that only keeps what refers to an image is no name of Docker's."""
    return Name.parse(place).with_tag(tag) if place and not is_companion_tag(tag) else None


def _whole(text: str) -> Name | None:
    if "/" not in text and ":" not in text:
        return None
    try:
        name = Name.parse(text)
    except InvalidReference:
        return None
    if name.digest is not None:
        return None
    return name if name.tag else name.with_tag(DEFAULT_TAG)
