from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.layout import LayoutStore
from manyfest.stores.registry.http import Request, Response
from tests.images import content_of, image, make
from tests.quirks import Between, Send, said
from tests.unit.cli import Manyfest, make_layout, reach

TAGS = ("v1.10.0", "latest", "v1.9.0", "v1.10.0-rc.1", "edge", "v2.0.0")
SORTED = ["edge", "latest", "v1.9.0", "v1.10.0-rc.1", "v1.10.0", "v2.0.0"]


@pytest.fixture
def layout(tmp_path: Path) -> LayoutStore:
    return make_layout(tmp_path / "image", *TAGS)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    """With an image in three repositories; whatever registry is named is this one."""
    between = Between()
    reach(monkeypatch, between)
    for name in ("team/app", "team/base", "other"):
        make(between.store(name), "image", "v1")
    between.asked()
    yield between
    between.close()


def test_versions_are_in_order_and_what_is_none_comes_first(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    assert manyfest("ls", "oci:image") == (0, "\n".join([*SORTED, ""]), "")


def test_an_archive_is_listed_too(manyfest: Manyfest) -> None:
    with ArchiveWriter(Path("image.tar")) as archive:
        make(archive, "index", "v1")
    assert manyfest("ls", "oci-archive:image.tar") == (0, "v1\n", "")


def test_a_repository_is_listed(manyfest: Manyfest, registry: Between) -> None:
    assert manyfest("ls", "registry.example/team/app") == (0, "v1\n", "")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--match", "v1.*"), ["v1.9.0", "v1.10.0-rc.1", "v1.10.0"]),
        (("--match", "l*", "--match", "e*"), ["edge", "latest"]),
        (("--range", ">=1.10"), ["v1.10.0", "v2.0.0"]),
        (("--range", "^1.10.0-0"), ["v1.10.0-rc.1", "v1.10.0"]),
        (("--limit", "2"), ["edge", "latest"]),
        (("--limit", "6"), SORTED),
        (("--after", "latest"), ["v1.9.0", "v1.10.0-rc.1", "v1.10.0", "v2.0.0"]),
        (("--after", "v1.9.5", "--limit", "1"), ["v1.10.0-rc.1"]),
        (("--after", "v2.0.0"), []),
        (("--match", "v*", "--after", "v1.9.0", "--limit", "2"), ["v1.10.0-rc.1", "v1.10.0"]),
    ],
)
def test_what_is_wanted_of_them(
    manyfest: Manyfest, layout: LayoutStore, options: tuple[str, ...], expected: list[str]
) -> None:
    listed = manyfest("ls", "-q", *options, "oci:image")
    assert (listed.code, listed.out.split(), listed.err) == (0, expected, "")


def test_that_there_are_more_is_said(manyfest: Manyfest, layout: LayoutStore) -> None:
    assert manyfest("ls", "--limit", "2", "oci:image").err == "there are more: --after latest\n"
    assert manyfest("ls", "--limit", "2", "--after", "v1.10.0-rc.1", "oci:image").err == ""


def test_tags_of_signatures_are_shown_when_asked_for(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    tag = f"sha256-{layout.resolve('edge').digest.hex}.sig"
    layout.tag(tag, content_of(image(layout)))
    assert manyfest("ls", "oci:image").out.split() == SORTED
    assert (
        manyfest("ls", "--all", "oci:image").out.split() == sorted([*SORTED[:2], tag]) + SORTED[2:]
    )


def test_digests_are_shown_when_asked_for(manyfest: Manyfest, layout: LayoutStore) -> None:
    other = image(layout)
    layout.tag("latest", content_of(other))
    digest = layout.resolve("edge").digest
    assert manyfest("ls", "--digests", "--limit", "2", "-q", "oci:image").out.splitlines() == [
        f"edge    {digest}",
        f"latest  {other.descriptor.digest}",
    ]


def test_digests_of_a_registry_cost_one_head_request_each(
    manyfest: Manyfest, registry: Between
) -> None:
    manyfest("ls", "--digests", "--plain-http", "localhost:5000", "localhost:5000/team/app")
    assert registry.asked() == ["GET tags/list?n=1000", "HEAD manifests/v1"]


def test_a_tag_that_cannot_be_looked_up_is_told_when_all_are_printed(
    manyfest: Manyfest, registry: Between
) -> None:
    make(registry.store(), "image", "v2")

    def gone(request: Request, send: Send) -> Response:
        return said(404) if request.url.endswith("/v1") else send(request)

    registry.quirk = gone
    digest = registry.store().resolve("v2").digest
    listed = manyfest("ls", "--digests", "localhost:5000/team/app")
    assert listed.code == 1
    assert listed.out.splitlines() == ["v1  ?", f"v2  {digest}"]
    assert listed.err == (
        "manyfest: localhost:5000/team/app: 1 of 2 tags could not be looked up: v1:"
        " localhost:5000/team/app: the manifest v1: not found (404)\n"
    )


def test_as_json(manyfest: Manyfest, layout: LayoutStore) -> None:
    listed = manyfest("ls", "--json", "--limit", "2", "oci:image")
    assert json.loads(listed.out) == {
        "reference": "oci:image",
        "tags": ["edge", "latest"],
        "digests": {},
        "more": True,
    }
    digest = str(layout.resolve("edge").digest)
    listed = manyfest("ls", "--json", "--digests", "--match", "edge", "oci:image")
    assert json.loads(listed.out) == {
        "reference": "oci:image",
        "tags": ["edge"],
        "digests": {"edge": digest},
        "more": False,
    }


@pytest.mark.parametrize(
    "place", ["localhost:5000", "localhost:5000/", "docker://registry.example"]
)
def test_the_repositories_of_a_registry_are_listed(
    manyfest: Manyfest, registry: Between, place: str
) -> None:
    assert manyfest("ls", place) == (0, "other\nteam/app\nteam/base\n", "")


def test_repositories_are_chosen_and_paged(manyfest: Manyfest, registry: Between) -> None:
    listed = manyfest("ls", "--match", "team/*", "--limit", "1", "localhost:5000")
    assert listed == (0, "team/app\n", "there are more: --after team/app\n")
    assert manyfest("ls", "--after", "team/app", "localhost:5000").out == "team/base\n"


def test_repositories_as_json(manyfest: Manyfest, registry: Between) -> None:
    assert json.loads(manyfest("ls", "--json", "localhost:5000").out) == {
        "reference": "localhost:5000",
        "repositories": ["other", "team/app", "team/base"],
        "more": False,
    }


def test_a_registry_without_such_a_list_says_so(manyfest: Manyfest, registry: Between) -> None:
    registry.quirk = lambda _, __: said(404)
    assert manyfest("ls", "registry.example") == (
        1,
        "",
        "manyfest: registry.example: the registry does not list its repositories;"
        " name a repository, to list its tags\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["localhost:5000/app:v1"], "it names one image, and what is listed is a place"),
        (["redis:7.2"], "docker.io/library/redis:7.2: it names one image"),
        (["oci:image:v1"], "write oci:image"),
        (["docker-daemon:app:v1"], "the daemon's images are listed by: docker images"),
        (["--range", "latest", "oci:image"], "'latest' is no version in the range 'latest'"),
        (["--range", "1", "localhost:5000"], "--range is for tags, and this is a registry"),
        (["--digests", "localhost:5000"], "--digests is for tags, and this is a registry"),
        (["--all", "localhost:5000"], "--all is for tags, and this is a registry"),
        (["--limit", "0", "oci:image"], "invalid value for '--limit'"),
    ],
)
def test_what_makes_no_sense_is_a_wrong_use(
    manyfest: Manyfest, arguments: list[str], message: str
) -> None:
    refused = manyfest("ls", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert message in refused.err


def test_a_place_that_is_not_there_is_not_found(manyfest: Manyfest, registry: Between) -> None:
    assert manyfest("ls", "oci:none").code == 1
    assert manyfest("ls", "localhost:5000/none").code == 1
