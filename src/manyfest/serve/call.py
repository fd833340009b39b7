"""What an endpoint is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from manyfest.serve.asgi import Request, Response
from manyfest.serve.repository import Repository
from manyfest.serve.routes import Route
from manyfest.serve.storage import Storage


class Call(Struct, frozen=True):
    """A request, the route it takes, and the storage to answer it from."""

    storage: Storage
    request: Request
    route: Route

    @property
    def name(self) -> str:
        """The repository's name."""
        return self.route.name

    @property
    def item(self) -> str:
        """The digest, tag or upload in it, as it was sent."""
        return self.route.item

    @property
    def repository(self) -> Repository:
        """The repository, which must exist. Raises :class:`~manyfest.serve.errors.Refusal`."""
        return self.storage.existing(self.route.name)


Handler = Callable[[Call], Awaitable[Response]]
"""An endpoint. It may raise any of the project's errors."""
