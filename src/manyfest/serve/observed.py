"""What is told of each request when it was answered."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from manyfest.serve.asgi import Request, Response


class Exchange(Struct, frozen=True):
    """A request, its answer, and how many seconds lay between. ``client`` is an address."""

    request: Request
    response: Response
    client: str
    seconds: float

    @property
    def endpoint(self) -> str:
        """The endpoint's name, or ``none``."""
        route = self.request.route
        return route.endpoint if route is not None else "none"

    @property
    def sent(self) -> int:
        """Bytes of the answer's body, if the client took all of it."""
        return 0 if self.request.method == "HEAD" else self.response.length


class Observer(Protocol):
    """Is told of each request. It must not wait for anything."""

    def observe(self, exchange: Exchange) -> None: ...
