from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.stores.layout import LayoutStore
from tests.images import content_of, image, make, single
from tests.quirks import Between
from tests.unit.cli import Manyfest, make_layout, reach


@pytest.fixture
def layout(tmp_path: Path) -> LayoutStore:
    return make_layout(tmp_path / "image", "v1")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    """Whatever registry is named is this one."""
    between = Between()
    reach(monkeypatch, between)
    yield between
    between.close()


def test_what_was_there_is_said_and_the_digest_is_printed(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    digest = layout.resolve("v1").digest
    other = single(layout)
    layout.tag("v2", content_of(other))
    assert manyfest("tag", "oci:image:v1", "v1", "v2", "v3", "v3") == (
        0,
        f"{digest}\n",
        f"v1: already there\nv2: set; it was {other.descriptor.digest}\nv3: set\n",
    )
    assert layout.resolve("v2").digest == layout.resolve("v3").digest == digest


def test_the_one_image_of_a_layout_needs_no_name(manyfest: Manyfest, layout: LayoutStore) -> None:
    assert manyfest("tag", "oci:image", "v2").code == 0
    assert layout.resolve("v2") == layout.resolve("v1")


def test_what_a_digest_names_is_tagged(manyfest: Manyfest, registry: Between) -> None:
    root = image(registry.store())
    digest = root.descriptor.digest
    tagged = manyfest("tag", f"localhost:5000/team/app@{digest}", "v1", "latest")
    assert tagged == (0, f"{digest}\n", "v1: set\nlatest: set\n")
    assert sorted(registry.store().tags()) == ["latest", "v1"]


def test_only_the_manifest_is_sent(manyfest: Manyfest, registry: Between) -> None:
    make(registry.store(), "index", "v1")
    registry.asked()
    manyfest("tag", "--plain-http", "localhost:5000", "localhost:5000/team/app:v1", "v2")
    assert [line for line in registry.asked() if not line.startswith(("HEAD", "GET"))] == [
        "PUT manifests/v2"
    ]


def test_a_plan_changes_nothing(manyfest: Manyfest, layout: LayoutStore) -> None:
    digest = layout.resolve("v1").digest
    other = single(layout)
    layout.tag("v2", content_of(other))
    planned = manyfest("tag", "--dry-run", "oci:image:v1", "v1", "v2", "v3")
    assert planned == (
        0,
        f"v2: would be set, and now is {other.descriptor.digest}\nv3: would be set\n{digest}\n",
        "v1: already there\n",
    )
    assert list(layout.tags()) == ["v1", "v2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["oci:image:v1", "v2", ".v3"], "'.v3' is not a tag; use up to 128 letters"),
        (["oci-archive:image.tar:v1", "v2"], "nothing in it can be changed: it is written anew"),
        (["docker-archive:image.tar", "v2"], "nothing in it can be changed: it is written anew"),
        (["docker-daemon:app:v1", "v2"], "nothing in it can be changed: it is written anew"),
    ],
)
def test_what_makes_no_sense_is_a_wrong_use(
    manyfest: Manyfest, layout: LayoutStore, arguments: list[str], message: str
) -> None:
    refused = manyfest("tag", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert message in refused.err
    assert list(layout.tags()) == ["v1"]


def test_an_image_that_is_not_there_gets_no_tag(manyfest: Manyfest, layout: LayoutStore) -> None:
    refused = manyfest("tag", "oci:image:v9", "v2")
    assert (refused.code, refused.out) == (1, "")
    assert list(layout.tags()) == ["v1"]
