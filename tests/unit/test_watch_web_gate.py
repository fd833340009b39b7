"""The gate: yes, no, and that it cannot be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from manyfest.watch.values import Doubt, PlaceSeen, PlatformSeen, TagState
from manyfest.watch.web.api.gate import Asked, judged
from manyfest.watch.web.api.replies import Fault
from manyfest.watch.web.api.values import Gate
from tests.signing import Key
from tests.unit.watch_openapi import described_answer
from tests.unit.watch_web import (
    GHCR,
    HUB,
    IMAGE,
    Answer,
    Client,
    Watch,
    client,
    digest,
    image,
    seen,
    state,
)
from tests.unit.watching import NOW

MIRROR = "mirror.example/gotify"
QUIET: dict[str, Any] = {"silent_since": NOW - 30, "silence": "no answer within 30 seconds"}


def ask(known: TagState | None, *, now: float = NOW, soak: float = 0.0, **asked: Any) -> Gate:
    return judged(image(mirrors=[MIRROR], soak=soak), "2.6.1", known, Asked(**asked), now)


def cannot_tell(known: TagState | None, **asked: Any) -> str:
    with pytest.raises(Fault) as raised:
        ask(known, **asked)
    assert raised.value.status == 503
    return raised.value.what


def partly(place: str = GHCR, **more: Any) -> PlaceSeen:
    return seen(place, ready=["linux/amd64"], missing=["linux/arm64"], **more)


def test_a_version_that_is_complete_everywhere_is_ready() -> None:
    answer = ask(state())
    assert answer.ready
    assert answer.why == ()
    assert answer.places == (HUB, GHCR)
    assert answer.platforms == ("linux/amd64", "linux/arm64")


def test_a_mirror_is_not_waited_for_unless_it_is_asked_for() -> None:
    without = seen(MIRROR, index="", answered_at=NOW)
    known = state("2.6.1", seen(HUB), seen(GHCR), without)
    assert ask(known).ready
    assert ask(known, places=(MIRROR,)).why == (f"{MIRROR} does not have 2.6.1",)


def test_a_tag_that_nobody_saw_is_not_ready() -> None:
    answer = ask(None)
    assert not answer.ready
    assert answer.why == ("no place had 2.6.1 so far, or it is not among the tags watched",)


def test_a_platform_that_is_missing_is_named_with_its_place_and_why() -> None:
    answer = ask(state("2.6.1", seen(HUB), partly(), complete_at=None))
    assert answer.why == (f"linux/arm64 is missing in {GHCR}: it has linux/amd64",)
    assert answer.since is None


def test_a_platform_that_is_ready_is_so_before_all_others_are() -> None:
    known = state("2.6.1", seen(HUB), partly(), complete_at=None)
    assert ask(known, platforms=("linux/amd64",)).ready
    assert not ask(known, platforms=("linux/amd64", "linux/arm64")).ready


@pytest.mark.parametrize("name", ["linux/arm64/v8", "arm64", "linux/aarch64", "linux/arm64"])
def test_a_platform_goes_by_all_of_its_names(name: str) -> None:
    assert ask(state(), platforms=(name,)).platforms == ("linux/arm64",)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"platforms": ("linux/riscv64",)},
            "linux/riscv64 of gotify/server is not watched, but linux/amd64, linux/arm64",
        ),
        (
            {"platforms": ("nonsense",)},
            "unknown architecture in platform 'nonsense'; use one of 386, amd64",
        ),
        ({"places": ("quay.io/x",)}, f"quay.io/x is no place of gotify/server; {HUB}, {GHCR}"),
    ],
)
def test_what_is_not_watched_is_neither_ready_nor_not(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(Fault) as raised:
        ask(state(), **asked)
    assert raised.value.status == 422
    assert str(raised.value).startswith(told)


def test_a_place_that_was_not_asked_yet_says_neither_yes_nor_no() -> None:
    known = state("2.6.1", seen(HUB), PlaceSeen(place=GHCR), complete_at=None)
    assert cannot_tell(known) == f"could not tell: {GHCR} was not looked at yet"


def test_a_silent_registry_takes_a_yes_back() -> None:
    told = cannot_tell(state("2.6.1", seen(HUB), seen(GHCR, **QUIET)))
    assert told == (
        f"could not tell: {GHCR} gives no answer since 2026-11-26T20:30:30Z:"
        " no answer within 30 seconds"
    )


def test_a_silent_registry_does_not_take_a_no_back() -> None:
    answer = ask(state("2.6.1", partly(HUB), seen(GHCR, **QUIET), complete_at=None))
    assert not answer.ready
    assert answer.why[0] == f"linux/arm64 is missing in {HUB}: it has linux/amd64"


def test_a_silent_registry_does_not_matter_to_who_asks_for_another() -> None:
    assert ask(state("2.6.1", seen(HUB), seen(GHCR, **QUIET)), places=(HUB,)).ready


def test_an_answer_that_is_not_believed_yet_takes_a_yes_back() -> None:
    moved = Doubt(digest=digest("d"), since=NOW - 20)
    told = cannot_tell(state("2.6.1", seen(HUB), seen(GHCR, doubt=moved)))
    assert told == (
        f"could not tell: {GHCR} says otherwise since 2026-11-26T20:30:40Z,"
        " which is not believed yet"
    )


def test_a_doubt_about_another_platform_does_not_matter() -> None:
    lost = Doubt(digest=digest("a"), since=NOW - 20, lost=("linux/arm64",))
    known = state("2.6.1", seen(HUB), seen(GHCR, doubt=lost))
    assert ask(known, platforms=("linux/amd64",)).ready
    assert "says otherwise" in cannot_tell(known, platforms=("linux/arm64",))


def test_a_place_that_was_not_looked_at_cannot_be_told_of() -> None:
    told = cannot_tell(state("2.6.1", seen(HUB)))
    assert told == f"could not tell: {GHCR} was not looked at yet"


def test_a_platform_that_was_not_looked_for_cannot_be_told_of() -> None:
    told = cannot_tell(state("2.6.1", seen(HUB), seen(GHCR, ready=["linux/amd64"])))
    assert told == f"could not tell: linux/arm64 was not looked for in {GHCR} yet"


def test_a_place_that_was_not_asked_for_a_signature_yet_cannot_be_told_of() -> None:
    key = Key().public()
    signed = replace(image(), signed_by=key)
    hub = seen(HUB, signed_by=key.fingerprint)
    with pytest.raises(Fault) as raised:
        judged(signed, "2.6.1", state("2.6.1", hub, seen(GHCR)), Asked(), NOW)
    assert raised.value.what == (f"could not tell: {GHCR} was not asked yet whether it is signed")

    both = state("2.6.1", hub, seen(GHCR, signed_by=key.fingerprint))
    assert judged(signed, "2.6.1", both, Asked(), NOW).ready


def test_registries_that_differ_are_not_ready() -> None:
    known = state("2.6.1", seen(HUB), seen(GHCR, index=digest("c")))
    assert ask(known).why == (f"{HUB} and {GHCR} hold different images",)
    assert ask(known, places=(GHCR,)).ready


def test_nothing_is_said_of_an_image_that_is_paused() -> None:
    paused = image()
    paused = type(paused)(
        rule=paused.rule, tags=paused.tags, every=paused.every, paused_at=NOW - 3600
    )
    with pytest.raises(Fault, match="paused since 2026-11-26T19:31:00Z") as raised:
        judged(paused, "2.6.1", state(), Asked(), NOW)
    assert raised.value.status == 503


def test_what_is_complete_and_not_confirmed_is_not_ready() -> None:
    assert ask(state(complete_at=None)).why == (
        "it is not confirmed yet that it is complete everywhere",
    )


def test_the_soak_time_counts_from_when_it_is_complete() -> None:
    known = state(complete_at=NOW - 60)
    soaking = ask(known, soak=3600, soaked=True)
    assert (soaking.ready, soaking.soaked) == (False, False)
    assert soaking.why == ("it soaks until 2026-11-26T21:30:00Z",)
    assert ask(known, soak=3600, soaked=True, now=NOW + 3539).ready is False
    assert ask(known, soak=3600, soaked=True, now=NOW + 3540).ready is True


def test_who_does_not_ask_for_the_soak_time_is_told_of_it_all_the_same() -> None:
    answer = ask(state(), soak=3600)
    assert (answer.ready, answer.soaked) == (True, False)


def test_a_part_soaks_from_when_the_last_of_it_was_ready() -> None:
    late = PlatformSeen(state="ready", digest=digest("b"), ready_at=NOW - 10)
    there = seen(GHCR)
    there = type(there)(
        place=GHCR, digest=digest("a"), platforms={**there.platforms, "linux/arm64": late}
    )
    known = state("2.6.1", seen(HUB), there, complete_at=NOW - 10)
    assert ask(known, platforms=("linux/amd64",), soak=60, soaked=True).ready
    assert not ask(known, platforms=("linux/arm64",), soak=60, soaked=True).ready


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(tmp_path)
    yield watch
    watch.history.close()


def gate(web: Client, **query: Any) -> Answer:
    path = f"/api/v1/gate?{urlencode({'image': IMAGE, 'tag': '2.6.1', **query}, doseq=True)}"
    answer = web.get(path)
    described_answer("GET", path, answer)
    return answer


def test_the_gate_answers_by_its_document(watch: Watch) -> None:
    web = client(watch)
    assert gate(web).json()["ready"] is False
    watch.knows(state())
    answer = gate(web, platform=["linux/arm64/v8", "linux/amd64"], soaked=1)
    assert (answer.status, answer.json()["ready"]) == (200, True)
    assert answer.json()["since"] == "2026-11-26T20:30:00Z"


def test_the_gate_answers_by_its_status_if_that_is_asked_for(watch: Watch) -> None:
    web = client(watch)
    answer = gate(web, fail=1)
    assert (answer.status, answer.header("retry-after")) == (412, "30")
    assert answer.json()["ready"] is False
    watch.knows(state())
    assert gate(web, fail="true").status == 200


def test_a_misspelt_parameter_is_no_yes(watch: Watch) -> None:
    watch.knows(state())
    answer = gate(client(watch), platfrom="linux/riscv64")
    assert answer.status == 400


def test_of_a_place_whose_tags_are_not_known_it_cannot_be_told_that_it_lacks_one(
    watch: Watch,
) -> None:
    watch.unknown = (GHCR,)
    answer = gate(client(watch))
    assert answer.status == 503
    assert answer.json()["detail"] == f"could not tell: the tags of {GHCR} are not known"
    assert gate(client(watch), place=HUB).json()["ready"] is False


def test_what_is_not_looked_at_any_more_is_no_yes(watch: Watch) -> None:
    watch.knows(state())
    watch.left.add("2.6.1")
    answer = gate(client(watch))
    assert answer.status == 503
    assert answer.json()["detail"] == (
        "could not tell: 2.6.1 is not watched any more; 'names' under 'tags' has it watched"
    )


def test_what_is_gone_is_a_no_whether_it_is_looked_at_or_not(watch: Watch) -> None:
    gone = [seen(each, index="", answered_at=NOW) for each in (HUB, GHCR)]
    watch.knows(state("2.6.1", *gone, digest="", complete_at=None))
    watch.left.add("2.6.1")
    assert gate(client(watch)).json()["ready"] is False


def test_a_watch_that_does_not_look_says_nothing(watch: Watch) -> None:
    watch.knows(state())
    watch.ready = False
    answer = gate(client(watch))
    assert answer.status == 503
    assert answer.header("retry-after") == "30"


@pytest.mark.parametrize("query", ["image=gotify/server", "tag=1", "image=&tag=1", "image=x&tag="])
def test_image_and_tag_are_needed(watch: Watch, query: str) -> None:
    assert client(watch).get(f"/api/v1/gate?{query}").status in {400, 404}
