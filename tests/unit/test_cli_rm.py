from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.graph import read_manifest
from manyfest.oci.manifest import Manifest
from manyfest.stores.layout import LayoutStore
from manyfest.stores.registry.http import Request, Response
from tests.images import content_of, image, make, platforms
from tests.quirks import Between, Send, said
from tests.referring import sign
from tests.unit.cli import Manyfest, make_layout, reach

APP = "localhost:5000/team/app"
UNKNOWN = f"sha256:{'0' * 64}"


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    """Whatever registry is named is this one."""
    registry = Between()
    reach(monkeypatch, registry)
    yield registry
    registry.close()


@pytest.fixture
def root(between: Between) -> Manifest:
    """An index for three platforms under two tags."""
    store = between.store()
    made = platforms(store)
    for tag in ("1.2.3", "latest"):
        store.tag(tag, content_of(made))
    return made


def tags(between: Between) -> list[str]:
    return sorted(between.store().tags())


def by_digest_only(request: Request, send: Send) -> Response:
    """As docker-registry does."""
    if request.method == "DELETE" and "sha256:" not in request.url:
        return said(400, "DIGEST_INVALID")
    return send(request)


def without_deletion(request: Request, send: Send) -> Response:
    return said(405, "UNSUPPORTED") if request.method == "DELETE" else send(request)


def test_a_tag_is_removed_alone(manyfest: Manyfest, between: Between, root: Manifest) -> None:
    digest = root.descriptor.digest
    assert manyfest("rm", f"{APP}:latest") == (
        0,
        f"{APP}:latest\n",
        f"{APP}:latest: removed; it was {digest}\n",
    )
    assert tags(between) == ["1.2.3"]
    manyfest("rm", f"{APP}:1.2.3")
    assert tags(between) == []
    assert between.store().resolve(str(digest)) == root.descriptor


def test_a_tag_costs_two_requests(manyfest: Manyfest, between: Between, root: Manifest) -> None:
    between.asked()
    manyfest("rm", "--plain-http", "localhost:5000", f"{APP}:latest")
    assert between.asked() == ["HEAD manifests/latest", "DELETE manifests/latest"]


def test_a_digest_that_tags_hold_stays(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    digest = root.descriptor.digest
    assert manyfest("rm", f"{APP}@{digest}") == (
        1,
        "",
        f"manyfest: {APP}: {digest} is held by other tags: 1.2.3, latest;"
        " remove those too, or --force it, which removes them as well\n",
    )
    assert tags(between) == ["1.2.3", "latest"]


def test_a_platform_of_a_tagged_index_stays(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    child = root.children[1]
    refused = manyfest("rm", f"{APP}@{child.digest}")
    assert refused.code == 1
    assert refused.err.endswith(
        " is held by other tags: 1.2.3 (in its index), latest (in its index);"
        " remove those too, or --force it, which leaves the index incomplete\n"
    )
    assert between.store().has(child)


def test_by_force_a_digest_is_removed_with_its_tags(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    digest = root.descriptor.digest
    assert manyfest("rm", "--force", f"{APP}@{digest}") == (
        0,
        f"{APP}@{digest}\n",
        f"{APP}@{digest}: removed, with all its tags\n",
    )
    assert tags(between) == []
    assert not between.store().has(root.descriptor)


def test_a_digest_that_nothing_holds_is_removed(manyfest: Manyfest, between: Between) -> None:
    store = between.store()
    make(store, "index", "v1")
    alone = image(store, text="alone").descriptor.digest
    assert manyfest("rm", f"{APP}@{alone}").out == f"{APP}@{alone}\n"
    assert tags(between) == ["v1"]


def test_a_digest_whose_tags_are_removed_too_is_removed(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    digest = root.descriptor.digest
    removed = manyfest("rm", f"{APP}@{digest}", f"{APP}:1.2.3", f"{APP}:latest")
    assert removed.code == 0
    assert removed.out.split() == [f"{APP}:1.2.3", f"{APP}:latest", f"{APP}@{digest}"]
    assert not between.store().has(root.descriptor)


def test_where_no_tag_can_be_removed_alone_its_manifest_is_if_no_other_tag_holds_it(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    between.quirk = by_digest_only
    digest = root.descriptor.digest
    refused = manyfest("rm", f"{APP}:latest")
    assert (refused.code, refused.out) == (1, "")
    assert f"{digest} is held by other tags: 1.2.3;" in refused.err
    assert tags(between) == ["1.2.3", "latest"]
    removed = manyfest("rm", f"{APP}:1.2.3", f"{APP}:latest")
    assert removed == (
        0,
        f"{APP}:1.2.3\n{APP}:latest\n{APP}@{digest}\n",
        f"{APP}:1.2.3: removed with its manifest: no tag can be removed alone here;"
        " with it: latest\n",
    )
    assert tags(between) == []


def test_there_by_force_all_its_tags_go(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    between.quirk = by_digest_only
    removed = manyfest("rm", "--force", f"{APP}:latest")
    digest = root.descriptor.digest
    assert removed.out.split() == [f"{APP}:latest", f"{APP}:1.2.3", f"{APP}@{digest}"]
    assert removed.err.endswith("; with it: 1.2.3\n")
    assert tags(between) == []


def test_there_a_plan_refuses_as_the_removal_does(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    between.quirk = by_digest_only
    planned = manyfest("rm", "--dry-run", f"{APP}:latest")
    assert planned == manyfest("rm", f"{APP}:latest")
    assert planned.code == 1


def test_there_a_plan_by_force_names_all_that_goes(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    between.quirk = by_digest_only
    digest = root.descriptor.digest
    assert manyfest("rm", "--dry-run", "--force", f"{APP}:latest") == (
        0,
        f"{APP}:latest: would be removed with its manifest {digest}:"
        " no tag can be removed alone here; with it: 1.2.3\n",
        "",
    )
    assert tags(between) == ["1.2.3", "latest"]


def test_a_plan_by_force_names_the_tags_of_a_digest_and_those_whose_index_has_it(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    child = root.children[1]
    between.store().tag("arm64", content_of(read_manifest(between.store(), child)))
    assert manyfest("rm", "--dry-run", "--force", f"{APP}@{child.digest}").out == (
        f"{APP}@{child.digest}: would be removed; with it: arm64; incomplete then: 1.2.3, latest\n"
    )


def test_each_tag_is_removed_whatever_it_is_called(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    between.store().tag("None", content_of(root))
    manyfest("rm", f"{APP}:latest", f"{APP}:None")
    assert tags(between) == ["1.2.3"]


def test_a_list_of_referrers_holds_nothing_and_a_signature_is_held_by_its_tag(
    manyfest: Manyfest, between: Between
) -> None:
    store = between.store()
    subject = image(store)
    tag, signature = sign(store, subject)
    refused = manyfest("rm", f"{APP}@{signature.descriptor.digest}")
    assert f"is held by other tags: {tag};" in refused.err
    assert manyfest("rm", f"{APP}:{tag}", f"{APP}@{signature.descriptor.digest}").code == 0
    assert tags(between) == []


@pytest.mark.parametrize("what", [":latest", "@{digest}"])
def test_a_registry_without_deletion_says_so(
    manyfest: Manyfest, between: Between, what: str
) -> None:
    root = make(between.store(), "image", "latest")
    between.quirk = without_deletion
    refused = manyfest("rm", "--force", APP + what.format(digest=root.descriptor.digest))
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(
        f"manyfest: {APP}: deletion is switched off in the registry (405 UNSUPPORTED);"
    )
    assert tags(between) == ["latest"]


def test_what_is_not_there_is_told_and_the_rest_is_removed(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    removed = manyfest("rm", f"{APP}:none", f"{APP}:latest", f"{APP}@{UNKNOWN}")
    assert removed.code == 1
    assert removed.out == f"{APP}:latest\n"
    assert removed.err.splitlines()[1:] == [
        f"{APP}:none: not removed: {APP}: the manifest none: not found (404)",
        f"{APP}@{UNKNOWN}: not removed: {APP}: the manifest {UNKNOWN}: not found (404)",
        f"manyfest: 2 of 3 could not be removed, {APP}:none for one",
    ]


@pytest.mark.parametrize("name", ["none", UNKNOWN])
def test_what_alone_is_not_there_is_one_line(
    manyfest: Manyfest, between: Between, root: Manifest, name: str
) -> None:
    separator = "@" if ":" in name else ":"
    for by_digest in (False, True):
        between.quirk = by_digest_only if by_digest else lambda request, send: send(request)
        refused = manyfest("rm", f"{APP}{separator}{name}")
        assert refused.code == 1
        assert refused.err.startswith(f"manyfest: {APP}: the manifest {name}: not found (404")


def test_a_plan_changes_nothing(manyfest: Manyfest, between: Between, root: Manifest) -> None:
    digest = root.descriptor.digest
    alone = image(between.store(), text="alone").descriptor.digest
    planned = manyfest("rm", "--dry-run", f"{APP}:latest", f"{APP}@{alone}")
    assert planned == (
        0,
        f"{APP}:latest: would be removed; it is {digest}\n{APP}@{alone}: would be removed\n",
        "",
    )
    assert manyfest("rm", "--dry-run", f"{APP}@{digest}").code == 1
    assert manyfest("rm", "--dry-run", "--force", f"{APP}@{digest}").code == 0
    assert manyfest("rm", "--dry-run", f"{APP}:none").code == 1
    assert manyfest("rm", "--dry-run", "--force", f"{APP}@{UNKNOWN}").code == 1
    assert tags(between) == ["1.2.3", "latest"]
    assert between.store().resolve(str(alone)).digest == alone


def test_in_a_layout_tags_and_digests_are_removed(manyfest: Manyfest, tmp_path: Path) -> None:
    with make_layout(tmp_path / "image", "1.2.3", "latest") as layout:
        layout.tag("other", content_of(image(layout)))
        digest = layout.resolve("latest").digest
    assert manyfest("rm", "oci:image:latest") == (
        0,
        "oci:image:latest\n",
        f"oci:image:latest: removed; it was {digest}\n",
    )
    refused = manyfest("rm", f"oci:image@{digest}")
    assert "is held by other tags: 1.2.3;" in refused.err
    assert manyfest("rm", "--force", f"oci:image@{digest}").out == f"oci:image@{digest}\n"
    assert list(LayoutStore(tmp_path / "image").tags()) == ["other"]
    assert len(list((tmp_path / "image/blobs/sha256").iterdir())) == 4


def test_in_a_layout_no_part_of_an_index_is_removed_by_force_either(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    with LayoutStore(tmp_path / "image") as layout:
        child = make(layout, "index").children[0].digest
    refused = manyfest("rm", "--force", f"oci:image@{child}")
    assert refused.code == 1
    assert f"{child} is part of the index" in refused.err


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("app", "it names a place, and neither a tag nor a digest in it; name one that this lists"),
        ("oci:image", "it names a place"),
        (f"app:v1@{UNKNOWN}", "it names a tag and a digest; keep the one to remove"),
        ("oci-archive:image.tar:v1", "nothing in it can be changed: it is written anew"),
        ("docker-daemon:app:v1", "nothing in it can be changed: it is written anew"),
    ],
)
def test_what_makes_no_sense_is_a_wrong_use(
    manyfest: Manyfest, reference: str, message: str
) -> None:
    refused = manyfest("rm", reference)
    assert (refused.code, refused.out) == (2, "")
    assert message in refused.err


def test_nothing_is_removed_if_one_reference_is_wrong(
    manyfest: Manyfest, between: Between, root: Manifest
) -> None:
    assert manyfest("rm", f"{APP}:latest", APP).code == 2
    assert manyfest("rm", f"{APP}:latest", "oci-archive:image.tar:v1").code == 2
    assert tags(between) == ["1.2.3", "latest"]
