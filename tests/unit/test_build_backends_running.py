"""What is said of a builder's programs, and what of their failures."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from manyfest.build.backends import running
from manyfest.build.backends.running import Runner
from manyfest.build.dockerfile.parse import parse_dockerfile
from manyfest.build.dockerfile.plan import plan_build
from manyfest.errors import BuildError
from manyfest.oci.platform import Platform
from manyfest.processes import Process

ARM64 = Platform.parse("linux/arm64")
DOCKERFILE = "FROM debian\nRUN make all\nRUN sleep   1000 && \\\n  true\n"


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def runner(self, *, timeout: float | None = None, hidden: tuple[bytes, ...] = ()) -> Runner:
        dockerfile = parse_dockerfile(DOCKERFILE, "Dockerfile")
        plan = plan_build(dockerfile, platform=ARM64, build_platform=ARM64)
        return Runner(
            ARM64,
            folder=self.folder,
            say=self.said.append,
            timeout=timeout,
            hidden=hidden,
            programs=plan.runs,
        )

    def failure(self, script: str, *, timeout: float | None = None) -> str:
        with pytest.raises(BuildError) as caught:
            self.runner(timeout=timeout).run(["sh", "-c", script])
        return str(caught.value)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_each_line_is_said_with_its_platform(bench: Bench) -> None:
    bench.runner().run(["sh", "-c", "echo $A; pwd >&2"], {"A": "one"})
    assert bench.said == ["linux/arm64 | one", f"linux/arm64 | {bench.folder}"]


def test_of_a_long_line_the_reason_at_its_end_is_told(bench: Bench) -> None:
    folder = "deep/" * 100
    (bench.folder / "said").write_text(f'checking on sources under "{folder}": no such file\n')
    told = bench.failure("cat said; exit 125")
    assert len(told) < 300
    assert 'exit status 125: checking on sources under "deep/' in told
    assert "…" in told
    assert told.endswith('deep/": no such file')


def test_of_many_long_lines_the_last_is_told_whole(bench: Bench) -> None:
    (bench.folder / "said").write_text(f"one {'x' * 195}\ntwo {'y' * 195}\nno such file\n")
    assert bench.failure("cat said; exit 1").endswith("y / no such file")


def test_a_secret_is_never_said(bench: Bench) -> None:
    runner = bench.runner(hidden=(b"hush", b"hush hush"))
    with pytest.raises(BuildError) as caught:
        runner.run(["sh", "-c", "echo it is hush hush; exit 1"])
    assert bench.said == ["linux/arm64 | it is ***"]
    assert str(caught.value) == "the build for linux/arm64 failed: exit status 1: it is ***"


@pytest.mark.parametrize(
    "output",
    [
        "STEP 2/3: RUN make all\nno rule\nError: building at STEP",
        "#5 [2/3] RUN make all\n#5 0.31 no rule\n#5 ERROR: Error: building at STEP\n------\n"
        " > [2/3] RUN make all:\n------\nError: building at STEP",
    ],
    ids=["buildah", "BuildKit"],
)
def test_a_failure_names_the_instruction_and_the_last_lines(bench: Bench, output: str) -> None:
    (bench.folder / "said").write_text(output)
    assert bench.failure("cat said; exit 2") == (
        "Dockerfile:2: the build for linux/arm64 failed at 'RUN make all': exit status 2:"
        " no rule / Error: building at STEP"
    )


def test_what_hangs_is_stopped_and_named(bench: Bench) -> None:
    told = bench.failure("echo 'STEP 3/3: RUN sleep 1000 && true'; sleep 1000", timeout=0.3)
    assert told == (
        "Dockerfile:3: the build for linux/arm64 was stopped after 0.3 seconds at"
        " 'RUN sleep 1000 && true'; give it more with --timeout"
    )


def test_all_programs_of_a_build_share_its_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []

    class Noted(Process):
        def __init__(self, command: list[str], *, timeout: float | None, **rest: Any) -> None:
            given.append(timeout)
            super().__init__(command, timeout=timeout, **rest)

    clock = iter([100.0, 110.0, 190.0])
    monkeypatch.setattr(running, "Process", Noted)
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    runner = bench.runner(timeout=60)
    runner.run(["true"])
    runner.run(["true"])
    with pytest.raises(BuildError, match="was stopped after 60 seconds"):
        runner.run(["sleep", "600"])
    assert given == [60, 50, 0]


def test_nothing_begins_after_a_stop_but_clearing_up(bench: Bench) -> None:
    runner = bench.runner()
    runner.stop()
    with pytest.raises(BuildError, match="the build for linux/arm64 was given up"):
        runner.run(["touch", "begun"])
    runner.tidy(["touch", "tidied"])
    assert [path.name for path in bench.folder.iterdir()] == ["tidied"]


def test_what_is_not_cleared_up_is_said(bench: Bench) -> None:
    bench.runner().tidy(["sh", "-c", "echo in use; exit 1"])
    bench.runner().tidy(["no-such-program"])
    assert bench.said == [
        "linux/arm64 | could not clear up: in use",
        "linux/arm64 | could not clear up: no-such-program cannot be started:"
        " No such file or directory",
    ]


@pytest.mark.parametrize("has_setpriv", [True, False])
def test_a_builder_that_cannot_be_started(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, has_setpriv: bool
) -> None:
    if not has_setpriv:
        monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(BuildError, match=r"no-such-program.*: .*No such file or directory"):
        bench.runner().run(["no-such-program"])
