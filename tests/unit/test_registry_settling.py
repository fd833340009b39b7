from __future__ import annotations

import pytest

from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    ManyfestError,
    NotFound,
    RegistryError,
)
from manyfest.oci.digest import Digest
from manyfest.stores.base import Settles
from manyfest.stores.registry.settling import settle
from tests.images import content_of, image
from tests.quirks import Between

NEW, OLD = Digest.of(b"new"), Digest.of(b"old")


def settled(*seen: Digest | ManyfestError) -> list[float]:
    """The pauses until the tag is seen to mean what it should."""
    looks = list(seen)
    pauses: list[float] = []

    def look() -> Digest:
        found = looks.pop(0) if len(looks) > 1 else looks[0]
        if isinstance(found, ManyfestError):
            raise found
        return found

    settle(look, "v1", NEW, where="ghcr.io/team/app", sleep=pauses.append)
    return pauses


def test_what_is_seen_at_once_is_not_waited_for() -> None:
    assert settled(NEW) == []


@pytest.mark.parametrize("first", [OLD, NotFound("not yet"), AccessDenied("403")])
def test_what_shows_a_little_later_is_waited_for(first: Digest | ManyfestError) -> None:
    assert settled(first, first, first, NEW) == [0.1, 0.2, 0.4]


def test_what_never_shows_is_an_error_that_says_what_does() -> None:
    with pytest.raises(RegistryError) as caught:
        settled(OLD)
    assert str(caught.value) == (
        f"ghcr.io/team/app: v1 was set to {NEW}, but after 15 seconds it shows {OLD};"
        " look again later; if it stays so, something else sets the tag, or a cache is stale"
    )
    with pytest.raises(RegistryError, match="a look at it says: the tag is not there"):
        settled(NotFound("the tag is not there"))


def test_fifteen_seconds_are_waited_and_no_more() -> None:
    pauses: list[float] = []
    with pytest.raises(RegistryError):
        settle(lambda: OLD, "v1", NEW, where="here", sleep=pauses.append)
    assert sum(pauses) == pytest.approx(15.0)


def test_a_failure_is_not_waited_out() -> None:
    with pytest.raises(ConnectionFailed):
        settled(ConnectionFailed("nobody is there"))


def test_a_repository_settles() -> None:
    registry = Between()
    store = registry.store()
    assert isinstance(store, Settles)
    root = image(store)
    store.tag("v1", content_of(root))
    store.settle("v1", root.descriptor.digest)
    with pytest.raises(RegistryError, match="v1 was set to"):
        store.settle("v1", OLD)
    registry.close()
