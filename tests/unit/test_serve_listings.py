from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.reference import Name
from manyfest.serve.local import AppTransport
from manyfest.stores.layout import LayoutStore
from manyfest.stores.registry.catalogue import read_catalogue
from manyfest.stores.registry.store import RegistryStore
from tests.unit.serve_client import Answer, Client


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


@pytest.fixture
def tagged(client: Client) -> Client:
    image = client.image("app")
    for tag in ("v2", "latest", "v10", "V1"):
        client.push_manifest("app", tag, image)
    return client


def tags(answer: Answer) -> list[str]:
    return msgspec.json.decode(answer.body, type=dict[str, object])["tags"]  # type: ignore[return-value]


def test_the_version_check(client: Client) -> None:
    answer = client.call("GET", "/v2/")
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers.get("docker-distribution-api-version") == "registry/2.0"
    assert answer.headers.get("content-type") == "application/json"


def test_tags_come_in_ascii_order(tagged: Client) -> None:
    answer = tagged.call("GET", "app/tags/list")
    assert answer.json() == {"name": "app", "tags": ["V1", "latest", "v10", "v2"]}
    assert "link" not in answer.headers


@pytest.mark.parametrize("path", ["app/tags/list", "_catalog", f"app/referrers/sha256:{'0' * 64}"])
def test_head_of_a_list_tells_its_size(tagged: Client, path: str) -> None:
    listed, head = tagged.call("GET", path), tagged.call("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers.get("content-length") == str(len(listed.body))


def test_tags_are_paged(tagged: Client) -> None:
    first = tagged.call("GET", "app/tags/list?n=3")
    assert tags(first) == ["V1", "latest", "v10"]
    assert first.headers.get("link") == '</v2/app/tags/list?n=3&last=v10>; rel="next"'
    second = tagged.call("GET", "/v2/app/tags/list?n=3&last=v10")
    assert tags(second) == ["v2"]
    assert "link" not in second.headers


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("n=0", []),
        ("n=4", ["V1", "latest", "v10", "v2"]),
        ("n=" + "9" * 5000, ["V1", "latest", "v10", "v2"]),
        ("last=m", ["v10", "v2"]),
        ("last=zzz", []),
        ("last=v10", ["v2"]),
        ("n=1&last=latest", ["v10"]),
    ],
)
def test_what_n_and_last_ask_for(tagged: Client, query: str, expected: list[str]) -> None:
    assert tags(tagged.call("GET", f"app/tags/list?{query}")) == expected


@pytest.mark.parametrize("n", ["-1", "x", "", "1.5", "%C2%B2"])
def test_what_is_no_number_is_refused(tagged: Client, n: str) -> None:
    answer = tagged.call("GET", f"app/tags/list?n={n}")
    assert (answer.status, answer.code) == (400, "UNSUPPORTED")


def test_a_repository_without_tags(client: Client) -> None:
    client.push_blob("app", b"x")
    assert client.call("GET", "app/tags/list").json() == {"name": "app", "tags": []}


def test_tags_of_an_unknown_repository(client: Client) -> None:
    answer = client.call("GET", "app/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


def test_the_catalogue_is_sorted_and_paged(client: Client) -> None:
    for name in ("b", "a/b/c", "a-b", "a"):
        client.push_blob(name, b"x")
    assert client.call("GET", "_catalog").json() == {"repositories": ["a", "a-b", "a/b/c", "b"]}
    page = client.call("GET", "_catalog?n=2")
    assert page.json() == {"repositories": ["a", "a-b"]}
    assert page.headers.get("link") == '</v2/_catalog?n=2&last=a-b>; rel="next"'
    assert client.call("GET", "_catalog?n=9&last=a-b").json() == {"repositories": ["a/b/c", "b"]}


def test_an_empty_catalogue(client: Client) -> None:
    assert client.call("GET", "_catalog").json() == {"repositories": []}


def test_an_upload_alone_makes_no_repository(client: Client) -> None:
    client.begin("app")
    assert client.call("GET", "_catalog").json() == {"repositories": []}


def attach(client: Client, subject: Descriptor, kind: str, text: str = "") -> Manifest:
    artifact = client.image("app", subject=subject, artifact_type=kind, text=text)
    answer = client.push_manifest("app", str(artifact.descriptor.digest), artifact)
    assert answer.headers.get("oci-subject") == str(subject.digest)
    return artifact


def test_referrers_are_described_with_type_and_annotations(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    artifact = attach(client, subject, "application/vnd.example.sbom", "note")
    answer = client.call("GET", f"app/referrers/{subject.digest}")
    assert answer.headers.get("content-type") == "application/vnd.oci.image.index.v1+json"
    assert answer.json() == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": str(artifact.descriptor.digest),
                "size": len(artifact.raw),
                "annotations": {"text": "note"},
                "artifactType": "application/vnd.example.sbom",
            }
        ],
    }


def test_without_an_artifact_type_the_configs_type_stands_for_it(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    attach(client, subject, "")
    answer = client.call("GET", f"app/referrers/{subject.digest}")
    assert b'"artifactType":"application/vnd.oci.image.config.v1+json"' in answer.body


def test_referrers_are_filtered(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    attach(client, subject, "application/vnd.example.sbom")
    wanted = attach(client, subject, "application/vnd.example.signature+json")
    query = "artifactType=application/vnd.example.signature%2Bjson"
    answer = client.call("GET", f"app/referrers/{subject.digest}?{query}")
    assert answer.headers.get("oci-filters-applied") == "artifactType"
    assert listed(answer) == [str(wanted.descriptor.digest)]


def test_a_subject_may_come_later(client: Client) -> None:
    later = client.image("app", text="later")
    artifact = attach(client, later.descriptor, "application/vnd.example.sbom")
    assert listed(client.call("GET", f"app/referrers/{later.descriptor.digest}")) == [
        str(artifact.descriptor.digest)
    ]


def test_nothing_refers_to_it(client: Client) -> None:
    nothing = Digest.of(b"nothing")
    for repository in ("app", "unknown"):
        client.push_blob("app", b"x")
        answer = client.call("GET", f"{repository}/referrers/{nothing}")
        assert (answer.status, listed(answer)) == (200, [])


def test_a_deleted_referrer_is_no_longer_listed(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    artifact = attach(client, subject, "application/vnd.example.sbom")
    client.call("DELETE", f"app/manifests/{artifact.descriptor.digest}")
    assert listed(client.call("GET", f"app/referrers/{subject.digest}")) == []


def test_referrers_of_another_repository_are_not_shown(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    attach(client, subject, "application/vnd.example.sbom")
    client.push_image("other", "v1")
    assert listed(client.call("GET", f"other/referrers/{subject.digest}")) == []


def test_what_is_no_digest_has_no_referrers(client: Client) -> None:
    answer = client.call("GET", "app/referrers/v1")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_more_referrers_than_fit_into_an_index_are_paged(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    long = "x" * 1_500_000
    artifacts = [attach(client, subject, "a/b", f"{long}{number}") for number in range(4)]
    expected = sorted(str(artifact.descriptor.digest) for artifact in artifacts)
    path = f"/v2/app/referrers/{subject.digest}?artifactType=a%2Fb"
    found = []
    for _ in range(2):
        answer = client.call("GET", path)
        assert len(answer.body) < 4 * 1024 * 1024
        found += listed(answer)
        path = answer.headers.get("link").partition(">")[0].removeprefix("<")
    assert (found, path) == (expected, "")


def test_a_referrer_whose_push_was_killed_is_passed_over(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    artifact = attach(client, subject, "application/vnd.example.sbom")
    layout = client.root / "repositories/app/_oci"
    killed = layout / "referrers/sha256" / subject.digest.hex / f"sha256-{'0' * 64}"
    killed.write_bytes(artifact.raw)
    answer = client.call("GET", f"app/referrers/{subject.digest}")
    assert listed(answer) == [str(artifact.descriptor.digest)]


def repository(client: Client, name: str = "app") -> RegistryStore:
    """The repository as our own client sees it."""
    transport = AppTransport(client.registry)
    return RegistryStore(Name.parse(f"localhost:5000/{name}"), transport, scheme="http")


def test_our_client_reads_every_page_of_tags(client: Client) -> None:
    image = client.push_image("app", "v1")
    entries = [
        msgspec.structs.replace(
            image.descriptor, annotations={"org.opencontainers.image.ref.name": f"v{number}"}
        )
        for number in range(2500)
    ]
    layout = LayoutStore(client.root / "repositories/app/_oci")
    layout.update(lambda index: msgspec.structs.replace(index, manifests=tuple(entries)))
    assert set(repository(client).tags()) == {f"v{number}" for number in range(2500)}


def test_nightly_builds_of_years_are_kept_and_paged(client: Client) -> None:
    image = client.push_image("app", "v1")
    entries = [
        msgspec.structs.replace(
            image.descriptor, annotations={"org.opencontainers.image.ref.name": f"n{number:05}"}
        )
        for number in range(20_000)
    ]
    layout = LayoutStore(client.root / "repositories/app/_oci")
    layout.update(lambda index: msgspec.structs.replace(index, manifests=tuple(entries)))
    assert client.push_manifest("app", "latest", image).status == 201
    page = client.call("GET", "app/tags/list?n=2&last=n19998")
    assert page.json() == {"name": "app", "tags": ["n19999"]}
    assert client.call("DELETE", "app/manifests/n19999").status == 202
    assert client.call("GET", "app/tags/list?n=2&last=n19998").json() == {"name": "app", "tags": []}
    first = client.call("GET", "app/tags/list?n=2")
    assert first.json() == {"name": "app", "tags": ["latest", "n00000"]}
    assert first.headers.get("link") == '</v2/app/tags/list?n=2&last=n00000>; rel="next"'


def test_our_client_reads_every_page_of_the_catalogue(client: Client) -> None:
    names = [f"team/app{number:04}" for number in range(1001)]
    for name in names:
        (client.root / "repositories" / name / "_oci").mkdir(parents=True)
        (client.root / "repositories" / name / "_oci/index.json").write_bytes(b"{}")
    send = AppTransport(client.registry).send
    assert list(read_catalogue(send, "http://localhost:5000", "localhost:5000")) == names


def test_our_client_reads_every_page_of_referrers(client: Client) -> None:
    subject = client.push_image("app", "v1").descriptor
    long = "x" * 1_500_000
    artifacts = {attach(client, subject, "a/b", f"{long}{n}").descriptor.digest for n in range(4)}
    assert {each.digest for each in repository(client).referrers(subject.digest)} == artifacts


def listed(answer: Answer) -> list[str]:
    index = msgspec.json.decode(answer.body, type=_Listed)
    return [entry.digest for entry in index.manifests]


class _Listed(msgspec.Struct):
    manifests: list[_Entry]


class _Entry(msgspec.Struct):
    digest: str
