"""What is said of how a container ended."""

from __future__ import annotations

import pytest

from manyfest.oci.config import RunConfig
from manyfest.release.smoke.refusal import refusal
from manyfest.release.smoke.trial import Ran, Trial, native_first, subjects_of
from tests import images
from tests.unit.check_images import Images, one, program
from tests.unit.releases import parsed

TRIAL = Trial(command=("--version",), expect="2.6.1", timeout=90)


@pytest.mark.parametrize(
    ("ran", "fault"),
    [
        (Ran(), ""),
        (Ran(status=2), "exited with 2, and not with 0"),
        (Ran(status=139), "exited with 139 (SIGSEGV), and not with 0"),
        (Ran(expected=False), "did not print '2.6.1'"),
        (Ran(timed_out=True, status=137, expected=False), "did not end within 90 seconds"),
        (
            Ran(out_of_memory=True, status=137),
            "was killed, as it used more than 2 GiB of memory",
        ),
        (Ran(refused="exec format error", status=1), "could not be started: exec format error"),
    ],
)
def test_each_fault_is_told(ran: Ran, fault: str) -> None:
    assert ran.fault(TRIAL) == fault


def test_the_code_that_is_expected_is_no_fault() -> None:
    assert Ran(status=2).fault(Trial(exit=2)) == ""
    assert Ran(status=0).fault(Trial(exit=2)) == "exited with 0, and not with 2"


@pytest.mark.parametrize(
    ("status", "line", "why"),
    [
        (1, "exec /app: no such file or directory", "no such file or directory"),
        (
            1,
            "standard_init_linux.go:228: exec user process caused: exec format error",
            "exec format error",
        ),
        (1, '{"msg":"exec container process `/app`: Exec format error"}', "exec format error"),
        (1, "exec format error", ""),
        (2, "exec /app: exec format error", ""),
        (1, "{", ""),
    ],
)
def test_what_runtimes_print_where_nothing_starts(status: int, line: str, why: str) -> None:
    assert refusal(status, ["before", line]) == why


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("--version",), ("/app", "--version")),
        ((), ("/app", "--serve")),
    ],
)
def test_a_command_takes_the_place_of_the_default_arguments(
    command: tuple[str, ...], words: tuple[str, ...]
) -> None:
    store = Images()
    run = RunConfig(entrypoint=("/app",), cmd=("--serve",))
    [subject] = subjects_of(store, one(store, store.layer(program("app")), run=run))
    assert subject.words(Trial(command=command)) == words


def test_each_platform_is_tried_once_and_attestations_are_not() -> None:
    store = Images()
    root = images.attested(store)
    subjects = subjects_of(store, root.descriptor)
    assert [str(each.platform) for each in subjects] == ["linux/amd64", "linux/arm64"]


def test_those_for_this_processor_come_first() -> None:
    store = Images()
    root = images.platforms(store, ["linux/arm64", "linux/amd64", "linux/riscv64"])
    ordered = native_first(subjects_of(store, root.descriptor), parsed("linux/amd64")[0])
    assert [str(each.platform) for each in ordered] == [
        "linux/amd64",
        "linux/arm64",
        "linux/riscv64",
    ]
