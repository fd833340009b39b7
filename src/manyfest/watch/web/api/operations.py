"""What the interface can be asked: each operation is described once, and that is what is served,
checked against, and published at ``/api/openapi.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from manyfest.errors import ManyfestError, NotFound, UsageError
from manyfest.watch.web.api.replies import JSON, Fault, Problem, Reply

if TYPE_CHECKING:
    from manyfest.watch.access.accounts import Bearer
    from manyfest.watch.config.values import WatchedImage
    from manyfest.watch.service_api import Service

Scope = Literal["open", "read", "signed", "write"]
"""Who may ask: anybody; anybody unless the page is closed; whoever has a token or is signed in;
whoever has a token that may write."""


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Call(Struct, frozen=True, kw_only=True):
    """A request that was checked. ``path`` and ``query`` have the parameters, ``body`` what was
    sent; ``bearer`` is whose token it came with. ``base`` is the address of the page, without a
    slash at its end, and ``accept`` the field of that name."""

    service: Service
    path: Mapping[str, str]
    query: Struct
    body: object = None
    bearer: Bearer | None = None
    base: str = ""
    accept: str = ""

    def image(self) -> WatchedImage:
        """The image in the path. Raises :class:`Fault` 404."""
        return watched(self.service, self.path["image"])


class Answer(Struct, frozen=True, kw_only=True):
    """An answer that may come: its status, what it means, and the type of its document; or its
    media type alone if it is no JSON."""

    what: str
    status: int = 200
    shape: type[Struct] | None = None
    media: str = JSON


Run = Callable[[Call], Reply]


class Operation(Struct, frozen=True, kw_only=True):
    """A method on a path, whose parts in braces may hold slashes if they are images' names.

    ``query`` is the type of its parameters, ``body`` that of what is sent; ``body_schema`` gives
    the name of its schema and the schemas by their names, where the type does not say it all.
    ``faults`` are the
    statuses of its problems beyond those that all operations share.
    """

    name: str
    path: str
    summary: str
    run: Run
    answers: tuple[Answer, ...]
    method: Literal["GET", "POST", "DELETE"] = "GET"
    scope: Scope = "read"
    query: type[Struct] = Nothing
    body: object = None
    body_schema: Callable[[], tuple[str, dict[str, Any]]] | None = None
    faults: tuple[int, ...] = ()
    tag: str = "read"


def watched(service: Service, name: str) -> WatchedImage:
    """The image of that name. Raises :class:`Fault` 404."""
    for image in service.images():
        if image.name == name:
            return image
    for image in service.images():
        if name in {place.repository for place in image.rule.places}:
            raise Fault(404, f"no image is called {name}", mend=f"it is watched as {image.name}")
    raise Fault(404, f"no image {name[:200]!r} is watched")


def fault_of(error: ManyfestError) -> Fault:
    """What a program is told of an error that was not raised as a :class:`Fault`."""
    from manyfest.errors import HistoryError

    if isinstance(error, Fault):
        return error
    if isinstance(error, NotFound):
        return Fault(404, str(error))
    if isinstance(error, HistoryError):
        return Fault(503, "the history cannot be read or written now", headers=_LATER)
    if isinstance(error, UsageError):
        return Fault(422, str(error))
    return Fault(500, "the watch failed; its log says why")


_LATER = {"Retry-After": "10"}

__all__ = ["Answer", "Call", "Nothing", "Operation", "Problem", "Scope", "fault_of", "watched"]
