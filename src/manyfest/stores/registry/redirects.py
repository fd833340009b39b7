"""Which redirects are followed, and what goes along.

The rules and the faults that taught them: credentials are for one origin and are dropped on the
way to any other, and a later hop does not get them back (GHSA-vh4v-2xq2-g5cg, CVE-2026-50151);
nothing goes from https to http; a registry may not send its clients wherever it likes
(:func:`~manyfest.stores.registry.addresses.redirect_places`).
"""

from __future__ import annotations

from msgspec.structs import replace

from manyfest.errors import RegistryError
from manyfest.stores.registry.addresses import redirect_places
from manyfest.stores.registry.http import (
    Origin,
    Request,
    Response,
    Transport,
    check_place,
    join_url,
    place_of_answer,
    show_host,
)

MOST_HOPS = 5

_STATUSES = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_FOR_ONE_ORIGIN = ("Authorization", "Cookie", "Proxy-Authorization")


def resolve_location(url: str, location: str) -> str:
    """The address that a ``Location`` in an answer from ``url`` means, whether relative or whole.

    For redirects and for upload sessions alike. Raises :class:`RegistryError` unless it is http or
    https, without a user name, and not http where ``url`` is https.
    """
    try:
        target = join_url(url, location).partition("#")[0]
        origin = Origin.of(target)
    except RegistryError as error:
        raise RegistryError(f"it sends elsewhere, but {error}", where=show_host(url)) from None
    if origin.scheme == "http" and Origin.of(url).scheme == "https":
        raise RegistryError(
            f"it sends from https to plain http, at {origin}",
            where=show_host(url),
            mend="the registry's own address is wrong in its settings: its operator must mend it",
        )
    return target


def next_request(request: Request, response: Response) -> Request | None:
    """The request that follows a redirect; ``None`` if ``response`` is not one to follow.

    GET and HEAD are followed; other methods only where the redirect keeps the method (307, 308) and
    the origin. Raises :class:`RegistryError` if the redirect breaks the rules.
    """
    if not request.follow or response.status not in _STATUSES:
        return None
    location = response.headers.get("Location")
    if not location:
        return None
    target = resolve_location(request.url, location)
    stays = Origin.of(target) == request.origin
    if request.method not in ("GET", "HEAD"):
        keeps = response.status in _KEEPS_METHOD and stays
        return replace(request, url=target) if keeps else None
    if stays:
        return replace(request, url=target)
    elsewhere = replace(
        request,
        url=target,
        headers=request.headers.without(*_FOR_ONE_ORIGIN),
        scopes=(),
        places=request.places or redirect_places(place_of_answer(response)),
    )
    check_place(elsewhere, elsewhere.origin.host)
    return elsewhere


class RedirectTransport:
    """Follows redirects by :func:`next_request`, at most five in a row."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def send(self, request: Request) -> Response:
        """See :class:`~manyfest.stores.registry.http.Transport`."""
        first = request.origin
        for _ in range(MOST_HOPS + 1):
            response = self._inner.send(request)
            try:
                following = next_request(request, response)
            except BaseException:
                response.close()
                raise
            if following is None:
                return response
            response.close()
            request = following
        raise RegistryError(f"it redirects more than {MOST_HOPS} times", where=str(first))

    def close(self) -> None:
        self._inner.close()
