"""What a pull-through registry serves: the repositories of its upstreams."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from manyfest.serve.errors import Refusal, unknown_repository
from manyfest.serve.storage import Storage
from manyfest.serve.upstream.downloads import Downloads
from manyfest.serve.upstream.eviction import Eviction
from manyfest.serve.upstream.flights import Flights
from manyfest.serve.upstream.names import Upstream, Upstreams, kept_name
from manyfest.serve.upstream.origin import Origins
from manyfest.serve.upstream.repository import CachedRepository, Shared
from manyfest.serve.upstream.timed import Timed
from manyfest.stores.files import remove_abandoned

FRESH = 300.0
"""Seconds for which a tag is believed unless told otherwise."""

_KEPT_WITHIN = 10.0
"""Seconds that the end waits for the disk."""

_MOST_LISTS = 200
_MOST_EXPECTED = 100_000


class PullThrough:
    """The repositories of ``upstreams``, kept in ``storage`` as they are asked for.

    A tag is believed for ``fresh`` seconds. No other registries are ever asked than those that
    were named, whatever a client says. Raises :class:`~manyfest.errors.UsageError` for upstreams
    that cannot be told apart.
    """

    read_only = True
    why_read_only = "nothing can be pushed to a cache: it has what its upstream has"

    def __init__(
        self,
        storage: Storage,
        upstreams: Sequence[Upstream],
        origins: Origins,
        *,
        fresh: float = FRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.storage = storage
        self._upstreams = Upstreams(upstreams)
        self._origins = origins
        eviction = Eviction(storage)
        self._shared = Shared(
            storage=storage,
            origins=origins,
            downloads=Downloads(storage, eviction.make_room),
            make_room=eviction.make_room,
            fresh=fresh,
            flights=Flights(),
            looked=Timed(clock=clock),
            absent=Timed(clock=clock),
            away=Timed(clock=clock),
            lists=Timed(most=_MOST_LISTS, clock=clock),
            referring=Timed(clock=clock),
            expected=Timed(most=_MOST_EXPECTED),
        )

    def prepare(self, *, read_only: bool = True) -> None:  # noqa: ARG002 - clients never write
        """Make the folder ready, and clear what downloads that were killed left. Raises as
        :meth:`~manyfest.serve.storage.Storage.prepare`."""
        self.storage.prepare()
        remove_abandoned(self.storage.uploads.folder)

    def names(self) -> list[str]:
        """The repositories of which something is kept, in ASCII order."""
        shown = map(self._upstreams.shown, self.storage.names())
        return sorted(name for name in shown if name is not None)

    def repository(self, name: str) -> CachedRepository:
        """The repository that ``name`` means. Raises :class:`~manyfest.serve.errors.Refusal` if it
        is below no upstream."""
        origin = self._upstreams.origin(name)
        if origin is None:
            raise unknown_repository(name)
        kept = self.storage.repository(kept_name(origin))
        return CachedRepository(name, origin, kept, self._shared)

    def existing(self, name: str) -> CachedRepository:
        """The same; whether there is such a repository its upstream says when it is asked."""
        return self.repository(name)

    def named(self, name: str, registry: str) -> str:
        """What the repository is called here that ``registry`` calls ``name``. Raises
        :class:`~manyfest.serve.errors.Refusal` for a registry that is no upstream."""
        found = self._upstreams.local(registry, name)
        if found is None:
            raise Refusal("NAME_UNKNOWN", f"{registry[:100]}/{name} cannot be had here")
        return found

    def other_name(self, name: str) -> str:
        """See :meth:`~manyfest.serve.content.Content.other_name`."""
        return self._upstreams.other_name(name)

    def tidy(self) -> None:
        """Clear what was given up."""
        self.storage.tidy()
        remove_abandoned(self.storage.uploads.folder)

    def give_up(self) -> None:
        """Answer all who wait for an upstream, and cut off what has not come by now."""
        self._shared.flights.give_up()
        self._shared.downloads.give_up()

    def close(self) -> None:
        """End the connections to the upstreams. What has just come is still kept."""
        self._shared.downloads.settle(_KEPT_WITHIN)
        self.storage.close()
        self._origins.close()
