"""How the watch reaches registries: each request is measured, none takes for ever, and all end
when the watch stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from manyfest.errors import ConnectionFailed
from manyfest.oci.reference import Name
from manyfest.stores.base import Source
from manyfest.stores.registry.connect import Registries
from manyfest.stores.registry.http import Origin, Request, Response, Transport
from manyfest.stores.registry.pacing import Pacing
from manyfest.stores.registry.repository import address_of
from manyfest.stores.registry.retry import RetryPolicy
from manyfest.watch.values import Sample

LEARNT_FOR = 600.0
"""Seconds for which is believed what was learnt of how a repository is to be asked: registries
change, and what stands before them may have answered instead."""

LONGEST_REQUEST = 30.0
"""Seconds after which an answer is not waited for any more."""

_ONCE = RetryPolicy(attempts=1, attempts_to_reach=1)
"""Who asks again and again need not repeat anything."""


class Measured:
    """A transport around the network that tells how each request to a registry went.

    ``name_of`` gives the registry that an origin belongs to, or nothing: what gives out tokens is
    none. ``sending`` is called before each request to a registry, in its thread; ``stopped`` says
    that the watch ends.
    """

    def __init__(
        self,
        inner: Transport,
        *,
        name_of: Callable[[Origin], str | None],
        note: Callable[[Sample], None],
        sending: Callable[[], None],
        stopped: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inner = inner
        self._name_of = name_of
        self._note = note
        self._sending = sending
        self._stopped = stopped
        self._clock = clock

    def send(self, request: Request) -> Response:
        """See :class:`~manyfest.stores.registry.http.Transport`."""
        registry = self._name_of(request.origin)
        start = time.monotonic()

        def given_up() -> bool:
            return self._stopped() or time.monotonic() - start > LONGEST_REQUEST

        if registry is not None:
            self._sending()
        try:
            response = self._inner.send(replace(request, given_up=given_up))
        except ConnectionFailed as error:
            if not self._stopped():  # then it was us who ended it
                self._tell(registry, start, why=self._why(error, start))
            raise
        status = response.status
        why = f"it answers {status}" if status >= 500 else ""
        self._tell(registry, start, why=why, limited=status == 429)
        return response

    def close(self) -> None:
        self._inner.close()

    def _tell(self, registry: str | None, start: float, *, why: str, limited: bool = False) -> None:
        if registry is not None:
            seconds = time.monotonic() - start
            sample = Sample(
                registry=registry, at=self._clock(), seconds=seconds, why=why, limited=limited
            )
            self._note(sample)

    @staticmethod
    def _why(error: ConnectionFailed, start: float) -> str:
        if time.monotonic() - start > LONGEST_REQUEST:
            return f"no answer within {LONGEST_REQUEST:.0f} seconds"
        return error.what


class _Known(NamedTuple):
    """A repository of which something may have been learnt, for as long as that is believed."""

    source: Source
    until: float


class _Reached(NamedTuple):
    """Registries as they are spoken to at a time, and the repositories in them that are known."""

    registries: Registries
    known: dict[str, _Known]


class Network:
    """Repositories to look at. It is closed by whoever made it.

    ``plain_http`` names registries that are spoken to without TLS; ``note`` is told how each
    request went; ``stopped`` says that the watch ends.
    """

    def __init__(
        self,
        *,
        plain_http: Iterable[str] = (),
        ca_file: Path | None = None,
        note: Callable[[Sample], None],
        stopped: Callable[[], bool],
        log: Callable[[str], None] | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timer = timer
        self._names: dict[str, str] = {}
        self._ca_file = ca_file
        self._stopped = stopped
        self._note = note
        self._log = log
        self._own = threading.local()
        self._all: list[_Reached] = []
        self._plain_http: tuple[str, ...] = ()
        self.pacing = Pacing()
        self.allow(plain_http)

    def allow(self, plain_http: Iterable[str]) -> None:
        """From now on speak to these registries without TLS, and to no others."""
        names = tuple(plain_http)
        if self._all and names == self._plain_http:
            return
        self._plain_http = names
        registries = Registries(
            plain_http=names,
            ca_file=self._ca_file,
            log=self._log,
            pacing=self.pacing,
            policy=_ONCE,
            caching=False,
            around=self._measured,
        )
        self._all.append(_Reached(registries, {}))

    def source(self, place: str) -> Source:
        """The repository ``host/name``, which knows what was learnt of it: whether it has the
        referrers API. May ask the registry on this machine whether it speaks TLS."""
        registries, known = self._all[-1]
        found = known.get(place)
        if found is not None and self._timer() < found.until:
            return found.source
        name = Name.parse(place)
        for scheme in ("https", "http"):
            self._names[str(Origin.of(address_of(name.registry, scheme)))] = name.registry
        source = registries.repository(name)
        known[place] = _Known(source, self._timer() + LEARNT_FOR)
        return source

    def learn_anew(self, place: str) -> None:
        """Forget what was learnt of how the repository is to be asked."""
        self._all[-1].known.pop(place, None)

    def require_registry(self, registry: str) -> None:
        """Raises :class:`~manyfest.errors.RegistryError` if what answers there is none."""
        self._all[-1].registries.require_registry(registry)

    def rest(self, registry: str) -> float:
        """Seconds for which the registry wants to be left alone."""
        return self.pacing.pause(registry)

    def sent(self) -> int:
        """How many requests to registries this thread has sent."""
        return getattr(self._own, "sent", 0)

    def close(self) -> None:
        """End all connections."""
        for each in self._all:
            each.registries.close()

    def _measured(self, network: Transport) -> Transport:
        return Measured(
            network,
            name_of=lambda origin: self._names.get(str(origin)),
            note=self._note,
            sending=self._count,
            stopped=self._stopped,
        )

    def _count(self) -> None:
        self._own.sent = self.sent() + 1
