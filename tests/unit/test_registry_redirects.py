from __future__ import annotations

import pytest

from manyfest.errors import ManyfestError, RegistryError
from manyfest.stores.registry.addresses import Place
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, LastingFailure, Request, Response
from manyfest.stores.registry.redirects import RedirectTransport, next_request, resolve_location

BLOB = "https://registry.example/v2/a/blobs/1"


def request(method: str = "GET", url: str = BLOB, *, follow: bool = True) -> Request:
    headers = Headers({"Authorization": "Bearer t", "Cookie": "c", "Range": "bytes=5-"})
    scopes = ("repository:a:pull",)
    return Request(method=method, url=url, headers=headers, scopes=scopes, follow=follow)


def redirect(location: str, status: int = 307, *, url: str = BLOB, peer: str = "") -> Response:
    return Response(status, headers=Headers({"Location": location}), url=url, peer=peer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_download_is_followed_to_another_host_without_credentials(status: int) -> None:
    following = next_request(request(), redirect("https://cdn.example/1?sig=2#x", status))
    assert following is not None
    assert following.url == "https://cdn.example/1?sig=2"
    assert list(following.headers) == [("Range", "bytes=5-")]
    assert following.scopes == ()


@pytest.mark.parametrize(
    "location",
    [
        "https://registry.example:8443/1",
        "https://sub.registry.example/1",
        "//cdn.example/1",
    ],
)
def test_another_port_or_host_is_another_origin(location: str) -> None:
    following = next_request(request(), redirect(location))
    assert following is not None
    assert "Authorization" not in following.headers


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/other", "https://registry.example/other"),
        ("2?a=b", "https://registry.example/v2/a/blobs/2?a=b"),
        ("https://REGISTRY.example:443/2", "https://REGISTRY.example:443/2"),
    ],
)
def test_the_same_origin_keeps_its_credentials(location: str, url: str) -> None:
    following = next_request(request(), redirect(location))
    assert following is not None
    assert following.url == url
    assert following.headers.get("Authorization") == "Bearer t"


def test_from_http_to_https_is_another_origin_too() -> None:
    url = "http://registry.example/1"
    following = next_request(request(url=url), redirect("https://registry.example/1", url=url))
    assert following is not None
    assert "Authorization" not in following.headers


@pytest.mark.parametrize(
    "location",
    [
        "http://registry.example/1",
        "http://cdn.example/1",
        "ftp://cdn.example/1",
        "file:///etc/passwd",
        "https://user:password@cdn.example/1",
        "https://cdn.example\\@evil.example/",
        "https://[::1/",
        "https://[:1]/",
        "https://cdn.example:99999/",
    ],
)
def test_a_redirect_that_breaks_the_rules_is_an_error(location: str) -> None:
    with pytest.raises(RegistryError):
        next_request(request(), redirect(location))
    with pytest.raises(RegistryError):
        resolve_location(BLOB, location)


def test_a_downgrade_says_who_must_mend_it() -> None:
    with pytest.raises(RegistryError) as caught:
        resolve_location(BLOB, "http://registry.example/upload/1")
    assert str(caught.value).startswith(
        "registry.example: it sends from https to plain http, at registry.example; "
    )


@pytest.mark.parametrize(
    "location",
    [
        "https://169.254.169.254/latest",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
    ],
)
def test_a_registry_may_not_send_to_this_machine_or_to_its_cloud(location: str) -> None:
    with pytest.raises(LastingFailure, match="where it may not send to"):
        next_request(request(), redirect(location, peer="93.184.216.34"))


def test_a_registry_may_send_to_a_private_network() -> None:
    following = next_request(request(), redirect("https://10.0.0.7/1", peer="93.184.216.34"))
    assert following is not None
    assert following.places == frozenset({Place.PUBLIC, Place.PRIVATE})


def test_a_registry_on_loopback_may_send_to_loopback() -> None:
    url = "http://localhost:5000/1"
    answer = redirect("http://127.0.0.1:9000/1", url=url, peer="127.0.0.1")
    following = next_request(request(url=url), answer)
    assert following is not None
    assert following.url == "http://127.0.0.1:9000/1"


@pytest.mark.parametrize(
    ("method", "status", "location", "followed"),
    [
        ("HEAD", 302, "https://cdn.example/", True),
        ("PUT", 307, "/elsewhere", True),
        ("PUT", 308, "/elsewhere", True),
        ("PUT", 301, "/elsewhere", False),
        ("POST", 303, "/elsewhere", False),
        ("PUT", 307, "https://cdn.example/", False),
        ("GET", 304, "/elsewhere", False),
        ("GET", 201, "/elsewhere", False),
        ("GET", 307, "", False),
    ],
)
def test_what_is_followed(method: str, status: int, location: str, followed: bool) -> None:
    following = next_request(request(method), redirect(location, status))
    assert (following is not None) is followed


def test_a_request_can_refuse_to_be_sent_on() -> None:
    assert next_request(request(follow=False), redirect("/elsewhere")) is None


def test_credentials_do_not_come_back_later_in_the_chain() -> None:
    chain = {
        BLOB: redirect("https://cdn.example/1"),
        "https://cdn.example/1": redirect("https://registry.example/2"),
        "https://registry.example/2": Response(200, b"blob"),
    }
    network = FunctionTransport(lambda asked: chain[asked.url])
    for answer in chain.values():
        answer.url = ""
    assert RedirectTransport(network).send(request()).read_all(10) == b"blob"
    sent = ["Authorization" in asked.headers for asked in network.requests]
    assert sent == [True, False, False]


def test_a_circle_is_left_after_five_hops() -> None:
    network = FunctionTransport(lambda asked: redirect("/again", url=asked.url))
    with pytest.raises(ManyfestError) as caught:
        RedirectTransport(network).send(request())
    assert str(caught.value) == "registry.example: it redirects more than 5 times"
    assert len(network.requests) == 6
