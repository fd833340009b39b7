"""``ls``, ``rm`` and ``tag`` on a real ``docker-registry``, which only deletes by digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.stores.layout import LayoutStore
from tests.images import content_of, image, platforms
from tests.integration.conftest import Manyfest, running_registry


@pytest.fixture
def without_deletion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A registry with deletion switched off, as it is unless an operator switches it on."""
    monkeypatch.setenv("REGISTRY_STORAGE_DELETE_ENABLED", "false")
    with running_registry(tmp_path / "registry") as address:
        yield address


@pytest.fixture
def images(tmp_path: Path) -> dict[str, str]:
    """The digest of each tag of ``oci:images``: two of one index, one of an image."""
    with LayoutStore(tmp_path / "images") as layout:
        root, other = platforms(layout), image(layout, text="other")
        for tag in ("1.2.3", "1.10.0"):
            layout.tag(tag, content_of(root))
        layout.tag("edge", content_of(other))
        return {tag: str(layout.resolve(tag).digest) for tag in layout.tags()}


def pushed(manyfest: Manyfest, place: str) -> None:
    copied = manyfest("copy", "--all-tags", "oci:images", place)
    assert copied.returncode == 0, copied.stderr


def tags(manyfest: Manyfest, place: str) -> list[str]:
    return manyfest("ls", place).stdout.split()


def test_repositories_and_tags_are_listed(
    manyfest: Manyfest, docker_registry: str, images: dict[str, str]
) -> None:
    for name in ("team/app", "base"):
        pushed(manyfest, f"{docker_registry}/{name}")
    assert manyfest("ls", docker_registry).stdout.split() == ["base", "team/app"]
    place = f"{docker_registry}/team/app"
    assert tags(manyfest, place) == ["edge", "1.2.3", "1.10.0"]
    listed = manyfest("ls", "--json", "--digests", "--range", "^1.3", place)
    assert json.loads(listed.stdout) == {
        "reference": place,
        "tags": ["1.10.0"],
        "digests": {"1.10.0": images["1.10.0"]},
        "more": False,
    }


def test_a_tag_goes_with_its_manifest_if_no_other_tag_holds_it(
    manyfest: Manyfest, docker_registry: str, images: dict[str, str]
) -> None:
    place = f"{docker_registry}/team/app"
    pushed(manyfest, place)
    refused = manyfest("rm", f"{place}:1.2.3")
    assert refused.returncode == 1
    assert f"{images['1.2.3']} is held by other tags: 1.10.0; remove those too" in refused.stderr
    removed = manyfest("rm", f"{place}:edge")
    assert removed.returncode == 0, removed.stderr
    assert removed.stdout.split() == [f"{place}:edge", f"{place}@{images['edge']}"]
    assert tags(manyfest, place) == ["1.2.3", "1.10.0"]
    assert manyfest("rm", f"{place}:1.2.3", f"{place}:1.10.0").returncode == 0
    assert manyfest("rm", f"{place}:1.2.3").returncode == 1
    assert tags(manyfest, place) == []


def test_a_digest_is_removed_if_no_tag_holds_it_or_by_force(
    manyfest: Manyfest, docker_registry: str, images: dict[str, str]
) -> None:
    place = f"{docker_registry}/team/app"
    pushed(manyfest, place)
    digest = images["1.2.3"]
    child = json.loads(manyfest("inspect", "--raw", f"{place}@{digest}").stdout)["manifests"][0]
    for held in (digest, child["digest"]):
        refused = manyfest("rm", f"{place}@{held}")
        assert refused.returncode == 1
        assert f"{held} is held by other tags: 1.10.0" in refused.stderr
    assert manyfest("check", f"{place}:1.2.3").returncode == 0
    removed = manyfest("rm", "--force", f"{place}@{digest}")
    assert (removed.returncode, removed.stdout) == (0, f"{place}@{digest}\n")
    assert tags(manyfest, place) == ["edge"]
    assert manyfest("rm", f"{place}@{child['digest']}").returncode == 0
    assert manyfest("rm", f"{place}@{child['digest']}").returncode == 1


def test_with_deletion_switched_off_the_registry_keeps_everything(
    manyfest: Manyfest, without_deletion: str, images: dict[str, str]
) -> None:
    place = f"{without_deletion}/team/app"
    pushed(manyfest, place)
    for reference in (f"{place}:edge", f"{place}@{images['edge']}"):
        refused = manyfest("rm", "--force", reference)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(
            f"manyfest: {place}: deletion is switched off in the registry (405 UNSUPPORTED);"
        )
        assert len(refused.stderr.splitlines()) == 1
    assert tags(manyfest, place) == ["edge", "1.2.3", "1.10.0"]


def test_tags_are_added_without_sending_more_than_the_manifest(
    manyfest: Manyfest, docker_registry: str, images: dict[str, str]
) -> None:
    place = f"{docker_registry}/team/app"
    pushed(manyfest, place)
    tagged = manyfest("tag", "-v", f"{place}:1.2.3", "1.2", "1")
    assert (tagged.returncode, tagged.stdout) == (0, f"{images['1.2.3']}\n")
    sent = [line for line in tagged.stderr.splitlines() if line.startswith(("PUT", "POST"))]
    assert len(sent) == 2
    assert tags(manyfest, place) == ["1", "1.2", "edge", "1.2.3", "1.10.0"]
