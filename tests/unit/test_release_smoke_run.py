"""Which runtime is taken, what is tried in which order, and what is said in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from manyfest.errors import BuildError, CheckFailed, ReleaseError
from manyfest.oci.config import RunConfig
from manyfest.oci.platform import Platform
from manyfest.progress import Progress
from manyfest.release.smoke import run as running
from manyfest.release.smoke.run import Passed, smoke_test
from manyfest.release.smoke.runtime import Session, SmokeRuntime
from manyfest.release.smoke.trial import Ran, Subject, Trial
from manyfest.stores.base import Source
from tests import images
from tests.unit.check_images import Images, one
from tests.unit.releases import Notes, parsed

NATIVE, *FOREIGN = parsed("linux/amd64", "linux/arm64", "linux/riscv64")
PLATFORMS = ["linux/arm64", "linux/riscv64", "linux/amd64"]


class FakeRuntime:
    """Ends as it is told to, by platform; notes what it runs, and where it was."""

    is_local = False

    def __init__(self, name: str, *, why_not: str = "", ends: Mapping[str, Ran] | None = None):
        self.name = name
        self.ends = ends or {}
        self.ran: list[str] = []
        self.rooms: list[Path] = []
        self.stopped = False
        self._why_not = why_not

    @property
    def here(self) -> Platform | None:
        return NATIVE

    def why_not(self) -> str:
        return self._why_not

    @contextmanager
    def session(
        self, source: Source, subjects: Sequence[Subject], room: Path, progress: Progress
    ) -> Iterator[Session]:
        self.rooms.append(room)
        yield self

    def run(self, subject: Subject, trial: Trial) -> Ran:
        self.ran.append(str(subject.platform))
        return self.ends.get(str(subject.platform), Ran(lines=("fine",)))

    def stop(self) -> None:
        self.stopped = True


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.notes = Notes()
        self._monkeypatch = monkeypatch
        self._folder = folder

    def test(self, *runtimes: FakeRuntime) -> Passed:
        """The test of an image for three platforms, this one last, with these runtimes."""
        named: list[SmokeRuntime] = list(runtimes)
        self._monkeypatch.setattr(running, "runtimes", lambda _: named)
        store = Images()
        root = images.platforms(store, PLATFORMS).descriptor
        return smoke_test(
            store,
            root,
            Trial(command=("-v",)),
            folder=self._folder,
            progress=self.notes,
            where="manyfest.yaml:9",
        )


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path)


def test_every_platform_is_tried_and_the_native_one_first(bench: Bench) -> None:
    runtime = FakeRuntime("docker")
    assert bench.test(runtime) == Passed((*FOREIGN, NATIVE), "docker")
    assert runtime.ran[0] == "linux/amd64"
    assert sorted(runtime.ran) == ["linux/amd64", "linux/arm64", "linux/riscv64"]


def test_its_folder_is_gone_afterwards(bench: Bench, tmp_path: Path) -> None:
    runtime = FakeRuntime("docker")
    bench.test(runtime)
    assert [room.parent for room in runtime.rooms] == [tmp_path]
    assert list(tmp_path.iterdir()) == []


def test_the_first_runtime_that_works_is_taken_and_what_the_others_lack_is_said(
    bench: Bench,
) -> None:
    down = FakeRuntime("docker", why_not="nothing listens there")
    useless = FakeRuntime("podman", ends={"linux/amd64": Ran(trouble="no cgroups")})
    good, unused = FakeRuntime("crun"), FakeRuntime("other")
    assert bench.test(down, useless, good, unused).runtime == "crun"
    assert (down.ran, useless.ran, unused.ran) == ([], ["linux/amd64"], [])
    assert bench.notes.said == [
        "smoke test: docker is not used: nothing listens there",
        "smoke test: podman is not used: linux/amd64: no cgroups",
    ]


def test_none_that_works_is_an_error_and_no_verdict(bench: Bench) -> None:
    down = FakeRuntime("docker", why_not="it is not installed")
    useless = FakeRuntime("podman", ends={"linux/amd64": Ran(trouble="no cgroups")})
    with pytest.raises(ReleaseError) as caught:
        bench.test(down, useless)
    assert str(caught.value) == (
        "manyfest.yaml:9: the smoke test could not be run; docker: it is not installed; podman:"
        " linux/amd64: no cgroups; mend one of these, or let 'check.smoke.runtime' name another:"
        " docker, podman or crun"
    )
    assert bench.notes.said == []


def test_a_runtime_that_fails_later_is_an_error_and_no_verdict(bench: Bench) -> None:
    runtime = FakeRuntime("docker", ends={"linux/riscv64": Ran(trouble="no space left")})
    with pytest.raises(ReleaseError) as caught:
        bench.test(runtime, FakeRuntime("podman"))
    assert str(caught.value).startswith(
        "manyfest.yaml:9: linux/riscv64: the smoke test could not be run by docker: no space left; "
    )


def test_an_image_that_fails_is_named_with_its_last_lines(bench: Bench) -> None:
    ended = Ran(status=3, lines=("cannot open", "its file"))
    runtime = FakeRuntime("docker", ends={"linux/arm64": ended, "linux/riscv64": ended})
    other = FakeRuntime("podman")
    with pytest.raises(CheckFailed) as caught:
        bench.test(runtime, other)
    assert str(caught.value) == (
        "manyfest.yaml:9: linux/arm64: the smoke test failed: /app -v exited with 3, and not with 0"
        " (nor did it pass on linux/riscv64)"
    )
    assert caught.value.excerpt.splitlines() == [
        "linux/arm64 | cannot open",
        "linux/arm64 | its file",
        "linux/riscv64 | cannot open",
        "linux/riscv64 | its file",
    ]
    assert other.ran == []


def test_emulators_are_looked_for_before_anything_is_started(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def require(platform: Platform) -> None:
        if platform.architecture == "riscv64":
            raise BuildError("cannot run programs for linux/riscv64: none", mend="run: this")

    monkeypatch.setattr(running, "require_emulation", require)
    runtime = FakeRuntime("crun")
    runtime.is_local = True
    with pytest.raises(ReleaseError) as caught:
        bench.test(runtime)
    assert str(caught.value) == (
        "manyfest.yaml:9: the smoke test cannot run programs for linux/riscv64: none; run: this"
    )
    assert runtime.rooms == []


def test_an_image_without_anything_to_run_is_told(tmp_path: Path) -> None:
    store = Images()
    root = one(store, run=RunConfig())
    with pytest.raises(CheckFailed, match="has nothing to run: the image has no entrypoint"):
        smoke_test(store, root, Trial(), folder=tmp_path, progress=Notes())


@pytest.mark.parametrize(
    ("asked", "found"),
    [("auto", ["docker", "podman", "crun"]), ("podman", ["podman"]), ("crun", ["crun"])],
)
def test_runtimes_are_tried_in_this_order(asked: str, found: list[str]) -> None:
    assert [each.name for each in running.runtimes(asked)] == found


def test_ctrl_c_stops_what_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(FakeRuntime):
        def run(self, subject: Subject, trial: Trial) -> Ran:
            raise KeyboardInterrupt

    runtime = Interrupted("docker")
    with pytest.raises(KeyboardInterrupt):
        bench.test(runtime)
    assert runtime.stopped
