"""The registry beside a model of it, which is a few dictionaries: whatever is pushed, mounted,
tagged, deleted and collected in whatever order, both answer the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.serve.garbage import find, remove
from tests.unit.serve_client import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Client

REPOSITORIES = ("app", "app/sub", "other")
TAGS = ("v1", "v2")
BLOBS = (b"", b"one", b"two", b"three")

repositories = st.sampled_from(REPOSITORIES)
tags = st.sampled_from(TAGS)
blobs = st.sampled_from(BLOBS)
algorithms = st.sampled_from(["sha256", "sha512"])


def image(layer: bytes) -> Manifest:
    return Manifest.of_image(
        Image(
            schema_version=2,
            media_type=OCI_MANIFEST,
            config=Descriptor.of(b"{}", OCI_CONFIG),
            layers=(Descriptor.of(layer, OCI_LAYER),),
        )
    )


class Registries(RuleBasedStateMachine):
    """``_blobs`` and ``_manifests`` are what each repository has, by digest."""

    def __init__(self) -> None:
        super().__init__()
        self._root = Path(tempfile.mkdtemp())
        self._client = Client(self._root)
        self._client.registry.prepare()
        self._blobs: dict[str, dict[str, bytes]] = {}
        self._manifests: dict[str, dict[str, Manifest]] = {}
        self._tags: dict[str, dict[str, str]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self._root)

    @rule(repository=repositories, data=blobs, algorithm=algorithms, cut=st.integers(0, 5))
    def push_blob(self, repository: str, data: bytes, algorithm: str, cut: int) -> None:
        digest = str(Digest.of(data, algorithm))
        location = self._client.begin(repository)
        assert self._client.call("PATCH", location, data[:cut]).status == 202
        assert self._client.call("PUT", f"{location}?digest={digest}", data[cut:]).status == 201
        self._add(repository, digest, data)

    @rule(
        repository=repositories, source=repositories | st.none(), data=blobs, algorithm=algorithms
    )
    def mount(self, repository: str, source: str | None, data: bytes, algorithm: str) -> None:
        digest = str(Digest.of(data, algorithm))
        places = [source] if source else REPOSITORIES
        there = any(digest in self._blobs.get(place, {}) for place in places)
        named = f"&from={source}" if source else ""
        answer = self._client.call("POST", f"{repository}/blobs/uploads/?mount={digest}{named}")
        assert answer.status == (201 if there else 202)
        if there:
            self._add(repository, digest, data)

    @rule(repository=repositories, layer=blobs, tag=tags | st.none())
    def push_manifest(self, repository: str, layer: bytes, tag: str | None) -> None:
        manifest = image(layer)
        digest = str(manifest.descriptor.digest)
        whole = all(str(c.digest) in self._blobs.get(repository, {}) for c in manifest.children)
        answer = self._client.push_manifest(repository, tag or digest, manifest)
        assert answer.status == (201 if whole else 400)
        if whole:
            self._add(repository, digest, manifest.raw)
            self._manifests.setdefault(repository, {})[digest] = manifest
            if tag:
                self._tags.setdefault(repository, {})[tag] = digest

    @rule(repository=repositories)
    def push_config(self, repository: str) -> None:
        self.push_blob(repository, b"{}", "sha256", 1)

    @rule(repository=repositories, tag=tags)
    def delete_tag(self, repository: str, tag: str) -> None:
        there = self._tags.get(repository, {}).pop(tag, None) is not None
        answer = self._client.call("DELETE", f"{repository}/manifests/{tag}")
        assert answer.status == (202 if there else 404)

    @rule(repository=repositories, layer=blobs)
    def delete_manifest(self, repository: str, layer: bytes) -> None:
        digest = str(image(layer).descriptor.digest)
        there = self._manifests.get(repository, {}).pop(digest, None) is not None
        answer = self._client.call("DELETE", f"{repository}/manifests/{digest}")
        assert answer.status == (202 if there else 404)
        if there:
            del self._blobs[repository][digest]
            kept = {tag: d for tag, d in self._tags.get(repository, {}).items() if d != digest}
            self._tags[repository] = kept

    @rule(repository=repositories, data=blobs, algorithm=algorithms)
    def delete_blob(self, repository: str, data: bytes, algorithm: str) -> None:
        digest = str(Digest.of(data, algorithm))
        there = self._blobs.get(repository, {}).pop(digest, None) is not None
        answer = self._client.call("DELETE", f"{repository}/blobs/{digest}")
        assert answer.status == (202 if there else 404)

    @rule(untagged=st.booleans())
    def collect(self, untagged: bool) -> None:
        for path in self._root.rglob("*"):
            if path.is_file():
                os.utime(path, (0, 0))
        remove(self._client.storage, find(self._client.storage, untagged=untagged))
        for repository, there in self._manifests.items() if untagged else ():
            tagged = set(self._tags.get(repository, {}).values())
            self._manifests[repository] = {d: there[d] for d in there if d in tagged}
        for repository, held in self._blobs.items():
            manifests = self._manifests.get(repository, {}).values()
            named = {str(part.digest) for each in manifests for part in each.children}
            named |= {str(each.descriptor.digest) for each in manifests}
            self._blobs[repository] = {d: held[d] for d in held if d in named}
        assert list((self._root / "uploads").iterdir()) == []

    @rule()
    def restart(self) -> None:
        self._client = Client(self._root)
        self._client.registry.prepare()

    @invariant()
    def all_blobs_are_there_and_no_others(self) -> None:
        for repository in REPOSITORIES:
            for data in BLOBS:
                for digest in (Digest.of(data), Digest.of(data, "sha512")):
                    there = str(digest) in self._blobs.get(repository, {})
                    answer = self._client.call("GET", f"{repository}/blobs/{digest}")
                    assert answer.status == (200 if there else 404)
                    assert not there or answer.body == data

    @invariant()
    def all_manifests_are_there_and_no_others(self) -> None:
        for repository in REPOSITORIES:
            for layer in BLOBS:
                manifest = image(layer)
                digest = str(manifest.descriptor.digest)
                there = digest in self._manifests.get(repository, {})
                answer = self._client.call("GET", f"{repository}/manifests/{digest}")
                assert (answer.status, answer.body == manifest.raw) == (
                    (200, True) if there else (404, False)
                )

    @invariant()
    def the_lists_are_right(self) -> None:
        listed = self._client.call("GET", "_catalog").json()
        assert listed == {"repositories": sorted(self._blobs)}
        for repository in self._blobs:
            tags_ = self._tags.get(repository, {})
            listed = self._client.call("GET", f"{repository}/tags/list").json()
            assert listed == {"name": repository, "tags": sorted(tags_)}
            for tag, digest in tags_.items():
                answer = self._client.call("HEAD", f"{repository}/manifests/{tag}")
                assert answer.headers.get("docker-content-digest") == digest

    @invariant()
    def nothing_is_on_disk_for_nobody(self) -> None:
        held = {digest for each in self._blobs.values() for digest in each}
        assert {str(digest) for digest, _ in self._client.storage.shared()} == held

    def _add(self, repository: str, digest: str, data: bytes) -> None:
        self._blobs.setdefault(repository, {})[digest] = data


TestRegistries = Registries.TestCase
TestRegistries.settings = settings(
    max_examples=8,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
