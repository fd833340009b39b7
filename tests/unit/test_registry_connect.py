from __future__ import annotations

import threading
from pathlib import Path

import pytest

import manyfest.stores.registry.connect
from manyfest.errors import AccessDenied, ConnectionFailed, ManyfestError, RegistryError
from manyfest.oci.reference import Name
from manyfest.stores.registry.connect import Registries, host_of
from manyfest.stores.registry.http import (
    AnswersPlainHttp,
    FunctionTransport,
    LastingFailure,
    Request,
    Response,
    Unreachable,
)
from manyfest.threads import workers


class Probe(FunctionTransport):
    """What a registry on this machine says to a first https request."""

    def __init__(self, outcome: Response | ManyfestError) -> None:
        super().__init__(self._outcome)
        self.outcome = outcome

    def _outcome(self, request: Request) -> Response:
        if isinstance(self.outcome, ManyfestError):
            raise self.outcome
        return self.outcome


def address(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    probe: Probe,
    *,
    plain_http: tuple[str, ...] = (),
) -> str:
    connect = manyfest.stores.registry.connect
    monkeypatch.setattr(connect, "CurlTransport", lambda **_: probe)
    registries = Registries(plain_http=plain_http)
    registries.repository(Name.parse(name))
    return registries.repository(Name.parse(name)).repository.address


@pytest.mark.parametrize(
    ("outcome", "scheme"),
    [
        (Response(200), "https"),
        (Response(401), "https"),
        (AnswersPlainHttp("it answers in plain http"), "http"),
        (Unreachable("nothing listens there"), "http"),
        (LastingFailure("its certificate is not trusted"), "https"),
        (ConnectionFailed("the connection broke off"), "https"),
    ],
)
@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_a_registry_on_this_machine_is_asked_once_what_it_speaks(
    monkeypatch: pytest.MonkeyPatch, host: str, outcome: Response | ManyfestError, scheme: str
) -> None:
    probe = Probe(outcome)
    assert address(monkeypatch, f"{host}/app", probe) == f"{scheme}://{host}"
    assert [request.url for request in probe.requests] == [f"https://{host}/v2/"]


@pytest.mark.parametrize("host", ["ghcr.io", "192.168.1.5:5000", "registry.example.org"])
def test_any_other_registry_is_spoken_to_by_https(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    probe = Probe(AnswersPlainHttp("it answers in plain http"))
    assert address(monkeypatch, f"{host}/app", probe) == f"https://{host}"
    assert probe.requests == []


def test_no_registry_waits_until_another_one_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(2, timeout=10)

    def meet(_: Request) -> Response:
        meeting.wait()
        return Response(200)

    probe = FunctionTransport(meet)
    monkeypatch.setattr(manyfest.stores.registry.connect, "CurlTransport", lambda **_: probe)
    registries = Registries()
    names = [Name.parse(f"127.0.0.1:{port}/app") for port in (5001, 5002)]
    with workers(2, "ask") as pool:
        found = list(pool.map(registries.repository, names))
    assert [store.repository.address for store in found] == [
        "https://127.0.0.1:5001",
        "https://127.0.0.1:5002",
    ]


def test_plain_http_is_spoken_where_it_was_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Probe(Response(200))
    allowed = ("registry.example.org:5000",)
    spoken = address(monkeypatch, "registry.example.org:5000/app", probe, plain_http=allowed)
    assert spoken == "http://registry.example.org:5000"
    other = address(monkeypatch, "registry.example.org/app", probe, plain_http=allowed)
    assert other == "https://registry.example.org"
    assert probe.requests == []


def test_making_it_reads_and_opens_nothing(tmp_path: Path) -> None:
    Registries(ca_file=tmp_path / "none.pem").close()


@pytest.mark.parametrize(
    ("registry", "host"),
    [
        ("ghcr.io", "ghcr.io"),
        ("localhost:5000", "localhost"),
        ("[::1]:5000", "::1"),
        ("[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_the_host_of_a_registry(registry: str, host: str) -> None:
    assert host_of(registry) == host


def test_the_log_tells_each_request_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Response | ManyfestError] = [
        Response(200),
        ConnectionFailed("no answer", where="ghcr.io"),
    ]

    def handler(request: Request) -> Response:
        outcome = outcomes.pop(0)
        if isinstance(outcome, ManyfestError):
            raise outcome
        return outcome

    connect = manyfest.stores.registry.connect
    carrier = FunctionTransport(handler)
    monkeypatch.setattr(connect, "registry_transport", lambda *_, **__: carrier)
    lines: list[str] = []
    store = Registries(log=lines.append).repository(Name.parse("ghcr.io/team/app"))
    list_tags = store.tags()
    with pytest.raises(ManyfestError):
        next(list_tags)
    with pytest.raises(ConnectionFailed):
        store.resolve("v1")
    assert lines == [
        "GET https://ghcr.io/v2/team/app/tags/list 200",
        "HEAD https://ghcr.io/v2/team/app/manifests/v1 failed: ghcr.io: no answer",
    ]


@pytest.mark.parametrize(
    "outcome", [Response(200), Response(401), Response(500), AccessDenied("no", status=403)]
)
def test_a_registry_knows_its_own_root(
    monkeypatch: pytest.MonkeyPatch, outcome: Response | ManyfestError
) -> None:
    connect = manyfest.stores.registry.connect
    monkeypatch.setattr(connect, "registry_transport", lambda *_, **__: Probe(outcome))
    Registries().require_registry("registry.example")


def test_any_other_server_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = manyfest.stores.registry.connect
    monkeypatch.setattr(connect, "registry_transport", lambda *_, **__: Probe(Response(404)))
    with pytest.raises(RegistryError) as caught:
        Registries().require_registry("registry.example")
    assert str(caught.value) == (
        "registry.example: what answers there is no registry: it knows nothing of /v2/ (404);"
        " check the name of the host"
    )
