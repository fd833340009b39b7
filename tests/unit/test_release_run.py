from __future__ import annotations

import errno
from pathlib import Path

import pytest

from manyfest.errors import BuildError, ConnectionFailed, ReleaseError
from manyfest.release.run import STEPS, run
from manyfest.release.steps.step import Outcome, Release, Step
from tests.unit.releases import (
    ONE,
    TWO,
    FakeStores,
    Trouble,
    make_project,
    make_release,
)


def steps(done: list[str], *names: str, skip: str = "") -> tuple[Step, ...]:
    """Steps that write down that they were run; the one called ``skip`` has nothing to do."""

    def step(name: str) -> Step:
        def act(_: Release) -> str:
            done.append(name)
            return f"did {name}"

        return Step(name, lambda _: "there already" if name == skip else "", act)

    return tuple(map(step, names))


def told(outcomes: list[Outcome]) -> list[tuple[str, bool, str]]:
    return [(outcome.step, outcome.skipped, outcome.what) for outcome in outcomes]


def test_the_steps_and_their_order() -> None:
    assert [step.name for step in STEPS] == [
        "preflight",
        "before",
        "build",
        "origin",
        "check",
        "smoke",
        "publish",
        "tags",
    ]


def test_each_step_is_checked_and_then_run_or_skipped(tmp_path: Path) -> None:
    done: list[str] = []
    outcomes = list(run(make_release(tmp_path), steps(done, "one", "two", "three", skip="two")))
    assert done == ["one", "three"]
    assert told(outcomes) == [
        ("one", False, "did one"),
        ("two", True, "there already"),
        ("three", False, "did three"),
    ]
    assert all(outcome.seconds >= 0 for outcome in outcomes)


def test_an_outcome_is_told_before_the_next_step_starts(tmp_path: Path) -> None:
    done: list[str] = []
    outcomes = run(make_release(tmp_path), steps(done, "one", "two"))
    assert next(outcomes).step == "one"
    assert done == ["one"]


@pytest.mark.parametrize("where", ["check", "run"])
def test_what_a_step_raises_ends_the_release(tmp_path: Path, where: str) -> None:
    def broken(_: Release) -> str:
        raise ReleaseError("cannot tell")

    def nothing(_: Release) -> str:
        return ""

    done: list[str] = []
    failing = Step("two", *((broken, nothing) if where == "check" else (nothing, broken)))
    one, three = steps(done, "one", "three")
    with pytest.raises(ReleaseError, match=r"^cannot tell$"):
        list(run(make_release(tmp_path), (one, failing, three)))
    assert done == ["one"]


def test_a_release_from_a_dockerfile_to_two_registries(tmp_path: Path) -> None:
    make_project(tmp_path)
    stores = FakeStores()
    release = make_release(tmp_path, stores, to=(ONE, TWO))
    outcomes = list(run(release))
    release.close()
    assert [outcome.step for outcome in outcomes if outcome.skipped] == [
        "before",
        "origin",
        "smoke",
    ]
    assert outcomes[-1].what == "10 set"
    assert stores.at(ONE).pointers["latest"] == release.built.digest
    assert stores.at(TWO).blobs == stores.at(ONE).blobs


def test_the_same_release_again_has_nothing_to_send(tmp_path: Path) -> None:
    make_project(tmp_path)
    stores = FakeStores()
    first = make_release(tmp_path, stores)
    list(run(first))
    first.close()
    stores.trouble.calls.clear()
    again = make_release(tmp_path, stores)
    outcomes = list(run(again))
    again.close()
    assert told(outcomes) == [
        ("preflight", False, "one.example/app in reach"),
        ("before", True, "no 'build.before' is configured"),
        ("build", False, f"2 platforms; {tmp_path}/dist/app-2.6.1.tar holds the same already"),
        ("origin", True, "the image was built here"),
        ("check", True, "every tag points at it already"),
        ("smoke", True, "no 'check.smoke' is configured"),
        ("publish", True, "all 7 parts are there; 0 bytes uploaded"),
        ("tags", True, "every tag points there already"),
    ]
    assert {call.split()[0] for call in stores.trouble.calls} == {
        "resolve",
        "has",
        "admit",
        "list",
    }
    assert again.built.digest == first.built.digest


def test_nothing_is_built_for_a_registry_that_does_not_answer(tmp_path: Path) -> None:
    make_project(tmp_path)
    release = make_release(tmp_path, FakeStores(Trouble(lambda *_: True)))
    with pytest.raises(ConnectionFailed, match=r"one.example/app"):
        list(run(release))
    assert not (tmp_path / "dist").exists()


def test_a_full_disk_is_named_and_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    make_project(tmp_path)
    monkeypatch.setattr("manyfest.build.builder.build", build)
    with pytest.raises(BuildError) as failed:
        list(run(make_release(tmp_path)))
    assert str(failed.value) == (
        f"{tmp_path}/dist: the image cannot be written: No space left on device;"
        " make room there, or let 'archive' name another place"
    )
