from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from manyfest.cli.main import cli
from manyfest.errors import DigestMismatch, StoreError
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.serve.garbage import find, remove
from tests.unit.serve_client import OCI_CONFIG, OCI_MANIFEST, Client, digest_of, index_of

DATA = b"0123456789"
DIGEST = Digest.of(DATA)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path / "registry")


def age(root: Path) -> None:
    """Nobody has touched anything in the registry since 1970."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))


def collected(client: Client) -> list[str]:
    """What was removed, once everything is old."""
    age(client.root)
    return collected_now(client)


def collected_now(client: Client) -> list[str]:
    found = find(client.storage)
    remove(client.storage, found)
    return [f"{name}@{digest}" for name, digest in found.blobs]


def blobs(client: Client) -> list[str]:
    return [name for name in client.files() if DIGEST.hex in name]


def test_what_a_manifest_names_is_kept(client: Client) -> None:
    image = client.push_image("app", "v1")
    before = client.files()
    assert collected(client) == []
    assert client.files() == before
    assert client.call("GET", "app/manifests/v1").body == image.raw


def test_an_untagged_manifest_is_kept_with_all_it_names(client: Client) -> None:
    image = client.push_image("app")
    client.push_manifest("app", "", index_of(image))
    assert collected(client) == []
    for child in image.children:
        assert client.call("HEAD", f"app/blobs/{child.digest}").status == 200


def test_a_blob_that_nothing_names_goes_and_frees_its_room(client: Client) -> None:
    client.push_image("app", "v1")
    client.push_blob("app", DATA)
    age(client.root)
    found = find(client.storage)
    assert (found.blobs, found.size) == ((("app", DIGEST),), 10)
    remove(client.storage, found)
    assert blobs(client) == []
    assert client.call("HEAD", "app/manifests/v1").status == 200


def test_a_deleted_manifests_parts_go(client: Client) -> None:
    image = client.push_image("app", "v1")
    client.call("DELETE", f"app/manifests/{image.descriptor.digest}")
    assert len(collected(client)) == 2
    assert [name for name in client.files() if "sha256" in name] == []


def test_a_blob_goes_from_one_repository_and_stays_in_another(client: Client) -> None:
    image = client.push_image("app", "v1")
    layer = image.image.layers[0].digest
    client.call("POST", f"other/blobs/uploads/?mount={layer}&from=app")
    age(client.root)
    found = find(client.storage)
    assert (found.blobs, found.size) == ((("other", layer),), 0)
    remove(client.storage, found)
    assert client.call("HEAD", f"other/blobs/{layer}").status == 404
    assert client.call("HEAD", f"app/blobs/{layer}").status == 200


@pytest.mark.parametrize("use", ["push", "head", "mount", "upload again"])
def test_a_blob_that_was_of_use_today_stays(client: Client, use: str) -> None:
    client.push_blob("app", DATA)
    if use != "push":
        age(client.root)
    if use == "head":
        client.call("HEAD", f"app/blobs/{DIGEST}")
    if use == "mount":
        client.call("POST", f"app/blobs/uploads/?mount={DIGEST}")
    if use == "upload again":
        client.push_blob("app", DATA)
    assert collected_now(client) == []
    assert client.call("HEAD", f"app/blobs/{DIGEST}").status == 200


def test_a_manifest_that_came_meanwhile_keeps_its_parts(client: Client) -> None:
    image = client.image("app")
    age(client.root)
    found = find(client.storage)
    assert len(found.blobs) == 2
    assert client.push_manifest("app", "v1", image).status == 201
    remove(client.storage, found)
    for child in image.children:
        assert client.call("HEAD", f"app/blobs/{child.digest}").status == 200


def test_a_blob_that_was_asked_for_meanwhile_stays(client: Client) -> None:
    client.push_blob("app", DATA)
    age(client.root)
    found = find(client.storage)
    assert client.call("HEAD", f"app/blobs/{DIGEST}").status == 200
    remove(client.storage, found)
    assert client.call("GET", f"app/blobs/{DIGEST}").body == DATA


def test_looking_changes_nothing(client: Client) -> None:
    client.push_blob("app", DATA)
    client.begin("app")
    age(client.root)
    before = client.files()
    find(client.storage)
    assert client.files() == before


def test_what_killed_pushes_left_goes(client: Client) -> None:
    client.push_image("app", "v1")
    before = client.files()
    client.begin("app")
    (client.root / "repositories/new/_oci").mkdir(parents=True)
    for name in ("app", "new"):
        left = client.root / f"repositories/{name}/_oci/.manyfest-0123456789abcdef"
        left.write_bytes(b"{")
    orphan = client.root / "blobs/sha256" / DIGEST.hex
    orphan.write_bytes(DATA)
    dangling = client.root / f"repositories/app/_oci/referrers/sha256/{'0' * 64}"
    dangling.mkdir(parents=True)
    (dangling / f"sha256-{'1' * 64}").touch()
    collected(client)
    assert client.files() == before


def test_a_blob_whose_push_was_killed_before_a_repository_had_it_goes_at_once(
    client: Client,
) -> None:
    location = client.begin("app")
    client.call("PATCH", location, DATA)
    [upload] = client.root.glob("uploads/*-*")
    shared = client.root / "blobs/sha256" / DIGEST.hex
    shared.parent.mkdir(parents=True)
    os.link(upload, shared)
    collected(client)
    assert client.files() == []


def test_an_upload_that_is_under_way_is_left_alone(client: Client) -> None:
    age(client.root)
    location = client.begin("app")
    client.call("PATCH", location, DATA)
    collected_now(client)
    assert client.call("PUT", f"{location}?digest={DIGEST}").status == 201


def test_a_foreign_layer_that_was_pushed_all_the_same_is_kept(client: Client) -> None:
    config = client.push_blob("app", b"{}")
    foreign = client.push_blob(
        "app", DATA, "application/vnd.oci.image.layer.nondistributable.v1.tar"
    )
    raw = (
        f'{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"x/y",'
        f'"digest":"{config.digest}","size":2}},"layers":[{{"mediaType":"{foreign.media_type}",'
        f'"digest":"{foreign.digest}","size":10}}]}}'
    ).encode()
    assert client.call("PUT", "app/manifests/v1", raw, content_type=OCI_MANIFEST).status == 201
    assert collected(client) == []


def test_with_a_manifest_that_cannot_be_read_nothing_goes(client: Client) -> None:
    image = client.push_image("app", "v1")
    client.push_blob("app", DATA)
    path = client.root / "blobs/sha256" / image.descriptor.digest.hex
    path.write_bytes(image.raw.replace(b"layer", b"LAYER"))
    again = Client(client.root)
    age(client.root)
    before = client.files()
    with pytest.raises(DigestMismatch):
        find(again.storage)
    assert client.files() == before


def test_a_repository_that_is_pushed_to_without_a_pause(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.serve.holdings._TRIES", 2)
    client.push_blob("app", DATA)
    repository = client.storage.existing("app")
    said = "app: something is pushed to it"
    with repository.adding(), pytest.raises(StoreError, match=said), repository.alone():
        pytest.fail("it was alone")


def test_pushes_go_on_meanwhile(client: Client) -> None:
    client.push_image("app", "v0")
    statuses: list[int] = []

    def push() -> None:
        other = Client(client.root)
        statuses.extend(
            push_own_layer(other, f"v{number % 3}", f"layer {number}") for number in range(60)
        )

    pushing = threading.Thread(target=push)
    pushing.start()
    while pushing.is_alive():
        # Everything counts as old at once; what is still being uploaded is not looked at.
        found = find(client.storage, older_than=-60)
        remove(client.storage, replace(found, files=()))
    pushing.join()
    assert len(statuses) == 60
    assert set(statuses) <= {201, 400}
    for manifest in client.storage.existing("app").manifests():
        for child in manifest.children:
            digest = digest_of(client.call("GET", f"app/blobs/{child.digest}").body)
            assert digest == str(child.digest)


def push_own_layer(client: Client, tag: str, layer: str) -> int:
    """Push an image with a layer that no other has. The status: 400 if the layer went before its
    manifest came."""
    image = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=client.push_blob("app", b'{"os":"linux"}', OCI_CONFIG),
        layers=(client.push_blob("app", layer.encode()),),
    )
    return client.push_manifest("app", tag, Manifest.of_image(image)).status


def test_the_command_prints_what_would_go_and_removes_it(client: Client) -> None:
    client.push_blob("app", DATA)
    age(client.root)
    for option, said in (
        ("--dry-run", "would remove 1 blob and 0 unfinished files, and free 10 B"),
        ("-v", "removed 1 blob and 0 unfinished files, and freed 10 B"),
    ):
        done = CliRunner().invoke(cli, ["serve", str(client.root), "--gc", option])
        assert (done.exit_code, done.stdout) == (0, f"app@{DIGEST}\n")
        assert said in done.stderr
    assert blobs(client) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dry-run"], "--dry-run is of use with --gc only"),
        (["--gc", "nowhere"], "there is no such folder"),
        (["--gc", "layout"], "--gc is for a registry's folder"),
    ],
)
def test_what_cannot_be_collected_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("layout").mkdir()
    Path("layout/oci-layout").touch()
    done = CliRunner().invoke(cli, ["serve", *arguments])
    assert said in f"{done.stderr}{done.exception}"
    assert done.exit_code != 0
