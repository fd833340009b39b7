"""Which image a name means in an ``index.json``, as the tools of this world write it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import InvalidArchive, InvalidDigest, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.names import named, parse_top, pick, tags_in, with_name

REF = "org.opencontainers.image.ref.name"
CONTAINERD = "io.containerd.image.name"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def entry(content: str, platform: str = "", **names: str) -> Descriptor:
    keys = {"ref": REF, "containerd": CONTAINERD}
    return Descriptor(
        media_type=MANIFEST,
        digest=Digest.of(content.encode()),
        size=7,
        platform=Platform.parse(platform) if platform else None,
        annotations={keys[key]: value for key, value in names.items()},
    )


def top(*entries: Descriptor) -> Manifest:
    return Manifest.of_index(Index(schema_version=2, media_type=INDEX, manifests=entries))


SKOPEO = top(entry("a", ref="v1"))
BUILDX = top(
    entry("a", ref="2.6.1", containerd="docker.io/gotify/server:2.6.1"),
    entry("a", ref="latest", containerd="docker.io/gotify/server:latest"),
)
CONTAINERD_EXPORT = top(entry("a", containerd="ghcr.io/app:v1", ref="v1"))
PODMAN = top(entry("a", ref="localhost/app:v1"))
NAMELESS = top(entry("a"))
SEVERAL = top(entry("a", ref="v1"), entry("b", ref="v2"))
DOCKER_SAVE = top(
    entry("a", ref="v1", containerd="docker.io/library/a:v1"),
    entry("b", ref="v1", containerd="docker.io/library/b:v1"),
)


@pytest.mark.parametrize(
    ("index", "name", "content"),
    [
        (SKOPEO, "v1", "a"),
        (SKOPEO, "", "a"),
        (BUILDX, "", "a"),
        (BUILDX, "latest", "a"),
        (BUILDX, "2.6.1", "a"),
        (BUILDX, "docker.io/gotify/server:latest", "a"),
        (CONTAINERD_EXPORT, "v1", "a"),
        (CONTAINERD_EXPORT, "ghcr.io/app:v1", "a"),
        (PODMAN, "v1", "a"),
        (PODMAN, "localhost/app:v1", "a"),
        (PODMAN, "", "a"),
        (NAMELESS, "", "a"),
        (SEVERAL, "v2", "b"),
        (SEVERAL, str(Digest.of(b"b")), "b"),
        (DOCKER_SAVE, "docker.io/library/b:v1", "b"),
        (top(entry("a", ref="host/app:v1"), entry("b", ref="v1")), "v1", "b"),
    ],
)
def test_a_name_is_found(index: Manifest, name: str, content: str) -> None:
    found = pick(index, name, where="here")
    assert found == Descriptor(media_type=MANIFEST, digest=Digest.of(content.encode()), size=7)


@pytest.mark.parametrize(
    ("index", "name", "message"),
    [
        (top(), "", "here: it holds no image"),
        (
            top(entry("a", ref="v1"), entry("b", ref="v2"), entry("b", ref="latest")),
            "",
            "here: it holds 2 images; name one of v1, v2, latest",
        ),
        (
            top(entry("a", ref="host/app:v1"), entry("b", ref="host/other:v1")),
            "v1",
            "here: 'v1' names 2 images in it; name one of host/app:v1, host/other:v1",
        ),
        (top(), "v1", "here: 'v1' is not in it"),
        (SEVERAL, "", "here: it holds 2 images; name one of v1, v2"),
        (SEVERAL, "v3", "here: 'v3' is not in it; it holds v1, v2"),
        (SEVERAL, "host/app:v3", "here: 'host/app:v3' is not in it; it holds v1, v2"),
        (BUILDX, "v3", "here: 'v3' is not in it; it holds 2.6.1, latest"),
        (
            DOCKER_SAVE,
            "v1",
            "here: 'v1' names 2 images in it;"
            " name one of docker.io/library/a:v1, docker.io/library/b:v1",
        ),
        (
            top(*(entry(str(n), ref=f"v{n}") for n in range(10))),
            "",
            "here: it holds 10 images; name one of v0, v1, v2, v3, v4, v5, v6, v7 and 2 more",
        ),
    ],
)
def test_what_a_name_does_not_mean_is_said(index: Manifest, name: str, message: str) -> None:
    with pytest.raises(NotFound) as caught:
        pick(index, name, where="here")
    assert str(caught.value) == message


def test_two_images_of_one_name_are_told_apart_by_digest() -> None:
    index = top(entry("a", ref="v1"), entry("b", ref="v1"))
    with pytest.raises(NotFound, match="'v1' names 2 images in it; name one of sha256:ca978112"):
        pick(index, "v1", where="here")


def test_a_misspelled_digest_is_no_tag() -> None:
    with pytest.raises(InvalidDigest):
        pick(SEVERAL, "sha256:abc", where="here")


@pytest.mark.parametrize("name", ["", "v1"])
def test_platforms_straight_in_index_json_are_one_image(name: str) -> None:
    names = {"ref": name} if name else {}
    flat = top(entry("a", "linux/amd64", **names), entry("b", "linux/arm64", **names))
    assert pick(flat, "", where="here") == flat.descriptor
    if name:
        assert pick(flat, name, where="here") == flat.descriptor


def test_an_index_json_with_a_list_of_referrers_is_no_image_of_its_own() -> None:
    tag = f"sha256-{'0' * 64}"
    index = top(entry("a", "linux/amd64"), entry("b", "linux/arm64"), entry("c", ref=tag))
    with pytest.raises(NotFound, match="it holds 2 images"):
        pick(index, "", where="here")


def test_platforms_under_names_of_their_own_are_images_of_their_own() -> None:
    index = top(entry("a", "linux/amd64", ref="v1-amd64"), entry("b", "linux/arm64", ref="v1"))
    assert pick(index, "v1", where="here").digest == Digest.of(b"b")
    with pytest.raises(NotFound, match="it holds 2 images"):
        pick(index, "", where="here")


@pytest.mark.parametrize(
    ("names", "tag"),
    [
        ({}, ""),
        ({"ref": "v1"}, "v1"),
        ({"ref": "host:5000/app"}, "host:5000/app"),
        ({"ref": "host:5000/team/app:v1"}, "v1"),
        ({"ref": f"host/app:v1@sha256:{'0' * 64}"}, "v1"),
        ({"containerd": "docker.io/library/app:v1"}, "v1"),
        ({"ref": "v2", "containerd": "docker.io/library/app:v1"}, "v2"),
    ],
)
def test_the_tag_of_an_entry(names: dict[str, str], tag: str) -> None:
    assert named(entry("a", **names)) == tag


def test_tags_are_listed_once_in_their_order() -> None:
    index = top(
        entry("b", ref="v2"), entry("a", ref="host/app:v1"), entry("c"), entry("a", ref="v1")
    )
    assert list(tags_in(index)) == ["v2", "v1"]


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (DOCKER_SAVE, ["docker.io/library/a:v1", "docker.io/library/b:v1"]),
        (
            top(entry("a", ref="v1"), entry("b", ref="host/app:v1"), entry("c", ref="v2")),
            ["v1", "host/app:v1", "v2"],
        ),
        (top(entry("a", ref="v1"), entry("b", ref="v1")), ["v1"]),
        (top(entry("a", ref="v1"), entry("a", ref="host/app:v1")), ["v1"]),
        (top(entry("a", "linux/amd64", ref="v1"), entry("b", "linux/arm64", ref="v1")), ["v1"]),
        (top(entry("a", "linux/amd64"), entry("b", "linux/arm64")), []),
    ],
)
def test_a_tag_of_several_images_is_listed_as_what_tells_them_apart(
    index: Manifest, names: list[str]
) -> None:
    assert list(tags_in(index)) == names


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["", "v1", "v2", "host/v1", "host/app:v1"])
        )
    )
)
def test_every_listed_name_means_one_image(names: list[tuple[str, str]]) -> None:
    index = top(*(entry(text, ref=ref, containerd=f"{text}/app:v1") for text, ref in names))
    for name in tags_in(index):
        assert pick(index, name, where="here").media_type == MANIFEST


def names_in(index: Index) -> list[tuple[str, str]]:
    known = {str(Digest.of(text.encode())): text for text in "abc"}
    return [(each.annotations.get(REF, ""), known[str(each.digest)]) for each in index.manifests]


@pytest.mark.parametrize(
    ("before", "name", "after"),
    [
        ([], "v1", [("v1", "c")]),
        ([], "", [("", "c")]),
        ([("v1", "a")], "v1", [("v1", "c")]),
        ([("v1", "a")], "v2", [("v1", "a"), ("v2", "c")]),
        ([("v1", "c")], "v2", [("v1", "c"), ("v2", "c")]),
        ([("v1", "a")], "", [("v1", "a"), ("", "c")]),
        ([("", "a")], "", [("", "c")]),
        ([("", "a")], "v1", [("", "a"), ("v1", "c")]),
        ([("", "c")], "v1", [("v1", "c")]),
        ([("host/app:v1", "a")], "v1", [("host/app:v1", "a"), ("v1", "c")]),
    ],
)
def test_a_name_is_set(
    before: list[tuple[str, str]], name: str, after: list[tuple[str, str]]
) -> None:
    index = top(*(entry(text, **({"ref": ref} if ref else {})) for ref, text in before)).index
    assert names_in(with_name(index, entry("c"), name)) == after


def test_setting_a_name_leaves_what_other_tools_wrote() -> None:
    exported = entry("a", containerd="docker.io/library/a:v1")
    index = with_name(top(exported).index, entry("c"), "v1")
    assert index.manifests[0] == exported
    assert pick(Manifest.of_index(index), "v1", where="here").digest == Digest.of(b"c")


def test_an_image_without_a_name_is_not_in_the_place_of_what_refers_to_one() -> None:
    """As oras keeps referrers: in index.json, with a type and without a name."""
    signature = msgspec.structs.replace(entry("s"), artifact_type="application/vnd.example.sig")
    index = with_name(top(entry("a"), signature).index, entry("c"), "")
    assert index.manifests == (signature, entry("c"))
    assert pick(Manifest.of_index(index), "", where="here").digest == Digest.of(b"c")


@given(
    st.lists(st.tuples(st.sampled_from(["", "v1", "v2", "host/app:v1"]), st.sampled_from("abc")))
)
def test_a_name_that_was_set_is_found_again(names: list[tuple[str, str]]) -> None:
    index = top().index
    for name, text in names:
        index = with_name(index, entry(text), name)
        if name:
            found = pick(Manifest.of_index(index), name, where="here")
            assert found.digest == Digest.of(text.encode())


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "here: the index is not JSON"),
        (b"[]", "here: the index is not a JSON object"),
        (b'{"schemaVersion":2', "here: the index is not JSON"),
        (b'{"manifests":[],"manifests":[]}', "here: .*'manifests' appears twice"),
        (b'{"manifests":[],"Manifests":[]}', "here: the index has the key 'Manifests'"),
        (b'{"schemaVersion":2,"manifests":[{}]}', "here: the index: Object missing required"),
        (b'{"schemaVersion":2,"manifests":[],"layers":[]}', "here: .*an index and an image"),
        (b'{"schemaVersion":2,"config":{},"layers":[]}', "here: "),
        (b'{"schemaVersion":2,"mediaType":"text/plain","manifests":[]}', "here: .*text/plain"),
        (b"{" * 100_000, "here: the index is"),
    ],
)
def test_a_damaged_index_json_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidArchive, match=f"^{message}"):
        parse_top(raw, where="here")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"schemaVersion":2,"manifests":[]}',
        b'{"schemaVersion":2,"manifests":null}',
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
    ],
)
def test_an_empty_index_json_is_an_index(raw: bytes) -> None:
    assert parse_top(raw, where="here").index.manifests == ()
