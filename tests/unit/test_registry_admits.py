"""Whether a registry would take anything, asked before there is anything to take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manyfest.errors import AccessDenied, RegistryError
from manyfest.stores.base import Admits
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.http import Request, Response
from tests.quirks import Between, Send, said


@pytest.fixture
def registry() -> Iterator[Between]:
    registry = Between()
    yield registry
    registry.close()


def test_an_upload_is_begun_and_cancelled(registry: Between) -> None:
    registry.store().require_push()
    begun, cancelled = registry.asked()
    assert begun == "POST blobs/uploads/"
    assert cancelled.startswith("DELETE blobs/uploads/")


def test_a_registry_may_have_no_way_to_cancel(registry: Between) -> None:
    def quirk(request: Request, send: Send) -> Response:
        return said(405, "UNSUPPORTED") if request.method == "DELETE" else send(request)

    registry.quirk = quirk
    registry.store().require_push()


@pytest.mark.parametrize(
    ("answer", "error", "line"),
    [
        (
            said(401, "UNAUTHORIZED"),
            AccessDenied,
            "localhost:5000/team/app: the registry refuses an upload (401 UNAUTHORIZED);"
            " log in with: manyfest login localhost:5000",
        ),
        (
            said(403, "DENIED"),
            AccessDenied,
            "localhost:5000/team/app: the registry refuses an upload (403 DENIED);"
            " log in as a user who may, with: manyfest login localhost:5000",
        ),
        (
            said(404, "NAME_UNKNOWN"),
            RegistryError,
            "localhost:5000/team/app: the registry has no such repository;"
            " make it first, or check its name: this registry does not make it by itself",
        ),
    ],
)
def test_who_may_not_push_is_told_why_and_how_to_mend_it(
    registry: Between, answer: Response, error: type[RegistryError], line: str
) -> None:
    registry.quirk = lambda request, send: answer
    with pytest.raises(error) as refused:
        registry.store().require_push()
    assert str(refused.value) == line
    assert registry.asked() == ["POST blobs/uploads/"]


def test_memory_takes_anything() -> None:
    store = MemoryStore()
    assert isinstance(store, Admits)
    store.require_push()
    assert store.blobs == {}
