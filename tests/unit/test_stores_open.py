from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import UsageError
from manyfest.oci.reference import Reference
from manyfest.stores.archive import ArchiveStore
from manyfest.stores.archive_writer import ArchiveWriter
from manyfest.stores.layout import LayoutStore
from manyfest.stores.open import Stores, tags_of
from manyfest.stores.registry.store import RegistryStore

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("reference", "source", "target"),
    [
        ("oci:dir:v1", LayoutStore, LayoutStore),
        ("oci-archive:file.tar:v1", ArchiveStore, ArchiveWriter),
        ("registry.example.org/app:v1", RegistryStore, RegistryStore),
        ("docker://registry.example.org/app", RegistryStore, RegistryStore),
    ],
)
def test_a_reference_leads_to_its_store(reference: str, source: type, target: type) -> None:
    parsed = Reference.parse(reference)
    with Stores() as stores:
        assert type(stores.source(parsed)) is source
        assert type(stores.target(parsed)) is target


@pytest.mark.parametrize(
    ("reference", "tags"),
    [
        ("oci:dir:v1", ("v1",)),
        ("oci:dir:docker.io/app:v1", ("docker.io/app:v1",)),
        ("oci:dir", ("",)),
        ("oci-archive:file.tar", ("",)),
        ("registry.example.org/app:v1", ("v1",)),
        ("registry.example.org/app", ("latest",)),
    ],
)
def test_a_copy_sets_the_name_of_its_target(reference: str, tags: tuple[str, ...]) -> None:
    assert tags_of(Reference.parse(reference)) == tags


@pytest.mark.parametrize(
    "reference",
    [f"registry.example.org/app@{DIGEST}", f"registry.example.org/app:v1@{DIGEST}",
     f"oci:dir@{DIGEST}", f"oci-archive:file.tar@{DIGEST}"],
)  # fmt: skip
def test_a_digest_is_no_target(reference: str) -> None:
    with pytest.raises(UsageError, match="a target cannot be a digest"):
        tags_of(Reference.parse(reference))


def test_opening_reads_and_writes_nothing(tmp_path: Path) -> None:
    with Stores(ca_file=tmp_path / "none.pem") as stores:
        for reference in (f"oci:{tmp_path}/dir:v1", f"oci-archive:{tmp_path}/file.tar:v1"):
            stores.source(Reference.parse(reference))
            stores.target(Reference.parse(reference))
    assert list(tmp_path.iterdir()) == []
