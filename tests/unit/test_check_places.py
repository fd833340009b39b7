from __future__ import annotations

import pytest

from manyfest.check.places import Places, find_places
from manyfest.errors import InvalidReference, UsageError
from manyfest.oci.reference import Reference

HUB = "docker.io/gotify/server:2.6.1"


def find(*references: str, elsewhere: tuple[str, ...] = ()) -> Places:
    return find_places(map(Reference.parse, references), elsewhere)


def told(places: Places) -> list[str]:
    return [str(each) for each in places.references]


def groups(places: Places) -> list[list[str]]:
    return [[str(each) for each in group] for group in places.groups]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("ghcr.io", "ghcr.io/gotify/server:2.6.1"),
        ("ghcr.io/", "ghcr.io/gotify/server:2.6.1"),
        ("docker://ghcr.io/", "ghcr.io/gotify/server:2.6.1"),
        ("localhost:5000", "localhost:5000/gotify/server:2.6.1"),
        ("registry.corp.example/hub/", "registry.corp.example/hub/gotify/server:2.6.1"),
        ("docker://registry.corp.example/hub/", "registry.corp.example/hub/gotify/server:2.6.1"),
        ("quay.io/team/gotify", "quay.io/team/gotify:2.6.1"),
    ],
)
def test_a_place_is_a_registry_a_prefix_or_a_repository(place: str, expected: str) -> None:
    assert told(find("gotify/server:2.6.1", elsewhere=(place,))) == [HUB, expected]


def test_a_digest_is_looked_for_elsewhere_as_it_is() -> None:
    digest = f"sha256:{'a' * 64}"
    assert told(find(f"one.example/app:v1@{digest}", elsewhere=("two.example",))) == [
        f"one.example/app:v1@{digest}",
        f"two.example/app:v1@{digest}",
    ]


def test_each_image_elsewhere_follows_its_own_reference() -> None:
    places = find(
        "one.example/a:v1", "one.example/b:v1", elsewhere=("two.example", "three.example")
    )
    assert told(places) == [
        "one.example/a:v1",
        "two.example/a:v1",
        "three.example/a:v1",
        "one.example/b:v1",
        "two.example/b:v1",
        "three.example/b:v1",
    ]
    assert groups(places) == [told(places)[:3], told(places)[3:]]


def test_the_same_repository_and_tag_in_two_registries_is_one_image() -> None:
    places = find("one.example/app:v1", "one.example/app:v2", "two.example/app:v1")
    assert groups(places) == [["one.example/app:v1", "two.example/app:v1"], ["one.example/app:v2"]]


@pytest.mark.parametrize("other", ["two.example/other/app:v1", "two.example/app:v2", "oci:app:v1"])
def test_another_repository_or_tag_is_another_image(other: str) -> None:
    assert groups(find("one.example/app:v1", other)) == [["one.example/app:v1"], [other]]


def test_what_is_named_twice_is_asked_once() -> None:
    places = find(HUB, "gotify/server:2.6.1", elsewhere=("docker.io", "ghcr.io", "ghcr.io/"))
    assert told(places) == [HUB, "ghcr.io/gotify/server:2.6.1"]


@pytest.mark.parametrize(
    ("reference", "place", "error", "line"),
    [
        (
            "oci:image:v1",
            "ghcr.io",
            UsageError,
            "oci:image:v1: it lies in no registry, so it is in no other one; leave out --in, or"
            " name the image in a registry",
        ),
        (
            "one.example/app:v1",
            "two.example/app:v1",
            UsageError,
            "--in 'two.example/app:v1' names one image; write two.example/app; REF has the tag",
        ),
        ("one.example/app:v1", "two.example/App", InvalidReference, "capital letters"),
        ("one.example/app:v1", "", InvalidReference, "empty"),
    ],
)
def test_a_place_that_cannot_be_one_is_refused(
    reference: str, place: str, error: type[Exception], line: str
) -> None:
    with pytest.raises(error) as caught:
        find(reference, elsewhere=(place,))
    assert line in str(caught.value)
