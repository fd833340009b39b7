"""From a reference to the store it leads to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from manyfest.errors import UsageError
from manyfest.oci.reference import Name, Reference
from manyfest.stores.archive import ArchiveStore
from manyfest.stores.archive_writer import ArchiveWriter
from manyfest.stores.base import Source, Store, Target
from manyfest.stores.layout import LayoutStore
from manyfest.stores.names import as_digest

if TYPE_CHECKING:
    from manyfest.stores.registry.connect import Registries


class Stores:
    """Opens references. Registries share their connections, which :meth:`close` ends; a store
    that was opened is entered and left by whoever asked for it.

    ``plain_http`` names registries that may be spoken to without TLS; ``ca_file`` holds
    certificates to trust besides the system's; ``log`` is told of each request, ``warn`` of each
    pause before one is sent again.
    """

    def __init__(
        self,
        *,
        plain_http: tuple[str, ...] = (),
        ca_file: Path | None = None,
        log: Callable[[str], None] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._plain_http = plain_http
        self._ca_file = ca_file
        self._log = log
        self._warn = warn
        self._registries: Registries | None = None

    def source(self, reference: Reference) -> Source:
        """The store to read ``reference`` from."""
        if reference.image is not None:
            return self.registry(reference.image)
        path = Path(reference.path)
        if reference.transport == "oci":
            return LayoutStore(path)
        return ArchiveStore(path)

    def target(self, reference: Reference) -> Target:
        """The store to write ``reference`` to; an archive is written anew."""
        if reference.image is not None:
            return self.registry(reference.image, writing=True)
        path = Path(reference.path)
        if reference.transport == "oci":
            return LayoutStore(path)
        return ArchiveWriter(path)

    def registry(self, name: Name, *, writing: bool = False) -> Store:
        """The repository that ``name`` lies in; ``writing`` if something is to be put there.

        Loading libcurl waits until one is wanted.
        """
        if self._registries is None:
            from manyfest.stores.registry.connect import Registries

            self._registries = Registries(
                plain_http=self._plain_http,
                ca_file=self._ca_file,
                log=self._log,
                warn=self._warn,
            )
        return self._registries.repository(name, writing=writing)

    def close(self) -> None:
        """End the connections."""
        if self._registries is not None:
            self._registries.close()
            self._registries = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def tags_of(reference: Reference) -> tuple[str, ...]:
    """The names that a copy to ``reference`` sets. In a layout or an archive it may be the empty
    one, which stands for the one image there.

    Raises :class:`~manyfest.errors.UsageError` for a target that is named by a digest.
    """
    if as_digest(reference.target) is not None:
        raise UsageError(
            "a target cannot be a digest: the content decides it",
            where=str(reference),
            mend="name a tag",
        )
    return (reference.target,)
