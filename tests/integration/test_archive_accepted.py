"""One archive that everything loads: a file that manyfest wrote, given to the tools it is for.

It has a program that runs, for amd64, and files for arm64.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from manyfest.oci.digest import Digest
from tests import real
from tests.integration.conftest import MANYFEST
from tests.runtimes import podman_in, running_containerd

pytestmark = pytest.mark.real

DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
COPY shared /etc/shared
COPY $TARGETARCH /bin
ENTRYPOINT ["/bin/busybox"]
CMD ["cat", "/etc/shared"]
"""

NAME = "registry.example.org/team/app"


@dataclass(frozen=True)
class Archive:
    """The file, the digest of its index, and each platform's manifest and configuration."""

    path: Path
    index: str
    manifests: dict[str, str]
    configs: dict[str, str]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Built by manyfest, copied by manyfest: an index for amd64 and arm64 as ``NAME:v1``."""
    real.need_programs("/usr/bin/busybox")
    folder = tmp_path_factory.mktemp("archive")
    context = folder / "context"
    for name in ("amd64", "arm64"):
        (context / name).mkdir(parents=True)
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "shared").write_text("what both have\n")
    shutil.copy("/usr/bin/busybox", context / "amd64" / "busybox")
    (context / "arm64" / "busybox").write_text("a program for arm64\n")

    built, path = f"oci:{folder}/built:v1", folder / "app.tar"
    platforms = "--platform=linux/amd64,linux/arm64"
    real.output_of(MANYFEST, "build", "-q", context, platforms, "-o", built)
    index = real.output_of(
        MANYFEST, "copy", "-q", platforms, built, f"oci-archive:{path}:{NAME}:v1"
    )
    return described(path, index)


def described(path: Path, index: str) -> Archive:
    """What is in the archive, by the digests in its documents."""
    manifests = {
        entry["platform"]["architecture"]: entry["digest"]
        for entry in json.loads(member(path, blob(index)))["manifests"]
    }
    configs = {
        name: json.loads(member(path, blob(digest)))["config"]["digest"]
        for name, digest in manifests.items()
    }
    return Archive(path, index, manifests, configs)


def blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def member(path: Path, name: str) -> bytes:
    with tarfile.open(path) as opened:
        file = opened.extractfile(name)
        assert file is not None
        return file.read()


def test_no_blob_is_in_it_twice(archive: Archive) -> None:
    with tarfile.open(archive.path) as opened:
        files = [each.name for each in opened if each.isfile()]
        assert not [each.name for each in opened if each.islnk() or each.issym()]
    contents = [member(archive.path, name) for name in files]

    assert len(set(files)) == len(files)
    assert len(set(contents)) == len(contents)
    blobs = {name: content for name, content in zip(files, contents, strict=True) if "/" in name}
    assert {name: str(Digest.of(content)) for name, content in blobs.items()} == {
        name: name.removeprefix("blobs/").replace("/", ":") for name in blobs
    }


def test_docker_load_takes_both_platforms_and_runs_this_one(
    archive: Archive, docker: list[str]
) -> None:
    loaded = real.output_of(*docker, "load", "--input", archive.path)
    assert set(loaded.splitlines()) == {
        f"Loaded image: {NAME}:v1",
        f"Loaded image: {NAME}:v1-amd64",
        f"Loaded image: {NAME}:v1-arm64",
    }

    def inspected(name: str) -> str:
        form = "--format={{.Id}} {{.Architecture}}"
        return real.output_of(*docker, "image", "inspect", form, name)

    assert inspected(f"{NAME}:v1") == inspected(f"{NAME}:v1-amd64")
    assert inspected(f"{NAME}:v1-amd64") == f"{archive.configs['amd64']} amd64"
    assert inspected(f"{NAME}:v1-arm64") == f"{archive.configs['arm64']} arm64"
    said = real.output_of(*docker, "run", "--rm", "--network=none", f"{NAME}:v1")
    assert said == "what both have"


def test_podman_load_takes_this_platform(
    archive: Archive, tmp_path_factory: pytest.TempPathFactory
) -> None:
    podman = podman_in(tmp_path_factory.mktemp("p"))
    assert podman("load", "--input", str(archive.path)) == f"Loaded image: {NAME}:v1"
    found = podman("image", "inspect", "--format={{.Id}} {{.Architecture}}", f"{NAME}:v1")
    assert f"sha256:{found}" == f"{archive.configs['amd64']} amd64"


@pytest.mark.parametrize(
    ("options", "platforms"), [((), ["amd64"]), (("--all-platforms",), ["amd64", "arm64"])]
)
def test_ctr_takes_the_index_and_the_platforms_that_it_is_told_to(
    archive: Archive,
    tmp_path_factory: pytest.TempPathFactory,
    options: tuple[str, ...],
    platforms: list[str],
) -> None:
    with running_containerd(tmp_path_factory.mktemp("c")) as ctr:
        ctr("images", "import", "--no-unpack", *options, str(archive.path))
        _, image = ctr("images", "ls").splitlines()
        name, kind, digest, *_ = image.split()

        assert (name, kind, digest) == (
            f"{NAME}:v1",
            "application/vnd.oci.image.index.v1+json",
            archive.index,
        )
        assert "linux/amd64,linux/arm64" in image
        held = ctr("content", "ls", "--quiet").split()
    assert archive.index in held
    for platform in platforms:
        assert {archive.manifests[platform], archive.configs[platform]} <= set(held)


@pytest.mark.parametrize("tag", ["", ":v1"])
def test_skopeo_takes_it_for_an_oci_archive(archive: Archive, tmp_path: Path, tag: str) -> None:
    real.need_programs("skopeo")
    reference = f"oci-archive:{archive.path}{tag}"
    raw = real.output_of("skopeo", "inspect", "--raw", reference)
    assert str(Digest.of(raw.encode())) == archive.index

    real.output_of("skopeo", "copy", "--all", reference, f"oci:{tmp_path}/copied:v1")
    copied = json.loads((tmp_path / "copied" / "index.json").read_text())
    assert [entry["digest"] for entry in copied["manifests"]] == [archive.index]


@pytest.mark.parametrize(
    ("tag", "platform"), [("v1", "amd64"), ("v1-amd64", "amd64"), ("v1-arm64", "arm64")]
)
def test_skopeo_takes_it_for_a_docker_archive(
    archive: Archive, tmp_path: Path, tag: str, platform: str
) -> None:
    real.need_programs("skopeo")
    reference = f"docker-archive:{archive.path}:{NAME}:{tag}"
    config = real.output_of("skopeo", "inspect", "--config", reference)
    assert json.loads(config)["architecture"] == platform

    real.output_of("skopeo", "copy", reference, f"dir:{tmp_path}/copied")
    copied = json.loads((tmp_path / "copied" / "manifest.json").read_text())
    assert copied["config"]["digest"] == archive.configs[platform]


def test_crane_pushes_it_with_both_platforms_once_it_is_unpacked(
    archive: Archive, docker_registry: str, tmp_path: Path
) -> None:
    # Crane knows no archives with an index: google/go-containerregistry#2320.
    crane, name = real.peer("crane"), f"{docker_registry}/team/app:v1"
    real.output_of("tar", "-xf", archive.path, "-C", tmp_path)
    real.output_of(crane, "push", "--insecure", tmp_path, name)
    assert real.output_of(crane, "digest", "--insecure", name) == archive.index


def test_regctl_imports_it_with_both_platforms(
    archive: Archive, docker_registry: str, tmp_path: Path
) -> None:
    name = f"{docker_registry}/team/app:v1"
    regctl = [real.peer("regctl"), "--host", f"reg={docker_registry},tls=disabled"]
    real.output_of(*regctl, "image", "import", name, archive.path, HOME=str(tmp_path))
    assert real.output_of(*regctl, "image", "digest", name, HOME=str(tmp_path)) == archive.index


@pytest.fixture(scope="module")
def single(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """One image of it, in an archive of its own."""
    path = tmp_path_factory.mktemp("single") / "app.tar"
    source = f"oci-archive:{archive.path}@{archive.manifests['amd64']}"
    digest = real.output_of(MANYFEST, "copy", "-q", source, f"oci-archive:{path}:{NAME}:v1")
    return Archive(path, digest, archive.manifests, archive.configs)


def test_crane_pushes_an_archive_of_one_image_as_it_is(
    single: Archive, docker_registry: str
) -> None:
    crane, name = real.peer("crane"), f"{docker_registry}/team/app:v1"
    real.output_of(crane, "push", "--insecure", single.path, name)
    pushed = json.loads(real.output_of(crane, "manifest", "--insecure", name))
    assert pushed["config"]["digest"] == single.configs["amd64"]


def test_umoci_unpacks_an_archive_of_one_image(single: Archive, tmp_path: Path) -> None:
    real.need_programs("umoci")
    layout = tmp_path / "layout"
    layout.mkdir()
    real.output_of("tar", "-xf", single.path, "-C", layout)
    assert real.output_of("umoci", "list", "--layout", layout) == "v1"

    real.output_of(
        "umoci", "unpack", "--rootless", "--image", f"{layout}:v1", tmp_path / "unpacked"
    )
    shared = tmp_path / "unpacked" / "rootfs" / "etc" / "shared"
    assert shared.read_text() == "what both have\n"


def test_an_archive_of_one_image_is_loaded_by_its_plain_name(
    single: Archive, docker: list[str]
) -> None:
    loaded = real.output_of(*docker, "load", "--input", single.path)
    assert loaded == f"Loaded image: {NAME}:v1"
