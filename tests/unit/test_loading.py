from __future__ import annotations

import pytest

from manyfest.errors import NotFound
from manyfest.images.loading import items_to_load
from manyfest.oci.platform import Platform
from manyfest.stores.memory import MemoryStore
from manyfest.stores.runtimes.runtime import Info
from tests import images

ARM64 = Info(Platform.parse("linux/arm64"))
WITH_INDEXES = Info(Platform.parse("linux/arm64"), keeps_indexes=True)


def loaded(
    kind: str, *wanted: str, runtime: Info = ARM64, names: tuple[str, ...] = ("app:v1",)
) -> list[tuple[str, tuple[str, ...]]]:
    """What is loaded, by its platform or as an index, and under which names."""
    memory = MemoryStore()
    root = images.make(memory, kind)
    platforms = {
        str(image.digest): str(image.platform)
        for image in (root.index.manifests if root.is_index else ())
    }
    items = items_to_load(
        memory, root.descriptor, names, [Platform.parse(each) for each in wanted], runtime
    )
    told = []
    for item in items:
        digest = str(item.graph.root.descriptor.digest)
        kind = "index" if item.graph.root.is_index else "image"
        told.append((platforms.get(digest, kind), item.tags))
    return told


def test_of_an_index_the_runtime_s_own_platform_is_loaded() -> None:
    assert loaded("index") == [("linux/arm64", ("app:v1",))]


def test_the_platform_that_is_wanted_is_loaded() -> None:
    assert loaded("index", "linux/amd64") == [("linux/amd64", ("app:v1",))]


def test_each_of_several_is_known_by_its_processor_and_the_first_by_the_plain_name() -> None:
    assert loaded("index", "linux/arm/v7", "linux/amd64") == [
        ("linux/amd64", ("app:v1-amd64",)),
        ("linux/arm/v7", ("app:v1", "app:v1-armv7")),
    ]


def test_every_name_has_its_own_by_processor() -> None:
    assert loaded("index", "linux/arm64", "linux/amd64", names=("app:v1", "h.io/app:1")) == [
        ("linux/amd64", ("app:v1-amd64", "h.io/app:1-amd64")),
        ("linux/arm64", ("app:v1", "h.io/app:1", "app:v1-arm64", "h.io/app:1-arm64")),
    ]


def test_a_single_image_is_loaded_whatever_it_is_for() -> None:
    assert loaded("image") == [("image", ("app:v1",))]


def test_a_single_image_is_refused_if_another_platform_is_wanted() -> None:
    with pytest.raises(NotFound, match="it has no linux/arm64; it has linux/amd64"):
        loaded("image", "linux/arm64")


def test_a_platform_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(NotFound) as caught:
        loaded("index", "linux/amd64", "linux/s390x")
    assert str(caught.value) == (
        "memory: it has no linux/s390x; it has linux/amd64, linux/arm64, linux/arm/v7"
    )


def test_attestations_are_no_image_to_load() -> None:
    assert loaded("index with attestations") == [("linux/arm64", ("app:v1",))]


def test_where_indexes_are_kept_the_index_is_loaded_whole() -> None:
    assert loaded("index", runtime=WITH_INDEXES) == [("index", ("app:v1",))]


def test_where_indexes_are_kept_one_platform_is_an_image() -> None:
    assert loaded("index", "linux/amd64", runtime=WITH_INDEXES) == [("linux/amd64", ("app:v1",))]


def test_where_indexes_are_kept_some_platforms_are_an_index() -> None:
    two = loaded("index", "linux/amd64", "linux/arm64", runtime=WITH_INDEXES)
    assert two == [("index", ("app:v1",))]
