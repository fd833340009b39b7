"""A watch of what must be signed, against real registries."""

from __future__ import annotations

import json
from pathlib import Path

from manyfest.graph import read_manifest
from manyfest.oci.reference import Name
from manyfest.stores.open import Stores
from tests.integration.conftest import running_registry
from tests.signing import Key, payload_of, sign_by_tag
from tests.watching import WatchProcess, push

AMD64, ARM64 = "linux/amd64", "linux/arm64"

CONFIG = """\
every: 1s
images:
  - in: ["{hub}", "{ghcr}"]
    name: gotify/server
    platforms: [linux/amd64, linux/arm64]
    signed_by: cosign.pub
    soak: 1s
    settle: 1s
"""


def sign(place: str, tag: str, key: Key) -> None:
    """Sign what the tag means, as cosign does."""
    with Stores() as stores, stores.registry(Name.parse(place), writing=True) as target:
        root = read_manifest(target, target.resolve(tag))
        payload = payload_of(str(root.descriptor.digest))
        sign_by_tag(target, root, (payload, key.sign(payload)))


def states(watch: WatchProcess, tag: str) -> list[str]:
    """The states of the tag's platforms in its places."""
    found = watch.rows("SELECT state FROM tags WHERE tag = ?", tag)
    places = json.loads(found[0][0])["places"] if found else []
    return [each["state"] for place in places for each in place.get("platforms", {}).values()]


def facts(watch: WatchProcess, digest: str) -> dict[str, object]:
    """What is known of what the version consists of."""
    found = watch.rows("SELECT facts FROM facts WHERE digest = ?", digest)
    return dict(json.loads(found[0][0])) if found else {}


def test_a_version_is_complete_once_it_is_signed_in_every_registry(tmp_path: Path) -> None:
    """The images are everywhere first, then they are signed, and the watch is killed between."""
    key = Key()
    with (
        running_registry(tmp_path / "one") as one,
        running_registry(tmp_path / "two") as two,
    ):
        hub, ghcr = f"{one}/gotify/server", f"{two}/gotify/server"
        watch = WatchProcess(tmp_path / "watch", CONFIG.format(hub=hub, ghcr=ghcr))
        (watch.folder / "cosign.pub").write_bytes(key.pem)
        try:
            watch.start()
            watch.wait_ready()
            digest = push(hub, "2.6.1", (AMD64, ARM64))
            assert push(ghcr, "2.6.1", (AMD64, ARM64)) == digest
            watch.until(lambda: states(watch, "2.6.1") == ["unsigned"] * 4, "it is not seen")
            watch.until(lambda: facts(watch, digest), "it is not read")
            assert watch.events("2.6.1") == [("appeared", "", "")]
            sizes = [each["size"] for each in facts(watch, digest)["platforms"]]  # type: ignore[attr-defined]

            sign(ghcr, "2.6.1", Key())  # somebody else
            sign(hub, "2.6.1", key)
            watch.until(lambda: len(watch.events("2.6.1")) == 3, "no signature is seen")
            watch.kill()
            sign(ghcr, "2.6.1", key)
            watch.start()
            watch.until(lambda: ("soaked", "", "") in watch.events("2.6.1"), "it is not complete")
            watch.until(lambda: facts(watch, digest)["is_last"], "it is not read once more")
            path = "/api/v1/images/gotify%2Fserver/versions/2.6.1"
            answer = json.loads(watch.ask("GET", path)[1])
            page = watch.ask("GET", "/images/gotify/server/2.6.1")[1].decode()
        finally:
            watch.kill()

    assert watch.events("2.6.1") == [
        ("appeared", "", ""),
        ("platform ready", hub, AMD64),
        ("platform ready", hub, ARM64),
        ("platform ready", ghcr, AMD64),
        ("platform ready", ghcr, ARM64),
        ("complete", "", ""),
        ("soaked", "", ""),
    ]
    assert all(size > 0 for size in sizes)
    assert [place["signed_by"] for place in answer["places"]] == ["cosign.pub", "cosign.pub"]
    assert [each["size"] for each in answer["places"][0]["platforms"]] == sizes
    assert answer["places"][0]["attached"] == ["signature (cosign)"]
    assert page.count("Attached to the index: signature (cosign).") == 2
    assert page.count("All of it is signed by <code>cosign.pub</code>") == 2
