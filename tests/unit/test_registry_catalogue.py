from __future__ import annotations

import json

import pytest

import manyfest.stores.registry.connect
from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    ManyfestError,
    RegistryError,
    Unsupported,
)
from manyfest.stores.registry.catalogue import read_catalogue
from manyfest.stores.registry.connect import Registries
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Request, Response
from tests.images import make
from tests.quirks import HOST, Between, said


def names(answer: Response | ManyfestError, registry: str = "registry.example") -> list[str]:
    def send(_: Request) -> Response:
        if isinstance(answer, ManyfestError):
            raise answer
        return answer

    return list(read_catalogue(send, f"https://{registry}", registry))


def page(*repositories: str, following: str = "") -> Response:
    link = {"Link": f'<{following}>; rel="next"'} if following else {}
    raw = json.dumps({"repositories": repositories}).encode()
    return Response(200, raw, headers=Headers(link))


def test_the_repositories_of_a_real_registry() -> None:
    between = Between()
    make(between.store("team/app"), "image")
    make(between.store("other"), "image")
    found = list(read_catalogue(between.send, f"http://{HOST}", HOST))
    between.close()
    assert sorted(found) == ["other", "team/app"]


def test_they_are_read_page_by_page_with_the_right_to_list() -> None:
    pages = [page("a", "b", following="/v2/_catalog?last=b&n=1000"), page("c")]
    transport = FunctionTransport(lambda _: pages.pop(0))
    assert list(read_catalogue(transport.send, "https://r.example", "r.example")) == ["a", "b", "c"]
    assert [request.url for request in transport.requests] == [
        "https://r.example/v2/_catalog?n=1000",
        "https://r.example/v2/_catalog?last=b&n=1000",
    ]
    assert transport.requests[0].scopes == ("registry:catalog:*",)


@pytest.mark.parametrize(
    ("registry", "answer"),
    [
        ("registry.example", said(404)),
        ("registry.example", said(405)),
        ("registry.example", said(501)),
        ("registry.example", said(400, "UNSUPPORTED")),
        ("docker.io", said(401)),
        ("ghcr.io", said(403, "DENIED")),
    ],
)
def test_a_registry_without_such_a_list_is_told_of_with_the_way_out(
    registry: str, answer: Response
) -> None:
    with pytest.raises(Unsupported) as caught:
        names(answer, registry)
    assert str(caught.value) == (
        f"{registry}: the registry does not list its repositories;"
        " name a repository, to list its tags"
    )


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_list_is_told_that_few_may(status: int) -> None:
    with pytest.raises(AccessDenied, match="for administrators only") as caught:
        names(said(status, "UNAUTHORIZED"))
    assert (caught.value.status, caught.value.code) == (status, "UNAUTHORIZED")


def test_a_token_service_that_gives_no_token_is_a_denial_too() -> None:
    with pytest.raises(AccessDenied, match="for administrators only"):
        names(AccessDenied("no token", where="registry.example", mend="log in"))
    with pytest.raises(Unsupported):
        names(AccessDenied("no token", where="docker.io"), "docker.io")


@pytest.mark.parametrize(
    ("answer", "error"),
    [(said(500), RegistryError), (said(200, body=b"<html>"), RegistryError),
     (ConnectionFailed("nobody"), ConnectionFailed)],
)  # fmt: skip
def test_any_other_failure_stays_what_it_is(
    answer: Response | ManyfestError, error: type[ManyfestError]
) -> None:
    with pytest.raises(error) as caught:
        names(answer)
    assert not isinstance(caught.value, Unsupported)


def test_docker_hub_is_asked_where_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = FunctionTransport(lambda _: page("a"))
    connect = manyfest.stores.registry.connect
    monkeypatch.setattr(connect, "registry_transport", lambda *_, **__: transport)
    assert list(Registries().repositories("docker.io")) == ["a"]
    assert transport.requests[0].url == "https://registry-1.docker.io/v2/_catalog?n=1000"
