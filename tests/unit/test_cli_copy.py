"""``manyfest copy`` to and from what is no registry: its options with each kind of target."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.graph import read_manifest
from manyfest.oci.reference import Reference
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.referring import attach, sign
from tests.unit.cli import Manyfest, make_layout
from tests.unit.small_daemon import WITH_CONTAINERD, SmallDaemon, small_daemon

MEMORY = MemoryStore()
INDEX = images.platforms(MEMORY)
ROOT = INDEX.descriptor.digest
AMD64, ARM64, ARMV7 = (entry.digest for entry in INDEX.index.manifests)
CONFIGS = {
    entry.digest: str(read_manifest(MEMORY, entry).image.config.digest)
    for entry in INDEX.index.manifests
}


@pytest.fixture
def manyfest(manyfest: Manyfest) -> Manyfest:
    """In a folder with the layout ``image``: an index for three platforms as ``v1``."""
    make_layout(Path("image"), "v1")
    return manyfest


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDaemon]:
    """A daemon on arm64."""
    with small_daemon(tmp_path) as daemon:
        monkeypatch.setenv("DOCKER_HOST", daemon.host)
        yield daemon


def docker_names(path: Path) -> dict[str, list[str]]:
    """Each image's names in ``manifest.json``, by its configuration."""
    with tarfile.open(path) as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        return {
            f"sha256:{Path(image['Config']).name}": image["RepoTags"] for image in json.load(file)
        }


def test_a_docker_archive_has_its_name_and_one_for_each_platform(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    copied = manyfest(
        "copy", "oci:image:v1", "docker-archive:out.tar:team/app:v2", "--platform", "arm64,amd64"
    )
    assert copied.code == 0
    assert docker_names(tmp_path / "out.tar") == {
        CONFIGS[ARM64]: ["docker.io/team/app:v2", "docker.io/team/app:v2-arm64"],
        CONFIGS[AMD64]: ["docker.io/team/app:v2-amd64"],
    }


@pytest.fixture
def named(manyfest: Manyfest, tmp_path: Path) -> str:
    """An archive with the index, in which Docker knows it as ``ghcr.io/team/app:v1``."""
    with ArchiveWriter(tmp_path / "named.tar", naming=Naming("ghcr.io/team/app")) as target:
        images.make(target, "index", "v1")
    return "oci-archive:named.tar"


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("oci-archive:out.tar", "ghcr.io/team/app:v1"),
        ("docker-archive:out.tar", "ghcr.io/team/app:v1"),
        ("oci-archive:out.tar:v2", "ghcr.io/team/app:v2"),
        ("oci-archive:out.tar:docker.io/me/mine:v3", "docker.io/me/mine:v3"),
        ("docker-archive:out.tar:mine", "docker.io/library/mine:latest"),
    ],
)
def test_an_image_keeps_its_name_in_an_archive_unless_another_is_given(
    manyfest: Manyfest, named: str, tmp_path: Path, target: str, name: str
) -> None:
    assert manyfest("copy", "--platform", "amd64,arm64,arm/v7", named, target).code == 0
    assert docker_names(tmp_path / "out.tar") == {
        CONFIGS[AMD64]: [name, f"{name}-amd64"],
        CONFIGS[ARM64]: [f"{name}-arm64"],
        CONFIGS[ARMV7]: [f"{name}-armv7"],
    }


def test_a_tag_with_no_repository_gets_that_of_the_file(manyfest: Manyfest, tmp_path: Path) -> None:
    manyfest("copy", "oci:image:v1", "oci-archive:mine.tar", "--platform", "arm64")
    name = "docker.io/library/mine:v1"
    assert docker_names(tmp_path / "mine.tar") == {CONFIGS[ARM64]: [name, f"{name}-arm64"]}


def test_what_has_no_name_gets_none_and_can_be_loaded_all_the_same(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    manyfest("copy", "oci:image:v1", "oci:nameless", "--platform", "arm64")
    manyfest("copy", "oci:nameless", "oci-archive:out.tar")
    assert docker_names(tmp_path / "out.tar") == {CONFIGS[ARM64]: []}


def test_a_subset_is_an_index_of_its_own_and_the_same_wherever_it_goes(
    manyfest: Manyfest, docker: SmallDaemon
) -> None:
    targets = ("oci:some:v1", "oci-archive:some.tar:v1", "docker-archive:other.tar:some:v1")
    arguments = ("--platform", "linux/arm64", "--platform", "linux/amd64")
    digests = {manyfest("copy", "oci:image:v1", target, *arguments).out for target in targets}

    (digest,) = digests
    assert digest != f"{ROOT}\n"
    with ArchiveStore(Path("some.tar")) as archive:
        entries = read_manifest(archive, archive.resolve("v1")).index.manifests
    assert [entry.digest for entry in entries] == [AMD64, ARM64]


@pytest.mark.parametrize("target", ["oci:some:v1", "oci-archive:some.tar:v1"])
def test_a_sparse_copy_keeps_the_index_and_only_the_parts_that_are_wanted(
    manyfest: Manyfest, target: str
) -> None:
    copied = manyfest("copy", "oci:image:v1", target, "--platform", "arm64", "--sparse")
    assert (copied.code, copied.out) == (0, f"{ROOT}\n")

    reference = Reference.parse(target)
    opened = ArchiveStore if reference.is_archive else LayoutStore
    with opened(Path(reference.path)) as place:
        there = {entry.digest: place.has(entry) for entry in INDEX.index.manifests}
    assert there == {AMD64: False, ARM64: True, ARMV7: False}


def referrers_in(path: str) -> int:
    with ArchiveStore(Path(path)) as archive:
        return len(archive.referrers(archive.resolve("v1").digest))


def test_referrers_go_into_an_archive_unless_they_are_left(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    with LayoutStore(tmp_path / "signed") as layout:
        referrer = images.artifact(layout)
        subject = referrer.body.subject
        assert subject is not None
        layout.attach(subject, referrer.descriptor)
        layout.tag("v1", images.content_of(images.image(layout)))

    with_them = manyfest("copy", "oci:signed:v1", "oci-archive:with.tar")
    without = manyfest("copy", "oci:signed:v1", "oci-archive:without.tar", "--no-referrers")

    assert with_them.err == "oci-archive:with.tar: 5.6 kB sent, referrers: 1\n"
    assert without.err == "oci-archive:without.tar: 5.0 kB sent\n"
    assert (referrers_in("with.tar"), referrers_in("without.tar")) == (1, 0)


def signed_index(folder: Path) -> None:
    """A note on the index in the layout ``image``, under its list of referrers and cosign's tag."""
    with LayoutStore(folder / "image") as layout:
        attach(layout, INDEX, "note")
        sign(layout, INDEX)


@pytest.mark.parametrize(
    ("target", "options", "why"),
    [
        ("docker-daemon:app:v1", (), "a daemon keeps none"),
        ("oci:other:v1", ("--platform", "arm64"), "they are of the whole index; --sparse keeps it"),
    ],
)
def test_referrers_that_cannot_go_along_are_told_of_unless_they_are_left(
    manyfest: Manyfest,
    docker: SmallDaemon,
    tmp_path: Path,
    target: str,
    options: tuple[str, ...],
    why: str,
) -> None:
    signed_index(tmp_path)
    line = f"{target}: referrers left behind: 2; {why}"
    copied = manyfest("copy", "oci:image:v1", target, *options)
    assert line in copied.err.splitlines()
    silent = manyfest("copy", "oci:image:v1", target, *options, "--no-referrers")
    assert "referrers" not in silent.err
    assert copied.code == silent.code == 0


def test_a_sparse_copy_takes_the_referrers_of_the_index_along(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    signed_index(tmp_path)
    copied = manyfest("copy", "oci:image:v1", "oci:other:v1", "--sparse", "--platform", "arm64")
    assert copied.err.endswith(" sent, referrers: 2\n")


def test_a_file_is_not_read_and_written_at_once(
    manyfest: Manyfest, named: str, tmp_path: Path
) -> None:
    before = (tmp_path / "named.tar").read_bytes()
    (tmp_path / "link.tar").symlink_to("named.tar")
    for target in ("oci-archive:named.tar", "docker-archive:./named.tar", "oci-archive:link.tar"):
        assert manyfest("copy", named, target) == (
            2,
            "",
            f"manyfest: {target}: it would be read from and written to at once;"
            " write another file\n",
        )
    assert (tmp_path / "named.tar").read_bytes() == before


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (f"oci:other@{ARM64}", "a target cannot be a digest: the content decides it; name a tag"),
        (f"docker-daemon:{ARM64}", "a target cannot be a digest: the content decides it;"),
        ("docker-archive:out.tar:@0", "a target cannot be a number; name a tag"),
    ],
)
def test_what_is_no_name_is_no_target(
    manyfest: Manyfest, tmp_path: Path, target: str, said: str
) -> None:
    refused = manyfest("copy", "oci:image:v1", target)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file, its time and its content."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "target",
    ["oci:image:v2", "oci:other:v1", "oci-archive:out.tar", "docker-archive:out.tar:app",
     "docker-archive:named.tar", "oci-archive:new/out.tar.gz", "docker-daemon:app:v1", "-"],
)  # fmt: skip
@pytest.mark.parametrize(
    "options",
    [(), ("--platform", "arm64"), ("--platform", "arm64,amd64"), ("--no-referrers",)],
)
def test_a_dry_copy_changes_nothing_anywhere(
    manyfest: Manyfest,
    named: str,
    docker: SmallDaemon,
    tmp_path: Path,
    target: str,
    options: tuple[str, ...],
) -> None:
    before = everything(tmp_path)
    planned = manyfest("copy", "--dry-run", "oci:image:v1", target, *options)
    assert planned.code == 0
    assert planned.out.startswith("would copy ")
    assert everything(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"image", "named.tar", "s"}
    assert set(docker.requests) <= {"GET /info"}


def test_a_dry_copy_counts_what_is_not_there_yet(manyfest: Manyfest) -> None:
    manyfest("copy", "oci:image:v1", "oci:other:v1", "--platform", "arm64")
    planned = manyfest("copy", "--dry-run", "oci:image:v1", "oci:other:v2")
    assert planned.out == f"would copy 7 parts, 6.6 kB, to oci:other:v2; 4 are there\n{ROOT}\n"


def test_a_dry_copy_says_what_the_name_means_now(manyfest: Manyfest) -> None:
    subset = manyfest("copy", "oci:image:v1", "oci:other:v1", "--platform", "arm64").out.strip()
    moved = manyfest("copy", "--dry-run", "oci:image:v1", "oci:other:v1")
    assert moved.out.splitlines()[0].endswith(f"to oci:other:v1; 4 are there; it is {subset} now")
    same = manyfest("copy", "--dry-run", "oci:image:v1", "oci:image:v1")
    assert same.out == f"would copy 0 parts, 0 B, to oci:image:v1; 11 are there\n{ROOT}\n"


def test_a_daemon_gets_its_own_platform_and_that_is_said(
    manyfest: Manyfest, docker: SmallDaemon
) -> None:
    copied = manyfest("copy", "oci:image:v1", "docker-daemon:app:v1")
    assert copied == (
        0,
        f"{ARM64}\n",
        "docker-daemon:app:v1: gets linux/arm64 only, its own platform; --platform names others\n"
        "docker-daemon:app:v1: 5.0 kB sent\n",
    )
    assert docker.images == {"app:v1": CONFIGS[ARM64]}


def test_a_daemon_gets_the_platforms_that_are_named(
    manyfest: Manyfest, docker: SmallDaemon
) -> None:
    copied = manyfest(
        "copy", "oci:image:v1", "docker-daemon:app", "--platform", "amd64", "--platform", "arm/v7"
    )
    assert copied == (0, f"{AMD64}\n", "docker-daemon:app:latest: 7.9 kB sent\n")
    assert docker.images == {
        "app:latest": CONFIGS[AMD64],
        "app:latest-amd64": CONFIGS[AMD64],
        "app:latest-armv7": CONFIGS[ARMV7],
    }


def test_a_daemon_that_keeps_indexes_gets_all_of_it(
    manyfest: Manyfest, docker: SmallDaemon
) -> None:
    docker.info = WITH_CONTAINERD
    copied = manyfest("copy", "oci:image:v1", "docker-daemon:app:v1")
    assert copied == (0, f"{ROOT}\n", "docker-daemon:app:v1: 11.5 kB sent\n")
    assert docker.images == {"app:v1": str(ROOT)}


def test_a_daemon_keeps_no_index_with_gaps(manyfest: Manyfest, docker: SmallDaemon) -> None:
    refused = manyfest(
        "copy", "oci:image:v1", "docker-daemon:app:v1", "--sparse", "--platform", "arm64"
    )
    assert refused == (
        2,
        "",
        "manyfest: docker-daemon:app:v1: --sparse keeps an index, which a daemon does not\n",
    )


def test_a_daemon_s_image_goes_anywhere(
    manyfest: Manyfest, docker: SmallDaemon, tmp_path: Path
) -> None:
    manyfest("copy", "oci:image:v1", "docker-archive:one.tar:team/app:v1", "--platform", "arm64")
    docker.archives["team/app:v1"] = (tmp_path / "one.tar").read_bytes()

    copied = manyfest("copy", "docker-daemon:team/app:v1", "docker-archive:out.tar")

    assert copied.code == 0
    assert docker_names(tmp_path / "out.tar") == {
        CONFIGS[ARM64]: ["docker.io/team/app:v1", "docker.io/team/app:v1-arm64"]
    }


def test_an_image_that_the_daemon_does_not_have_is_not_found(
    manyfest: Manyfest, docker: SmallDaemon
) -> None:
    assert manyfest("copy", "docker-daemon:gone:v1", "oci:out:v1") == (
        1,
        "",
        f"manyfest: Docker at {docker.host}: No such image: gone:v1\n",
    )


@pytest.mark.parametrize("place", ["docker-daemon:app:v1", "-"])
def test_all_tags_are_of_places_that_have_several(manyfest: Manyfest, place: str) -> None:
    for arguments in ((place, "oci:image"), ("oci:image", place)):
        refused = manyfest("copy", "--all-tags", *arguments)
        assert refused.code == 2
        assert "--all-tags is for registries, layouts and files" in refused.err


def test_what_is_built_for_a_daemon_is_what_it_keeps(
    manyfest: Manyfest, docker: SmallDaemon, tmp_path: Path
) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")

    def build(name: str, platforms: str) -> int:
        into = f"docker-daemon:{name}"
        return manyfest("build", "context", "--platform", platforms, "-o", into).code

    assert build("one:v1", "arm64") == 0
    assert build("two:v1", "arm64,amd64") == 0
    assert set(docker.images) == {"one:v1", "two:v1", "two:v1-arm64", "two:v1-amd64"}
    assert docker.images["one:v1"] == docker.images["two:v1"] == docker.images["two:v1-arm64"]
