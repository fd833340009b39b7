"""``manyfest wait`` on registries in this process, with a clock that passes while it sleeps."""

from __future__ import annotations

from functools import partial

import pytest

import manyfest.check.wait
from manyfest.check.soak import Event, Question, Silence, State, decide
from manyfest.cli.wait_text import event_line, not_ready, span, status_line
from manyfest.stores.registry.http import FunctionTransport, Request, Response
from manyfest.stores.registry.pacing import Pacing
from tests.quirks import Send, said
from tests.unit.cli import Manyfest, reach
from tests.unit.internet import BOTH, ONE, TWO, Internet
from tests.unit.test_check_soak import EMPTY, holding
from tests.unit.waiting import Time

PLATFORMS = ("--platform", "amd64,arm64")


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(manyfest.check.wait, "Patience", made.patience)
    return made


def test_the_digest_alone_goes_to_stdout_and_each_change_to_stderr(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    internet.put("one.example", ["linux/amd64"])
    digests: list[str] = []

    def put_both() -> None:
        digests.extend(str(internet.put(each, BOTH).descriptor.digest) for each in internet.hosts)

    time.at = {60: put_both}
    waited = manyfest("wait", ONE, "--in", "two.example", *PLATFORMS, "--soak", "5m")
    assert (waited.code, waited.out) == (0, f"{digests[0]}\n")
    first, *rest = waited.err.splitlines()
    assert first.startswith(f"{ONE}: holds sha256:")
    assert rest == [
        f"{ONE} linux/arm64: missing: it has linux/amd64",
        f"{TWO}: the manifest 2.6.1: not found (404)",
        f"{ONE}: holds {digests[0][:19]}",
        f"{ONE} linux/arm64: ready",
        f"{TWO}: holds {digests[0][:19]}",
        f"{TWO} linux/amd64: ready",
        f"{TWO} linux/arm64: ready",
        "complete everywhere; that must last 5m",
    ]
    assert time.now >= 360.0


def test_quietly_only_the_digest_is_printed(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    digest = internet.put("one.example", BOTH).descriptor.digest
    assert manyfest("wait", "-q", ONE, *PLATFORMS) == (0, f"{digest}\n", "")


def test_each_of_several_images_has_its_digest_printed(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    first = internet.put("one.example", BOTH).descriptor.digest
    second = internet.put("one.example", BOTH, tag="2.6", text="other").descriptor.digest
    waited = manyfest("wait", ONE, "one.example/app:2.6", *PLATFORMS)
    assert waited.out == f"{first}\n{second}\n"


def test_a_digest_says_what_to_wait_for_without_any_platform(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    digest = str(internet.put("two.example", BOTH).descriptor.digest)
    internet.put("one.example", BOTH, text="before")
    time.at = {30: lambda: internet.put("one.example", BOTH)}
    waited = manyfest("wait", ONE, "--digest", digest)
    assert (waited.code, waited.out) == (0, f"{digest}\n")
    assert f"{ONE} linux/amd64: different: it is not of {digest}\n" in waited.err


def test_when_the_time_is_over_what_is_missing_where_is_told(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    internet.put("one.example", BOTH)
    waited = manyfest("wait", ONE, TWO, "--platform", "arm64", "--timeout", "90s")
    assert (waited.code, waited.out) == (3, "")
    assert waited.err.splitlines()[-1] == (
        f"manyfest: not complete within 1m30s: {TWO} linux/arm64 is missing (the manifest 2.6.1:"
        " not found (404)); manyfest check shows whether another tag serves meanwhile"
    )
    assert time.now == 90.0


def test_no_tag_is_said_to_serve_meanwhile_where_another_image_is(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    digest = str(internet.put("two.example", ["linux/amd64"]).descriptor.digest)
    internet.put("one.example", ["linux/amd64"], text="before")
    waited = manyfest("wait", ONE, "--digest", digest, "--timeout", "90s")
    assert (waited.code, waited.out) == (3, "")
    assert waited.err.splitlines()[-1] == (
        f"manyfest: not complete within 1m30s: {ONE} linux/amd64 is different"
        f" (it is not of {digest})"
    )
    assert time.now == 90.0


def test_while_nothing_changes_only_the_tag_is_asked_for(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    internet.put("one.example", ["linux/amd64"])
    manyfest("wait", ONE, *PLATFORMS, "--timeout", "10m")
    asked = internet.hosts["one.example"].requests
    first = next(at for at, each in enumerate(asked) if at and each.url.endswith("/2.6.1"))
    assert {each.method for each in asked[:first]} == {"HEAD", "GET"}
    rest = {(each.method, each.url.rpartition("/v2/")[2]) for each in asked[first:]}
    assert rest == {("HEAD", "app/manifests/2.6.1")}
    assert len(asked) - first > 15


def test_what_changes_too_late_is_a_no_with_that_reason(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    internet.put("one.example", BOTH)
    time.at = {70: lambda: internet.put("one.example", BOTH, text="again")}
    waited = manyfest("wait", ONE, *PLATFORMS, "--timeout", "1m", "--soak", "1h")
    assert waited.code == 3
    assert "within 1m: it changed too late for the soak time\n" in waited.err


def test_a_registry_that_stays_silent_is_an_error(
    manyfest: Manyfest, internet: Internet, time: Time
) -> None:
    def overloaded(_request: Request, _send: Send) -> Response:
        return said(503, "UNAVAILABLE", Retry_After="3600")

    internet.put("one.example", BOTH)
    internet.hosts["two.example"].quirk = overloaded
    waited = manyfest("wait", ONE, TWO, *PLATFORMS, "--timeout", "1m")
    assert (waited.code, waited.out) == (1, "")
    assert "two.example/app:2.6.1: the time is over, and it does not tell: " in waited.err


def test_a_registry_is_left_alone_for_as_long_as_it_asks(
    manyfest: Manyfest, internet: Internet, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocked = partial(Pacing, clock=lambda: time.now)
    monkeypatch.setattr("manyfest.stores.registry.pacing.Pacing", clocked)
    internet.put("one.example", BOTH)
    between = internet.hosts["one.example"]
    asked: list[float] = []

    def limited(request: Request, send: Send) -> Response:
        asked.append(time.now)
        return send(request) if time.now >= 500 else said(429, "TOOMANYREQUESTS", Retry_After="600")

    between.quirk = limited
    waited = manyfest("wait", ONE, *PLATFORMS)
    assert waited.code == 0
    assert asked[0] == 0.0
    assert asked[1] >= 600.0
    assert f"{ONE}: it wants to be left alone for " in waited.err


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (said(401), "the registry refuses the manifest 2.6.1 (401)"),
        (said(404), "what answers there is no registry: it knows nothing of /v2/ (404)"),
    ],
)
def test_what_does_not_pass_ends_it_at_once(
    manyfest: Manyfest,
    monkeypatch: pytest.MonkeyPatch,
    time: Time,
    answer: Response,
    line: str,
) -> None:
    reach(monkeypatch, FunctionTransport(lambda _: answer))
    waited = manyfest("wait", ONE, *PLATFORMS)
    assert (waited.code, waited.out) == (1, "")
    assert line in waited.err
    assert time.now == 0.0


def test_ctrl_c_ends_it(manyfest: Manyfest, internet: Internet, time: Time) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    time.at = {10: interrupt}
    waited = manyfest("wait", ONE, *PLATFORMS)
    assert (waited.code, waited.out) == (130, "")
    assert waited.err.splitlines()[-1].startswith("manyfest: interrupted")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            (ONE,),
            "nothing says for which platforms it must be complete: an index may grow; name them"
            " with --platform, or the index with --digest",
        ),
        (
            ("oci:image:v1", *PLATFORMS),
            "oci:image:v1: it lies in no registry; ask with: manyfest check",
        ),
        (
            (ONE, *PLATFORMS, "--soak", "long"),
            "--soak: 'long' is not a time; write seconds, or 30m",
        ),
        (
            (ONE, *PLATFORMS, "--timeout", "-5"),
            "--timeout: '-5' is not a time; write seconds, or 30m",
        ),
        ((ONE, "--digest", "sha256:abc"), "--digest: 'sha256:abc' is not a digest"),
    ],
)
def test_wrong_usage_is_one_line(manyfest: Manyfest, arguments: tuple[str, ...], line: str) -> None:
    waited = manyfest("wait", *arguments)
    assert (waited.code, waited.out) == (2, "")
    assert waited.err.startswith(f"manyfest: {line}")
    assert waited.err.count("\n") == 1


# What is told

QUESTION = Question(groups=((0, 1),), soak=60.0, timeout=300.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.6, "1m"), (90, "1m30s"), (3600, "1h"), (3661, "1h1m1s"), (86400, "24h")],
)
def test_a_span_is_written_as_it_is_typed(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("holds", 0, what=f"sha256:{'ab' * 32}"), "one: holds sha256:abababababab"),
        (Event("holds", 0, why="no tag"), "one: no tag"),
        (Event("state", 1, "linux/arm64", "ready"), "two linux/arm64: ready"),
        (
            Event("state", 1, "linux/arm64", "partial", "its layer is not there"),
            "two linux/arm64: partial: its layer is not there",
        ),
        (Event("silent", 1, why="it is down"), "two: does not tell: it is down"),
        (Event("rests", 1, why="it wants to be left alone"), "two: it wants to be left alone"),
        (Event("answers", 1), "two: answers again"),
        (Event("complete"), "complete everywhere; that must last 1m"),
        (
            Event("restarted"),
            "the digest changed, and all is complete again; that must last 1m",
        ),
        (Event("incomplete"), "no longer complete everywhere"),
    ],
)
def test_each_change_is_one_line(event: Event, line: str) -> None:
    assert event_line(event, ["one", "two"], QUESTION) == line


def test_without_a_soak_time_nothing_must_last() -> None:
    question = Question(groups=((0,),), soak=0.0, timeout=1.0)
    assert event_line(Event("complete"), ["one"], question) == "complete everywhere"


def test_the_live_line_says_how_far_it_is() -> None:
    state = State.at(0.0, 2)
    assert status_line(QUESTION, state, 0.0) == "0 of 0 ready, 5m left"
    state = decide(QUESTION, state, [holding("new", "missing"), Silence("down")], 10.0).state
    assert status_line(QUESTION, state, 30.0) == "1 of 2 ready, 1 not telling, 4m30s left"
    state = decide(QUESTION, state, [holding("new"), holding("new")], 40.0).state
    assert status_line(QUESTION, state, 60.0) == "complete everywhere, for 40s more"


def test_what_is_not_ready_is_told_by_place_and_platform() -> None:
    state = decide(QUESTION, State.at(0.0, 2), [holding("new", "partial"), EMPTY], 0.0).state
    assert not_ready(["one", "two"], state) == (
        "one linux/arm64 is partial (it is partial), two linux/amd64 is missing (it has none),"
        " two linux/arm64 is missing (it has none)"
    )
