from __future__ import annotations

import msgspec
import pytest

from manyfest.check.image import check_image
from manyfest.layers.compression import Compression
from manyfest.oci.config import RunConfig
from manyfest.oci.platform import Platform
from tests.unit.check_images import (
    Images,
    file,
    lines,
    platforms,
    program,
    symlink,
    whole,
)

ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


def test_nothing_is_wrong_with_a_whole_image() -> None:
    store = Images()
    report = check_image(store, whole(store), platforms=platforms("amd64", "arm64"))
    assert lines(report) == []
    report.raise_for_findings()


def test_a_single_image_needs_no_index() -> None:
    store = Images()
    root = msgspec.structs.replace(store.image(store.layer(program("app"))), platform=None)
    report = check_image(store, root, platforms=platforms("linux/amd64"))
    assert lines(report) == []
    assert [summary.platform for summary in report.platforms] == ["linux/amd64"]


@pytest.mark.parametrize("compression", list(Compression))
def test_layers_may_be_compressed_in_each_way(compression: Compression) -> None:
    store = Images()
    root = store.index(store.image(store.layer(program("app"), compression=compression)))
    assert lines(check_image(store, root)) == []


def test_a_platforms_summary() -> None:
    store = Images()
    lower = store.layer(file("etc/motd", b"hello"), file("gone"))
    upper = store.layer(program("app"), symlink("link", "app"), file(".wh.gone"))
    run = RunConfig(entrypoint=("/app",), cmd=("--help",))
    entry = store.image(lower, upper, run=run)
    stored = sum(map(len, store.blobs.values()))
    (summary,) = check_image(store, store.index(entry)).platforms
    assert summary.platform == "linux/amd64"
    assert summary.descriptor.digest == entry.digest
    assert summary.size == stored
    assert summary.unpacked == 5 * 512 + 6 * 512
    assert summary.layers == 2
    assert summary.files == 2
    assert summary.command == ("/app", "--help")
    assert summary.unchecked == ()


def test_everything_is_read_once() -> None:
    store = Images()
    check_image(store, whole(store))
    assert set(store.opened) == set(store.blobs)
    assert set(store.opened.values()) == {1}


def test_progress_tells_of_each_layer() -> None:
    store, told = Images(), Told()
    layer = store.layer(program("app"))
    check_image(store, store.index(store.image(layer)), progress=told)
    item, size = str(layer.descriptor.digest), layer.descriptor.size
    assert told.begun == [(item, "linux/amd64", size)]
    assert told.advanced == size
    assert told.finished == [item]


class Told:
    def __init__(self) -> None:
        self.begun: list[tuple[str, str, int]] = []
        self.advanced = 0
        self.finished: list[str] = []

    def begin(self, item: str, label: str, total: int) -> None:
        self.begun.append((item, label, total))

    def advance(self, item: str, amount: int) -> None:
        self.advanced += amount

    def finish(self, item: str, outcome: str) -> None:
        self.finished.append(item)

    def say(self, message: str) -> None: ...


def test_a_platform_that_was_asked_for_is_missing() -> None:
    store = Images()
    root = whole(store)
    report = check_image(store, root, platforms=platforms("arm64", "linux/arm/v7"))
    assert lines(report) == [
        f"linux/arm/v7 {root.digest}: the platform is missing; there are: linux/amd64, linux/arm64;"
        " build it, or do not ask for it"
    ]


def test_an_index_without_an_image() -> None:
    store = Images()
    root = store.index()
    assert lines(check_image(store, root)) == [
        f"index {root.digest}: lists no image that can be run"
    ]


def test_an_index_of_attestations_alone_has_no_image() -> None:
    store = Images()
    entry = store.image(store.layer(file("a")), platform="linux/amd64")
    entry = msgspec.structs.replace(entry, annotations=ATTESTATION, platform=None)
    root = store.index(entry)
    assert f"index {root.digest}: lists no image that can be run" in lines(check_image(store, root))


def test_a_platform_listed_twice() -> None:
    store = Images()
    first = store.image(store.layer(program("app")))
    second = store.image(store.layer(program("app"), file("other")))
    root = store.index(first, second)
    assert lines(check_image(store, root)) == [
        f'index index {root.digest}, $.manifests[1].platform: is "linux/amd64", as in'
        " $.manifests[0]; expected each platform once"
    ]


def test_a_platform_listed_in_two_indexes() -> None:
    store = Images()
    first = store.image(store.layer(program("app")))
    second = store.image(store.layer(program("app"), file("other")))
    root = store.index(first, store.index(second))
    assert lines(check_image(store, root)) == [
        f"linux/amd64 manifest {second.digest}: the platform is there twice, first as"
        f" {first.digest}; leave one of them out: clients take the first, and nobody runs the other"
    ]


def test_podmans_second_entry_for_zstd_is_no_second_platform() -> None:
    store = Images()
    mark = {"io.github.containers.compression.zstd": "true"}
    first = store.image(store.layer(program("app")))
    second = store.image(store.layer(program("app"), compression=Compression.ZSTD))
    root = store.index(first, msgspec.structs.replace(second, annotations=mark))
    assert lines(check_image(store, root)) == []


def test_a_configuration_for_another_platform_than_is_listed() -> None:
    store = Images()
    entry = store.image(
        store.layer(file("a")), platform="linux/arm64", listed="linux/arm/v7", entrypoint=()
    )
    (line,) = lines(check_image(store, store.index(entry)))
    assert line.startswith("linux/arm/v7 configuration sha256:")
    assert line.endswith(
        ": says it is for linux/arm64, but the index lists it as linux/arm/v7; build it for the"
        " platform it is listed as, or list it as what it is"
    )


def test_the_same_platform_under_two_names_is_the_same() -> None:
    store = Images()
    entry = store.image(store.layer(file("a")), platform="linux/arm64", entrypoint=())
    listed = Platform(os="linux", architecture="arm64", variant="v8")
    root = store.index(msgspec.structs.replace(entry, platform=listed))
    assert lines(check_image(store, root)) == []


def test_attestations_and_artifacts_are_no_platforms() -> None:
    store = Images()
    image = store.image(store.layer(program("app")))
    attested = {**ATTESTATION, "vnd.docker.reference.digest": str(image.digest)}
    attestation = msgspec.structs.replace(
        store.artifact(b"{}  "),
        annotations=attested,
        platform=Platform(os="unknown", architecture="unknown"),
    )
    artifact = msgspec.structs.replace(
        store.artifact(b"notes"), artifact_type="application/vnd.example.notes"
    )
    report = check_image(store, store.index(image, attestation, artifact))
    assert lines(report) == []
    assert [summary.platform for summary in report.platforms] == ["linux/amd64"]
    assert set(store.opened) == set(store.blobs)
