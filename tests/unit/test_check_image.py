from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence

import msgspec
import pytest

from manyfest.check.image import check_image
from manyfest.check.report import Report
from manyfest.errors import ConnectionFailed
from manyfest.layers.compression import Compression
from manyfest.oci.config import RunConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader
from tests.unit.check_images import (
    AMD64,
    ARM64,
    Images,
    Layer,
    directory,
    elf,
    file,
    hardlink,
    program,
    symlink,
)

ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


def lines(report: Report) -> list[str]:
    return [str(finding) for finding in report.findings]


def whole(store: Images) -> Descriptor:
    """An index for two platforms that share a layer, with nothing wrong."""
    shared = store.layer(file("etc/motd", b"hello"))
    return store.index(
        store.image(shared, store.layer(program("app"))),
        store.image(shared, store.layer(program("app", ARM64)), platform="linux/arm64"),
    )


def one(store: Images, *layers: Layer, run: RunConfig | None = None) -> Descriptor:
    """An index with an image for linux/amd64 alone."""
    return store.index(store.image(*layers, run=run or RunConfig()))


def platforms(*names: str) -> list[Platform]:
    return [Platform.parse(name) for name in names]


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
    (summary,) = check_image(store, store.index(entry)).platforms
    blobs = [data for descriptor, data in store.blobs.items() if descriptor != entry.digest]
    assert summary.platform == "linux/amd64"
    assert summary.descriptor.digest == entry.digest
    assert summary.size == sum(map(len, store.blobs.values())) - len(store.blobs[root_of(store)])
    assert summary.unpacked == 5 * 512 + 6 * 512
    assert summary.layers == 2
    assert summary.files == 2
    assert summary.command == ("/app", "--help")
    assert summary.unchecked == ()
