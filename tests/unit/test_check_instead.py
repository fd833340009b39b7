from __future__ import annotations

import pytest

from manyfest.check.agreement import agreed
from manyfest.check.instead import Instead, find_instead
from manyfest.check.readiness import Readiness, readiness, with_states
from manyfest.errors import AccessDenied
from manyfest.graph import read_manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.stores.memory import MemoryStore
from tests.images import content_of, image, platforms

NAME = Name.parse("gotify/server:2.6.1")


def store_with(*tags: str, platform: str = "linux/arm64") -> MemoryStore:
    """An index that has amd64 alone, and an image for another platform under these tags."""
    store = MemoryStore()
    store.tag("2.6.1", content_of(platforms(store, ["linux/amd64"])))
    for tag in tags:
        store.tag(tag, content_of(image(store, platform)))
    return store


def ask(store: MemoryStore, *wanted: str) -> Readiness:
    return readiness(store, "2.6.1", [Platform.parse(each) for each in wanted], str(NAME))


@pytest.mark.parametrize(
    ("platform", "tag"),
    [
        ("linux/arm64", "2.6.1-arm64"),
        ("linux/riscv64", "2.6.1-riscv64"),
        ("linux/arm/v7", "2.6.1-armv7"),
        ("linux/arm/v7", "2.6.1-arm-v7"),
        ("linux/arm/v7", "2.6.1-arm7"),
    ],
)
def test_a_tag_of_its_own_serves_a_platform_that_the_index_lacks(platform: str, tag: str) -> None:
    store = store_with(tag, platform=platform)
    assert find_instead(store, NAME, ask(store, "linux/amd64", platform)) == (
        Instead(platform, f"docker.io/gotify/server:{tag}"),
    )


def test_a_platform_that_is_ready_needs_none() -> None:
    store = store_with("2.6.1-amd64", platform="linux/amd64")
    assert find_instead(store, NAME, ask(store, "linux/amd64")) == ()


def test_an_image_that_differs_from_another_registry_needs_none() -> None:
    store = store_with("2.6.1-amd64", platform="linux/amd64")
    other = with_states("elsewhere", "another digest", ask(store, "linux/amd64").platforms)
    _, answer = agreed([other, ask(store, "linux/amd64")])
    assert [each.state for each in answer.platforms] == ["different"]
    assert find_instead(store, NAME, answer) == ()


def test_a_tag_with_an_image_for_another_platform_serves_nobody() -> None:
    store = store_with("2.6.1-arm64", platform="linux/amd64")
    assert find_instead(store, NAME, ask(store, "linux/arm64")) == ()


def test_a_tag_whose_image_lacks_a_layer_serves_nobody() -> None:
    store = store_with("2.6.1-arm64")
    own = read_manifest(store, store.resolve("2.6.1-arm64"))
    del store.blobs[own.image.layers[-1].digest]
    assert find_instead(store, NAME, ask(store, "linux/arm64")) == ()


@pytest.mark.parametrize(
    ("why", "found"),
    [("", (Instead("linux/arm64", "docker.io/gotify/server:2.6.1-arm64"),)), ("not signed", ())],
)
def test_where_a_signature_is_asked_for_what_serves_must_have_one(
    why: str, found: tuple[Instead, ...]
) -> None:
    store = store_with("2.6.1-arm64")
    assert find_instead(store, NAME, ask(store, "linux/arm64"), lambda *_: why) == found


def test_a_digest_has_no_tags_beside_it() -> None:
    store = store_with("2.6.1-arm64")
    name = Name.parse(f"{NAME.place}@{store.resolve('2.6.1').digest}")
    assert find_instead(store, name, ask(store, "linux/arm64")) == ()


def test_a_registry_that_denies_what_is_not_there_gives_no_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = store_with("2.6.1-arm64")
    answer = ask(store, "linux/arm64")

    def denied(_: str) -> None:
        raise AccessDenied("no", status=403)

    monkeypatch.setattr(store, "resolve", denied)
    assert find_instead(store, NAME, answer) == ()


def test_a_platform_that_nobody_knows_gives_no_hint() -> None:
    store = MemoryStore()
    assert find_instead(store, NAME, readiness(store, "2.6.1", [], str(NAME))) == ()
