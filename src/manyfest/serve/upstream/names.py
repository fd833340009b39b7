"""Which repository of which registry a name here means."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Self

from msgspec import Struct

from manyfest.errors import InvalidReference, UsageError
from manyfest.oci.reference import DOCKER_HUB, Name, check_registry, is_repository


class Upstream(Struct, frozen=True):
    """A registry, or what is below ``path`` in it. Here it is below ``prefix``, or everything that
    is below no other prefix."""

    registry: str
    path: str = ""
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """``[PREFIX=]REGISTRY[/PATH]``, as a person wrote it.

        Raises :class:`~manyfest.errors.UsageError`.
        """
        prefix, equals, place = text.rpartition("=")
        host, slash, path = place.partition("/")
        wrong = [part for part in (prefix, path) if part and not is_repository(part)]
        if wrong or (equals and not prefix) or (slash and not path):
            raise UsageError(
                f"{text[:300]!r} is not an upstream",
                mend="write REGISTRY, REGISTRY/PATH or PREFIX=REGISTRY",
            )
        return cls(check_registry(host), path, prefix)

    @property
    def place(self) -> str:
        """The upstream as a person would write it."""
        return _below(self.registry, self.path)

    def origin(self, name: str) -> Name:
        """The repository that is called so below the prefix."""
        return Name(self.registry, own_name(self.registry, _below(self.path, name)))

    def other_name(self, name: str) -> str:
        """The second name that the repository has which is called so below the prefix: Docker
        Hub's images without a user have one with ``library`` and one without. Empty as a rule."""
        if self.registry != DOCKER_HUB or self.path:
            return ""
        whole = own_name(self.registry, name)
        if whole != name:
            return _below(self.prefix, whole)
        short = name.removeprefix("library/")
        is_other = short != name and own_name(self.registry, short) == name
        return _below(self.prefix, short) if is_other else ""

    def local(self, repository: str) -> str | None:
        """What a repository of the registry is called here; ``None`` if it is not in this one."""
        if not self.path:
            return _below(self.prefix, repository)
        rest = repository.removeprefix(f"{self.path}/")
        return None if rest == repository else _below(self.prefix, rest)


class Upstreams:
    """All upstreams; a name is in the one with the longest prefix of it."""

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        """Raises :class:`~manyfest.errors.UsageError` if two of them cannot be told apart."""
        self._all = sorted(upstreams, key=lambda each: len(each.prefix), reverse=True)
        prefixes = [each.prefix for each in self._all]
        if len(set(prefixes)) < len(prefixes):
            places = ", ".join(each.place for each in upstreams)
            raise UsageError(
                f"several upstreams would have the same names here: {places}",
                mend="give all but one a prefix: --upstream ghcr=ghcr.io",
            )

    @property
    def registries(self) -> list[str]:
        """The registries, each once."""
        return list(dict.fromkeys(each.registry for each in self._all))

    def origin(self, name: str) -> Name | None:
        """The repository that ``name`` here means, if it means one."""
        found = self._found(name)
        return found and found[0].origin(found[1])

    def other_name(self, name: str) -> str:
        """The second name here of the repository that ``name`` means; empty if it has none."""
        found = self._found(name)
        other = found[0].other_name(found[1]) if found else ""
        return other if other and self.origin(other) == self.origin(name) else ""

    def _found(self, name: str) -> tuple[Upstream, str] | None:
        """Which upstream ``name`` is in, and what it is called below the prefix."""
        for upstream in self._all:
            rest = name.removeprefix(f"{upstream.prefix}/") if upstream.prefix else name
            if rest != name or not upstream.prefix:
                return upstream, rest
        return None

    def local(self, registry: str, repository: str) -> str | None:
        """What a registry's repository is called here; ``None`` if it cannot be had here."""
        try:
            asked = check_registry(registry)
        except InvalidReference:
            return None
        meant = Name(asked, own_name(asked, repository))
        for upstream in self._all:
            if upstream.registry != asked:
                continue
            name = upstream.local(meant.repository)
            if name is not None and self.origin(name) == meant:
                return name
        return None

    def shown(self, kept: str) -> str | None:
        """What the repository with this name in storage is called here, if it is still of use."""
        folder, _, repository = kept.partition("/")
        for registry in self.registries:
            if _folder(registry) == folder:
                return self.local(registry, repository)
        return None


def kept_name(origin: Name) -> str:
    """The name in storage: it does not change when prefixes do."""
    return f"{_folder(origin.registry)}/{origin.repository}"


def own_name(registry: str, repository: str) -> str:
    """A repository's own name: Docker Hub's images without a user are in ``library``."""
    is_short = registry == DOCKER_HUB and "/" not in repository
    return f"library/{repository}" if is_short else repository


def _folder(registry: str) -> str:
    """What the names of its repositories begin with in storage. No host name has ``_``."""
    if registry.startswith("["):
        address, _, port = registry[1:].partition("]")
        registry = f"ipv6_{IPv6Address(address).exploded.replace(':', '-')}{port}"
    return registry.replace(":", "_")


def _below(folder: str, name: str) -> str:
    return "/".join(filter(None, (folder, name)))
