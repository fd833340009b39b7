"""What builders are called with. Programs of their names stand in for them, keep their arguments
and give an image."""

from __future__ import annotations

import platform as this
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.build.backends import buildah as buildah_module
from manyfest.build.backends.choose import find_backend
from manyfest.build.backends.registries import write_access
from manyfest.build.bases import BaseImage
from manyfest.build.dockerfile.parse import parse_dockerfile
from manyfest.build.request import BuildRequest
from manyfest.build.secrets import BuildSecret
from manyfest.errors import BuildError, ConnectionFailed
from manyfest.oci.config import ImageConfig, RootFS
from manyfest.oci.digest import Digest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.base import Source
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.auth.credentials import CredentialStore, NoCredentials
from manyfest.stores.registry.http import FunctionTransport
from manyfest.stores.registry.store import RegistryStore
from tests import images
from tests.scripts import answer
from tests.unit.building import Bench, bench_with_base

WORKERS = (
    '[{"platforms":[{"os":"linux","architecture":"amd64"},{"os":"linux","architecture":"new"}]}]'
)
PLAIN = parse_dockerfile("FROM scratch\nRUN make\n", "Dockerfile")
HEREDOC = parse_dockerfile("FROM scratch\nRUN <<END\nmake\nEND\n", "Dockerfile")
INSPECTED = """Name:   default
Driver: {driver}

Nodes:
Name:      default
Platforms: linux/amd64*, linux/arm64, linux/arm/v7
"""


@dataclass
class Programs:
    """Programs on a PATH of their own. Each notes its arguments, and then does what it says."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def add(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {self.folder}/called\n{script}\n')
        path.chmod(0o755)

    def called(self, marker: str) -> list[str]:
        """The words of the one call that has ``marker`` among them."""
        calls = map(shlex.split, (self.folder / "called").read_text().splitlines())
        (found,) = (words for words in calls if marker in words)
        return found


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    with ArchiveWriter(folder / "image.tar") as archive:
        archive.tag("v1", images.content_of(images.image(archive)))
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    monkeypatch.delenv("BUILDKIT_HOST", raising=False)
    return Programs(folder, monkeypatch)


def alone(folder: Path) -> dict[str, str]:
    """An environment whose PATH has only the stand-ins."""
    return {"PATH": str(folder)}


def asked(bench: Bench, backend: str) -> BuildRequest:
    request = bench.request("FROM scratch AS one\nRUN x\nFROM one AS two\n", args={"A": "b c"})
    return replace(
        request,
        backend=backend,
        target="two",
        no_cache=True,
        network="none",
        secrets=(BuildSecret(id="token", value=b"hush"),),
    )


def test_buildctl_is_asked_for_an_archive(programs: Programs, tmp_path: Path) -> None:
    script = (
        f"case $1 in debug) echo '{WORKERS}';; *) cp {programs.folder}/image.tar image.tar;; esac"
    )
    programs.add("buildctl", script)
    programs.monkeypatch.setenv("BUILDKIT_HOST", "unix:///b.sock")
    bench = Bench(tmp_path / "bench")
    built = bench.run(asked(bench, "buildctl"))
    words = programs.called("--frontend=dockerfile.v0")
    assert str(built.platforms[0].platform) == "linux/amd64"
    assert words[0] == "build"
    assert f"--local=context={bench.context}" in words
    assert {
        "--opt=filename=Dockerfile",
        "--opt=platform=linux/amd64",
        "--opt=target=two",
        "--opt=force-network-mode=none",
        "--secret=id=token,src=../secret-0",
        "--no-cache",
        "--output=type=oci,dest=image.tar",
    } <= set(words)
    assert "hush" not in (programs.folder / "called").read_text()


def test_a_platform_that_buildkit_does_not_have(programs: Programs, tmp_path: Path) -> None:
    programs.add("buildctl", f"echo '{WORKERS}'")
    programs.monkeypatch.setenv("BUILDKIT_HOST", "unix:///b.sock")
    bench = Bench(tmp_path / "bench")
    request = replace(asked(bench, "buildctl"), platforms=(Platform.parse("linux/arm64"),))
    with pytest.raises(BuildError) as caught:
        bench.run(request)
    assert str(caught.value) == (
        "BuildKit at unix:///b.sock cannot run programs for linux/arm64: it has linux/amd64;"
        " run: docker run --privileged --rm tonistiigi/binfmt --install arm64"
    )


def test_a_buildkit_that_does_not_answer(programs: Programs, tmp_path: Path) -> None:
    programs.add("buildctl", "exit 1")
    programs.monkeypatch.setenv("BUILDKIT_HOST", "unix:///b.sock")
    bench = Bench(tmp_path / "bench")
    with pytest.raises(BuildError, match=r"unix:///b.sock: BuildKit does not answer; see: "):
        bench.run(asked(bench, "buildctl"))


def test_buildx_with_a_builder_of_its_own_writes_an_archive(
    programs: Programs, tmp_path: Path
) -> None:
    programs.add(
        "docker",
        f"""case "$1 $2" in
        "buildx version") echo 1;;
        "buildx inspect") echo '{INSPECTED.format(driver="docker-container")}';;
        *) cp {programs.folder}/image.tar image.tar;;
        esac""",
    )
    bench = Bench(tmp_path / "bench")
    bench.run(asked(bench, "docker"))
    words = programs.called("--progress=plain")
    assert words[:2] == ["buildx", "build"]
    assert {
        "--provenance=false",
        "--sbom=false",
        "--platform=linux/amd64",
        "--target=two",
        "--network=none",
        "--no-cache",
        "--pull",
        "--output=type=oci,dest=image.tar",
    } <= set(words)
    assert "hush" not in (programs.folder / "called").read_text()


def test_the_daemon_s_name_for_an_image_goes_away_even_if_reading_it_fails(
    programs: Programs, tmp_path: Path
) -> None:
    programs.add("docker", 'case "$1" in buildx) exit 1;; version) echo 20.10.24;; esac')
    programs.monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    programs.monkeypatch.setattr(this, "machine", lambda: "x86_64")
    bench = Bench(tmp_path / "bench")
    with pytest.raises(ConnectionFailed):
        bench.run(asked(bench, "docker"))
    built = programs.called("--progress=plain")
    (name,) = (word.removeprefix("--tag=") for word in built if word.startswith("--tag="))
    assert name.startswith("manyfest-build:")
    assert programs.called("rm") == ["image", "rm", name]


@pytest.mark.parametrize(
    ("version", "usable"), [("20.10.24", True), ("22.06", True), ("23.0.1", False), ("", False)]
)
def test_a_docker_without_buildx_is_of_use_up_to_version_22(
    programs: Programs, version: str, usable: bool
) -> None:
    programs.add("docker", f'test "$1" = buildx && exit 1; echo {version}')
    environ = alone(programs.folder)
    if usable:
        assert find_backend("docker", environ, PLAIN).name == "docker"
        return
    with pytest.raises(BuildError, match="the back end docker is not here; install the docker"):
        find_backend("docker", environ, PLAIN)


def test_the_first_that_is_there_is_taken(programs: Programs) -> None:
    environ = alone(programs.folder)
    programs.add("buildctl", "")
    with pytest.raises(BuildError, match="RUN needs a builder that runs programs"):
        find_backend("auto", environ, PLAIN)
    found = [find_backend("auto", environ | {"BUILDKIT_HOST": "tcp://b"}, PLAIN).name]
    programs.add("docker", "")
    found.append(find_backend("auto", environ, PLAIN).name)
    programs.add("buildah", "")
    found.append(find_backend("auto", environ, PLAIN).name)
    assert found == ["buildctl", "docker", "buildah"]


@pytest.mark.parametrize(("version", "reads"), [("1.28.2", False), ("1.35.0", True), ("2.0", True)])
def test_buildah_reads_here_documents_since_1_35(
    programs: Programs, version: str, reads: bool
) -> None:
    programs.add("buildah", f"echo 'buildah version {version} (image-spec 1.1.0)'")
    found = find_backend("buildah", alone(programs.folder), PLAIN)
    assert found.reads(HEREDOC) is reads


def test_an_older_docker_reads_here_documents_by_a_front_end_that_is_named(
    programs: Programs,
) -> None:
    programs.add("docker", 'test "$1" = buildx && exit 1; echo 20.10.24')
    found = find_backend("docker", alone(programs.folder), PLAIN)
    named = parse_dockerfile(f"# syntax=docker/dockerfile:1\n{HEREDOC.text}", "Dockerfile")
    assert (found.reads(HEREDOC), found.reads(named)) == (False, True)


def test_buildah_builds_in_a_store_of_its_own(programs: Programs, tmp_path: Path) -> None:
    programs.add(
        "buildah",
        f"""for word; do case $word in
        --iidfile=*) echo sha256:1 > "${{word#--iidfile=}}";;
        push) cp {programs.folder}/image.tar image.tar;;
        esac; done""",
    )
    programs.monkeypatch.setattr(buildah_module, "_ALONE", ("env",))
    programs.monkeypatch.setenv("STORAGE_DRIVER", "vfs")
    programs.monkeypatch.delenv("BUILDAH_ISOLATION", raising=False)
    bench = Bench(tmp_path / "bench")
    bench.run(replace(asked(bench, "buildah"), network="host"))
    words = programs.called("--format=docker")
    work = bench.folder / "work1"
    assert words[0].startswith(f"--root={work}/builder-")
    assert words[1].startswith(f"--runroot={work}/builder-")
    assert {
        "--storage-driver=vfs",
        "--layers=false",
        "--identity-label=false",
        "--timestamp=1700000000",
        "--isolation=chroot",
        "--platform=linux/amd64",
        "--network=host",
        "--target=two",
    } <= set(words)
    assert words[-1] == str(bench.context)
    assert "hush" not in (programs.folder / "called").read_text()
    assert list(work.glob("builder-*")) == []


def test_buildah_is_told_the_platform_of_every_base(programs: Programs, tmp_path: Path) -> None:
    programs.add(
        "buildah",
        f"""for word; do case $word in
        --file=*) cp "${{word#--file=}}" {programs.folder}/given;;
        build) failed=1;;
        esac; done; exit $failed""",
    )
    programs.monkeypatch.setattr(buildah_module, "_ALONE", ("env",))
    programs.monkeypatch.setenv("STORAGE_DRIVER", "vfs")
    programs.monkeypatch.setattr(this, "machine", lambda: "x86_64")
    bench = bench_with_base(tmp_path / "bench", "FROM scratch\nUSER 1\n", {})
    dockerfile = (
        "FROM --platform=$BUILDPLATFORM base:1 AS build\nARG BUILDARCH\nRUN make\n"
        "from \\\n  --platform=$TARGETPLATFORM \\\n  base:1 as last\n"
        "FROM last\nFROM scratch\nFROM last\nCOPY --from=build /a /a\n"
    )
    request = bench.request(dockerfile, "linux/arm64", args={})
    with pytest.raises(BuildError):
        bench.run(replace(request, backend="buildah"))
    assert (programs.folder / "given").read_text() == (
        "FROM --platform=linux/amd64 base:1 AS build\nARG BUILDARCH\nRUN make\n"
        "from --platform=linux/arm64 \\\n  \\\n  base:1 as last\n"
        "FROM last\nFROM scratch\nFROM last\nCOPY --from=build /a /a\n"
    )
    words = programs.called("--format=docker")
    assert [word for word in words if word.startswith("--build-arg=")] == [
        "--build-arg=BUILDPLATFORM=linux/amd64",
        "--build-arg=BUILDARCH=amd64",
    ]


def base(name: str, source: Source) -> BaseImage:
    return BaseImage(
        name=name,
        full_name=str(Name.parse(name)),
        digest=Digest("sha256", "0" * 64),
        source=source,
        config=ImageConfig(architecture="amd64", os="linux", rootfs=RootFS()),
        layers=(),
    )


def test_buildah_gets_our_credentials_and_certificates_in_files(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(
        '{"auths": {"ghcr.io": {"auth": "dXM6cGFzcw=="}, "other.io": {"auth": "YTpi"},'
        ' "https://index.docker.io/v1/": {"auth": "bWU6aHVzaA=="}}}'
    )
    (tmp_path / "ca.pem").write_text("CA")
    work = tmp_path / "work"
    work.mkdir()
    access = write_access(
        work,
        [base("debian", MemoryStore()), base("ghcr.io/a/b", MemoryStore())],
        credentials=CredentialStore((file,), {}),
        ca_file=tmp_path / "ca.pem",
        environ={},
    )
    assert (work / "auth.json").read_text() == (
        '{"auths": {"docker.io/library/debian": {"auth": "bWU6aHVzaA=="},'
        ' "ghcr.io/a/b": {"auth": "dXM6cGFzcw=="}}}'
    )
    assert (work / "auth.json").stat().st_mode & 0o777 == 0o600
    assert (work / "certificates/ca.crt").read_text() == "CA"
    assert access.options == (
        "--authfile", str(work / "auth.json"), "--cert-dir", str(work / "certificates"),
    )  # fmt: skip
    assert access.environment == {}


def test_buildah_speaks_plain_http_where_we_do_beside_the_user_s_own_settings(
    tmp_path: Path,
) -> None:
    own = tmp_path / "own.conf"
    own.write_text('unqualified-search-registries = ["docker.io"]')
    transport = FunctionTransport(lambda _request: answer())
    http, https = (
        RegistryStore(Name.parse("127.0.0.1:5000/a"), transport, scheme=scheme)
        for scheme in ("http", "https")
    )
    work = tmp_path / "work"
    work.mkdir()
    access = write_access(
        work,
        [base("127.0.0.1:5000/a", http), base("ghcr.io/a", https)],
        credentials=NoCredentials(),
        ca_file=None,
        environ={"CONTAINERS_REGISTRIES_CONF": str(own)},
    )
    assert access.environment == {"CONTAINERS_REGISTRIES_CONF": str(work / "registries.conf")}
    assert (work / "registries.conf").read_text() == (
        'unqualified-search-registries = ["docker.io"]\n'
        '[[registry]]\nlocation = "127.0.0.1:5000"\ninsecure = true\n'
    )
