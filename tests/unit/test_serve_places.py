from __future__ import annotations

import pytest

from manyfest.errors import UsageError
from manyfest.serve.access.places import Places
from manyfest.serve.asgi import Message, Request


def request(client: str = "192.0.2.1", scheme: str = "http", **fields: str) -> Request:
    """A field that is to be there several times has its values in several lines."""

    async def receive() -> Message:
        raise AssertionError

    headers = [
        (name.replace("_", "-").encode(), value.encode())
        for name, text in fields.items()
        for value in text.split("\n")
    ]
    scope = {
        "method": "GET",
        "path": "/v2/",
        "client": (client, 1234) if client else None,
        "scheme": scheme,
        "headers": headers,
    }
    return Request(scope, receive)


def test_the_client_is_who_the_connection_comes_from() -> None:
    asked = request(x_forwarded_for="203.0.113.9")
    assert Places().client(asked) == "192.0.2.1"
    assert Places(proxies=["10.0.0.0/8"]).client(asked) == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("", "10.0.0.1"),
        ("203.0.113.9,", "203.0.113.9"),
        ("198.51.100.1\n203.0.113.9", "203.0.113.9"),
    ],
)
def test_a_trusted_proxy_says_who_asks(forwarded: str, client: str) -> None:
    """What stands before the last address that is no proxy's may be made up."""
    places = Places(proxies=["10.0.0.0/8"])
    assert places.client(request("10.0.0.1", x_forwarded_for=forwarded)) == client


def test_the_url_is_the_one_that_was_asked() -> None:
    assert Places().url(request(host="registry.test:5000")) == "http://registry.test:5000"
    assert Places().url(request(host="[::1]:5000", scheme="https")) == "https://[::1]:5000"


def test_a_trusted_proxy_says_what_was_asked_of_it() -> None:
    asked = request(
        "10.0.0.1",
        host="inside:5000",
        x_forwarded_proto="https",
        x_forwarded_host="made.up\nregistry.example.org",
    )
    assert Places(proxies=["10.0.0.1"]).url(asked) == "https://registry.example.org"
    assert Places().url(asked) == "http://inside:5000"


def test_a_url_that_is_told_counts_for_everybody() -> None:
    places = Places("https://registry.example.org/")
    assert places.url(request(host="x")) == "https://registry.example.org"


@pytest.mark.parametrize("host", ["", 'x",realm="y', "a b", "x/../y", "x\ry", "é"])
def test_what_is_no_host_leads_nowhere(host: str) -> None:
    assert Places().url(request(host=host)) == ""


@pytest.mark.parametrize("url", ["registry", "ftp://x", "https://", "https://x/y", "https://x?y"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not a registry's URL"):
        Places(url)


def test_a_proxy_that_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="'proxy' is not an address or a network"):
        Places(proxies=["proxy"])


@pytest.mark.parametrize(
    ("client", "host", "origin", "is_crossing"),
    [
        ("192.0.2.1", "registry.test:5000", "http://registry.test:5000", False),
        ("192.0.2.1", "registry.test:5000", "http://registry.test", True),
        ("192.0.2.1", "registry.test", "", False),
        ("127.0.0.1", "localhost:5000", "http://localhost:5000", False),
        ("::1", "[::1]:5000", "http://[::1]:5000", False),
        ("127.0.0.1", "evil.example:5000", "http://evil.example:5000", True),
        ("127.0.0.1", "evil.example:5000", "", False),
        ("127.0.0.1", "?", "http://evil.example", True),
        ("127.0.0.1", "evil~.example", "http://evil~.example", True),
        ("127.0.0.1", "evil~.example", "null", True),
        ("127.0.0.1", "other.test", "http://other.test", False),
    ],
)
def test_a_page_of_another_site_is_told_by_its_origin(
    client: str, host: str, origin: str, *, is_crossing: bool
) -> None:
    asked = request(client, host=host, origin=origin)
    assert Places(hosts=["other.test"]).is_crossing(asked) is is_crossing


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("localhost:5000", True),
        ("LOCALHOST.", True),
        ("registry.localhost", True),
        ("127.0.0.1:5000", True),
        ("[::1]:5000", True),
        ("192.0.2.1", True),
        ("box.test:5000", True),
        ("Other.test", True),
        ("registry.example.org", True),
        ("", True),
        ("evil.example:5000", False),
        ("localhost.evil.example", False),
        ("other.test.evil.example", False),
        ("localhost@evil.example", False),
        ("[evil.example]", False),
        ("?", False),
    ],
)
def test_which_names_are_the_registrys_own(
    monkeypatch: pytest.MonkeyPatch, host: str, *, is_own: bool
) -> None:
    """No other site can have a page at these: this machine's name, addresses, what was told."""
    monkeypatch.setattr("socket.gethostname", lambda: "Box.test")
    places = Places("https://registry.example.org", hosts=["::1", "other.test."])
    assert places.is_own(host) is is_own


@pytest.mark.parametrize("host", ["", "http://other.test", "other.test:5000", "other test"])
def test_a_name_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="is not a host's name; write it without scheme and port"):
        Places(hosts=[host])


def test_behind_a_proxy_the_registrys_own_name_is_what_the_proxy_says() -> None:
    asked = request("127.0.0.1", host="inside:5000", origin="https://registry.test")
    assert Places(public_url="https://registry.test").is_crossing(asked) is False
    assert Places(public_url="https://another.test").is_crossing(asked) is True
