from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import InvalidManifest
from manyfest.oci.manifest import Manifest
from manyfest.oci.parse import parse_manifest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"

A, B, C, D = (f"sha256:{letter * 64}" for letter in "abcd")

# As BuildKit writes it: two platforms, an attestation for the first, a key of tomorrow's.
INDEX = f"""{{
  "schemaVersion": 2,
  "mediaType": "{OCI_INDEX}",
  "manifests": [
    {{
      "mediaType": "{OCI_IMAGE}",
      "digest": "{A}",
      "size": 1101,
      "platform": {{"architecture": "amd64", "os": "linux"}}
    }},
    {{
      "mediaType": "{OCI_IMAGE}",
      "digest": "{B}",
      "size": 1102,
      "platform": {{"architecture": "arm64", "os": "linux", "variant": "v8"}}
    }},
    {{
      "mediaType": "{OCI_IMAGE}",
      "digest": "{C}",
      "size": 566,
      "annotations": {{
        "vnd.docker.reference.digest": "{A}",
        "vnd.docker.reference.type": "attestation-manifest"
      }},
      "platform": {{"architecture": "unknown", "os": "unknown"}}
    }}
  ],
  "tomorrow": {{"anything": [1, 2]}}
}}""".encode()

IMAGE = f"""{{"schemaVersion":2,"mediaType":"{OCI_IMAGE}",
"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{A}","size":10}},
"layers":[
 {{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{B}","size":20}},
 {{"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd","digest":"{C}","size":30}},
 {{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{B}","size":20}}
],"annotations":{{"org.opencontainers.image.version":"2.6.1"}}}}""".encode()

DOCKER = f"""{{"schemaVersion":2,"mediaType":"{DOCKER_IMAGE}",
"config":{{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"{A}","size":10}},
"layers":[
 {{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"{B}",
   "size":20,"urls":["https://mcr.example.org/x"]}},
 {{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","digest":"{C}","size":30}}
]}}""".encode()

ARTIFACT = f"""{{"schemaVersion":2,"mediaType":"{OCI_IMAGE}",
"artifactType":"application/vnd.example+type",
"config":{{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"data":"e30=",
"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}},
"layers":[{{"mediaType":"text/plain","digest":"{B}","size":5}}],
"subject":{{"mediaType":"{OCI_INDEX}","digest":"{D}","size":700}}}}""".encode()


def test_an_index_and_its_platforms() -> None:
    manifest = parse_manifest(INDEX)
    assert manifest.is_index
    assert [str(entry.platform) for entry in manifest.index.images] == [
        "linux/amd64",
        "linux/arm64/v8",
    ]
    assert [str(child.digest) for child in manifest.children] == [A, B, C]


def test_an_image_and_its_blobs_each_once() -> None:
    manifest = parse_manifest(IMAGE)
    assert not manifest.is_index
    assert manifest.image.annotations == {"org.opencontainers.image.version": "2.6.1"}
    assert manifest.image.kind == "application/vnd.oci.image.config.v1+json"
    assert len(manifest.image.layers) == 3
    assert [str(child.digest) for child in manifest.children] == [A, B, C]


def test_dockers_schema_2_leaves_foreign_layers_where_they_are() -> None:
    manifest = parse_manifest(DOCKER)
    assert manifest.descriptor.media_type == DOCKER_IMAGE
    assert [str(child.digest) for child in manifest.children] == [A, C]


def test_an_artifact_and_its_subject() -> None:
    manifest = parse_manifest(ARTIFACT)
    assert manifest.image.kind == "application/vnd.example+type"
    assert manifest.image.config.data == b"{}"
    assert manifest.image.subject is not None
    assert str(manifest.image.subject.digest) == D
    assert D not in {str(child.digest) for child in manifest.children}


def test_an_index_of_indexes() -> None:
    raw = (
        f'{{"schemaVersion":2,"manifests":[{{"mediaType":"{OCI_INDEX}","digest":"{A}","size":1}}]}}'
    )
    (entry,) = parse_manifest(raw.encode()).index.images
    assert entry.is_manifest
    assert entry.media_type == OCI_INDEX


def test_the_bytes_are_kept_and_it_is_they_that_are_digested() -> None:
    raw = b'{ "schemaVersion": 2,\n\t"manifests": [], "x": 1 }\n'
    manifest = parse_manifest(raw)
    assert manifest.raw == raw
    assert manifest.descriptor.size == 49
    assert str(manifest.descriptor.digest) == (
        "sha256:60b38a91e5a896f18ade1bc16637c5a407983801261f349b03c211f9d643c82a"
    )


def test_the_digest_is_of_the_algorithm_asked_for() -> None:
    manifest = parse_manifest(INDEX, algorithm="sha512")
    assert str(manifest.descriptor.digest).startswith("sha512:")


@pytest.mark.parametrize("value", ["null", "[]"])
def test_an_empty_list_as_go_writes_it(value: str) -> None:
    index = f'{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":{value}}}'.encode()
    assert parse_manifest(index).index.manifests == ()
    image = IMAGE[: IMAGE.index(b'"layers"')] + f'"layers":{value}}}'.encode()
    assert parse_manifest(image).image.layers == ()


def test_null_is_no_second_form() -> None:
    raw = b'{"schemaVersion":2,"manifests":[],"config":null,"layers":null,"subject":null}'
    assert parse_manifest(raw).index.subject is None


@pytest.mark.parametrize(
    ("raw", "declared", "expected"),
    [
        (b'{"schemaVersion":2,"manifests":[]}', "", OCI_INDEX),
        (b'{"schemaVersion":2,"manifests":[]}', "application/json", OCI_INDEX),
        (b'{"schemaVersion":2,"manifests":[]}', DOCKER_LIST, DOCKER_LIST),
        (IMAGE.replace(f'"mediaType":"{OCI_IMAGE}",'.encode(), b""), "", OCI_IMAGE),
        (IMAGE.replace(f'"mediaType":"{OCI_IMAGE}",'.encode(), b""), DOCKER_IMAGE, DOCKER_IMAGE),
        (INDEX, OCI_INDEX, OCI_INDEX),
        (INDEX, "application/octet-stream", OCI_INDEX),
        (DOCKER, DOCKER_IMAGE, DOCKER_IMAGE),
    ],
)
def test_the_media_type_comes_from_the_body_or_from_what_was_said_of_it(
    raw: bytes, declared: str, expected: str
) -> None:
    assert parse_manifest(raw, media_type=declared).descriptor.media_type == expected


@pytest.mark.parametrize(
    ("raw", "declared", "why"),
    [
        # CVE-2021-41190
        (IMAGE[:-1] + b',"manifests":[]}', "", "at once an index and an image"),
        (INDEX[:-1] + b',"layers":[]}', "", "at once an index and an image"),
        (INDEX[:-1] + b',"config":{}}', OCI_INDEX, "at once an index and an image"),
        (INDEX, OCI_IMAGE, "but came as"),
        (IMAGE, OCI_INDEX, "but came as"),
        (IMAGE, DOCKER_IMAGE, "but came as"),
        (IMAGE.replace(OCI_IMAGE.encode(), OCI_INDEX.encode(), 1), "", "the form of an image"),
        (b'{"schemaVersion":2,"manifests":[]}', OCI_IMAGE, "the form of an index"),
        (INDEX.replace(OCI_INDEX.encode(), b"text/html", 1), "", "the form of an index, but says"),
        (b'{"schemaVersion":2,"mediaType":7,"manifests":[]}', "", "mediaType is not a string"),
        # neither
        (b"{}", "", "neither"),
        (b'{"schemaVersion":2,"manifests":null}', "", "neither"),
        (b'{"schemaVersion":1,"fsLayers":[]}', "", "schema 1, which was retired"),
        (
            b"{}",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "schema 1, which was retired",
        ),
        # a registry's error, a web page, a configuration
        (b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', OCI_IMAGE, "neither"),
        (b"<html>", OCI_IMAGE, "is not JSON"),
        (b'{"architecture":"amd64","os":"linux","config":{}}', "", "missing required field"),
        # hidden keys
        (INDEX[:-1] + b',"Manifests":[]}', "", "'Manifests' where it means 'manifests'"),
        (INDEX[:-1] + b',"manifests":[]}', "", "'manifests' appears twice"),
        # what it points at
        (INDEX.replace(A.encode(), b"sha256:../../x", 1), "", r"\$\.manifests\[0\]\.digest"),
        (INDEX.replace(A.encode(), b"blake3:" + b"a" * 64, 1), "", "unknown digest algorithm"),
        (INDEX.replace(b"1101", b"-1"), "", r"\$\.manifests\[0\]\.size"),
        (b'{"schemaVersion":2,"manifests":[null]}', "", r"\$\.manifests\[0\]"),
        (b'{"manifests":[]}', "", "schemaVersion"),
    ],
)
def test_a_manifest_that_lies_is_refused(raw: bytes, declared: str, why: str) -> None:
    with pytest.raises(InvalidManifest, match=why):
        parse_manifest(raw, media_type=declared)


@pytest.mark.parametrize(("count", "fits"), [(4096, True), (4097, False)])
def test_an_index_has_4096_entries_at_most(count: int, fits: bool) -> None:
    entry = f'{{"mediaType":"{OCI_IMAGE}","digest":"{A}","size":1}}'
    raw = f'{{"schemaVersion":2,"manifests":[{",".join([entry] * count)}]}}'.encode()
    if fits:
        assert len(parse_manifest(raw).index.manifests) == 4096
    else:
        with pytest.raises(InvalidManifest, match="<= 4096"):
            parse_manifest(raw)


def test_more_than_4_mib_are_not_read() -> None:
    with pytest.raises(InvalidManifest, match="more than the 4194304 allowed"):
        parse_manifest(INDEX + b" " * 4_194_304)


def test_an_index_is_no_image_and_an_image_no_index() -> None:
    with pytest.raises(InvalidManifest, match="is an index, not an image"):
        _ = parse_manifest(INDEX).image
    with pytest.raises(InvalidManifest, match="is an image, not an index"):
        _ = parse_manifest(IMAGE).index


def test_what_is_written_reads_back_with_the_same_digest() -> None:
    index = Manifest.of_index(parse_manifest(INDEX).index)
    again = parse_manifest(index.raw, media_type=OCI_INDEX)
    assert again == index
    image = Manifest.of_image(parse_manifest(DOCKER).image)
    assert image.descriptor.media_type == DOCKER_IMAGE
    assert parse_manifest(image.raw) == image


_scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
_keys = st.sampled_from(
    "schemaVersion mediaType manifests config layers digest size platform subject data".split()
)
_values = st.recursive(
    _scalars | st.just(A) | st.sampled_from([OCI_INDEX, OCI_IMAGE]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=20,
)


@given(st.binary())
def test_any_bytes_are_a_manifest_or_refused(raw: bytes) -> None:
    try:
        manifest = parse_manifest(raw)
    except InvalidManifest:
        return
    assert manifest.raw == raw


@given(st.dictionaries(_keys, _values), st.sampled_from(["", OCI_INDEX, OCI_IMAGE, "x"]))
def test_any_object_is_a_manifest_or_refused(document: object, declared: str) -> None:
    try:
        manifest = parse_manifest(json.dumps(document).encode(), media_type=declared)
    except InvalidManifest:
        return
    assert manifest.descriptor.media_type in {OCI_INDEX, OCI_IMAGE}
