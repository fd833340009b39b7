"""The smoke test, run by real runtimes of containers, for this processor and another."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import ManyfestError
from manyfest.oci.config import RunConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.release.smoke.run import smoke_test
from manyfest.release.smoke.trial import Trial
from tests import real
from tests.integration import smoke
from tests.programs import hanging, printing
from tests.unit.check_images import Images, Item, file, program, symlink
from tests.unit.releases import Notes

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("foreign_platforms")]

BUSYBOX = Path("/bin/busybox")
VERSION = Trial(command=("--version",), expect="app 2.6.1")


@pytest.fixture(params=["docker", "podman", "crun"])
def runtime(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Each of the three runtimes."""
    folder = tmp_path_factory.mktemp("s")
    if request.param == "docker":
        smoke.use_docker(monkeypatch, request.getfixturevalue("docker_host"), folder)
    elif request.param == "podman":
        smoke.use_podman(monkeypatch, folder)
    else:
        smoke.use_crun(monkeypatch, folder)
    return str(request.param)


class Bench:
    """Tries images with one runtime, and looks what it leaves."""

    def __init__(self, runtime: str, folder: Path) -> None:
        self.runtime = runtime
        self.folder = folder
        self.notes = Notes()
        self.store = Images()

    def pair(self, amd64: bytes, arm64: bytes) -> Descriptor:
        """An index of a program for each of two platforms, which have a layer in common."""
        shared = self.store.layer(file("etc/motd", b"hello"))
        return self.store.index(
            self.store.image(
                shared, self.store.layer(program("app", arm64)), platform="linux/arm64"
            ),
            self.store.image(shared, self.store.layer(program("app", amd64))),
        )

    def shell(self, *items: Item, **changes: object) -> Descriptor:
        """An image for this processor with busybox in it."""
        real.need_programs(str(BUSYBOX))
        links = [symlink(f"bin/{name}", "busybox") for name in ("sh", "id", "cat", "ls", "stat")]
        layer = self.store.layer(program("bin/busybox", BUSYBOX.read_bytes()), *links, *items)
        run = RunConfig(entrypoint=("/bin/sh", "-c"), **changes)  # type: ignore[arg-type]
        return self.store.index(self.store.image(layer, run=run))

    def test(self, root: Descriptor, trial: Trial) -> str:
        """Why the image does not pass; nothing if it does."""
        try:
            passed = smoke_test(
                self.store, root, trial, runtime=self.runtime, folder=self.folder,
                progress=self.notes,
            )  # fmt: skip
        except ManyfestError as error:
            return "\n".join(filter(None, [str(error), error.excerpt]))
        assert passed.runtime == self.runtime
        return ""

    def leavings(self) -> list[str]:
        """What is left, of whatever kind."""
        left = [str(path) for path in self.folder.iterdir()] + self.notes.said
        if self.runtime != "crun":
            left += real.output_of(self.runtime, "ps", "--all", "--quiet").split()
            left += real.output_of(self.runtime, "images", "--quiet").split()
            left += real.output_of(self.runtime, "volume", "ls", "--quiet").split()
        return left


@pytest.fixture
def bench(runtime: str, tmp_path: Path) -> Bench:
    return Bench(runtime, tmp_path)


def test_every_platform_prints_what_is_expected(bench: Bench) -> None:
    root = bench.pair(printing("amd64", "app 2.6.1\n"), printing("arm64", "app 2.6.1\n"))
    assert bench.test(root, VERSION) == ""
    assert bench.leavings() == []


def test_what_one_platform_prints_is_not_what_is_expected(bench: Bench) -> None:
    root = bench.pair(printing("amd64", "app 2.6.1\n"), printing("arm64", "app 2.6.0\n"))
    assert bench.test(root, VERSION) == (
        "linux/arm64: the smoke test failed: /app --version did not print 'app 2.6.1'\n"
        "linux/arm64 | app 2.6.0"
    )
    assert bench.leavings() == []


def test_each_platform_that_fails_is_named(bench: Bench) -> None:
    root = bench.pair(printing("amd64", "no\n", status=4), printing("arm64", "nor I\n", status=5))
    assert bench.test(root, VERSION) == (
        "linux/amd64: the smoke test failed: /app --version exited with 4, and not with 0"
        " (nor did it pass on linux/arm64)\n"
        "linux/amd64 | no\n"
        "linux/arm64 | nor I"
    )


def test_another_code_may_be_expected(bench: Bench) -> None:
    root = bench.pair(printing("amd64", "", status=2), printing("arm64", "", status=2))
    assert bench.test(root, Trial(exit=2)) == ""


def test_a_program_that_hangs_is_stopped(bench: Bench) -> None:
    root = bench.pair(printing("amd64", "fine\n"), hanging("arm64", "I begin\n"))
    assert bench.test(root, Trial(timeout=3)) == (
        "linux/arm64: the smoke test failed: /app did not end within 3 seconds;"
        " give it more time with 'check.smoke.timeout'\n"
        "linux/arm64 | I begin"
    )
    assert bench.leavings() == []
