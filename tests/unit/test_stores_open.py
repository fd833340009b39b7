from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

import manyfest.stores.registry.connect
from manyfest.errors import NotFound, UsageError
from manyfest.oci.reference import Name, Reference
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.layout import LayoutStore
from manyfest.stores.open import Stores, tags_of
from manyfest.stores.registry.connect import Registries
from manyfest.stores.registry.store import RegistryStore
from manyfest.stores.runtimes.runtime import RuntimeTarget
from manyfest.threads import workers
from tests import images

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("reference", "source", "target"),
    [
        ("oci:dir:v1", LayoutStore, LayoutStore),
        ("oci-archive:file.tar:v1", ArchiveStore, ArchiveWriter),
        ("docker-archive:file.tar:app:v1", ArchiveStore, ArchiveWriter),
        ("docker-daemon:app:v1", ArchiveStore, RuntimeTarget),
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
        ("docker-archive:file.tar:team/app", ("team/app:latest",)),
        ("docker-daemon:docker.io/library/app", ("app:latest",)),
    ],
)
def test_a_copy_sets_the_name_of_its_target(reference: str, tags: tuple[str, ...]) -> None:
    assert tags_of(Reference.parse(reference)) == tags


@pytest.mark.parametrize(
    "reference",
    [f"registry.example.org/app@{DIGEST}", f"registry.example.org/app:v1@{DIGEST}",
     f"oci:dir@{DIGEST}", f"oci-archive:file.tar@{DIGEST}", f"docker-daemon:{DIGEST}"],
)  # fmt: skip
def test_a_digest_is_no_target(reference: str) -> None:
    with pytest.raises(UsageError, match="a target cannot be a digest"):
        tags_of(Reference.parse(reference))


def test_a_number_is_no_target() -> None:
    with pytest.raises(UsageError, match="a target cannot be a number; name a tag"):
        tags_of(Reference.parse("docker-archive:file.tar:@0"))


def test_opening_reads_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    with Stores(ca_file=tmp_path / "none.pem") as stores:
        for reference in (
            f"oci:{tmp_path}/dir:v1",
            f"oci-archive:{tmp_path}/file.tar:v1",
            "docker-daemon:app:v1",
        ):
            stores.source(Reference.parse(reference))
            stores.target(Reference.parse(reference))
    assert list(tmp_path.iterdir()) == []


def test_errors_name_an_archive_as_it_was_written(tmp_path: Path) -> None:
    reference = Reference.parse(f"docker-archive:{tmp_path}/none.tar:app:v1")
    with Stores() as stores, pytest.raises(NotFound) as caught:
        stores.source(reference).resolve(reference.target)
    assert str(caught.value) == f"docker-archive:{tmp_path}/none.tar: there is no such file"


@pytest.mark.parametrize(("machine", "processor"), [("aarch64", "arm64"), ("x86_64", "amd64")])
def test_in_an_archive_this_machine_s_platform_has_the_plain_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, processor: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    path, name = tmp_path / "app.tar", "docker.io/library/app:v1"
    with Stores() as stores, stores.target(Reference.parse(f"oci-archive:{path}")) as target:
        images.make(target, "index")
    with tarfile.open(path) as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        names = [image["RepoTags"] for image in json.load(file)]
    assert [each for each in names if name in each] == [[name, f"{name}-{processor}"]]


def test_threads_that_are_the_first_share_their_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = manyfest.stores.registry.connect
    made: list[Registries] = []

    class Slow(Registries):
        def __init__(self, **given: Any) -> None:
            time.sleep(0.05)  # long enough for the other thread to come in
            super().__init__(**given)
            made.append(self)

    monkeypatch.setattr(connect, "Registries", Slow)
    with Stores() as stores, workers(2, "open") as pool:
        list(pool.map(stores.registry, map(Name.parse, ("one.example/app", "two.example/app"))))
    assert len(made) == 1
