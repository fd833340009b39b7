from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import InvalidManifest, NotFound, Unsupported, UsageError
from manyfest.images.index import Held, Offer, absent, added, annotated, created, placed, removed
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from manyfest.oci.parse import parse_manifest
from manyfest.oci.platform import Platform

ZSTD = {"io.github.containers.compression.zstd": "true"}


def entry(platform: str, text: str = "", media_type: str = OCI_MANIFEST, **more: str) -> Descriptor:
    """An entry for a platform; each ``text`` is another image."""
    return msgspec.structs.replace(
        Descriptor.of(f"{platform} {text}".encode(), media_type),
        platform=Platform.parse(platform) if platform else None,
        annotations=more,
    )


def docker(platform: str) -> Descriptor:
    return entry(platform, media_type=DOCKER_MANIFEST)


def attestation(subject: Descriptor) -> Descriptor:
    return msgspec.structs.replace(
        Descriptor.of(f"of {subject.digest}".encode(), OCI_MANIFEST),
        platform=Platform("unknown", "unknown"),
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": str(subject.digest),
        },
    )


def windows(version: str) -> Descriptor:
    return msgspec.structs.replace(
        entry("windows/amd64", version),
        platform=Platform(os="windows", architecture="amd64", os_version=version),
    )


AMD64, ARM64, ARMV7 = entry("linux/amd64"), entry("linux/arm64"), entry("linux/arm/v7")


def offers(*entries: Descriptor, where: str = "host/new:1") -> list[Offer]:
    return [Offer(each, where) for each in entries]


def held(*entries: Descriptor, media_type: str = OCI_INDEX, **annotations: str) -> Held:
    """An index of these; what has no platform is no image."""
    body = Index(
        schema_version=2, media_type=media_type, manifests=entries, annotations=annotations
    )
    images = [(each.platform, each) for each in entries]
    known = tuple((platform, each) for platform, each in images if platform and platform.is_known)
    return Held(Manifest.of_index(body), known, "host/app:1")


def nested(inner: Sequence[Descriptor], *entries: Descriptor) -> Held:
    """An index with an index in it, that has the images ``inner``."""
    outer = held(entry("", media_type=OCI_INDEX), *entries)
    images = tuple((each.platform, each) for each in inner if each.platform)
    return Held(outer.manifest, (*outer.images, *images), outer.where)


def platforms(*names: str) -> list[Platform]:
    return [Platform.parse(name) for name in names]


# The platform of a single image


def test_an_image_is_for_the_platform_that_its_configuration_says() -> None:
    assert placed(AMD64, (), "host/app:1") == AMD64


def test_a_platform_that_is_named_adds_a_variant() -> None:
    found = placed(entry("linux/arm/v7"), platforms("linux/arm/v6"), "host/app:1")

    assert str(found.platform) == "linux/arm/v6"


def test_a_platform_that_is_named_takes_no_variant_away() -> None:
    v3 = entry("linux/amd64/v3")

    assert placed(v3, platforms("linux/amd64"), "host/app:1") == v3


def test_a_platform_that_is_named_keeps_the_version_of_the_system() -> None:
    found = placed(windows("10.0.17763"), platforms("windows/amd64"), "host/app:1")

    assert found == windows("10.0.17763")


def test_a_platform_that_is_named_says_what_nothing_else_does() -> None:
    found = placed(entry(""), platforms("linux/amd64"), "host/app:1")

    assert str(found.platform) == "linux/amd64"


@pytest.mark.parametrize(
    ("image", "named", "message"),
    [
        (entry(""), [], "host/app:1: it names no platform; name it: linux/amd64=host/app:1"),
        (AMD64, ["linux/arm64"], "host/app:1: it is for linux/amd64, not for linux/arm64"),
        (AMD64, ["windows/amd64"], "host/app:1: it is for linux/amd64, not for windows/amd64"),
        (AMD64, ["amd64", "arm64"], "host/app:1: it is one image, for one platform"),
    ],
)
def test_an_image_cannot_be_for_another_platform_or_for_none(
    image: Descriptor, named: list[str], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        placed(image, platforms(*named), "host/app:1")

    assert str(caught.value) == message


# A new index


def test_an_index_has_what_is_offered_in_order() -> None:
    index = created(offers(ARM64, attestation(ARM64), AMD64), {"org.example.a": "b"})

    assert index.index.manifests == (ARM64, attestation(ARM64), AMD64)
    assert index.index.annotations == {"org.example.a": "b"}
    assert index.descriptor.media_type == OCI_INDEX


def test_what_is_offered_twice_is_in_it_once() -> None:
    again = msgspec.structs.replace(AMD64, annotations={"org.example.a": "b"})

    index = created([*offers(AMD64), *offers(again, ARM64, where="host/other:1")], {})

    assert index.index.manifests == (AMD64, ARM64)


def test_two_images_for_one_platform_are_refused() -> None:
    other = entry("linux/amd64", "other")

    with pytest.raises(UsageError) as caught:
        created([*offers(AMD64), *offers(other, where="oci:image")], {})

    assert str(caught.value) == (
        f"linux/amd64 is {AMD64.digest} in host/new:1, and {other.digest} in oci:image; leave one"
        " of them out, or name the platforms that are meant: linux/amd64=SOURCE"
    )


def test_two_images_for_one_platform_in_one_source_are_refused() -> None:
    other = entry("linux/amd64", "other")

    with pytest.raises(UsageError, match=r"^host/new:1: it has linux/amd64 twice: sha256:.* and "):
        created(offers(AMD64, other), {})


@pytest.mark.parametrize(
    "second",
    [
        entry("linux/amd64", "zstd", **ZSTD),
        entry("linux/amd64/v3"),
        entry("windows/amd64"),
        attestation(AMD64),
    ],
    ids=["a copy in zstd", "a variant", "another system", "its attestation"],
)
def test_what_only_looks_like_the_same_platform_is_not_refused(second: Descriptor) -> None:
    assert created(offers(AMD64, second), {}).index.manifests == (AMD64, second)


def test_each_version_of_windows_is_a_platform() -> None:
    entries = (windows("10.0.17763"), windows("10.0.20348"))

    assert created(offers(*entries), {}).index.manifests == entries


@pytest.mark.parametrize(
    ("written", "usual"),
    [(Platform("arm64", "linux", variant="v8"), "linux/arm64"), (Platform("arm", "linux"), "arm")],
)
def test_a_platform_is_the_same_under_each_of_its_names(written: Platform, usual: str) -> None:
    one = msgspec.structs.replace(entry("", "one"), platform=written)

    with pytest.raises(UsageError, match="leave one of them out"):
        created([*offers(one), *offers(entry(usual, "other"), where="host/other:1")], {})


def test_nothing_is_no_index() -> None:
    with pytest.raises(UsageError, match=r"^there is no image to make an index of$"):
        created([], {})


def test_images_of_dockers_make_a_list_of_dockers() -> None:
    index = created(offers(docker("linux/amd64"), docker("linux/arm64")), {})

    assert index.descriptor.media_type == DOCKER_LIST
    assert index.index.media_type == DOCKER_LIST


@pytest.mark.parametrize(
    ("entries", "annotations"),
    [
        ((docker("linux/amd64"), ARM64), {}),
        ((docker("linux/amd64"), attestation(docker("linux/amd64"))), {}),
        ((entry("linux/amd64", media_type=DOCKER_MANIFEST, a="b"),), {}),
        ((docker("linux/amd64"),), {"a": "b"}),
    ],
    ids=["an image of OCI's", "an attestation", "an annotated entry", "an annotation"],
)
def test_what_a_list_of_dockers_cannot_hold_makes_an_index_of_ocis(
    entries: tuple[Descriptor, ...], annotations: dict[str, str]
) -> None:
    assert created(offers(*entries), annotations).descriptor.media_type == OCI_INDEX


def test_an_index_that_could_not_be_read_again_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="more than the 4194304 allowed"):
        created(offers(AMD64), {"org.example.long": "x" * 4 * 1024 * 1024})


def test_an_index_of_more_entries_than_can_be_read_is_refused() -> None:
    many = [entry("", str(number)) for number in range(4097)]

    with pytest.raises(InvalidManifest, match="length <= 4096"):
        created(offers(*many), {})


# Adding


def test_what_is_added_comes_last_and_the_rest_stays_as_it_is() -> None:
    odd = msgspec.structs.replace(AMD64, urls=("https://example.org",), annotations={"a": ""})

    index = added(held(odd, attestation(odd), a="b"), offers(ARM64, attestation(ARM64)))

    assert index.index == Index(
        schema_version=2,
        media_type=OCI_INDEX,
        manifests=(odd, attestation(odd), ARM64, attestation(ARM64)),
        annotations={"a": "b"},
    )


def test_adding_what_is_there_keeps_the_bytes() -> None:
    before = held(AMD64, ARM64)

    assert added(before, offers(ARM64)) is before.manifest


def test_an_attestation_is_added_to_an_image_that_is_there() -> None:
    index = added(held(AMD64), offers(AMD64, attestation(AMD64)))

    assert index.index.manifests == (AMD64, attestation(AMD64))


def test_another_image_for_a_platform_that_is_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--replace puts it in the place of the other, or name"):
        added(held(AMD64), offers(entry("linux/amd64", "new")))


def test_a_platform_that_only_the_configuration_says_is_there_too() -> None:
    silent = entry("", "says nothing")
    before = Held(held(silent).manifest, ((Platform.parse("linux/amd64"), silent),), "host/app:1")

    with pytest.raises(UsageError, match=r"^linux/amd64 is .* in host/app:1, and "):
        added(before, offers(AMD64))


def test_a_platform_in_an_inner_index_is_there_too() -> None:
    with pytest.raises(UsageError, match=r"^linux/amd64 is .* in host/app:1, and "):
        added(nested([AMD64]), offers(entry("linux/amd64", "new")))


def test_an_image_takes_the_place_of_another_and_of_what_attests_to_it() -> None:
    new = entry("linux/amd64", "new")
    before = held(AMD64, attestation(AMD64), ARM64, attestation(ARM64))

    index = added(before, offers(new, attestation(new)), replace=True)

    assert index.index.manifests == (ARM64, attestation(ARM64), new, attestation(new))


def test_replacing_an_image_by_itself_keeps_the_bytes() -> None:
    before = held(AMD64, attestation(AMD64), ARM64)

    assert added(before, offers(AMD64), replace=True) is before.manifest


def test_replacing_an_image_keeps_its_copy_in_zstd_and_other_versions() -> None:
    copy = entry("linux/amd64", "zstd", **ZSTD)
    new = entry("linux/amd64", "new")

    index = added(held(AMD64, copy, windows("1")), offers(new), replace=True)

    assert index.index.manifests == (copy, windows("1"), new)


def test_what_attests_to_an_image_that_stays_for_another_platform_stays() -> None:
    scripts = msgspec.structs.replace(AMD64, platform=Platform.parse("linux/arm64"))
    new = entry("linux/amd64", "new")

    index = added(held(AMD64, scripts, attestation(AMD64)), offers(new), replace=True)

    assert index.index.manifests == (scripts, attestation(AMD64), new)


def test_an_image_in_an_inner_index_cannot_be_replaced() -> None:
    with pytest.raises(Unsupported) as caught:
        added(nested([AMD64]), offers(entry("linux/amd64", "new")), replace=True)

    assert str(caught.value) == (
        "host/app:1: its linux/amd64 lies in an index within it;"
        " make a flat one first: manyfest index create host/app:1 host/app:1"
    )


def test_a_list_of_dockers_stays_one_with_images_of_dockers() -> None:
    before = held(docker("linux/amd64"), media_type=DOCKER_LIST)

    assert added(before, offers(docker("linux/arm64"))).descriptor.media_type == DOCKER_LIST


def test_a_list_of_dockers_becomes_an_index_of_ocis_with_an_image_of_ocis() -> None:
    before = held(docker("linux/amd64"), media_type=DOCKER_LIST)

    index = added(before, offers(ARM64))

    assert (index.descriptor.media_type, index.index.media_type) == (OCI_INDEX, OCI_INDEX)


def test_an_untidy_list_of_dockers_stays_what_it_was_said_to_be() -> None:
    before = held(docker("linux/amd64"), media_type=DOCKER_LIST, a="b")

    assert added(before, offers(docker("linux/arm64"))).descriptor.media_type == DOCKER_LIST


def test_an_index_of_ocis_stays_one_with_images_of_dockers_only() -> None:
    before = held(docker("linux/amd64"))

    assert added(before, offers(docker("linux/arm64"))).descriptor.media_type == OCI_INDEX


# Removing


def test_a_platform_is_removed_with_what_attests_to_it() -> None:
    before = held(AMD64, attestation(AMD64), ARM64, attestation(ARM64), a="b")

    index = removed(before, platforms("linux/amd64"), [])

    assert index.index.manifests == (ARM64, attestation(ARM64))
    assert index.index.annotations == {"a": "b"}


def test_all_versions_and_copies_of_a_platform_are_removed() -> None:
    before = held(AMD64, entry("linux/amd64", "zstd", **ZSTD), windows("1"), windows("2"))

    assert removed(before, platforms("windows/amd64"), []).index.manifests == before.entries[:2]
    assert removed(before, platforms("linux/amd64"), []).index.manifests == before.entries[2:]


def test_one_of_several_is_removed_by_its_digest() -> None:
    index = removed(held(windows("1"), windows("2")), [], [windows("1").digest])

    assert index.index.manifests == (windows("2"),)


def test_an_attestation_is_removed_alone_by_its_digest() -> None:
    index = removed(held(AMD64, attestation(AMD64)), [], [attestation(AMD64).digest])

    assert index.index.manifests == (AMD64,)


def test_removing_what_is_not_there_keeps_the_bytes() -> None:
    before = held(AMD64, ARM64)

    assert removed(before, platforms("linux/s390x"), [ARMV7.digest]) is before.manifest


@pytest.mark.parametrize("rest", [(), (attestation(ARM64),)], ids=["nothing", "an attestation"])
def test_the_last_image_is_not_removed(rest: tuple[Descriptor, ...]) -> None:
    with pytest.raises(UsageError, match="nothing would be left of it; manyfest rm removes it"):
        removed(held(AMD64, attestation(AMD64), *rest), platforms("linux/amd64"), [])


@pytest.mark.parametrize(
    ("names", "digests"), [(["linux/amd64"], []), ([], [AMD64.digest])], ids=["name", "digest"]
)
def test_an_image_in_an_inner_index_cannot_be_removed(
    names: list[str], digests: list[Digest]
) -> None:
    with pytest.raises(Unsupported, match="its linux/amd64 lies in an index within it"):
        removed(nested([AMD64], ARM64), platforms(*names), digests)


def test_what_is_not_there_can_be_told() -> None:
    assert absent(
        held(AMD64), platforms("linux/amd64", "linux/s390x"), [AMD64.digest, ARM64.digest]
    ) == ["linux/s390x", str(ARM64.digest)]


# Annotating


def test_the_index_is_annotated() -> None:
    index = annotated(held(AMD64, a="old", b="kept"), {"a": "new", "c": "more"})

    assert index.index.annotations == {"a": "new", "b": "kept", "c": "more"}
    assert index.index.manifests == (AMD64,)


def test_an_empty_value_takes_an_annotation_away() -> None:
    assert annotated(held(AMD64, a="b", c="d"), {"a": ""}).index.annotations == {"c": "d"}


def test_an_annotation_that_is_empty_already_stays_unless_it_is_named() -> None:
    assert annotated(held(AMD64, a="", b=""), {"a": ""}).index.annotations == {"b": ""}


@pytest.mark.parametrize("changes", [{"a": "b"}, {"z": ""}, {}])
def test_annotations_that_are_there_keep_the_bytes(changes: dict[str, str]) -> None:
    before = held(AMD64, a="b")

    assert annotated(before, changes) is before.manifest


def test_the_entries_of_a_platform_are_annotated_and_not_what_attests_to_them() -> None:
    before = held(windows("1"), windows("2"), attestation(windows("1")), AMD64)

    index = annotated(before, {"a": "b"}, platforms("windows/amd64"))

    assert [dict(each.annotations).get("a", "") for each in index.index.manifests] == [
        "b",
        "b",
        "",
        "",
    ]
    assert index.index.annotations == {}


def test_a_platform_that_is_not_there_cannot_be_annotated() -> None:
    with pytest.raises(NotFound, match=r"^host/app:1: it has no linux/s390x; it has linux/amd64$"):
        annotated(held(AMD64), {"a": "b"}, platforms("linux/s390x"))


def test_an_annotation_makes_a_list_of_dockers_an_index_of_ocis() -> None:
    before = held(docker("linux/amd64"), media_type=DOCKER_LIST)

    assert annotated(before, {"a": "b"}).descriptor.media_type == OCI_INDEX


def test_entries_that_do_not_change_keep_what_only_others_know_of() -> None:
    """As Docker's lists have them: features of the processor."""
    featured = msgspec.json.decode(json.dumps(AMD64))
    featured["platform"]["features"] = ["sse4"]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [featured, ARM64]})
    manifest = parse_manifest(raw)
    before = Held(manifest, held(*manifest.index.manifests).images, "host/app:1")

    changed = removed(before, platforms("linux/arm64"), ())
    touched = annotated(before, {"org.example.a": "b"}, platforms("linux/amd64"))

    assert msgspec.json.decode(changed.raw)["manifests"] == [featured]
    assert b"sse4" not in touched.raw


# Whatever is in it

POOL = [entry(name) for name in ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386")]
POOL += [docker("linux/s390x"), windows("1"), windows("2"), *map(attestation, POOL[:2])]

some = st.lists(st.sampled_from(POOL), unique=True, min_size=1)


@given(some)
def test_what_is_made_reads_back_as_it_was_meant(entries: list[Descriptor]) -> None:
    index = created(offers(*entries), {"a": "b"})

    assert parse_manifest(index.raw) == index


@given(some, some)
def test_everything_that_is_added_is_there_once_and_a_second_time_changes_nothing(
    entries: list[Descriptor], more: list[Descriptor]
) -> None:
    index = added(held(*entries), offers(*more))
    again = added(held(*index.index.manifests), offers(*more, *entries))

    assert set(index.index.manifests) == {*entries, *more}
    assert len(index.index.manifests) == len({*entries, *more})
    assert again.raw == index.raw


@given(some, st.sampled_from(["linux/amd64", "linux/arm64", "windows/amd64"]))
def test_what_is_removed_is_gone_and_everything_else_is_left(
    entries: list[Descriptor], name: str
) -> None:
    platform = Platform.parse(name)
    gone = [each for each in entries if each.platform and each.platform.same_as(platform)]
    gone += [each for each in entries if each.attests_to in {str(one.digest) for one in gone}]
    try:
        index = removed(held(*entries), [platform], [])
    except UsageError:
        assert all(each.is_attestation for each in entries if each not in gone)
        return

    assert index.index.manifests == tuple(each for each in entries if each not in gone)
