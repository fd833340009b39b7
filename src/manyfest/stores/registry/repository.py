"""One repository of a registry, as requests name it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from manyfest.oci.reference import DOCKER_HUB
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Request, Response, Transport

_DOCKER_HUB_HOST = "registry-1.docker.io"

PUSH = ("pull", "push")
DELETE = ("pull", "push", "delete")
"""Actions that a token must allow (Docker Registry v2, "Token Scope"). Whoever deletes pulls and
pushes too: a list of referrers is kept in step."""

Fields = tuple[tuple[str, str], ...]


def address_of(registry: str, scheme: str) -> str:
    """Where a registry is asked: scheme and host."""
    return f"{scheme}://{_DOCKER_HUB_HOST if registry == DOCKER_HUB else registry}"


class Repository(Struct, frozen=True, kw_only=True):
    """Sends requests to the repository ``name`` of ``registry``.

    With ``writing`` every request asks for the right to push.
    """

    registry: str
    name: str
    transport: Transport
    scheme: str = "https"
    writing: bool = False

    @property
    def label(self) -> str:
        """The repository as a person would write it."""
        return f"{self.registry}/{self.name}"

    @property
    def address(self) -> str:
        """Scheme and host of the registry."""
        return address_of(self.registry, self.scheme)

    @property
    def url(self) -> str:
        """What the addresses of everything in the repository begin with."""
        return f"{self.address}/v2/{self.name}"

    def scope(self, *actions: str) -> str:
        """What a token must allow for these actions; without any, for what is done most here."""
        return f"repository:{self.name}:{','.join(actions or self._usual)}"

    def send(
        self,
        method: str,
        path: str,
        fields: Fields = (),
        *,
        body: bytes | None = None,
        actions: tuple[str, ...] = (),
        before_repeat: Callable[[], None] | None = None,
    ) -> Response:
        """The answer to a request for ``path`` below :attr:`url`, whatever its status."""
        return self._send(method, f"{self.url}/{path}", fields, body, actions, before_repeat)

    def get(self, url: str, fields: Fields = ()) -> Response:
        """The answer to a GET for a whole address, as the registry gave it."""
        return self._send("GET", url, fields)

    def _send(
        self,
        method: str,
        url: str,
        fields: Fields,
        body: bytes | None = None,
        actions: tuple[str, ...] = (),
        before_repeat: Callable[[], None] | None = None,
    ) -> Response:
        request = Request(
            method=method,
            url=url,
            headers=Headers(fields),
            body=body,
            before_repeat=before_repeat,
            scopes=(self.scope(*actions),),
        )
        return self.transport.send(request)

    @property
    def _usual(self) -> tuple[str, ...]:
        return PUSH if self.writing else ("pull",)
