from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Reference
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.naming import is_whole, known_names, naming_by
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.base import Source
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from tests import images

DIGEST = Digest.of(b"")


def known(text: str, source: Source | None = None, root: Digest = DIGEST) -> tuple[str, ...]:
    return known_names(Reference.parse(text), source or MemoryStore(), root)


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("ghcr.io/team/app:v1", ("ghcr.io/team/app:v1",)),
        ("docker.io/library/app", ("app:latest",)),
        (f"ghcr.io/team/app:v1@{DIGEST}", ("ghcr.io/team/app:v1",)),
        (f"ghcr.io/team/app@{DIGEST}", ()),
        ("docker-daemon:team/app:v1", ("team/app:v1",)),
        (f"docker-daemon:{DIGEST}", ()),
        ("oci:dir:v1", ("v1",)),
        ("oci:dir:docker.io/team/app:v1", ("team/app:v1",)),
        ("oci:dir", ()),
        ("docker-archive:app.tar:team/app:v1", ("team/app:v1",)),
        ("docker-archive:app.tar:@0", ()),
        (f"oci-archive:app.tar@{DIGEST}", ()),
    ],
)
def test_a_reference_tells_a_name(reference: str, names: tuple[str, ...]) -> None:
    assert known(reference) == names


def test_a_layout_tells_its_tags(tmp_path: Path) -> None:
    layout = LayoutStore(tmp_path)
    root = images.make(layout, "index", "v1").descriptor.digest
    images.make(layout, "index", "latest")

    assert known(f"oci:{tmp_path}", layout, root) == ("v1", "latest")
    assert known(f"oci:{tmp_path}:latest", layout, root) == ("latest",)


def test_an_archive_tells_whole_names_by_their_tag_too(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path, naming=Naming("ghcr.io/team/app")) as archive:
        root = images.make(archive, "index", "v1").descriptor.digest
        images.make(archive, "index", "docker.io/team/app:v2")
    with ArchiveStore(path) as archive:
        assert known(f"oci-archive:{path}", archive, root) == (
            "team/app:v2",
            "ghcr.io/team/app:v1",
        )
        assert known(f"oci-archive:{path}:v1", archive, root) == ("ghcr.io/team/app:v1",)
        assert known(f"oci-archive:{path}:team/app:v2", archive, root) == ("team/app:v2",)


def with_entry(index: Index, entry: Descriptor) -> Index:
    return msgspec.structs.replace(index, manifests=(*index.manifests, entry))


def test_an_image_s_own_index_is_called_what_its_platforms_are(tmp_path: Path) -> None:
    layout = LayoutStore(tmp_path)
    for platform in ("linux/amd64", "linux/arm64"):
        image = images.image(layout, platform)
        entry = images.entry(image, platform, **{"org.opencontainers.image.ref.name": "v1"})
        layout.update(partial(with_entry, entry=entry))
    root = layout.resolve("v1").digest
    assert known(f"oci:{tmp_path}", layout, root) == ("v1",)


@pytest.mark.parametrize(
    ("names", "place"),
    [
        (("ghcr.io/team/app:v1",), "ghcr.io/team/app"),
        (("v1", "team/app:v1"), "docker.io/team/app"),
        (("v1",), ""),
        ((), ""),
    ],
)
def test_a_bare_tag_belongs_to_the_repository_that_is_known(
    names: tuple[str, ...], place: str
) -> None:
    arm64 = Platform.parse("linux/arm64")
    assert naming_by(names, arm64) == Naming(place, arm64)


def test_a_tag_alone_is_no_whole_name() -> None:
    assert [is_whole(name) for name in ("v1", "app:v1", "team/app", f"{DIGEST}", "a:b:c")] == [
        False,
        True,
        True,
        False,
        False,
    ]
