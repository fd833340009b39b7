"""``copy --all-tags`` between real registries, which have no list of referrers of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from manyfest.oci.reference import Name
from manyfest.stores.layout import LayoutStore
from manyfest.stores.referrers import as_referrer
from manyfest.stores.registry.connect import Registries
from manyfest.stores.registry.store import RegistryStore
from tests.images import content_of, image, platforms
from tests.integration.conftest import Manyfest
from tests.referring import attach, sign


@pytest.fixture
def mirror(docker_registry: str) -> tuple[str, str]:
    """A repository, and another that is to be like it."""
    return f"{docker_registry}/team/app", f"{docker_registry}/mirror/app"


@pytest.fixture
def layout(tmp_path: Path) -> LayoutStore:
    """Two tags of one index, and one of an image."""
    store = LayoutStore(tmp_path / "images")
    root = platforms(store)
    for tag in ("1.2.3", "latest"):
        store.tag(tag, content_of(root))
    store.tag("edge", content_of(image(store)))
    return store


@contextmanager
def repository(place: str) -> Iterator[RegistryStore]:
    with closing(Registries()) as registries:
        yield registries.repository(Name.parse(place), writing=True)


def copy(manyfest: Manyfest, source: str, target: str, *options: str) -> tuple[list[str], str]:
    copied = manyfest("copy", "--all-tags", *options, source, target)
    assert copied.returncode == 0, copied.stderr
    return copied.stdout.split(), copied.stderr


def test_what_differs_is_copied_and_the_rest_costs_head_requests_only(
    manyfest: Manyfest, mirror: tuple[str, str], layout: LayoutStore
) -> None:
    copy(manyfest, "oci:images", mirror[0])
    tags, _ = copy(manyfest, *mirror)
    assert sorted(tags) == ["1.2.3", "edge", "latest"]
    tags, told = copy(manyfest, *mirror, "-v")
    assert tags == []
    asked = [
        line.split()[0]
        for line in told.splitlines()
        if "/v2/team/" in line or "/v2/mirror/" in line
    ]
    assert sorted(asked) == ["GET", *["HEAD"] * 6]
    layout.tag("edge", content_of(image(layout, text="newer")))
    copy(manyfest, "oci:images", mirror[0])
    tags, _ = copy(manyfest, *mirror)
    assert tags == ["edge"]


def test_what_refers_to_an_image_follows_it_later_and_replaces_nothing(
    manyfest: Manyfest, mirror: tuple[str, str], layout: LayoutStore
) -> None:
    root = image(layout)
    copy(manyfest, "oci:images", mirror[0])
    copy(manyfest, *mirror)
    with repository(mirror[1]) as there:
        theirs = attach(there, root, "theirs")
    ours = attach(layout, root, "ours")
    signed, _ = sign(layout, root)
    copy(manyfest, "oci:images", mirror[0])
    tags, _ = copy(manyfest, *mirror)
    assert tags == [signed]
    with repository(mirror[1]) as there:
        found = there.referrers(root.descriptor.digest)
    assert found == (as_referrer(theirs), as_referrer(ours))
