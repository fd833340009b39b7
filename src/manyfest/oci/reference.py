"""References: where something is, and under which name.

Two grammars meet here. :class:`Name` is a name in a registry, as Docker and the OCI distribution
specification write it: ``host:port/repository:tag@digest``. :class:`Reference` puts a transport
before it, or a path: ``docker://``, ``oci:DIR:TAG``, ``oci-archive:FILE:TAG``,
``docker-archive:FILE:NAME:TAG``, ``docker-daemon:NAME:TAG``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, Self

from msgspec import Struct
from msgspec.structs import replace

from manyfest.errors import InvalidDigest, InvalidReference
from manyfest.oci.digest import Digest

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REPOSITORY = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_COMPANION = r"sha(?:256|512)-[0-9a-f]{64}(?:[0-9a-f]{64})?(?:\.[A-Za-z0-9._-]+)?"
_LABEL = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_IPV6 = r"\[[0-9A-Fa-f:]+\]"
_PORT = r"[1-9][0-9]{0,4}"
_IMAGE_ID = r"[0-9a-f]{64}"
_ID = r"sha256:[0-9a-f]{64}"
_NUMBER = r"@(0|[1-9][0-9]{0,8})"
_PATH = r"/|\.\.?(?:/|$)|~|.*\.(?:tar|tgz|tar\.[a-z0-9]+)$"
_PATH_DIGEST = r"@(?=sha(?:256|512):)"
_HUB_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_MAX_REPOSITORY = 255
_OTHER_TRANSPORTS = frozenset({"dir", "containers-storage", "ostree", "sif", "tarball"})
"""What skopeo has besides ours."""

Transport = Literal["docker", "oci", "oci-archive", "docker-archive", "docker-daemon"]
_TRANSPORTS = frozenset({"oci", "oci-archive", "docker-archive", "docker-daemon"})
"""Those that are written with one colon."""

STREAM = "-"
"""The path that stands for standard input or output."""


def is_tag(text: str) -> bool:
    """Whether a registry accepts ``text`` as a tag (distribution specification, "Pull")."""
    return re.fullmatch(_TAG, text) is not None


def check_tag(text: str) -> str:
    """The tag, if it is one. Raises :class:`~manyfest.errors.InvalidReference`."""
    if not is_tag(text):
        raise InvalidReference(
            f"{text[:140]!r} is not a tag",
            mend="use up to 128 letters, digits, '_', '.' and '-', no '.' or '-' in front",
        )
    return text


def is_companion_tag(text: str) -> bool:
    """Whether a tag is made from a digest, to keep what refers to it: the fallback tag of the
    distribution specification ("Referrers Tag Schema"), or one of cosign's."""
    return re.fullmatch(_COMPANION, text) is not None


def image_number(text: str) -> int | None:
    """The N of ``@N``, which names the Nth image in an archive of Docker's, counted from 0."""
    found = re.fullmatch(_NUMBER, text)
    return int(found[1]) if found else None


def is_repository(text: str) -> bool:
    """Whether a registry accepts ``text`` as a repository's name."""
    return len(text) <= _MAX_REPOSITORY and re.fullmatch(_REPOSITORY, text) is not None


class Name(Struct, frozen=True):
    """A repository in a registry, and a tag, a digest, both or neither in it."""

    registry: str
    repository: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name a person wrote; Docker Hub's short names mean what Docker means by them.

        No tag is added: a name without tag and digest is a repository. Raises
        :class:`~manyfest.errors.InvalidReference`.
        """
        if not text:
            raise InvalidReference("the reference is empty", mend="name an image: host/name:tag")
        _refuse_web_address(text)
        if re.fullmatch(_IMAGE_ID, text):
            raise InvalidReference(
                f"{text!r} is an image's id to Docker, and no repository's name",
                mend=f"write REPOSITORY@sha256:{text[:6]}…",
            )
        rest, digest = _split_digest(text)
        rest, tag = _split_tag(rest, text)
        registry, repository = _split_registry(rest)
        if not is_repository(repository):
            raise _bad_repository(repository, text)
        return cls(registry, repository, tag, digest)

    @property
    def is_repository(self) -> bool:
        """Whether it names no single image."""
        return not self.tag and self.digest is None

    @property
    def target(self) -> str:
        """What to ask the registry for: the digest if there is one, else the tag."""
        return str(self.digest) if self.digest else self.tag or DEFAULT_TAG

    def with_tag(self, tag: str) -> Name:
        """The same repository under ``tag``."""
        return replace(self, tag=check_tag(tag), digest=None)

    @property
    def place(self) -> str:
        """The repository alone: ``host/repository``."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar_place(self) -> str:
        """The repository as Docker's users write it: without ``docker.io/`` and ``library/``."""
        if self.registry != DOCKER_HUB:
            return self.place
        return self.repository.removeprefix("library/")

    @property
    def familiar(self) -> str:
        """The name as Docker shows it, with a tag: ``alpine:latest``, ``ghcr.io/team/app:1.2``."""
        if self.digest is not None:
            return f"{self.familiar_place}@{self.digest}"
        return f"{self.familiar_place}:{self.tag or DEFAULT_TAG}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.place}{tag}{digest}"


class Reference(Struct, frozen=True):
    """A transport, the place it leads to, and a name there.

    For ``docker`` the place is a :class:`Name`. For an archive or a layout it is a path, and
    ``name`` the tag or digest in it, or empty. The daemon is one place: there is only ``name``.
    What Docker names, in its archives too, is written as Docker shows it: ``team/app:1.2``; in
    them ``@N`` is the Nth image, counted from 0.
    """

    transport: Transport
    image: Name | None = None
    path: str = ""
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reference a person wrote; without a transport it is a name in a registry.

        Raises :class:`~manyfest.errors.InvalidReference`.
        """
        if text.startswith("docker://"):
            return cls("docker", image=Name.parse(text.removeprefix("docker://")))
        if text == STREAM:
            return cls("oci-archive", path=STREAM)
        head, colon, rest = text.partition(":")
        if colon and head in ("oci", "oci-archive"):
            path, name = _split_path(rest, text)
            return cls("oci" if head == "oci" else "oci-archive", path=path, name=name)
        if colon and head == "docker-archive":
            path, _, name = rest.partition(":")
            if not path:
                raise InvalidReference(f"{text[:300]!r} names no path")
            return cls("docker-archive", path=path, name=_listed_name(name) if name else "")
        if colon and head == "docker-daemon":
            return cls("docker-daemon", name=_docker_name(rest))
        _refuse_web_address(text)
        if "://" in text or (colon and head in _OTHER_TRANSPORTS):
            raise InvalidReference(
                f"unknown transport in {text[:200]!r}",
                mend="use docker://, oci:, oci-archive:, docker-archive: or docker-daemon:",
            )
        try:
            return cls("docker", image=Name.parse(text))
        except InvalidReference:
            if re.match(_PATH, text):
                raise _is_path(text) from None
            raise

    def with_name(self, name: str) -> Reference:
        """The same place under another tag."""
        if self.image is not None:
            return replace(self, image=self.image.with_tag(name))
        return replace(self, name=name)

    @property
    def target(self) -> str:
        """The tag or digest that is asked for; empty if the place itself is meant."""
        return self.image.target if self.image is not None else self.name

    def __str__(self) -> str:
        if self.image is not None:
            return str(self.image)
        if not self.name:
            return self.location
        is_digest = self.name.startswith(("sha256:", "sha512:"))
        separator = "@" if is_digest and self.transport in ("oci", "oci-archive") else ":"
        return f"{self.location}{separator}{self.name}"

    @property
    def location(self) -> str:
        """The place without the name in it."""
        if self.image is not None:
            return self.image.place
        return f"{self.transport}:{self.path}" if self.path else self.transport

    @property
    def is_place(self) -> bool:
        """Whether it is a place alone, with no name in it."""
        return self.image.is_repository if self.image is not None else not self.name

    @property
    def is_archive(self) -> bool:
        """Whether it is one file, or a stream in a file's place."""
        return self.transport in ("oci-archive", "docker-archive")

    @property
    def is_kept(self) -> bool:
        """Whether it is a place that things are added to; the others are written anew."""
        return self.transport in ("docker", "oci")

    @property
    def is_stream(self) -> bool:
        """Whether it is standard input or output."""
        return self.is_archive and self.path == STREAM


def _split_digest(text: str) -> tuple[str, Digest | None]:
    rest, at, digest = text.partition("@")
    if not at:
        return rest, None
    try:
        return rest, Digest.parse(digest)
    except InvalidDigest as error:
        raise InvalidReference(error.what, where=text[:300]) from None


def _split_tag(rest: str, text: str) -> tuple[str, str]:
    colon = rest.rfind(":")
    if colon <= rest.rfind("/") or colon < 0 or rest.endswith("]"):
        return rest, ""
    tag = rest[colon + 1 :]
    if not is_tag(tag):
        raise InvalidReference(f"{tag[:140]!r} is not a tag", where=text[:300])
    return rest[:colon], tag


def _split_registry(rest: str) -> tuple[str, str]:
    """Docker's rule: the first part is a registry if it could not be a repository's name."""
    first, slash, remainder = rest.partition("/")
    is_host = slash and (
        any(character in first for character in ".:[")
        or first == "localhost"
        or first.lower() != first
    )
    if not is_host:
        registry, repository = DOCKER_HUB, rest
    else:
        registry, repository = check_registry(first), remainder
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def parse_repository(text: str, option: str = "") -> Name:
    """The repository that a person wrote, with or without ``docker://``; errors name the ``option``
    that it was written for.

    Raises :class:`~manyfest.errors.InvalidReference` for whatever is none, one image too.
    """
    written = text.removeprefix("docker://")
    shown = f"{option} {text[:300]!r}".lstrip()
    head, colon, _ = written.partition(":")
    if colon and head in _TRANSPORTS | _OTHER_TRANSPORTS:
        raise InvalidReference(f"{shown} is no repository in a registry", mend="write HOST/NAME")
    place = written.removesuffix("/")
    host, port = _split_port(place)
    is_host = "." in host or host == "localhost" or host.startswith("[")
    if is_host and "/" not in place and (port is None or port.isdecimal()):
        raise InvalidReference(
            f"{shown} names a registry, and no repository in it", mend=f"write {place}/NAME"
        )
    name = Name.parse(written)
    if not name.is_repository:
        raise InvalidReference(
            f"{shown} names one image", mend=f"write {name.place}; 'tags' has the tags"
        )
    return name


def check_registry(text: str) -> str:
    """``host`` or ``host:port`` as it is used in URLs; Docker Hub under its one name.

    Raises :class:`~manyfest.errors.InvalidReference`.
    """
    _refuse_web_address(text)
    host, port = _split_port(text)
    if host.startswith("["):
        if not _is_ipv6(host):
            raise InvalidReference(f"{text[:260]!r} is not an IPv6 address in brackets")
    elif not re.fullmatch(_HOST, host) or len(host) > 253:
        raise InvalidReference(f"{text[:260]!r} is not a registry's host name")
    if port is not None and not (re.fullmatch(_PORT, port) and int(port) < 65536):
        raise InvalidReference(f"{text[:260]!r} has no valid port", mend="use 1 to 65535")
    registry = text.lower()
    return DOCKER_HUB if registry in _HUB_ALIASES else registry


def _refuse_web_address(text: str) -> None:
    scheme = re.match(r"https?://", text, re.IGNORECASE)
    if scheme:
        raise InvalidReference(f"{text[:300]!r} is a web address", mend=f"leave out {scheme[0]}")


def registry_of(text: str) -> str | None:
    """The registry that ``text`` names, with nothing in it: ``HOST/``, or what has a dot or a port
    or is ``localhost``. ``None`` for anything else.

    Raises :class:`~manyfest.errors.InvalidReference` for a host that is none.
    """
    text = text.removeprefix("docker://")
    if text.endswith("/") and "/" not in text[:-1]:
        return check_registry(text[:-1])
    host, port = _split_port(text)
    if "/" in text or host in _TRANSPORTS:
        return None
    if port is not None:
        is_host = port.isdecimal()
    else:
        is_host = "." in host or host == "localhost" or host.startswith("[")
    return check_registry(text) if is_host else None


def _split_port(text: str) -> tuple[str, str | None]:
    end = text.find("]") + 1
    host, colon, port = text[end:].partition(":")
    return text[:end] + host, port if colon else None


def _is_ipv6(host: str) -> bool:
    """Docker's rule: hexadecimal groups in brackets, without a zone or an IPv4 address in them."""
    if not re.fullmatch(_IPV6, host):
        return False
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def _split_path(rest: str, text: str) -> tuple[str, str]:
    """``PATH[:TAG]`` or ``PATH@DIGEST``, as skopeo splits it: at the first colon."""
    found = re.search(_PATH_DIGEST, rest)
    if found is None:
        path, _, name = rest.partition(":")
    else:
        path, name = rest[: found.start()], _path_digest(rest[found.end() :], text)
    if not path:
        raise InvalidReference(f"{text[:300]!r} names no path")
    if ":" in path:
        raise InvalidReference(
            f"{text[:300]!r} has a tag and a digest", mend="keep one of the two after the path"
        )
    return path, name


def _docker_name(text: str) -> str:
    """A name as Docker keeps them; an image's id stays as it is."""
    if re.fullmatch(_ID, text):
        return text
    return Name.parse(text).familiar


def _listed_name(text: str) -> str:
    """A name in an archive of Docker's, where an image's number will do, too."""
    return text if image_number(text) is not None else _docker_name(text)


def _path_digest(digest: str, text: str) -> str:
    try:
        return str(Digest.parse(digest))
    except InvalidDigest as error:
        raise InvalidReference(error.what, where=text[:300]) from None


def _is_path(text: str) -> InvalidReference:
    return InvalidReference(
        f"{text[:300]!r} is a path, and no name in a registry",
        mend=f"write oci-archive:{text[:300]} for a file, oci:{text[:300]} for a layout's folder",
    )


def _bad_repository(repository: str, text: str) -> InvalidReference:
    if repository.lower() != repository and is_repository(repository.lower()):
        return InvalidReference(
            f"repository {repository[:260]!r} has capital letters",
            where=text[:300],
            mend=f"write {repository.lower()}",
        )
    return InvalidReference(
        f"{repository[:260]!r} is not a repository's name",
        where=text[:300],
        mend="use lower-case letters and digits, joined by '.', '_', '-' and '/'",
    )
