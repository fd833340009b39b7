"""Any store to any store: every digest stays what it was, and skopeo reads what arrived."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from manyfest.copy import Item, copy_graphs
from manyfest.graph import read_graph
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.reference import Reference
from manyfest.stores.base import Refers, Source, read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.open import Stores
from tests import images, real
from tests.integration.conftest import running_registry
from tests.unit.cli import Manyfest, runner

pytestmark = pytest.mark.real

KINDS = {name.replace(" ", "-"): make for name, make in images.KINDS.items()}
PLACES = ("registry", "layout", "archive", "docker-archive", "compressed")
COPIED_BY_SKOPEO = ("image", "index", "docker-list", "index-with-attestations")
"""Of the kinds, those that skopeo 1.9 can copy whole."""

NOT_READ_BY_SKOPEO = {
    ("layout", "docker-list"),
    ("archive", "docker-list"),
    ("docker-archive", "docker-list"),
}
"""In layouts and archives skopeo 1.9 finds nothing but OCI's own types."""


@dataclass(frozen=True)
class Places:
    """Where images come from and go to: a folder, and a registry's address."""

    folder: Path
    registry: str

    def named(self, place: str, name: str) -> str:
        """The reference of what is called ``name`` in one of :data:`PLACES`."""
        return {
            "registry": f"{self.registry}/{name}:v1",
            "layout": f"oci:{self.folder}/{name}:v1",
            "archive": f"oci-archive:{self.folder}/{name}.tar:v1",
            "docker-archive": f"docker-archive:{self.folder}/{name}-docker.tar:team/{name}:v1",
            "compressed": f"oci-archive:{self.folder}/{name}.tar.gz:v1",
        }[place]

    def seen_by_skopeo(self, place: str, name: str) -> str:
        """The same, as skopeo writes it; it takes our archives for OCI archives."""
        return {
            "registry": f"docker://{self.registry}/{name}:v1",
            "docker-archive": f"oci-archive:{self.folder}/{name}-docker.tar",
        }.get(place) or self.named(place, name)


@dataclass(frozen=True)
class Subject:
    """An image that something refers to: its bill of materials, and a signature of that."""

    root: Manifest
    bill: Manifest
    signature: Manifest


@pytest.fixture(scope="module")
def subject(places: Places) -> Subject:
    """In every place, an index with referrers, and cosign's tag, under the name ``referred-to``."""
    memory = MemoryStore()
    root = images.make(memory, "index")
    bill = _artifact(memory, root)
    signature = _artifact(memory, bill)
    cosign = images.image(memory, text="cosign's signature")
    items = [
        Item(graph=read_graph(memory, each.descriptor), subject=of.descriptor, accompanies=True)
        for each, of in ((bill, root), (signature, bill))
    ]
    tag = f"sha256-{root.descriptor.digest.hex}.sig"
    items.append(Item(graph=read_graph(memory, cosign.descriptor), tags=(tag,), accompanies=True))
    with Stores() as stores:
        for place in PLACES:
            where = Reference.parse(places.named(place, "referred-to"))
            named = Item(graph=read_graph(memory, root.descriptor), tags=(where.target,))
            with stores.target(where) as target:
                copy_graphs(memory, [*items, named], target)
    return Subject(root, bill, signature)


def _artifact(memory: MemoryStore, subject: Manifest) -> Manifest:
    """Something that refers to ``subject``, which is in the same place."""
    body = Image(
        schema_version=2,
        media_type=images.OCI_MANIFEST,
        artifact_type="application/vnd.example.sbom",
        config=images.put(memory, b"{}", images.OCI_EMPTY),
        layers=(images.put(memory, b'{"packages":[]}', "application/vnd.example.sbom+json"),),
        subject=subject.descriptor,
    )
    return images.put_manifest(memory, Manifest.of_image(body))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """A folder and a real registry, with an image of each kind in each place."""
    folder = tmp_path_factory.mktemp("places")
    with running_registry(folder / "docker-registry") as address, Stores() as stores:
        found = Places(folder, address)
        for name, make in KINDS.items():
            memory = MemoryStore()
            root = make(memory)
            for place in PLACES:
                where = Reference.parse(found.named(place, name))
                item = Item(graph=read_graph(memory, root.descriptor), tags=(where.target,))
                with stores.target(where) as target:
                    copy_graphs(memory, [item], target)
        yield found


@pytest.fixture
def manyfest(capsys: pytest.CaptureFixture[str]) -> Manyfest:
    return runner(capsys)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", PLACES)
@pytest.mark.parametrize("source", PLACES)
def test_every_digest_stays_what_it_was(
    places: Places, manyfest: Manyfest, source: str, target: str, kind: str, tmp_path: Path
) -> None:
    digest = str(KINDS[kind](MemoryStore()).descriptor.digest)
    arrived = f"{kind}-from-{source}-to-{target}"

    done = manyfest("copy", places.named(source, kind), places.named(target, arrived))

    assert (done.code, done.out) == (0, f"{digest}\n"), done.err
    with Stores() as stores:
        where = Reference.parse(places.named(target, arrived))
        with stores.source(where) as store:
            _read_whole(store, where.target, digest)
    # The compressed archive is the same one; skopeo reads such files by unpacking them to disk.
    if target != "compressed" and (target, kind) not in NOT_READ_BY_SKOPEO:
        _read_with_skopeo(places.seen_by_skopeo(target, arrived), kind, digest, tmp_path)


def _read_whole(store: Source, name: str, digest: str) -> None:
    """Every byte below ``name``, verified."""
    found = store.resolve(name)
    assert str(found.digest) == digest
    for part in read_graph(store, found).descriptors:
        read_all(store, part)


def _read_with_skopeo(reference: str, kind: str, digest: str, folder: Path) -> None:
    """The manifest's own bytes, and, of what it can copy, all the rest."""
    real.need_programs("skopeo")
    tls = "--tls-verify=false"
    raw = real.output_of("skopeo", "inspect", "--raw", tls, reference)
    assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == digest
    if kind in COPIED_BY_SKOPEO:
        there = folder / "there"
        copy = (
            "skopeo",
            "copy",
            "--quiet",
            "--all",
            "--preserve-digests",
            "--src-tls-verify=false",
        )
        real.output_of(*copy, reference, f"dir:{there}")
        assert (there / "manifest.json").read_text() == raw


@pytest.mark.parametrize("target", PLACES)
@pytest.mark.parametrize("source", PLACES)
def test_what_refers_to_an_image_goes_along(
    places: Places, subject: Subject, manyfest: Manyfest, source: str, target: str
) -> None:
    arrived = f"referred-to-from-{source}-to-{target}"

    done = manyfest("copy", places.named(source, "referred-to"), places.named(target, arrived))

    assert (done.code, done.out) == (0, f"{subject.root.descriptor.digest}\n"), done.err
    where = Reference.parse(places.named(target, arrived))
    with Stores() as stores, stores.source(where) as store:
        assert _referrers(store, subject.root) == [subject.bill.descriptor.digest]
        assert _referrers(store, subject.bill) == [subject.signature.descriptor.digest]
        store.resolve(f"sha256-{subject.root.descriptor.digest.hex}.sig")
        for referrer in (subject.bill, subject.signature):
            _read_whole(store, str(referrer.descriptor.digest), str(referrer.descriptor.digest))


def _referrers(store: Source, manifest: Manifest) -> list[object]:
    assert isinstance(store, Refers)
    return [each.digest for each in store.referrers(manifest.descriptor.digest)]


@pytest.mark.parametrize("target", PLACES)
def test_what_refers_to_an_image_can_be_left_behind(
    places: Places, subject: Subject, manyfest: Manyfest, target: str
) -> None:
    arrived = places.named(target, f"alone-in-{target}")

    done = manyfest("copy", "--no-referrers", places.named("registry", "referred-to"), arrived)

    assert done.code == 0, done.err
    with Stores() as stores, stores.source(Reference.parse(arrived)) as store:
        assert _referrers(store, subject.root) == []


@pytest.mark.parametrize("target", PLACES)
@pytest.mark.parametrize("source", PLACES)
def test_some_platforms_become_an_index_of_their_own(
    places: Places, manyfest: Manyfest, source: str, target: str
) -> None:
    arrived = places.named(target, f"some-from-{source}-to-{target}")
    wanted = ["--platform", "linux/arm64", "--platform", "linux/arm/v7"]

    done = manyfest("copy", *wanted, places.named(source, "index"), arrived)

    assert done.code == 0, done.err
    raw = json.loads(manyfest("inspect", "--raw", arrived).out)
    whole = images.platforms(MemoryStore()).index.manifests
    assert [each["digest"] for each in raw["manifests"]] == [str(e.digest) for e in whole[1:]]


@pytest.mark.parametrize("target", PLACES)
@pytest.mark.parametrize("source", PLACES)
def test_a_platform_that_is_not_there_is_never_left_out_silently(
    places: Places, manyfest: Manyfest, source: str, target: str
) -> None:
    arrived = places.named(target, f"none-from-{source}-to-{target}")
    wanted = ["--platform", "linux/amd64,linux/s390x"]

    done = manyfest("copy", *wanted, places.named(source, "index"), arrived)

    assert (done.code, done.out) == (1, "")
    assert "it has no linux/s390x; it has linux/amd64, linux/arm64, linux/arm/v7" in done.err
    assert manyfest("inspect", arrived).code == 1
