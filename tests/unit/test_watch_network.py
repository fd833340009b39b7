"""How requests to registries are measured, and ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.oci.digest import Digest
from manyfest.stores.base import Refers
from manyfest.stores.registry.http import FunctionTransport, Origin, Request, Response
from manyfest.stores.registry.store import RegistryStore
from manyfest.watch.poll.network import LONGEST_REQUEST, Measured, Network
from manyfest.watch.values import Sample

HUB = Request(method="HEAD", url="https://registry-1.docker.io/v2/app/manifests/1")
TOKENS = Request(method="GET", url="https://auth.docker.io/token")


class Measurements:
    """A transport that is measured, and what was noted."""

    def __init__(self, handler: Callable[[Request], Response]) -> None:
        self.samples: list[Sample] = []
        self.sent = 0
        self.stopped = False
        self.inner = FunctionTransport(handler)
        self.transport = Measured(
            self.inner,
            name_of=lambda origin: "docker.io" if origin == Origin.of(HUB.url) else None,
            note=self.samples.append,
            sending=self._count,
            stopped=lambda: self.stopped,
            clock=lambda: 7.0,
        )

    def _count(self) -> None:
        self.sent += 1

    @property
    def noted(self) -> list[tuple[str, float, str, bool]]:
        """Each sample but for its time."""
        return [(each.registry, each.at, each.why, each.limited) for each in self.samples]


@pytest.mark.parametrize(
    ("status", "why", "limited"),
    [
        (200, "", False),
        (304, "", False),
        (401, "", False),
        (404, "", False),
        (429, "", True),
        (500, "it answers 500", False),
        (503, "it answers 503", False),
    ],
)
def test_a_no_is_an_answer_and_a_fault_of_the_server_is_none(
    status: int, why: str, limited: bool
) -> None:
    measured = Measurements(lambda _: Response(status))

    assert measured.transport.send(HUB).status == status
    assert measured.noted == [("docker.io", 7.0, why, limited)]
    assert measured.samples[0].seconds >= 0


def _no_answer(_: Request) -> Response:
    raise ConnectionFailed("the connection broke off", where="docker.io")


def test_no_answer_is_noted_with_its_reason_and_raised() -> None:
    measured = Measurements(_no_answer)

    with pytest.raises(ConnectionFailed):
        measured.transport.send(HUB)
    assert measured.noted == [("docker.io", 7.0, "the connection broke off", False)]


def test_what_we_end_ourselves_says_nothing_of_the_registry() -> None:
    measured = Measurements(_no_answer)
    measured.stopped = True

    with pytest.raises(ConnectionFailed):
        measured.transport.send(HUB)
    assert measured.noted == []


def test_who_gives_out_tokens_is_no_registry() -> None:
    measured = Measurements(lambda _: Response(200))
    measured.transport.send(TOKENS)

    assert measured.noted == []
    assert measured.sent == 0


def test_a_request_ends_after_a_while_and_when_the_watch_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    measured = Measurements(lambda _: Response(200))
    measured.transport.send(HUB)
    (sent,) = measured.inner.requests
    assert sent.given_up is not None

    assert not sent.given_up()
    now[0] += LONGEST_REQUEST + 1
    assert sent.given_up()
    now[0] = 100.0
    measured.stopped = True
    assert sent.given_up()


class NoReferrersApi:
    """A network with a registry that does not know what refers to what; nothing is attached."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def send(self, request: Request) -> Response:
        self.asked.append(request.url.partition("/app/")[2].partition("/")[0])
        return Response(404)

    def close(self) -> None:
        """It has nothing open."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> NoReferrersApi:
    network = NoReferrersApi()
    monkeypatch.setattr("manyfest.stores.registry.connect.CurlTransport", lambda **_: network)
    return network


def look_for_referrers(network: Network, *subjects: str) -> None:
    """Look what refers to the digests of these."""
    for each in subjects:
        source = network.source("hub.example.org/app")
        assert isinstance(source, Refers)
        assert source.referrers(Digest.of(each.encode())) == ()


def test_that_a_registry_has_no_referrers_api_is_learnt_once(registry: NoReferrersApi) -> None:
    network = Network(note=lambda _: None, stopped=lambda: False)

    look_for_referrers(network, "1", "2", "3")

    assert registry.asked == ["referrers", "manifests", "manifests", "manifests"]


def test_and_again_after_a_while_or_when_all_is_asked_for_once_more(
    registry: NoReferrersApi,
) -> None:
    now = 0.0
    network = Network(note=lambda _: None, stopped=lambda: False, timer=lambda: now)

    look_for_referrers(network, "1")
    network.learn_anew("hub.example.org/app")
    look_for_referrers(network, "2")
    now = 600.0
    look_for_referrers(network, "3")

    assert registry.asked == ["referrers", "manifests"] * 3


def test_another_way_to_speak_to_registries_begins_anew(registry: NoReferrersApi) -> None:
    network = Network(note=lambda _: None, stopped=lambda: False)
    secure = network.source("hub.example.org/app")

    network.allow(["hub.example.org"])

    assert isinstance(secure, RegistryStore)
    plain = network.source("hub.example.org/app")
    assert isinstance(plain, RegistryStore)
    assert (secure.repository.scheme, plain.repository.scheme) == ("https", "http")


def test_docker_hub_is_known_by_the_name_that_people_write() -> None:
    network = Network(note=lambda _: None, stopped=lambda: False)
    network.source("docker.io/gotify/server")

    assert network._names["registry-1.docker.io"] == "docker.io"
    network.close()
