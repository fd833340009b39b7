"""From a reference to the store it leads to. What a kind of store is made of is loaded when the
first one is opened: no command needs all of them."""

from __future__ import annotations

import os
import platform as this
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from manyfest.errors import NotFound, UsageError
from manyfest.oci.machine import platform_of_machine
from manyfest.oci.reference import Name, Reference, image_number
from manyfest.stores.base import Source, Store, Target
from manyfest.stores.names import as_digest

if TYPE_CHECKING:
    from manyfest.stores.archives.names import Naming
    from manyfest.stores.archives.store import ArchiveStore
    from manyfest.stores.layout import LayoutStore
    from manyfest.stores.registry.connect import Registries
    from manyfest.stores.registry.http import Transport
    from manyfest.stores.registry.pacing import Pacing
    from manyfest.stores.runtimes.runtime import RuntimeTarget


_STANDARD_INPUT, _STANDARD_OUTPUT = 0, 1


class Stores:
    """Opens references. Registries share their connections, which :meth:`close` ends; a store
    that was opened is entered and left by whoever asked for it.

    ``plain_http`` names registries that may be spoken to without TLS; ``ca_file`` holds
    certificates to trust besides the system's; ``log`` is told of each request, ``warn`` of each
    pause before one is sent again, and ``pacing`` sees how often registries want to be asked.
    """

    def __init__(
        self,
        *,
        plain_http: tuple[str, ...] = (),
        ca_file: Path | None = None,
        log: Callable[[str], None] | None = None,
        warn: Callable[[str], None] | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        self._plain_http = plain_http
        self.ca_file = ca_file
        self._log = log
        self._warn = warn
        self._pacing = pacing
        self._registries: Registries | None = None
        self._lock = threading.Lock()

    def source(self, reference: Reference) -> Source:
        """The store to read ``reference`` from."""
        if reference.image is not None:
            hint = _file_called(reference.image)
            return self._connected().repository(reference.image, hint=hint)
        if reference.transport == "docker-daemon":
            return _exported(reference)
        return _layout(reference) if reference.transport == "oci" else _archive(reference)

    def target(self, reference: Reference, *, naming: Naming | None = None) -> Target:
        """The store to write ``reference`` to; an archive is written anew.

        ``naming`` is for archives; if it names no platform, this machine's gets the plain name.
        """
        if reference.image is not None:
            return self.registry(reference.image, writing=True)
        if reference.transport == "docker-daemon":
            return _imported(reference)
        if reference.transport == "oci":
            return _layout(reference)
        return _new_archive(reference, naming)

    def registry(self, name: Name, *, writing: bool = False) -> Store:
        """The repository that ``name`` lies in; ``writing`` if something is to be put there."""
        return self._connected().repository(name, writing=writing)

    def repositories(self, registry: str) -> Iterator[str]:
        """The names of all repositories of ``registry``, as far as the credentials reach.

        Raises :class:`~manyfest.errors.Unsupported` if it gives no such list.
        """
        return self._connected().repositories(registry)

    def require_registry(self, name: Name) -> None:
        """Raises :class:`~manyfest.errors.RegistryError` if what answers where ``name`` lies is no
        registry, and what it raises if nobody answers."""
        self._connected().require_registry(name.registry)

    def web(self) -> Transport:
        """What fetches files that lie in no registry; whoever asks for it closes it."""
        from manyfest.stores.registry.web import download_transport

        return download_transport(ca_file=str(self.ca_file or ""))

    def kept(self, reference: Reference) -> Store:
        """The place that ``reference`` leads to, to change what is there.

        Raises :class:`~manyfest.errors.UsageError` for what is written anew as a whole.
        """
        require_kept(reference)
        if reference.image is not None:
            return self.registry(reference.image, writing=True)
        return _layout(reference)

    def close(self) -> None:
        """End the connections."""
        if self._registries is not None:
            self._registries.close()
            self._registries = None

    def _connected(self) -> Registries:
        with self._lock:  # the first two threads would get one each, and share nothing
            if self._registries is None:
                from manyfest.stores.registry.connect import Registries

                self._registries = Registries(
                    plain_http=self._plain_http,
                    ca_file=self.ca_file,
                    log=self._log,
                    warn=self._warn,
                    pacing=self._pacing,
                )
            return self._registries

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

    Raises :class:`~manyfest.errors.UsageError` for a target that is named by a digest or a number.
    """
    name = reference.target
    if as_digest(name) is not None:
        raise UsageError(
            "a target cannot be a digest: the content decides it",
            where=str(reference),
            mend="name a tag",
        )
    if image_number(name) is not None:
        raise UsageError("a target cannot be a number", where=str(reference), mend="name a tag")
    return (name,)


def require_kept(reference: Reference) -> None:
    """Raises :class:`~manyfest.errors.UsageError` for a place that is written anew as a whole."""
    if not reference.is_kept:
        raise UsageError(
            "nothing in it can be changed: it is written anew as a whole",
            where=str(reference),
            mend="name a registry's repository or a layout",
        )


def require_there(reference: Reference) -> None:
    """Raises :class:`~manyfest.errors.NotFound` if the file or the layout that ``reference`` leads
    to is not there at all."""
    if reference.transport == "oci":
        _layout(reference).top.read()
    elif reference.path and not reference.is_stream and not os.path.lexists(reference.path):
        raise NotFound("there is no such file", where=reference.location)


def require_two_places(source: Reference, target: Reference) -> None:
    """Raises :class:`~manyfest.errors.UsageError` if ``target`` is the very file that ``source``
    is, whatever path leads to it: an archive is written anew, and not while it is read."""
    if target.is_archive and source.is_archive:
        file = _file(target, _STANDARD_OUTPUT)
        if file is not None and file == _file(source, _STANDARD_INPUT):
            raise UsageError(
                "it would be read from and written to at once",
                where=str(target),
                mend="write another file",
            )


def _file(archive: Reference, stream: int) -> tuple[int, int] | None:
    """Which file an archive is; ``None`` if it is none, or none yet."""
    try:
        state = os.fstat(stream) if archive.is_stream else os.stat(archive.path)
    except OSError:
        return None
    return (state.st_dev, state.st_ino) if stat.S_ISREG(state.st_mode) else None


def _file_called(name: Name) -> str:
    """What to say of a file or a folder here that is called as the image is; empty if none is."""
    path = name.familiar_place
    called = f"{path}{str(name).removeprefix(name.place)}"
    if os.path.isfile(path):
        return f"there is such a file: write oci-archive:{called}"
    if os.path.isfile(os.path.join(path, "index.json")):
        return f"there is such a layout: write oci:{called}"
    if os.path.isdir(path):
        return f"there is such a folder: write oci-archive:{path}/FILE for an archive in it"
    return ""


def _layout(reference: Reference) -> LayoutStore:
    from manyfest.stores.layout import LayoutStore

    return LayoutStore(Path(reference.path))


def _archive(reference: Reference) -> ArchiveStore:
    from manyfest.stores.archives.store import ArchiveStore

    if reference.is_stream:
        return ArchiveStore.standard_input(label=reference.location)
    return ArchiveStore(Path(reference.path), label=reference.location)


def _new_archive(reference: Reference, naming: Naming | None) -> Target:
    from manyfest.stores.archives.names import Naming
    from manyfest.stores.archives.stream import ArchiveStream
    from manyfest.stores.archives.writer import ArchiveWriter

    naming = naming or Naming()
    if naming.platform is None:
        naming = replace(naming, platform=platform_of_machine(this.machine()))
    if reference.is_stream:
        return ArchiveStream.standard_output(naming=naming)
    return ArchiveWriter(Path(reference.path), naming=naming)


def _exported(reference: Reference) -> ArchiveStore:
    """An image as the daemon writes it out, when it is first asked."""
    from manyfest.stores.archives.store import ArchiveStore
    from manyfest.stores.runtimes.docker.daemon import Daemon

    daemon = Daemon()
    return ArchiveStore.streamed(lambda: daemon.export(reference.name), label=str(reference))


def _imported(reference: Reference) -> RuntimeTarget:
    """Where the daemon reads an image from."""
    from manyfest.stores.runtimes.docker.daemon import Daemon
    from manyfest.stores.runtimes.runtime import RuntimeTarget

    return RuntimeTarget(Daemon(), label=reference.location)
