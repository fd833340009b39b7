from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.stores.files import FolderLock
from tests.unit.serve_client import OCI_INDEX, OCI_MANIFEST, Client, digest_of, index_of

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def test_an_image_is_pushed_by_tag_and_pulled_by_tag_and_digest(client: Client) -> None:
    image = client.image("app")
    digest = digest_of(image.raw)
    pushed = client.push_manifest("app", "v1", image)
    assert (pushed.status, pushed.location) == (201, f"/v2/app/manifests/{digest}")
    assert pushed.headers.get("docker-content-digest") == digest
    for reference in ("v1", digest):
        pulled = client.call("GET", f"app/manifests/{reference}")
        assert (pulled.status, pulled.body) == (200, image.raw)
        assert pulled.headers.get("docker-content-digest") == digest
        assert pulled.headers.get_all("content-type") == (
            "application/vnd.oci.image.manifest.v1+json",
        )


def test_head_tells_everything_but_the_body(client: Client) -> None:
    image = client.push_image("app", "v1")
    answer = client.call("HEAD", "app/manifests/v1")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers.get("content-length") == str(len(image.raw))
    assert answer.headers.get("content-type") == "application/vnd.oci.image.manifest.v1+json"


def test_a_client_that_has_the_manifest_is_told_so(client: Client) -> None:
    image = client.push_image("app", "v1")
    answer = client.call("GET", "app/manifests/v1", if_none_match=f'"{digest_of(image.raw)}"')
    assert (answer.status, answer.body) == (304, b"")


def test_an_untagged_manifest_changes_no_index(client: Client) -> None:
    client.push_image("app", "v1")
    index = client.root / "repositories/app/_oci/index.json"
    before = index.stat()
    image = client.push_image("app", text="untagged")
    assert index.stat().st_ino == before.st_ino
    assert client.call("HEAD", f"app/manifests/{digest_of(image.raw)}").status == 200


def test_the_digest_of_a_blob_is_no_manifest(client: Client) -> None:
    image = client.push_image("app", "v1")
    for child in image.children:
        answer = client.call("GET", f"app/manifests/{child.digest}")
        assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


def test_a_manifest_that_was_pushed_as_a_blob_is_no_manifest(client: Client) -> None:
    image = client.image("app")
    client.push_blob("app", image.raw)
    assert client.call("HEAD", f"app/manifests/{digest_of(image.raw)}").status == 404


def test_a_manifest_is_not_seen_from_another_repository(client: Client) -> None:
    image = client.push_image("secret", "v1")
    client.call("GET", "secret/manifests/v1")
    client.push_blob("app", b"x")
    answer = client.call("GET", f"app/manifests/{digest_of(image.raw)}")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("reference", ["v9", ".INVALID", "sha256:" + "0" * 64])
def test_what_is_not_there_is_a_404(client: Client, reference: str) -> None:
    client.push_image("app", "v1")
    for method in ("GET", "HEAD", "DELETE"):
        assert client.call(method, f"app/manifests/{reference}").status == 404


def test_an_unknown_repository_is_a_404(client: Client) -> None:
    answer = client.call("GET", "app/manifests/v1")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
    assert client.files() == []


@pytest.mark.parametrize("tag", [".v1", "-v1", "v" * 129, "v%0A", "v%00", "v 1"])
def test_a_name_that_no_tag_can_have_is_refused(client: Client, tag: str) -> None:
    image = client.image("app")
    answer = client.call("PUT", f"app/manifests/{tag.replace(' ', '%20')}", image.raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_a_manifest_is_pushed_by_digest_with_several_tags(client: Client) -> None:
    image = client.image("app")
    path = f"{image.descriptor.digest}?tag=1.2.3&tag=1.2&tag=latest"
    answer = client.push_manifest("app", path, image)
    assert (answer.status, answer.headers.get("oci-tag")) == (201, "1.2.3, 1.2, latest")
    assert client.call("GET", "app/tags/list").json() == {
        "name": "app",
        "tags": ["1.2", "1.2.3", "latest"],
    }
    assert client.call("GET", "app/manifests/1.2").body == image.raw


def test_one_bad_tag_of_several_and_none_is_set(client: Client) -> None:
    image = client.image("app")
    answer = client.push_manifest("app", f"{image.descriptor.digest}?tag=v1&tag=..", image)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert client.call("HEAD", "app/manifests/v1").status == 404
    assert client.call("HEAD", f"app/manifests/{image.descriptor.digest}").status == 404


def test_more_tags_than_fit_are_refused(client: Client) -> None:
    image = client.image("app")
    tags = "&".join(f"tag=v{number}" for number in range(33))
    assert client.push_manifest("app", f"{image.descriptor.digest}?{tags}", image).status == 414


def test_a_digest_that_does_not_match_is_refused(client: Client) -> None:
    image = client.image("app")
    answer = client.push_manifest("app", "sha256:" + "0" * 64, image)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert client.call("HEAD", f"app/manifests/{digest_of(image.raw)}").status == 404


def test_a_manifest_may_be_pushed_by_its_sha512(client: Client) -> None:
    image = client.image("app")
    digest = digest_of(image.raw, "sha512")
    assert client.push_manifest("app", digest, image).status == 201
    answer = client.call("GET", f"app/manifests/{digest}")
    assert (answer.body, answer.headers.get("docker-content-digest")) == (image.raw, digest)


def test_a_manifest_before_its_blobs_is_refused(client: Client) -> None:
    client.push_blob("other", b"layer")
    image = client.image("other")
    answer = client.push_manifest("app", "v1", image)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert client.call("GET", "app/tags/list").status == 404


def test_a_manifest_with_a_wrong_size_is_refused(client: Client) -> None:
    image = client.image("app")
    raw = image.raw.replace(b'"size":5', b'"size":6')
    answer = client.call("PUT", "app/manifests/v1", raw, content_type=OCI_MANIFEST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_an_index_before_its_manifests_is_refused(client: Client) -> None:
    present = client.push_image("app")
    missing = client.image("app", text="missing")
    index = index_of(present, missing)
    answer = client.push_manifest("app", "v1", index)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert str(missing.descriptor.digest) in answer.body.decode()
    client.push_manifest("app", str(missing.descriptor.digest), missing)
    assert client.push_manifest("app", "v1", index).status == 201


def test_a_blob_does_not_do_for_an_indexs_manifest(client: Client) -> None:
    image = client.image("app")
    client.push_blob("app", image.raw)
    assert client.push_manifest("app", "v1", index_of(image)).code == "MANIFEST_BLOB_UNKNOWN"


def test_a_foreign_layer_need_not_be_here(client: Client) -> None:
    foreign = Descriptor(
        media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest=Digest.of(b"elsewhere"),
        size=9,
        urls=("https://example.org/layer",),
    )
    image = Manifest.of_image(
        Image(
            schema_version=2,
            media_type=DOCKER_MANIFEST,
            config=client.push_blob("app", b"{}"),
            layers=(foreign,),
        )
    )
    pushed = client.push_manifest("app", "v1", image)
    assert (pushed.status, pushed.headers.get("warning")) == (
        201,
        '299 - "1 of the layers are not here, but where their URLs say"',
    )
    answer = client.call("GET", "app/manifests/v1")
    assert answer.headers.get("content-type") == (
        "application/vnd.docker.distribution.manifest.v2+json"
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"not json",
        b'{"schemaVersion":2,"manifests":[],"layers":[]}',
        b'{"schemaVersion":1,"fsLayers":[]}',
        b'{"schemaVersion":2,"manifests":[],"manifests":[]}',
        b'{"schemaVersion":2,"mediaType":"application/x","manifests":[]}',
    ],
)
def test_what_is_no_manifest_is_refused(client: Client, raw: bytes) -> None:
    answer = client.call("PUT", "app/manifests/v1", raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert client.files() == []


def test_the_type_in_the_body_must_be_the_type_it_came_as(client: Client) -> None:
    image = client.image("app")
    answer = client.call("PUT", "app/manifests/v1", image.raw, content_type=DOCKER_MANIFEST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_a_type_that_the_bytes_do_not_tell_is_refused(client: Client) -> None:
    untyped = client.image("app").raw.replace(f'"mediaType":"{OCI_MANIFEST}",'.encode(), b"", 1)
    answer = client.call("PUT", "app/manifests/v1", untyped, content_type=DOCKER_MANIFEST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert client.call("PUT", "app/manifests/v1", untyped, content_type=OCI_MANIFEST).status == 201


def test_a_manifest_beyond_four_mebibytes_is_a_413(client: Client) -> None:
    answer = client.call("PUT", "app/manifests/v1", b" " * (4 * 1024 * 1024 + 1))
    assert (answer.status, answer.code) == (413, "SIZE_INVALID")


def test_a_tag_moves(client: Client) -> None:
    client.push_image("app", "v1")
    client.call("HEAD", "app/manifests/v1")
    second = client.push_image("app", "v1", text="second")
    assert client.call("GET", "app/manifests/v1").body == second.raw


def test_a_tag_is_deleted_and_the_manifest_stays(client: Client) -> None:
    image = client.push_image("app", "v1")
    assert client.call("DELETE", "app/manifests/v1").status == 202
    assert client.call("GET", "app/manifests/v1").status == 404
    assert client.call("GET", f"app/manifests/{image.descriptor.digest}").status == 200


def test_a_manifest_is_deleted_with_its_tags(client: Client) -> None:
    image = client.push_image("app", "v1")
    client.push_image("app", "v2")
    client.push_image("app", "other", text="other")
    path = f"app/manifests/{image.descriptor.digest}"
    assert client.call("DELETE", path).status == 202
    assert client.call("DELETE", path).status == 404
    assert client.call("GET", path).status == 404
    assert client.call("GET", "app/tags/list").json() == {"name": "app", "tags": ["other"]}


def test_nobody_tags_a_manifest_while_it_goes(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the tag of whoever pushes it again at that moment would mean what is not there."""
    image = client.push_image("app", "v1")
    layout = client.storage.repository("app").layout.path
    might_tag: list[bool] = []

    def unlink(path: str) -> None:
        with FolderLock(layout) as lock:
            might_tag.append(lock.try_alone())

    with monkeypatch.context() as patch:
        patch.setattr("manyfest.serve.repository.os.unlink", unlink)
        client.call("DELETE", f"app/manifests/{image.descriptor.digest}")
    assert set(might_tag) == {False}


def test_a_manifest_is_not_deleted_as_a_blob(client: Client) -> None:
    image = client.push_image("app", "v1")
    answer = client.call("DELETE", f"app/blobs/{image.descriptor.digest}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert client.call("GET", "app/manifests/v1").status == 200


def test_a_deleted_manifest_may_be_pushed_again(client: Client) -> None:
    image = client.push_image("app", "v1")
    client.call("DELETE", f"app/manifests/{image.descriptor.digest}")
    assert client.push_manifest("app", "v1", image).status == 201
    assert client.call("GET", "app/manifests/v1").body == image.raw


def test_a_repository_is_an_oci_layout_that_other_tools_read(client: Client) -> None:
    image = client.push_image("app", "v1")
    layout = client.root / "repositories/app/_oci"
    assert (layout / "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'
    assert (layout / "blobs/sha256" / image.descriptor.digest.hex).read_bytes() == image.raw
    assert (layout / "index.json").read_bytes().decode() == (
        f'{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{{'
        f'"mediaType":"{OCI_MANIFEST}","digest":"{image.descriptor.digest}",'
        f'"size":{len(image.raw)},"annotations":{{"org.opencontainers.image.ref.name":"v1"}}}}]}}'
    )


def test_a_damaged_manifest_is_never_handed_out(client: Client) -> None:
    image = client.push_image("app", "v1")
    path = client.root / "blobs/sha256" / image.descriptor.digest.hex
    path.write_bytes(image.raw.replace(b"layer", b"LAYER"))
    assert Client(client.root).call("GET", "app/manifests/v1").status == 500


def test_a_damaged_manifest_is_deleted_and_pushed_anew(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    image = client.image("app", subject=subject)
    client.push_manifest("app", "v2", image)
    (client.root / "blobs/sha256" / image.descriptor.digest.hex).write_bytes(b"{}")
    again = Client(client.root)
    path = f"app/manifests/{image.descriptor.digest}"
    assert again.call("DELETE", path).status == 202
    assert again.call("GET", "app/tags/list").json() == {"name": "app", "tags": ["v1"]}
    assert again.push_manifest("app", "v2", image).status == 201
    assert Client(client.root).call("GET", path).body == image.raw


def test_a_subject_that_is_not_here_yet_is_warned_of(client: Client) -> None:
    subject = client.image("app", text="later")
    referrer = client.image("app", subject=subject.descriptor)
    before = client.push_manifest("app", "v1", referrer)
    assert (before.status, before.headers.get("warning")) == (
        201,
        f'299 - "the subject {subject.descriptor.digest} is not in the repository yet"',
    )
    client.push_manifest("app", "v2", subject)
    after = client.push_manifest("app", "v1", referrer)
    assert after.headers.get_all("warning") == ()


def test_an_index_with_a_subject_says_so(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    index = Manifest.of_index(
        Index(schema_version=2, media_type=OCI_INDEX, manifests=(), subject=subject)
    )
    answer = client.push_manifest("app", str(index.descriptor.digest), index)
    assert answer.headers.get("oci-subject") == str(subject.digest)
