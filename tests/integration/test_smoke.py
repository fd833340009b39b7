"""The smoke test, run by real runtimes of containers, for this processor and another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from manyfest.build.workspace import room
from manyfest.copy import copy_graph
from manyfest.errors import ManyfestError
from manyfest.graph import read_graph, read_manifest
from manyfest.layers.entry import Entry, EntryType
from manyfest.oci.config import RunConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.release.smoke.run import smoke_test
from manyfest.release.smoke.trial import Trial
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.writer import ArchiveWriter
from tests import real
from tests.integration import smoke
from tests.integration.conftest import Manyfest
from tests.programs import hanging, printing
from tests.unit.check_images import Images, Item, directory, file, hardlink, program, symlink
from tests.unit.releases import Notes

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("foreign_platforms")]

BUSYBOX = Path("/bin/busybox")
TRY_LAYOUT = (
    "import sys, pathlib; from tests.integration.smoke import try_layout;"
    "try_layout(*map(pathlib.Path, sys.argv[1:3]), *sys.argv[3:])"
)
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
        self._kept_before: set[str] = set()

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
        layer = self.store.layer(
            directory("bin"), program("bin/busybox", BUSYBOX.read_bytes()), *links, *items
        )
        run = RunConfig(**{"entrypoint": ("/bin/sh", "-c"), **changes})  # type: ignore[arg-type]
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

    def leavings(self) -> set[str]:
        """What is left, of whatever kind, and what is not there any more."""
        left = {str(path) for path in self.folder.iterdir()} | set(self.notes.said)
        return (left | self._kept()) ^ self._kept_before

    def look(self) -> None:
        """What the runtime keeps now is somebody else's."""
        self._kept_before = self._kept()

    def _kept(self) -> set[str]:
        """What the runtime knows: containers, names of images, volumes."""
        if self.runtime == "crun":
            return set()
        names = "images --format={{.Repository}}:{{.Tag}}@{{.ID}}"
        asked = ("ps --all --quiet", names, "volume ls --quiet")
        told = (real.output_of(self.runtime, *words.split()) for words in asked)
        return {line for text in told for line in text.splitlines()}


@pytest.fixture
def bench(runtime: str, tmp_path: Path) -> Bench:
    bench = Bench(runtime, tmp_path)
    bench.look()
    return bench


def test_every_platform_prints_what_is_expected(bench: Bench) -> None:
    root = bench.pair(printing("amd64", "app 2.6.1\n"), printing("arm64", "app 2.6.1\n"))
    assert bench.test(root, VERSION) == ""
    assert bench.leavings() == set()


def test_what_one_platform_prints_is_not_what_is_expected(bench: Bench) -> None:
    root = bench.pair(printing("amd64", "app 2.6.1\n"), printing("arm64", "app 2.6.0\n"))
    assert bench.test(root, VERSION) == (
        "linux/arm64: the smoke test failed: /app --version did not print 'app 2.6.1'\n"
        "linux/arm64 | app 2.6.0"
    )
    assert bench.leavings() == set()


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
    assert bench.leavings() == set()


def test_a_container_has_the_image_s_settings(bench: Bench) -> None:
    """What Docker does is what all three do."""
    accounts = [
        file("etc/passwd", b"app:x:1234:1235:An app:/home/app:/bin/sh\n"),
        file("etc/group", b"app:x:1235:\naudio:x:63:other,app\n"),
    ]
    root = bench.shell(
        *accounts, user="app", env=("GREETING=hello",), working_dir="/srv/data",
        volumes={"/var/lib/app": {}},
    )  # fmt: skip
    tried = 'echo "$(id -u):$(id -g):$(id -G) $HOME $PWD $GREETING" && cd /var/lib/app'
    expected = "1234:1235:1235 63 /home/app /srv/data hello"
    assert bench.test(root, Trial(command=(tried,), expect=expected)) == ""
    assert bench.leavings() == set()


def test_a_container_may_write_and_reaches_nobody(bench: Bench) -> None:
    root = bench.shell(directory("tmp"))
    tried = (
        "echo x > /tmp/x && echo x > /here && echo x > /dev/null && cat /proc/self/stat &&"
        " cat /etc/hosts && for link in /sys/class/net/*; do echo link ${link##*/}; done"
    )
    assert bench.test(root, Trial(command=(tried,), expect="link lo\n")) == ""
    assert "link" in bench.test(root, Trial(command=(tried,), expect="link eth0"))


def test_root_in_a_container_has_what_docker_gives_it(bench: Bench) -> None:
    root = bench.shell()
    tried = "cat /proc/self/status && ! echo 1 > /proc/sys/vm/swappiness && ! mount -t tmpfs x /mnt"
    assert bench.test(root, Trial(command=(tried,), expect="Seccomp:")) == ""


def test_layers_are_laid_over_each_other(bench: Bench) -> None:
    lower = bench.store.layer(
        program("bin/busybox", BUSYBOX.read_bytes()), symlink("bin/sh", "busybox"),
        *(symlink(f"bin/{name}", "busybox") for name in ("cat", "test", "stat")),
        file("etc/gone", b"1"), file("etc/old", b"2"),
        file("data/first", b"one file"), hardlink("data/second", "data/first"),
    )  # fmt: skip
    upper = bench.store.layer(
        file("etc/.wh.gone"), file("etc/old", b"new"),
    )  # fmt: skip
    run = RunConfig(entrypoint=("/bin/sh", "-ec"))
    root = bench.store.index(bench.store.image(lower, upper, run=run))
    tried = (
        "test ! -e /etc/gone; cat /etc/old;"
        ' test "$(stat -c %i.%h /data/first)" = "$(stat -c %i.%h /data/second)"; echo " all well"'
    )
    assert bench.test(root, Trial(command=(tried,), expect="new all well")) == ""


def test_what_a_user_has_there_stays(bench: Bench) -> None:
    """The image is there already, under a name of the user's."""
    if bench.runtime == "crun":
        pytest.skip("it keeps no images")
    root = bench.pair(printing("amd64", "app 2.6.1\n"), printing("arm64", "app 2.6.1\n"))
    archive = archive_of(bench, root)
    real.output_of(bench.runtime, "load", "-q", "-i", archive)
    archive.unlink()
    bench.look()
    known = real.output_of(bench.runtime, "images", "--format={{.Repository}}:{{.Tag}}").split()
    [name] = [each for each in known if each.removeprefix("docker.io/library/") == "app:v1"]

    assert bench.test(root, VERSION) == ""

    assert bench.leavings() == set()
    real.output_of(bench.runtime, "image", "rm", name)


def archive_of(bench: Bench, root: Descriptor) -> Path:
    """The image for this processor as ``docker load`` takes it, named ``app:v1``."""
    path = bench.folder / "image.tar"
    native = read_manifest(bench.store, root).index.manifests[1]
    with ArchiveWriter(path, naming=Naming("docker.io/library/app", None)) as target:
        copy_graph(bench.store, read_graph(bench.store, native), target, ["v1"])
    return path


def test_a_secret_in_the_output_is_hidden(bench: Bench) -> None:
    root = bench.shell()
    trial = Trial(command=("echo the token is hunter2; exit 1",), hidden=(b"hunter2",))
    assert bench.test(root, trial).endswith("\nlinux/amd64 | the token is ***")


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"#!/none\n", "no such file or directory"), (b"\x7fELF and more", "exec format error")],
)
def test_what_the_kernel_does_not_start_is_not_what_was_expected(
    bench: Bench, content: bytes, why: str
) -> None:
    """Though a container for it exits with 1."""
    root = bench.store.index(bench.store.image(bench.store.layer(program("app", content))))
    told = bench.test(root, Trial(exit=1)).splitlines()[0]
    assert told == f"linux/amd64: the smoke test failed: /app could not be started: {why}"


def test_a_runtime_that_starts_nothing_says_nothing_of_the_image(bench: Bench) -> None:
    root = bench.store.index(bench.store.image(bench.store.layer(file("app"))))
    why = bench.test(root, Trial(exit=1))
    assert why.startswith(f"the smoke test could not be run; {bench.runtime}: linux/amd64: ")
    assert bench.leavings() == set()


def test_the_runtime_that_is_asked_for_must_be_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bench = Bench("podman", tmp_path)
    root = bench.pair(printing("amd64", ""), printing("arm64", ""))
    assert bench.test(root, VERSION) == (
        "the smoke test could not be run; podman: it is not installed; mend one of these,"
        " or let 'check.smoke.runtime' name another: docker, podman or crun"
    )


def test_the_first_runtime_that_works_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Docker is down, and Podman starts nothing."""
    folder = tmp_path_factory.mktemp("s")
    smoke.use_docker(monkeypatch, f"unix://{tmp_path}/none", folder)
    smoke.use_podman(monkeypatch, folder)
    smoke.use_crun(monkeypatch, folder)
    podman = folder / "bin" / "podman"
    real_one = "exec /usr/bin/podman"
    broken = podman.read_text().replace(real_one, f'[ "$1" != start ] || exit 1\n{real_one}')
    podman.write_text(broken)
    bench = Bench("auto", tmp_path)
    root = bench.pair(printing("amd64", "app 2.6.1\n"), printing("arm64", "app 2.6.1\n"))
    passed = smoke_test(bench.store, root, VERSION, folder=tmp_path, progress=bench.notes)
    assert passed.runtime == "crun"
    assert bench.notes.said == [
        "smoke test: docker is not used: nothing listens there",
        "smoke test: podman is not used: linux/amd64: the container is created",
    ]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_running_by_a_run_that_was_ended(
    bench: Bench, number: signal.Signals, tmp_path: Path
) -> None:
    smoke.put_layout(bench.store, bench.pair(hanging("amd64"), hanging("arm64")), tmp_path)
    folder = tmp_path / "work"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", TRY_LAYOUT, tmp_path / "layout", folder, bench.runtime],
        cwd=Path(__file__).parents[2],
    ) as process:
        real.wait_until(lambda: bool(containers(folder)), "the container")
        process.send_signal(number)
        process.wait()
    real.wait_until(lambda: not containers(folder), "the end of the container")
    if number == signal.SIGINT:
        assert list(folder.iterdir()) == []
    bench.folder = folder
    with room(folder):
        pass  # the next run removes what a killed one had to leave
    real.wait_until(lambda: bench.leavings() == set(), "clearing up")


def containers(folder: Path) -> list[str]:
    """Processes of the images' program."""
    return real.running(f"/app {folder}")


def test_crun_needs_no_rights() -> None:
    """All files belong to the image's user then, and none of them hinders the clearing up."""
    real.need_programs("crun", "unshare", "setpriv")
    real.need_root()
    closed = Entry(name="closed", type=EntryType.DIR, mode=0o555), None
    accounts = file("etc/passwd", b"app:x:1234:1235::/home:/bin/sh\n")
    tried = 'echo "$(id -u):$(id -g) $PWD"; cat /closed/file; exec cat /proc/self/attr/none'
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        bench = Bench("crun", folder)
        root = bench.shell(
            closed, file("closed/file", b"content\n"), accounts, user="app", working_dir="/work",
            entrypoint=("/bin/sh", "-c", tried),
        )  # fmt: skip
        smoke.put_layout(bench.store, root, folder)
        work = folder / "work"
        work.mkdir()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
        command: list[str | Path] = [
            sys.executable,
            "-c",
            TRY_LAYOUT,
            folder / "layout",
            work,
            "crun",
        ]
        done = subprocess.run(
            smoke.as_nobody(command), cwd=Path(__file__).parents[2],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert list(work.iterdir()) == []
    assert done.stdout.splitlines()[1:] == [
        "linux/amd64 | 1234:1235 /work",
        "linux/amd64 | content",
        "linux/amd64 | cat: can't open '/proc/self/attr/none': No such file or directory",
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Programs for two platforms, and how to build and try an image of them."""
    for architecture in ("amd64", "arm64"):
        path = tmp_path / "bin" / architecture
        path.mkdir(parents=True)
        (path / "app").write_bytes(printing(architecture, "app 2.6.1\n"))
        (path / "app").chmod(0o755)
    (tmp_path / "Dockerfile").write_text(
        'FROM scratch\nARG TARGETARCH\nCOPY bin/$TARGETARCH /\nENTRYPOINT ["/app"]\n'
    )
    (tmp_path / "manyfest.yaml").write_text(
        "name: app\nbuild: {platforms: [linux/amd64, linux/arm64]}\n"
        'check: {smoke: {command: [--version], expect: "app {{version}}", runtime: crun}}\n'
    )
    return tmp_path


def test_a_release_is_tried_before_anything_is_published(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    project: Path,
    docker_registry: str,
    manyfest: Manyfest,
) -> None:
    smoke.use_crun(monkeypatch, tmp_path_factory.mktemp("s"))
    told = ("release", "--to", f"{docker_registry}/app", "--version")

    wrong = manyfest(*told, "2.6.2", cwd=project)
    assert wrong.returncode == 1
    assert wrong.stderr.splitlines()[-3:] == [
        "manyfest: manyfest.yaml:3: linux/amd64: the smoke test failed: /app --version did not"
        " print 'app 2.6.2' (nor did it pass on linux/arm64)",
        "linux/amd64 | app 2.6.1",
        "linux/arm64 | app 2.6.1",
    ]
    assert manyfest("ls", docker_registry).stdout == ""

    right = manyfest(*told, "2.6.1", cwd=project)
    assert right.returncode == 0, right.stderr
    assert "smoke: 2 platforms passed, run by crun" in right.stderr
    assert [path.name for path in (project / "dist").glob(".manyfest-build-*")] == []
