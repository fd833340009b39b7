"""The repositories of a registry: ``/v2/_catalog``, which the reference implementation has and
the specification does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from manyfest.errors import AccessDenied, ManyfestError, NotFound, RegistryError, Unsupported
from manyfest.oci.reference import DOCKER_HUB
from manyfest.stores.registry.answers import expect
from manyfest.stores.registry.http import Request, Response
from manyfest.stores.registry.pages import read_names

_SCOPE = "registry:catalog:*"
_WITHOUT = frozenset({DOCKER_HUB, "ghcr.io"})
"""Registries that give nobody such a list, and answer as if the user were not allowed to."""

_UNSUPPORTED = frozenset({405, 501})


def read_catalogue(
    send: Callable[[Request], Response], address: str, registry: str
) -> Iterator[str]:
    """The names of all repositories, as far as the credentials reach; ``address`` is where
    ``registry`` is asked.

    Raises :class:`~manyfest.errors.Unsupported` if the registry gives no such list.
    """

    def ask(url: str) -> Response:
        try:
            response = send(Request(method="GET", url=url, scopes=(_SCOPE,)))
            return expect(response, 200, doing="the list of repositories", where=registry)
        except (NotFound, RegistryError) as error:
            raise _translated(error, registry) from None

    url = f"{address}/v2/_catalog"
    return read_names(ask, url, "repositories", what="the list of repositories", where=registry)


def _translated(error: NotFound | RegistryError, registry: str) -> ManyfestError:
    denied = isinstance(error, AccessDenied)
    if isinstance(error, NotFound) or (denied and registry in _WITHOUT) or _is_refusal(error):
        return Unsupported(
            "the registry does not list its repositories",
            where=registry,
            mend="name a repository, to list its tags",
        )
    if isinstance(error, AccessDenied):
        return AccessDenied(
            error.what,
            where=registry,
            mend=f"{error.mend}; many registries list them for administrators only",
            status=error.status,
            code=error.code,
        )
    return error


def _is_refusal(error: ManyfestError) -> bool:
    return isinstance(error, RegistryError) and (
        error.status in _UNSUPPORTED or error.code == "UNSUPPORTED"
    )
