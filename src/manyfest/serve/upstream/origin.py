"""What is asked of an upstream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.reference import Name
from manyfest.stores.base import Source
from manyfest.stores.registry.connect import Registries
from manyfest.stores.registry.pacing import Pacing
from manyfest.stores.registry.retry import RetryPolicy

POLICY = RetryPolicy(attempts=3, attempts_to_reach=2, first=0.2, longest=1.0, patience=2.0)
"""A client is waiting, and has a patience of its own."""


class Origin(Source, Protocol):
    """A repository of an upstream, as :class:`~manyfest.stores.registry.store.RegistryStore`."""

    def means(self, name: str, digest: Digest) -> bool: ...
    def measure(self, blob: Digest) -> int: ...
    def tags(self) -> Iterator[str]: ...
    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]: ...


class Origins(Protocol):
    """Where repositories of upstreams are had from."""

    def repository(self, name: Name, /) -> Origin: ...
    def pause(self, registry: str, /) -> float:
        """Seconds for which the registry wants not to be asked."""
        ...

    def close(self) -> None: ...


class RegistryOrigins:
    """Registries, with the user's credentials for them and at the pace that they want."""

    def __init__(
        self,
        *,
        plain_http: tuple[str, ...] = (),
        ca_file: Path | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """See :class:`~manyfest.stores.open.Stores` for the parameters."""
        self._pacing = Pacing()
        self._registries = Registries(
            plain_http=plain_http,
            ca_file=ca_file,
            log=log,
            pacing=self._pacing,
            policy=POLICY,
            caching=False,
        )

    def repository(self, name: Name, /) -> Origin:
        """The repository, to be read."""
        return self._registries.repository(name)

    def pause(self, registry: str, /) -> float:
        """Seconds for which the registry wants not to be asked."""
        return self._pacing.pause(registry)

    def close(self) -> None:
        """End all connections."""
        self._registries.close()
