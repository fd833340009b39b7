from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    ManyfestError,
    RateLimited,
    RegistryError,
)
from manyfest.stores.registry.addresses import Place
from manyfest.stores.registry.auth import tokens
from manyfest.stores.registry.auth.authenticator import Authenticator, AuthTransport
from manyfest.stores.registry.auth.secret import Credential, Secret
from manyfest.stores.registry.auth.tokens import (
    Token,
    TokenCache,
    grants_of,
    merge_scopes,
    parse_token,
)
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Origin, Request, Response

PULL = "repository:library/alpine:pull"
PUSH = "repository:library/alpine:pull,push"
URL = "https://registry.example/v2/library/alpine/manifests/1"
REALM = "https://auth.example/token"
JANE = Credential(username="jane", password=Secret("pa:ss"), source="config.json")


def request(*scopes: str, url: str = URL) -> Request:
    return Request(method="GET", url=url, scopes=scopes or (PULL,))


def bearer(realm: str = REALM, scope: str = "", *, url: str = URL, peer: str = "") -> Response:
    asked = f',scope="{scope}"' if scope else ""
    value = f'Bearer realm="{realm}",service="reg"{asked}'
    return Response(401, headers=Headers({"WWW-Authenticate": value}), url=url, peer=peer)


def ok(url: str = URL) -> Response:
    return Response(200, url=url)


def token(text: str = "t1", status: int = 200, more: str = "") -> Response:
    return Response(status, b'{"token": "%s"%s}' % (text.encode(), more.encode()), url=REALM)


class Keyring:
    """Knows one credential, for one host."""

    def __init__(self, credential: Credential | None, host: str = "registry.example") -> None:
        self.credential = credential
        self.host = host
        self.asked: list[tuple[str, str]] = []

    def find(self, host: str, repository: str = "") -> Credential | None:
        self.asked.append((host, repository))
        return self.credential if host == self.host else None


def run(authenticator: Authenticator, asked: Request, *answers: Response) -> list[Request]:
    """The requests that the flow makes of these answers; there must be one answer for each."""
    flow = authenticator.flow(asked)
    sent = [next(flow)]
    left = list(answers)
    try:
        while True:
            sent.append(flow.send(left.pop(0)))
    except StopIteration:
        assert left == []
        return sent


def authorizations(sent: list[Request]) -> list[str]:
    return [each.headers.get("Authorization") for each in sent]


def query(asked: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(asked.url).query)


def test_a_registry_that_asks_for_nothing_gets_nothing() -> None:
    keyring = Keyring(JANE)
    assert authorizations(run(Authenticator(keyring), request(), ok())) == [""]
    assert keyring.asked == []


def test_without_credentials_a_token_is_asked_for_as_nobody() -> None:
    sent = run(Authenticator(), request(), bearer(), token(), ok())
    assert authorizations(sent) == ["", "", "Bearer t1"]
    assert sent[1].url.startswith("https://auth.example/token?")
    assert query(sent[1]) == {"client_id": ["manyfest"], "service": ["reg"], "scope": [PULL]}


def test_with_credentials_a_token_is_asked_for_with_name_and_password() -> None:
    sent = run(Authenticator(Keyring(JANE)), request(), bearer(), token(), ok())
    basic = base64.b64encode(b"jane:pa:ss").decode()
    assert authorizations(sent) == ["", f"Basic {basic}", "Bearer t1"]
    assert query(sent[1])["account"] == ["jane"]


def test_a_realm_with_a_query_keeps_it() -> None:
    sent = run(Authenticator(), request(), bearer("https://a.example/t?x=1"), token(), ok())
    assert query(sent[1])["x"] == ["1"]
    assert query(sent[1])["scope"] == [PULL]


def test_the_other_name_of_a_token_is_understood() -> None:
    answer = Response(200, b'{"access_token": "t2"}', url=REALM)
    assert authorizations(run(Authenticator(), request(), bearer(), answer, ok()))[-1] == (
        "Bearer t2"
    )


def test_basic_is_used_at_once_the_second_time() -> None:
    authenticator = Authenticator(Keyring(JANE))
    challenge = Response(401, headers=Headers({"WWW-Authenticate": "Basic"}), url=URL)
    basic = f"Basic {base64.b64encode(b'jane:pa:ss').decode()}"
    assert authorizations(run(authenticator, request(), challenge, ok())) == ["", basic]
    assert authorizations(run(authenticator, request(), ok())) == [basic]


def test_a_password_that_is_not_accepted_is_told_apart_from_none() -> None:
    challenge = Response(401, headers=Headers({"WWW-Authenticate": "Basic"}), url=URL)
    with pytest.raises(AccessDenied, match="does not accept the credentials from") as refused:
        run(Authenticator(Keyring(JANE)), request(), challenge, challenge)
    assert "pa:ss" not in str(refused.value)


def test_a_password_that_was_not_accepted_is_told_of_each_time() -> None:
    authenticator = Authenticator(Keyring(JANE))
    challenge = Response(401, headers=Headers({"WWW-Authenticate": "Basic"}), url=URL)
    with pytest.raises(AccessDenied):
        run(authenticator, request(), challenge, challenge)
    with pytest.raises(AccessDenied, match="does not accept the credentials from"):
        run(authenticator, request(), challenge)


def test_basic_without_credentials_leaves_the_401_as_it_is() -> None:
    challenge = Response(401, headers=Headers({"WWW-Authenticate": "Basic"}), url=URL)
    assert len(run(Authenticator(), request(), challenge)) == 1


def test_an_unknown_scheme_leaves_the_401_as_it_is() -> None:
    challenge = Response(401, headers=Headers({"WWW-Authenticate": "Negotiate"}), url=URL)
    assert len(run(Authenticator(Keyring(JANE)), request(), challenge)) == 1


def test_a_token_serves_all_requests_that_it_allows() -> None:
    authenticator = Authenticator()
    run(authenticator, request(PUSH), bearer(), token(), ok())
    assert authorizations(run(authenticator, request(PULL), ok())) == ["Bearer t1"]
    assert authorizations(run(authenticator, request(PUSH), ok())) == ["Bearer t1"]


@pytest.mark.parametrize(
    "other",
    [
        request("repository:library/debian:pull"),
        request(PUSH),
        request(url="https://other.example/v2/library/alpine/manifests/1"),
        request(url="http://registry.example/v2/library/alpine/manifests/1"),
    ],
)
def test_a_token_goes_nowhere_else(other: Request) -> None:
    authenticator = Authenticator()
    run(authenticator, request(PULL), bearer(), token(), ok())
    assert authorizations(run(authenticator, other, ok(other.url))) == [""]


def test_a_mount_asks_for_both_repositories() -> None:
    mount = request("repository:b:push,pull", "repository:a:pull")
    sent = run(Authenticator(), mount, bearer(), token(), ok())
    assert query(sent[1])["scope"] == ["repository:a:pull", "repository:b:pull,push"]


def test_what_the_challenge_asks_for_is_added() -> None:
    sent = run(Authenticator(), request(PULL), bearer(scope=PUSH), token(), ok())
    assert query(sent[1])["scope"] == [PUSH]


def test_a_token_expires_a_little_early() -> None:
    now = 1000.0
    authenticator = Authenticator(clock=lambda: now)
    run(authenticator, request(), bearer(), token("t1", more=', "expires_in": 100'), ok())
    now = 1089.0
    assert authorizations(run(authenticator, request(), ok())) == ["Bearer t1"]
    now = 1090.0
    assert authorizations(run(authenticator, request(), ok())) == [""]


@pytest.mark.parametrize(
    ("body", "expires"),
    [
        (b'{"token": "t"}', 54.0),
        (b'{"token": "t", "expires_in": null}', 54.0),
        (b'{"token": "t", "expires_in": 0}', 54.0),
        (b'{"token": "t", "expires_in": -5}', 54.0),
        (b'{"token": "t", "expires_in": 300}', 270.0),
        (b'{"token": "t", "expires_in": 3600}', 3570.0),
    ],
)
def test_the_life_of_a_token(body: bytes, expires: float) -> None:
    assert parse_token(body, [PULL], now=0.0, where="auth.example").expires == expires


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"token": 5}',
        b'{"token": "secret\\r\\nX: y"}',
        b'{"token": "two words secret"}',
        b'{"token": "secret", "expires_in": "soon"}',
        b'{"token": "secret',
        b"\xff\xfe",
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(body: bytes) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_token(body, [PULL], now=0.0, where="auth.example")
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith("auth.example: the token service")


def test_a_token_that_is_refused_is_replaced_once() -> None:
    authenticator = Authenticator()
    run(authenticator, request(), bearer(), token("old"), ok())
    sent = run(authenticator, request(), bearer(), token("new"), ok())
    assert authorizations(sent) == ["Bearer old", "", "Bearer new"]
    assert authorizations(run(authenticator, request(), ok())) == ["Bearer new"]


def test_a_fresh_token_that_is_refused_ends_it() -> None:
    sent = run(Authenticator(), request(), bearer(), token(), bearer())
    assert authorizations(sent) == ["", "", "Bearer t1"]


def test_a_fresh_token_that_is_the_same_as_before_is_no_answer() -> None:
    answers = [bearer(), token(), bearer(), bearer(), token(), bearer()]
    sent: list[Request] = []

    def answer(asked: Request) -> Response:
        sent.append(asked)
        return answers[len(sent) - 1]

    transport = AuthTransport(FunctionTransport(answer), Authenticator())
    assert transport.send(request()).status == 401
    assert transport.send(request()).status == 401
    assert authorizations(sent) == ["", "", "Bearer t1", "Bearer t1", "", "Bearer t1"]


def test_an_identity_token_is_traded_by_post() -> None:
    credential = Credential(identity_token=Secret("id&1"))
    sent = run(Authenticator(Keyring(credential)), request(), bearer(), token(), ok())
    assert sent[1].method == "POST"
    assert sent[1].url == REALM
    assert isinstance(sent[1].body, bytes)
    assert parse_qs(sent[1].body.decode()) == {
        "grant_type": ["refresh_token"],
        "service": ["reg"],
        "client_id": ["manyfest"],
        "scope": [PULL],
        "refresh_token": ["id&1"],
    }


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_that_knows_no_post_is_asked_by_get(status: int) -> None:
    credential = Credential(username="jane", identity_token=Secret("id"))
    refusal = Response(status, url=REALM)
    sent = run(Authenticator(Keyring(credential)), request(), bearer(), refusal, token(), ok())
    assert [each.method for each in sent] == ["GET", "POST", "GET", "GET"]
    assert authorizations(sent)[2] == f"Basic {base64.b64encode(b'jane:id').decode()}"


def test_a_registry_token_is_used_as_it_is() -> None:
    authenticator = Authenticator(Keyring(Credential(registry_token=Secret("reg"))))
    assert authorizations(run(authenticator, request(), bearer(), ok())) == ["", "Bearer reg"]
    assert authorizations(run(authenticator, request(), ok())) == ["Bearer reg"]
    refused = run(authenticator, request(), bearer(), bearer())
    assert authorizations(refused) == ["Bearer reg", "Bearer reg"]


def test_credentials_are_looked_up_by_the_name_that_the_user_knows() -> None:
    keyring = Keyring(None)
    url = "https://registry-1.docker.io/v2/library/alpine/manifests/1"
    run(Authenticator(keyring), request(url=url), bearer(url=url), token(), ok(url))
    url = "https://registry.example:5000/v2/a:b/manifests/1"
    run(
        Authenticator(keyring),
        request("repository:h:80/a:pull", url=url),
        bearer(url=url),
        token(),
        ok(url),
    )
    assert keyring.asked == [("docker.io", "library/alpine"), ("registry.example:5000", "h:80/a")]


def test_a_401_from_where_a_redirect_led_gets_no_credentials() -> None:
    keyring = Keyring(JANE)
    stranger = bearer("https://evil.example/token", url="https://evil.example/blob")
    assert len(run(Authenticator(keyring), request(), stranger)) == 1
    assert keyring.asked == []


def test_a_request_to_where_the_registry_led_gets_no_credentials_though_they_are_known() -> None:
    authenticator = Authenticator(Keyring(JANE))
    challenge = Response(401, headers=Headers({"WWW-Authenticate": "Basic"}), url=URL)
    run(authenticator, request(), challenge, ok())
    led = replace(request(), places=frozenset({Place.PUBLIC}))
    assert run(authenticator, led, challenge) == [led]


def test_a_request_for_a_token_is_never_redirected_and_never_queued() -> None:
    asked = run(Authenticator(), request(), bearer(), token(), ok())[1]
    assert not asked.follow
    assert asked.urgent


@pytest.mark.parametrize(
    ("realm", "url", "peer"),
    [
        ("http://auth.example/token", URL, "93.184.216.34"),
        ("http://registry.example/token", URL, "93.184.216.34"),
        ("ftp://auth.example/token", URL, "93.184.216.34"),
        ("https://jane@auth.example/token", URL, "93.184.216.34"),
        ("/token", URL, "93.184.216.34"),
        ("", URL, "93.184.216.34"),
        ("https://169.254.169.254/latest", URL, "93.184.216.34"),
        ("https://127.0.0.1/", URL, "93.184.216.34"),
        ("https://localhost/", URL, ""),
        ("https://10.0.0.1/", URL, "93.184.216.34"),
        ("https://169.254.169.254/latest", URL, "10.0.0.5"),
        ("https://127.0.0.1/", URL, "10.0.0.5"),
        ("https://169.254.169.254/latest", "http://localhost:5000/v2/", "127.0.0.1"),
        ("http://auth.example/token", "http://localhost:5000/v2/", "127.0.0.1"),
        ("http://auth.example/token", "http://registry.example/v2/", "10.0.0.5"),
    ],
)
def test_a_realm_that_must_not_have_credentials_gets_none(realm: str, url: str, peer: str) -> None:
    keyring = Keyring(JANE, urlsplit(url).netloc)
    flow = Authenticator(keyring).flow(request(url=url))
    next(flow)
    with pytest.raises((RegistryError, ConnectionFailed)):
        flow.send(bearer(realm, url=url, peer=peer))
    assert keyring.asked == []


@pytest.mark.parametrize(
    ("realm", "url", "peer"),
    [
        ("https://auth.example/token", URL, "93.184.216.34"),
        ("https://registry.example:8443/token", URL, "10.0.0.5"),
        ("https://10.0.0.1/token", URL, "10.0.0.5"),
        ("http://registry.lan/token", "http://registry.lan/v2/", "10.0.0.5"),
        ("http://registry.lan:81/token", "http://registry.lan/v2/", "10.0.0.5"),
        ("http://127.0.0.1:5001/token", "http://localhost:5000/v2/", "127.0.0.1"),
        ("http://auth.lan:5001/token", "http://registry.lan/v2/", "10.0.0.5"),
    ],
)
def test_a_realm_that_may_have_credentials(realm: str, url: str, peer: str) -> None:
    keyring = Keyring(JANE, urlsplit(url).netloc)
    authenticator = Authenticator(keyring, plain_http=frozenset({"auth.lan:5001"}))
    sent = run(authenticator, request(url=url), bearer(realm, url=url, peer=peer), token(), ok(url))
    assert sent[1].headers.get("Authorization").startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (
            401,
            AccessDenied,
            "registry.example/library/alpine: auth.example gives no token for a push to the "
            "credentials from config.json (401); log in with: manyfest login registry.example",
        ),
        (
            429,
            RateLimited,
            "registry.example/library/alpine: auth.example limits how often tokens are asked for",
        ),
        (
            500,
            RegistryError,
            "registry.example/library/alpine: auth.example, where its tokens come from, "
            "answers 500",
        ),
        (
            307,
            RegistryError,
            "registry.example/library/alpine: auth.example, where its tokens come from, "
            "answers 307",
        ),
    ],
)
def test_a_refusal_of_the_token_service_is_put_plainly(
    status: int, kind: type[ManyfestError], says: str
) -> None:
    flow = Authenticator(Keyring(JANE)).flow(request(PUSH))
    next(flow)
    flow.send(bearer())
    with pytest.raises(kind) as caught:
        flow.send(Response(status, url=REALM))
    assert str(caught.value) == says


def test_a_request_that_brings_its_own_authorization_is_left_alone() -> None:
    headers = Headers({"Authorization": "Bearer mine"})
    asked = Request(method="GET", url=URL, headers=headers)
    assert run(Authenticator(Keyring(JANE)), asked, bearer()) == [asked]


def test_scopes_are_merged_and_sorted() -> None:
    assert merge_scopes(["repository:b:push", "repository:a:pull", "repository:b:pull"]) == (
        "repository:a:pull",
        "repository:b:pull,push",
    )
    assert merge_scopes(["registry:catalog:*", "", "odd", "repository:h:80/a:pull"]) == (
        "registry:catalog:*",
        "repository:h:80/a:pull",
    )


class Registry:
    """Wants a token, gives ``t0``, ``t1``, …, and accepts the newest."""

    def __init__(self) -> None:
        self.given = 0
        self.lock = threading.Lock()
        self.all_refused = threading.Barrier(16)
        self.network = FunctionTransport(self.answer)

    def answer(self, asked: Request) -> Response:
        if asked.url.startswith(REALM):
            with self.lock:
                self.given += 1
            return token(f"t{self.given}")
        if asked.headers.get("Authorization") == "":
            self.all_refused.wait(5)
            return bearer()
        return ok()


def test_sixteen_threads_that_are_refused_at_once_fetch_one_token() -> None:
    registry = Registry()
    transport = AuthTransport(registry.network, Authenticator())
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(transport.send(request()).status))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert statuses == [200] * 16
    assert registry.given == 1


@pytest.mark.parametrize("fault", [ConnectionFailed("reset"), KeyboardInterrupt()])
def test_a_fetch_that_fails_does_not_keep_others_from_trying(fault: BaseException) -> None:
    answers: list[Callable[[], Response]] = [bearer, lambda: throw(fault), bearer, token, ok]

    def throw(error: BaseException) -> Response:
        raise error

    transport = AuthTransport(FunctionTransport(lambda _: answers.pop(0)()), Authenticator())
    with pytest.raises(type(fault)):
        transport.send(request())
    assert transport.send(request()).status == 200


def test_the_transport_returns_the_last_401_for_its_caller_to_read() -> None:
    answers = [bearer(), token(), Response(401, b"why", url=URL)]
    transport = AuthTransport(FunctionTransport(lambda _: answers.pop(0)), Authenticator())
    response = transport.send(request())
    assert response.status == 401
    assert response.read_all(10) == b"why"


def test_there_is_an_end_to_the_tokens_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_RESOURCES", 2)
    cache, registry = TokenCache(), Origin("https", "registry.example", 443)

    def add(name: str, *, now: float, expires: float) -> None:
        grants = grants_of([f"repository:{name}:pull"])
        cache.add(registry, Token(Secret(name), grants, expires), now=now)

    def kept(now: float) -> list[str]:
        scopes = {name: [f"repository:{name}:pull"] for name in ("a", "b", "c", "d")}
        return [name for name in scopes if cache.find(registry, scopes[name], now=now)]

    add("a", now=0.0, expires=10.0)
    add("b", now=0.0, expires=99.0)
    add("c", now=20.0, expires=99.0)
    assert (kept(0.0), kept(20.0)) == (["b", "c"], ["b", "c"])
    add("d", now=20.0, expires=99.0)
    assert kept(20.0) == ["d"]


def test_of_whom_nobody_asks_any_more_no_lock_is_kept() -> None:
    authenticator = Authenticator()
    for name in ("a", "b"):
        run(authenticator, request(f"repository:{name}:pull"), bearer(), token(), ok())
    assert len(authenticator._flights) == 0
