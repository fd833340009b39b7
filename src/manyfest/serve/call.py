"""What an endpoint is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from manyfest.serve.access.visitor import ANYBODY, Visitor
from manyfest.serve.asgi import Request, Response
from manyfest.serve.content import Content, Readable
from manyfest.serve.errors import Refusal
from manyfest.serve.repository import Repository
from manyfest.serve.routes import Route
from manyfest.serve.storage import Storage


class Call(Struct, frozen=True):
    """A request, the route it takes, and the content to answer it from."""

    content: Content
    request: Request
    route: Route
    read_only: bool = False
    visitor: Visitor = ANYBODY

    @property
    def name(self) -> str:
        """The repository's name."""
        return self.route.name

    @property
    def item(self) -> str:
        """The digest, tag or upload in it, as it was sent."""
        return self.route.item

    @property
    def repository(self) -> Readable:
        """The repository, which must exist. Raises :class:`~manyfest.serve.errors.Refusal`."""
        return self.content.existing(self.route.name)

    @property
    def storage(self) -> Storage:
        """The content, to be changed. Raises :class:`~manyfest.serve.errors.Refusal` for what can
        only be read."""
        if not isinstance(self.content, Storage):
            raise Refusal("UNSUPPORTED", "nothing can be pushed here")
        return self.content

    @property
    def changing(self) -> Repository:
        """The repository, which must exist, to be changed. Raises as the others do."""
        return self.storage.existing(self.route.name)


def warned(repository: Readable) -> dict[str, str]:
    """The header field with what a client should know of an answer; none as a rule."""
    return {"Warning": repository.warning} if repository.warning else {}


Handler = Callable[[Call], Awaitable[Response]]
"""An endpoint. It may raise any of the project's errors."""
