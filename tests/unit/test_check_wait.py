"""Waiting, with registries in memory whose content comes bit by bit."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manyfest.check.readiness import readiness
from manyfest.check.soak import Question
from manyfest.check.wait import wait
from manyfest.errors import (
    ConnectionFailed,
)
from manyfest.graph import read_manifest
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from tests.images import image, index, platforms
from tests.unit.waiting import TAG, WANTED, Scripted, Time, waited, watched


def test_what_is_complete_already_is_not_waited_for() -> None:
    time, store = Time(), Scripted()
    digest = store.hold_for(*WANTED)
    decision, lines = waited(time, store)
    assert (decision.verdict, decision.state.digests) == ("ready", (digest,))
    assert time.slept == []
    assert lines == [f"0: 0 holds {digest[:10]}", "0: complete"]


def test_the_story_of_a_release_that_took_its_time() -> None:
    """Two registries: an empty index first, platforms one after the other, one registry behind, a
    stale answer in between, and a digest that changes while it soaks."""
    time, one, two = Time(), Scripted("one.example/app"), Scripted("two.example/app")
    digests: dict[str, str] = {}

    def note(name: str, digest: str) -> None:
        digests[name] = digest[:10]

    def empty() -> None:
        note("empty", str(index(one, []).descriptor.digest))
        one.hold(index(one, []))

    time.at = {
        50: empty,
        100: lambda: note("amd64", one.hold_for("linux/amd64")),
        200: lambda: note("both", one.hold_for(*WANTED)),
        300: lambda: two.hold_for(*WANTED),
        350: lambda: one.hold_for("linux/amd64"),  # a cache somewhere is stale
        390: lambda: one.hold_for(*WANTED),
        480: lambda: note("again", one.hold_for(*WANTED, text="again")),
        520: lambda: two.hold_for(*WANTED, text="again"),
    }
    decision, lines = waited(time, one, two, soak=100.0)
    times = [float(line.partition(":")[0]) for line in lines]
    told = [line.partition(": ")[2] for line in lines]
    both, again, amd64 = digests["both"], digests["again"], digests["amd64"]
    assert told == [
        "0 holds",
        "1 holds",
        f"0 holds {digests['empty']}",
        "0 linux/amd64 state missing",
        "0 linux/arm64 state missing",
        f"0 holds {amd64}",
        "0 linux/amd64 state ready",
        "0 linux/arm64 state missing",
        f"0 holds {both}",
        "0 linux/arm64 state ready",
        f"1 holds {both}",
        "1 linux/amd64 state ready",
        "1 linux/arm64 state ready",
        "complete",
        f"0 holds {amd64}",
        "0 linux/arm64 state missing",
        "1 linux/amd64 state different",
        "1 linux/arm64 state different",
        "incomplete",
        f"0 holds {both}",
        "0 linux/arm64 state ready",
        "1 linux/amd64 state ready",
        "1 linux/arm64 state ready",
        "complete",
        f"0 holds {again}",
        "1 linux/amd64 state different",
        "1 linux/arm64 state different",
        "incomplete",
        f"1 holds {again}",
        "1 linux/amd64 state ready",
        "1 linux/arm64 state ready",
        "complete",
    ]
    assert decision.verdict == "ready"
    assert {each[:10] for each in decision.state.digests} == {again}
    assert times == sorted(times)
    assert time.now == pytest.approx(times[-1] + 100.0, abs=0.01)


def test_children_that_arrive_one_by_one_are_seen() -> None:
    time, store = Time(), Scripted()
    root = platforms(store, WANTED)
    arm64 = read_manifest(store, root.children[1])
    lost = {digest: store.blobs.pop(digest) for digest in _parts(arm64)}
    config, layer, manifest = lost
    store.hold(root)
    time.at = {
        10: lambda: store.blobs.update({manifest: lost[manifest]}),
        20: lambda: store.blobs.update({config: lost[config]}),
        30: lambda: store.blobs.update({layer: lost[layer]}),
    }
    decision, lines = waited(time, store)
    assert decision.verdict == "ready"
    assert 30 <= time.now <= 60
    assert [line.partition(": ")[2] for line in lines[1:]] == [
        "0 linux/arm64 state partial",
        "0 linux/arm64 state ready",
        "complete",
    ]


def _parts(manifest: Manifest) -> list[Digest]:
    own = (manifest.image.config, manifest.image.layers[-1], manifest.descriptor)
    return [each.digest for each in own]


def test_nothing_new_costs_one_head_request_a_look() -> None:
    time, store = Time(), Scripted()
    store.hold_for("linux/amd64")
    counted: list[dict[str, int]] = []
    question = Question(groups=((0,),), soak=0.0, timeout=20.0)
    wait(watched(store), question, lambda *_: counted.append(store.counted()), time.patience())
    assert counted[0] == {f"HEAD {TAG}": 1, "GET": 2, "HEAD part": 3}
    assert counted[1:] == [{f"HEAD {TAG}": 1}] * 5


def test_a_soak_costs_one_head_request_a_look_and_at_its_end_all_of_them_again() -> None:
    time, store = Time(), Scripted()
    store.hold_for(*WANTED)
    counted: list[dict[str, int]] = []
    question = Question(groups=((0,),), soak=20.0, timeout=20.0)
    wait(watched(store), question, lambda *_: counted.append(store.counted()), time.patience())
    whole = {f"HEAD {TAG}": 1, "GET": 3, "HEAD part": 5}
    assert counted == [whole, *[{f"HEAD {TAG}": 1}] * 4, whole]


def test_what_was_lost_while_it_soaked_is_noticed_at_the_end() -> None:
    time, store = Time(), Scripted()
    store.hold_for(*WANTED)
    layer = read_manifest(store, store.resolve(TAG)).children[0]
    gone = read_manifest(store, layer).image.layers[-1].digest
    time.at = {10: lambda: store.blobs.pop(gone)}
    decision, lines = waited(time, store, soak=20.0, timeout=15.0)
    assert decision.verdict == "late"
    assert lines[-2:] == ["20: 0 linux/amd64 state partial", "20: incomplete"]


def test_pauses_grow_and_begin_anew_after_a_change() -> None:
    time, store = Time(), Scripted()
    time.at = {20: lambda: store.hold_for("linux/amd64")}
    waited(time, store, timeout=100.0)
    assert time.slept[:6] == [2.0, 3.0, 4.5, 6.75, 10.125, 2.0]
    assert sum(time.slept) == 100.0
    assert max(time.slept) <= 30.0


def test_the_last_look_is_at_the_end_of_the_time() -> None:
    time, store = Time(), Scripted()
    time.at = {100: lambda: store.hold_for(*WANTED)}
    decision, _ = waited(time, store, timeout=100.0)
    assert (decision.verdict, time.now) == ("ready", 100.0)


def test_when_the_time_is_over_the_answer_is_no() -> None:
    time, store = Time(), Scripted()
    store.hold_for("linux/amd64")
    decision, _ = waited(time, store, timeout=100.0)
    assert (decision.verdict, time.now) == ("late", 100.0)


def test_an_expected_digest_is_waited_for() -> None:
    time, store = Time(), Scripted()
    new = str(platforms(store, WANTED, text="new").descriptor.digest)
    store.hold_for(*WANTED)
    time.at = {10: lambda: store.hold_for(*WANTED, text="new")}
    decision, lines = waited(time, store, expected=new)
    assert decision.state.digests == (new,)
    assert lines[1:3] == ["0: 0 linux/amd64 state different", "0: 0 linux/arm64 state different"]


def test_an_image_without_an_index_is_for_one_platform() -> None:
    time, store = Time(), Scripted()
    time.at = {5: lambda: store.hold(image(store, "linux/amd64"))}
    decision, lines = waited(time, store, timeout=60.0)
    assert decision.verdict == "late"
    assert [line.partition(": ")[2] for line in lines][-1] == "0 linux/arm64 state missing"


# Whatever happens meanwhile

STEPS = st.lists(
    st.tuples(
        st.floats(min_value=0.1, max_value=25.0),
        st.integers(min_value=0, max_value=1),
        st.sampled_from(["nothing", "part", "old", "new", "torn", "fails", "recovers"]),
    ),
    max_size=10,
)


def change(store: Scripted, what: str) -> None:
    """What may happen to a repository."""
    if what == "nothing":
        store.names.pop(TAG, None)
    elif what == "part":
        store.hold_for("linux/amd64")
    elif what in ("old", "new"):
        store.hold_for(*WANTED, text=what)
    elif what == "torn":
        root = platforms(store, WANTED, text="new")
        store.hold(root)
        del store.blobs[read_manifest(store, root.children[1]).image.layers[-1].digest]
    else:
        store.fails = ConnectionFailed("it broke off") if what == "fails" else None


def complete(store: Scripted) -> str:
    """The digest that the repository holds, if it answers and all of that is there; or nothing."""
    if store.fails:
        return ""
    answer = readiness(store, TAG, tuple(map(Platform.parse, WANTED)), "")
    return answer.digest if answer.ready else ""


@settings(deadline=None)
@given(STEPS)
@example([(2.0, 0, "new"), (2.0, 1, "new"), (1.0, 0, "fails"), (77.0, 1, "fails")])
@example([(2.0, 0, "new"), (2.0, 1, "new"), (1.0, 0, "fails"), (77.0, 1, "torn")])
def test_yes_is_said_once_it_was_true_everywhere_after_the_soak(
    steps: list[tuple[float, int, str]],
) -> None:
    time, stores = Time(), [Scripted("one.example/app"), Scripted("two.example/app")]
    held = [[(0.0, "")], [(0.0, "")]]  # what each has, and from when on

    def happens(number: int, what: str, when: float) -> None:
        change(stores[number], what)
        held[number].append((when, complete(stores[number])))

    when = 0.0
    for pause, number, what in steps:
        when += pause
        time.at[when] = partial(happens, number, what, when)
    # In the end all is well, and early enough.
    for number, what in ((0, "recovers"), (0, "new"), (1, "recovers"), (1, "new")):
        when += 1
        time.at[when] = partial(happens, number, what, when)
    decision, _ = waited(time, *stores, soak=50.0, timeout=300.0)
    assert decision.verdict == "ready"
    assert decision.state.since is not None
    over = decision.state.since + 50.0
    assert time.now >= over
    assert len(set(decision.state.digests)) == 1
    for digest, had in zip(decision.state.digests, held, strict=True):
        ends = (*(when for when, _ in had[1:]), time.now)
        assert digest in {what for (_, what), end in zip(had, ends, strict=True) if end >= over}
