"""Dockerfiles with RUN, carried out by real builders, also for a processor that is not here."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.graph import read_graph, read_manifest
from manyfest.oci.manifest import Manifest
from manyfest.stores.base import read_all
from manyfest.stores.layout import LayoutStore
from tests import debian, real
from tests.docker_daemon import DOCKER
from tests.integration.conftest import MANYFEST, running_registry
from tests.integration.test_login import HTPASSWD
from tests.unit.building import layer_entries

pytestmark = pytest.mark.real

EPOCH = "1700000000"
BOTH = "linux/amd64,linux/arm64"
SECRET = "correct horse battery staple"
HANGS = "sleep 98765"
"""A command line that nobody else's process has."""


@pytest.fixture(scope="session")
def busyboxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Debian's busybox for two processors, ``amd64`` and ``arm64``."""
    folder = tmp_path_factory.mktemp("busybox")
    for architecture in ("amd64", "arm64"):
        root = folder / f"root-{architecture}"
        debian.unpack(["busybox-static"], architecture, root, folder / f"apt-{architecture}")
        shutil.copy(root / "bin/busybox", folder / architecture)
    return folder


@pytest.fixture
def base(docker_registry: str, busyboxes: Path, tmp_path: Path) -> str:
    """A small system for two processors in a registry; its name."""
    return put_base(f"{docker_registry}/busybox:1", busyboxes, tmp_path)


def put_base(name: str, busyboxes: Path, folder: Path, *options: str) -> str:
    context = folder / "base"
    (context / "links").mkdir(parents=True)
    for link in ("sh", "cat", "echo", "sleep", "uname"):
        (context / "links" / link).symlink_to("busybox")
    for architecture in ("amd64", "arm64"):
        shutil.copy(busyboxes / architecture, context / architecture)
    (context / "Dockerfile").write_text(
        "FROM scratch\nARG TARGETARCH\nCOPY --chmod=755 $TARGETARCH /bin/busybox\n"
        'COPY links /bin/\nCMD ["/bin/sh"]\n'
    )
    done = run("build", "base", "--platform", BOTH, "-o", name, *options, folder=folder)
    assert done.returncode == 0, done.stderr
    return name


@pytest.fixture
def buildah(foreign_platforms: None) -> None:
    real.need_programs("buildah")


@pytest.fixture
def buildkit(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """BuildKit inside Debian's daemon, for Debian's client; the daemon's address."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    monkeypatch.setenv("PATH", f"{Path(DOCKER).parent}{os.pathsep}{os.environ['PATH']}")
    return docker_host


@pytest.fixture
def private_registry(
    certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A registry that knows Ada only, and shows a certificate that no system trusts."""
    monkeypatch.setenv("REGISTRY_HTTP_TLS_CERTIFICATE", str(certificates / "cert.pem"))
    monkeypatch.setenv("REGISTRY_HTTP_TLS_KEY", str(certificates / "key.pem"))
    monkeypatch.setenv("HOME", str(tmp_path))
    users = tmp_path / "htpasswd"
    users.write_text(HTPASSWD)
    settings = f"auth: {{htpasswd: {{realm: test, path: {users}}}}}\n"
    with running_registry(tmp_path / "registry", settings) as address:
        (tmp_path / ".docker").mkdir()
        login = {"auths": {address: {"auth": base64.b64encode(b"ada:swordfish").decode()}}}
        (tmp_path / ".docker/config.json").write_text(json.dumps(login))
        yield address


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command line as a user runs it in ``folder``, with a folder of its own for what is
    temporary."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(folder),
    )


def command(*arguments: str) -> list[str]:
    return [str(MANYFEST), *arguments]


def environment(folder: Path) -> dict[str, str]:
    (folder / "tmp").mkdir(exist_ok=True)
    return {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "TMPDIR": str(folder / "tmp")}


def project(folder: Path, base: str, *lines: str) -> Path:
    folder.mkdir()
    (folder / "Dockerfile").write_text("\n".join((f"FROM {base}", *lines)) + "\n")
    (folder / "file").write_text("a file of the context\n")
    (folder / "left-out").write_text("not this one\n")
    (folder / ".dockerignore").write_text("left-out\n")
    return folder


def built(layout: Path, tag: str = "v1") -> list[tuple[Manifest, dict[str, bytes]]]:
    """Each platform's manifest, and the files of its layers."""
    store = LayoutStore(layout)
    root = read_graph(store, store.resolve(tag)).root
    found = []
    for entry in root.index.manifests:
        manifest = read_manifest(store, entry)
        files = {
            entry.name: content
            for layer in manifest.image.layers
            for entry, content in layer_entries(store, layer)
        }
        found.append((manifest, files))
    return found


def assert_nothing_left(folder: Path) -> None:
    real.wait_until(lambda: not real.running(HANGS), "the end of what RUN started")
    assert list((folder / "tmp").iterdir()) == []
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.usefixtures("buildah")
def test_run_is_carried_out_for_each_platform(base: str, tmp_path: Path) -> None:
    project(tmp_path / "app", base, "COPY . /all", "RUN uname -m > /arch", "HEALTHCHECK CMD true")
    first = run("build", "app", "--platform", BOTH, "-o", "oci:out:v1", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    images = built(tmp_path / "out")
    assert [files["arch"] for _, files in images] == [b"x86_64\n", b"aarch64\n"]
    assert all("all/file" in files and "all/left-out" not in files for _, files in images)
    assert "linux/amd64 | STEP 3/4: RUN uname -m > /arch" in first.stderr
    assert "linux/arm64 | STEP 3/4: RUN uname -m > /arch" in first.stderr

    checked = run("check", "--deep", "--platform", BOTH, "oci:out:v1", folder=tmp_path)
    assert checked.returncode == 0, checked.stdout
    again = run("build", "app", "--platform", BOTH, "-o", "oci:two:v1", folder=tmp_path)
    assert again.stdout == first.stdout
    assert_nothing_left(tmp_path)


@pytest.mark.usefixtures("buildah")
def test_a_stage_may_run_on_the_machine_that_builds(base: str, tmp_path: Path) -> None:
    project(
        tmp_path / "app",
        "scratch AS nothing",
        f"FROM --platform=$BUILDPLATFORM {base} AS build",
        "ARG TARGETARCH",
        "RUN echo $TARGETARCH on $(uname -m) > /made",
        f"FROM {base}",
        "COPY --from=build /made /made",
    )
    done = run("build", "app", "--platform", "linux/arm64", "-o", "oci:out:v1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    machine = os.uname().machine.encode()
    assert [files["made"] for _, files in built(tmp_path / "out")] == [b"arm64 on %b\n" % machine]


@pytest.mark.usefixtures("buildah")
def test_the_base_s_layers_stay_what_they_are_in_the_registry(base: str, tmp_path: Path) -> None:
    project(tmp_path / "app", base, "RUN uname > /system")
    run("copy", base, "oci:base:v1", folder=tmp_path)
    run("build", "app", "--platform", BOTH, "-o", "oci:out:v1", folder=tmp_path)
    for (below, _), (image, _) in zip(
        built(tmp_path / "base"), built(tmp_path / "out"), strict=True
    ):
        assert image.image.layers[:-1] == below.image.layers


@pytest.mark.usefixtures("buildah")
def test_buildah_reads_bases_with_our_credentials_and_certificates(
    private_registry: str, busyboxes: Path, certificates: Path, tmp_path: Path
) -> None:
    trust = ("--ca-file", str(certificates / "ca.pem"))
    base = put_base(f"{private_registry}/team/busybox:1", busyboxes, tmp_path, *trust)
    project(tmp_path / "app", base, "RUN uname > /system")
    done = run(
        "build", "app", "--platform", "linux/amd64", *trust, "-o", "oci:out:v1", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "swordfish" not in done.stderr


@pytest.mark.usefixtures("buildah")
@pytest.mark.parametrize("how", ["src=secret", "env=TOKEN"])
def test_a_secret_is_in_no_image_and_no_output(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    project(
        tmp_path / "app",
        base,
        "RUN --mount=type=secret,id=token cat /run/secrets/token && echo read > /done",
    )
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv("TOKEN", SECRET)
    secret = f"id=token,{how}"
    done = run(
        "build", "app", "--platform", BOTH, "--secret", secret, "-o", "oci:out:v1", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "linux/arm64 | ***" in done.stderr
    assert SECRET not in done.stderr
    for manifest, files in built(tmp_path / "out"):
        assert files["done"] == b"read\n"
        assert not any(SECRET.encode() in content for content in files.values())
        config = read_all(LayoutStore(tmp_path / "out"), manifest.image.config)
        assert SECRET.encode() not in config


@pytest.mark.usefixtures("buildah")
def test_a_run_that_hangs_is_stopped_with_all_that_it_started(base: str, tmp_path: Path) -> None:
    project(tmp_path / "app", base, f"RUN ({HANGS} &) ; {HANGS}")
    done = run(
        "build", "app", "--platform", "linux/arm64", "--timeout", "5s", "-o", "oci:out:v1",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "manyfest: app/Dockerfile:2: the build for linux/arm64 was stopped after 5 seconds at"
        f" 'RUN ({HANGS} &) ; {HANGS}'; give it more with --timeout"
    )
    assert not (tmp_path / "out").exists()
    assert_nothing_left(tmp_path)


@pytest.mark.usefixtures("buildah")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_a_build_that_is_ended_leaves_no_process(
    base: str, tmp_path: Path, number: signal.Signals
) -> None:
    project(tmp_path / "app", base, f"RUN {HANGS}")
    told = tmp_path / "told"
    with told.open("wb") as output:
        process = subprocess.Popen(
            command("build", "app", "--platform", BOTH, "-o", "oci:out:v1"),
            cwd=tmp_path,
            env=environment(tmp_path),
            stderr=output,
            start_new_session=True,
        )
    real.wait_until(lambda: told.read_text().count(f"RUN {HANGS}") == 2, "both RUN")
    real.wait_until(lambda: bool(real.running(HANGS)), "a program of RUN")
    process.send_signal(number)
    assert process.wait(30) == (130 if number is signal.SIGINT else -9)
    real.wait_until(lambda: not real.running(HANGS), "the end of what RUN started")
    # What a killed build left on disk, the next one removes.
    run("build", "base", "--platform", BOTH, "-o", "oci:other:v1", folder=tmp_path)
    assert_nothing_left(tmp_path)


@pytest.mark.usefixtures("buildah")
def test_a_run_that_fails_is_named_with_its_last_words(base: str, tmp_path: Path) -> None:
    project(tmp_path / "app", base, "RUN echo no such compiler >&2; exit 3")
    done = run("build", "app", "--platform", "linux/arm64", "-o", "oci:out:v1", folder=tmp_path)
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told.startswith(
        "manyfest: app/Dockerfile:2: the build for linux/arm64 failed at"
        " 'RUN echo no such compiler >&2; exit 3': exit status 3: no such compiler / "
    )


def test_buildkit_inside_docker_builds_the_same_files(
    base: str, tmp_path: Path, buildkit: str
) -> None:
    project(
        tmp_path / "app",
        base,
        "COPY . /all",
        "RUN --mount=type=secret,id=token uname -m > /arch; cat /run/secrets/token",
        "HEALTHCHECK CMD true",
    )
    (tmp_path / "secret").write_text(SECRET)
    arguments = [
        "build", "app", "--backend", "docker", "--network", "none", "--platform", "linux/amd64",
        "--secret", "id=token,src=secret", "--no-cache",
    ]  # fmt: skip
    first = run(*arguments, "-o", "oci:out:v1", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    ((_, files),) = built(tmp_path / "out")
    assert files["arch"] == b"x86_64\n"
    assert files["all/file"] == b"a file of the context\n"
    assert "all/left-out" not in files
    assert SECRET not in first.stderr
    assert not any(SECRET.encode() in content for content in files.values())
    assert run(*arguments, "-o", "oci:two:v1", folder=tmp_path).stdout == first.stdout
    assert run("check", "--deep", "oci:out:v1", folder=tmp_path).returncode == 0
    names = real.output_of(DOCKER, "--host", buildkit, "images", "--format", "{{.Repository}}")
    assert "manyfest-build" not in names


def test_a_run_that_hangs_in_docker_is_stopped(base: str, tmp_path: Path, buildkit: str) -> None:
    project(tmp_path / "app", base, f"RUN {HANGS}")
    done = run(
        "build", "app", "--backend", "docker", "--network", "none", "--platform", "linux/amd64",
        "--timeout", "5", "-o", "oci:out:v1", folder=tmp_path,
    )  # fmt: skip
    assert "the build for linux/amd64 was stopped after 5 seconds" in done.stderr
    assert_nothing_left(tmp_path)


@pytest.mark.usefixtures("buildah")
def test_a_release_builds_what_has_run(base: str, docker_registry: str, tmp_path: Path) -> None:
    lines = ("COPY . /all", "RUN uname -m > /arch", 'CMD ["/bin/cat", "/arch"]')
    folder = project(tmp_path / "app", base, *lines)
    (folder / "manyfest.yaml").write_text(
        "name: app\nbuild: {platforms: [linux/amd64, linux/arm64]}\n"
        f'tags: ["{{{{version}}}}", latest]\npublish: [{docker_registry}/app]\n'
    )
    done = run("release", "--version", "1.0.0", "--allow-dirty", folder=folder)
    assert done.returncode == 0, done.stderr
    run("copy", f"{docker_registry}/app:latest", "oci:out:v1", folder=folder)
    images = built(folder / "out")
    assert [files["arch"] for _, files in images] == [b"x86_64\n", b"aarch64\n"]
    assert sorted(name for name in images[0][1] if name.startswith("all/")) == [
        "all/.dockerignore",
        "all/Dockerfile",
        "all/dist",
        "all/dist/.gitignore",
        "all/file",
        "all/manyfest.yaml",
        "all/tmp",
    ]


@pytest.fixture(autouse=True)
def _no_stray_processes() -> Iterator[None]:
    yield
    assert real.running(HANGS) == []
