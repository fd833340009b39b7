from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import ReleaseError
from manyfest.oci.reference import Reference
from manyfest.release.project.config import Build
from manyfest.release.steps.hook import HOOK
from manyfest.release.steps.step import Release
from tests.unit.releases import VERSION, Notes, make_config, make_release, parsed


def hooked(folder: Path, command: str, *platforms: str) -> Release:
    build = Build(platforms=parsed(*(platforms or ("linux/amd64",))), before=command)
    config = make_config(folder, build=build, lines={"build.before": 7})
    return make_release(folder, config=config)


def said(release: Release) -> list[str]:
    """What the commands printed, after the line that says that they run."""
    assert isinstance(release.progress, Notes)
    return release.progress.said[1:]


def failure(release: Release) -> str:
    with pytest.raises(ReleaseError) as failed:
        HOOK.run(release)
    return str(failed.value)


def is_running(pid: int) -> bool:
    """Whether it is more than a number: what has ended may still wait to be noticed."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.01)
    return path.read_text()


def assert_ends(pid: int) -> None:
    deadline = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.01)


def test_nothing_to_run_is_skipped(tmp_path: Path) -> None:
    assert HOOK.check(hooked(tmp_path, "")) == "no 'build.before' is configured"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("true", "before: running true for 2 platforms"),
        ("true\ntrue\n", "before: running true… for 2 platforms"),
        ("true " + "x" * 100, f"before: running true {'x' * 75}… for 2 platforms"),
    ],
)
def test_that_it_runs_is_said_even_if_it_prints_nothing(
    tmp_path: Path, command: str, told: str
) -> None:
    release = hooked(tmp_path, command, "linux/amd64", "linux/arm64")
    HOOK.run(release)
    assert isinstance(release.progress, Notes)
    assert release.progress.said == [told]


def test_an_image_that_is_not_built_needs_no_hook(tmp_path: Path) -> None:
    release = hooked(tmp_path, "exit 1")
    release.taken_from = Reference.parse("oci:image:v1")
    assert HOOK.check(release) == "the image is taken from oci:image:v1"


@pytest.mark.parametrize(
    ("platform", "told"),
    [
        ("linux/amd64", "linux/amd64,linux,amd64,"),
        ("linux/arm64/v8", "linux/arm64,linux,arm64,"),
        ("linux/arm/v7", "linux/arm/v7,linux,arm,v7"),
        ("windows/amd64", "windows/amd64,windows,amd64,"),
    ],
)
def test_its_environment_says_the_platform(tmp_path: Path, platform: str, told: str) -> None:
    names = "$TARGETPLATFORM,$TARGETOS,$TARGETARCH,$TARGETVARIANT"
    release = hooked(tmp_path, f"set -u; echo {names} >told", platform)
    assert HOOK.run(release) == "ran for 1 platform"
    assert (tmp_path / "told").read_text().strip() == told


def test_its_environment_says_the_version_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "kept")
    monkeypatch.setenv("TARGETARCH", "somebody's")
    release = hooked(tmp_path, "echo $VERSION $REVISION $MINE $TARGETARCH")
    HOOK.run(release)
    assert said(release) == [
        "linux/amd64 | 2.6.1 0123456789abcdef0123456789abcdef01234567 kept amd64"
    ]


def test_outside_a_repository_the_revision_is_empty(tmp_path: Path) -> None:
    release = hooked(tmp_path, "set -u; echo [$REVISION]")
    release.version = msgspec.structs.replace(VERSION, revision="")
    HOOK.run(release)
    assert said(release) == ["linux/amd64 | []"]


def test_it_runs_in_the_folder_of_the_configuration_with_nothing_to_read(tmp_path: Path) -> None:
    HOOK.run(hooked(tmp_path, "pwd >where; cat >read"))
    assert (tmp_path / "where").read_text().strip() == str(tmp_path)
    assert (tmp_path / "read").read_text() == ""


def test_platforms_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for the other's file: one after the other, they would wait for ever."""
    command = """
        touch "met-$TARGETARCH"
        for try in $(seq 500); do
            [ -e met-amd64 ] && [ -e met-arm64 ] && exit 0
            sleep 0.02
        done
        exit 1"""
    assert HOOK.run(hooked(tmp_path, command, "linux/amd64", "linux/arm64")) == (
        "ran for 2 platforms"
    )


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        ("one\\ntwo\\n", ["one", "two"]),
        ("no end", ["no end"]),
        ("\\n \\nblank lines are left out\\n\\n", ["blank lines are left out"]),
        ("10%%\\r20%%\\r\\n", ["10%", "20%"]),
        ("\\377 is not UTF-8\\n", ["� is not UTF-8"]),
        ("", []),
    ],
)
def test_output_is_shown_line_by_line(tmp_path: Path, printed: str, lines: list[str]) -> None:
    release = hooked(tmp_path, f"printf '{printed}'")
    HOOK.run(release)
    assert said(release) == [f"linux/amd64 | {line}" for line in lines]


def test_each_line_says_whose_it_is(tmp_path: Path) -> None:
    release = hooked(tmp_path, "echo out; echo error >&2", "linux/amd64", "linux/arm64")
    HOOK.run(release)
    assert sorted(said(release)) == [
        "linux/amd64 | error",
        "linux/amd64 | out",
        "linux/arm64 | error",
        "linux/arm64 | out",
    ]


def test_output_may_be_huge(tmp_path: Path) -> None:
    release = hooked(tmp_path, "seq 200000; echo last")
    HOOK.run(release)
    assert len(said(release)) == 200_001
    assert said(release)[-1] == "linux/amd64 | last"


def test_a_line_without_an_end_is_shown_in_pieces(tmp_path: Path) -> None:
    release = hooked(tmp_path, "head -c 10000 /dev/zero | tr '\\0' x")
    HOOK.run(release)
    assert [len(line) for line in said(release)] == [4096 + 14, 4096 + 14, 1808 + 14]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo trying; echo no compiler >&2; exit 2", "exit status 2: no compiler"),
        ("printf 'no end'; exit 1", "exit status 1: no end"),
        ("echo reason; echo; exit 1", "exit status 1: reason"),
        ("exit 3", "exit status 3: it printed nothing"),
        ("echo dying; kill -9 $$", "ended by signal 9: dying"),
        (f"echo {'x' * 500}; exit 1", f"exit status 1: {'x' * 300}"),
    ],
)
def test_a_failure_says_where_and_why(tmp_path: Path, command: str, why: str) -> None:
    assert failure(hooked(tmp_path, command)) == (
        f"{tmp_path}/manyfest.yaml:7: 'build.before' failed for linux/amd64: {why}"
    )


def test_one_reason_for_all_platforms_is_told_once(tmp_path: Path) -> None:
    release = hooked(tmp_path, "echo no network; exit 1", "linux/amd64", "linux/arm64", "linux/386")
    assert failure(release).endswith("exit status 1: no network")
    assert said(release) == []


def test_a_line_is_not_held_back_for_long(tmp_path: Path) -> None:
    release = hooked(tmp_path, "echo compiling; sleep 1.5; exit 1")
    assert failure(release).endswith("exit status 1: compiling")
    assert said(release) == ["linux/amd64 | compiling"]


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    message = failure(hooked(tmp_path, "no-such-program"))
    assert "exit status 127: /bin/sh: " in message
    assert message.endswith("not found")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("true \0", "it has a control character in it"),
        ("true " + "x" * 200_000, "it cannot be started: Argument list too long"),
    ],
)
def test_a_command_that_cannot_be_started(tmp_path: Path, command: str, why: str) -> None:
    assert failure(hooked(tmp_path, command)).endswith(f"failed for linux/amd64: {why}")


def test_a_failure_ends_the_others_and_all_they_started(tmp_path: Path) -> None:
    command = """
        if [ $TARGETARCH = amd64 ]; then
            while ! [ -s child ]; do sleep 0.01; done
            echo broken; exit 1
        fi
        sleep 600 &
        echo $! >child
        wait"""
    message = failure(hooked(tmp_path, command, "linux/arm64", "linux/amd64"))
    assert message.endswith("failed for linux/amd64: exit status 1: broken")
    assert_ends(int(wait_for(tmp_path / "child")))


def test_what_a_command_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    release = hooked(tmp_path, "sleep 600 & echo $! >child; echo started")
    HOOK.run(release)
    assert said(release) == ["linux/amd64 | started"]
    assert_ends(int(wait_for(tmp_path / "child")))


def test_a_daemon_that_keeps_the_output_open_holds_nothing_up(tmp_path: Path) -> None:
    """It has a session of its own, so it is not ours to end."""
    release = hooked(tmp_path, "setsid sh -c 'echo $$ >child; exec sleep 600' & sleep 0.2; echo up")
    try:
        HOOK.run(release)
        assert said(release) == ["linux/amd64 | up"]
    finally:
        os.kill(int(wait_for(tmp_path / "child")), signal.SIGKILL)


def test_a_command_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    HOOK.run(hooked(tmp_path, "exec >&- 2>&-; sleep 0.3; touch done"))
    assert (tmp_path / "done").exists()


def test_ctrl_c_ends_the_commands(tmp_path: Path) -> None:
    release = hooked(tmp_path, "echo $$ >child; echo ready; sleep 600")
    main = threading.main_thread().ident or 0

    def interrupt(message: str) -> None:
        if message.endswith("ready"):
            signal.pthread_kill(main, signal.SIGINT)

    release.progress = Notes(on_say=interrupt)
    with pytest.raises(KeyboardInterrupt):
        HOOK.run(release)
    assert_ends(int(wait_for(tmp_path / "child")))


def test_a_command_that_will_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.processes.GRACE", 0.1)
    command = """
        if [ $TARGETARCH = amd64 ]; then
            while ! [ -s child ]; do sleep 0.01; done
            exit 1
        fi
        trap '' TERM
        echo $$ >child
        while true; do sleep 0.05; done"""
    failure(hooked(tmp_path, command, "linux/amd64", "linux/arm64"))
    assert_ends(int(wait_for(tmp_path / "child")))
