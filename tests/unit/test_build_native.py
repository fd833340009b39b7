"""Whole builds: several platforms, the same bytes everywhere, nothing made twice."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.build.builder import build, plan
from manyfest.build.metadata import Metadata
from manyfest.errors import BuildError, DockerfileError, UsageError
from manyfest.layers.compression import Compression
from manyfest.oci.platform import Platform
from manyfest.progress import NoProgress, Outcome
from manyfest.stores.layout import LayoutStore
from tests.unit.building import EPOCH, Bench, clone, image_files, write

PLATFORMS = ("linux/amd64", "linux/arm64/v8", "linux/arm/v7")
DOCKERFILE = """FROM scratch
ARG TARGETARCH TARGETVARIANT
COPY --chmod=755 bin/$TARGETARCH$TARGETVARIANT /app
COPY assets /assets
USER 1000
WORKDIR /data
"""
FILES: dict[str, str | bytes] = {
    "bin/amd64": "amd",
    "bin/arm64": "arm",
    "bin/armv7": "old",
    "assets/a": "a",
    "assets/b/c": "c",
    "assets/b/l": "-> c",
    "assets/late": "z",
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    write(bench.context, FILES)
    return bench


def test_an_index_over_all_platforms_in_the_order_asked_for(bench: Bench) -> None:
    request = bench.request(DOCKERFILE, *PLATFORMS, "linux/arm64", args={})
    metadata = Metadata(labels={"l": "1"}, annotations={"z": "2", "a": "1"})
    built = bench.run(replace(request, metadata=metadata))
    index = built.graph.root.index

    assert [str(entry.platform) for entry in index.manifests] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    ]
    assert built.graph.root.descriptor.media_type == "application/vnd.oci.image.index.v1+json"
    assert list(index.annotations.items()) == [("a", "1"), ("z", "2")]
    for number, each in enumerate(built.platforms):
        assert each.manifest.descriptor.digest == index.manifests[number].digest
        assert each.manifest.image.annotations == {"a": "1", "z": "2"}
        assert each.config.config.labels == {"l": "1"}
        assert each.config.platform == each.platform
        assert each.config.created == "2023-11-14T22:13:20Z"
    assert [image_files(built, number)[0] for number in range(3)] == [
        "app 755 =amd",
        "app 755 =arm",
        "app 755 =old",
    ]


def test_a_layer_that_platforms_share_is_made_once(bench: Bench) -> None:
    class Counting(NoProgress):
        begun = 0

        def begin(self, item: str, label: str, total: int) -> None:
            self.begun += 1

    progress = Counting()
    built = build(
        bench.request(DOCKERFILE, *PLATFORMS, args={}),
        workspace=LayoutStore(bench.folder / "work"),
        open_image=bench.open,
        progress=progress,
    )

    assert progress.begun == 3 + 1 + 1
    assert len({each.manifest.image.layers[1].digest for each in built.platforms}) == 1
    assert len(built.graph.blobs) == 3 + 1 + 1 + 3


def test_files_that_are_equal_but_not_the_same_make_one_layer(bench: Bench) -> None:
    built = bench.build("FROM scratch\nCOPY assets /x\nFROM scratch\nCOPY assets/ /x\n")
    other = bench.build("FROM scratch\nCOPY assets /x\n")

    assert built.platforms[0].manifest.image.layers == other.platforms[0].manifest.image.layers


def test_the_same_bytes_in_another_folder_at_another_time(bench: Bench, tmp_path: Path) -> None:
    first = bench.build(DOCKERFILE, *PLATFORMS)

    def age(path: Path) -> None:
        os.utime(path, (1, 1), follow_symlinks=False)

    other = Bench(tmp_path / "other")
    clone(bench.context, other.context, age)
    before = os.umask(0o077)
    try:
        second = other.build(DOCKERFILE, *PLATFORMS)
    finally:
        os.umask(before)

    assert second.graph.root.descriptor == first.graph.root.descriptor


def test_the_same_bytes_for_one_platform_or_several(bench: Bench) -> None:
    several = bench.build(DOCKERFILE, *PLATFORMS)
    alone = bench.build(DOCKERFILE, "linux/arm/v7")

    assert alone.platforms[0].manifest.raw == several.platforms[2].manifest.raw


def test_known_bytes(bench: Bench) -> None:
    """Changes when layers, configurations or manifests are written in another way: then users'
    images get new digests, which must be meant."""
    built = bench.run(replace(bench.request(DOCKERFILE, args={}), compression=Compression.NONE))
    (image,) = built.platforms

    assert image.manifest.raw.startswith(
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        b'"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:'
    )
    assert [layer.media_type for layer in image.manifest.image.layers] == [
        "application/vnd.oci.image.layer.v1.tar"
    ] * 3
    assert image.config.rootfs.diff_ids == tuple(
        layer.digest for layer in image.manifest.image.layers
    )
    assert str(built.graph.root.descriptor.digest) == (
        "sha256:3dbc17010b2e9bc18879fdb5c93c147249431bea97ca29892495cbd98bf8b183"
    )


def test_nothing_but_content_is_left_in_the_workspace(bench: Bench) -> None:
    bench.build(DOCKERFILE, *PLATFORMS)
    work = bench.folder / "work1"

    assert sorted(path.name for path in work.iterdir()) == ["blobs", "index.json", "oci-layout"]
    assert all(len(path.name) == 64 for path in (work / "blobs/sha256").iterdir())


def test_zstd(bench: Bench) -> None:
    request = replace(bench.request(DOCKERFILE, args={}), compression=Compression.ZSTD)
    built = bench.run(request)

    assert built.platforms[0].manifest.image.layers[0].media_type == (
        "application/vnd.oci.image.layer.v1.tar+zstd"
    )
    assert image_files(built)[0] == "app 755 =amd"


def test_progress_adds_up(bench: Bench) -> None:
    class Adding(NoProgress):
        def __init__(self) -> None:
            self.totals: dict[str, int] = {}
            self.labels: dict[str, str] = {}
            self.lock = threading.Lock()
            self.outcomes: list[Outcome] = []

        def begin(self, item: str, label: str, total: int) -> None:
            self.totals[item] = total
            self.labels[item] = label

        def advance(self, item: str, amount: int) -> None:
            with self.lock:
                self.totals[item] -= amount

        def finish(self, item: str, outcome: Outcome) -> None:
            self.outcomes.append(outcome)

    progress = Adding()
    build(
        bench.request(DOCKERFILE, "linux/arm64", args={}),
        workspace=LayoutStore(bench.folder / "work"),
        open_image=bench.open,
        progress=progress,
    )

    assert list(progress.totals.values()) == [0, 0, 0]
    assert set(progress.labels.values()) == {"linux/arm64"}
    assert progress.outcomes == ["done", "done", "done"]


def test_a_failure_of_one_platform_fails_the_build(bench: Bench) -> None:
    (bench.context / "bin/arm64").unlink()
    (bench.context / "bin/armv7").unlink()

    with pytest.raises(DockerfileError, match=r"'bin/arm(64|v7)' is not in the build context"):
        bench.build(DOCKERFILE, *PLATFORMS)


def test_build_arguments_that_nothing_declares_are_warned_of(bench: Bench) -> None:
    built = bench.build("FROM scratch\nARG A\nENV B=$A\n", args={"A": "1", "C": "2"})

    assert built.platforms[0].config.config.env[-1] == "B=1"
    assert built.warnings == (
        f"{bench.context}/Dockerfile: build argument C has no effect: no ARG declares it",
    )


def test_a_target(bench: Bench) -> None:
    request = bench.request("FROM scratch AS a\nUSER 1\nFROM scratch\nUSER 2\n", args={})

    assert bench.run(replace(request, target="a")).platforms[0].config.config.user == "1"


def test_a_name_that_a_layer_cannot_hold(bench: Bench) -> None:
    (bench.context / "assets/.wh.x").write_text("")

    with pytest.raises(BuildError) as caught:
        bench.build("FROM scratch\nCOPY assets /a\n")
    assert str(caught.value) == (
        f"{bench.context}/Dockerfile:2: COPY: 'a/.wh.x': would delete another file: names beginning"
        " with '.wh.' are whiteouts; rename it or leave it out"
    )


def test_a_file_that_vanishes(bench: Bench) -> None:
    class Removing(NoProgress):
        def begin(self, item: str, label: str, total: int) -> None:
            (bench.context / "assets/late").unlink()

    with pytest.raises(BuildError) as caught:
        build(
            bench.request("FROM scratch\nCOPY assets /a\n", args={}),
            workspace=LayoutStore(bench.folder / "work"),
            open_image=bench.open,
            progress=Removing(),
        )
    assert str(caught.value) == (
        f"{bench.context}/Dockerfile:2: COPY: 'a/late': cannot be read: No such file or directory"
    )
    assert list((bench.folder / "work/blobs/sha256").iterdir()) == []


def test_wrong_requests(bench: Bench) -> None:
    request = bench.request("FROM scratch\n", args={})
    no_folder = replace(request, context=bench.context / "none")
    no_file = replace(request, dockerfile=bench.context / "none")

    with pytest.raises(UsageError, match="no platform to build for; name one: linux/amd64"):
        bench.run(replace(request, platforms=()))
    with pytest.raises(UsageError, match="/none: the build context is not a folder"):
        bench.run(no_folder)
    with pytest.raises(DockerfileError, match="/none: cannot be read: No such file or directory"):
        bench.run(no_file)


def test_a_dockerfile_that_is_not_utf_8(bench: Bench) -> None:
    request = bench.request("", args={})
    request.dockerfile.write_bytes(b"FROM scratch\nLABEL a=\xff\n")

    with pytest.raises(DockerfileError) as caught:
        bench.run(request)
    assert str(caught.value) == f"{request.dockerfile}:2: is not UTF-8"


def test_the_plan_of_a_build(bench: Bench) -> None:
    dockerfile = f"FROM debian:12 AS base\nUSER 1\nFROM base\n{DOCKERFILE.partition(chr(10))[2]}"
    request = bench.request(
        f"{dockerfile}COPY --from=base /a /b\n", "linux/amd64", "linux/arm64", args={}
    )

    assert str(plan(request)) == (
        "linux/amd64 by native\n"
        "  stage base from debian:12 for linux/amd64\n"
        "  stage 1 from stage base\n"
        "    COPY --chmod=755 bin/amd64 /app  (1 files, 3 bytes)\n"
        "    COPY assets /assets  (4 files, 3 bytes)\n"
        "    WORKDIR /data\n"
        "    COPY /a /b  (from base)\n"
        "linux/arm64 by native\n"
        "  stage base from debian:12 for linux/arm64\n"
        "  stage 1 from stage base\n"
        "    COPY --chmod=755 bin/arm64 /app  (1 files, 3 bytes)\n"
        "    COPY assets /assets  (4 files, 3 bytes)\n"
        "    WORKDIR /data\n"
        "    COPY /a /b  (from base)"
    )
    assert sorted(path.name for path in bench.folder.iterdir()) == ["context"]


def test_the_plan_finds_what_is_missing(bench: Bench) -> None:
    with pytest.raises(DockerfileError, match="'assts' is not in the build context; did you mean"):
        plan(bench.request("FROM scratch\nCOPY assts /\n", args={}))


def test_times_are_those_asked_for(bench: Bench) -> None:
    assert EPOCH == 1_700_000_000
    built = bench.run(replace(bench.request("FROM scratch\nUSER 1\n", args={}), epoch=0))

    assert built.platforms[0].config.created == "1970-01-01T00:00:00Z"
    assert built.platforms[0].platform == Platform.parse("linux/amd64")
