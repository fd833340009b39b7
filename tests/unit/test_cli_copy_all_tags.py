from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from manyfest.oci.manifest import Manifest
from manyfest.serve.app import Registry
from manyfest.serve.local import AppTransport
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.layout import LayoutStore
from manyfest.stores.referrers import as_referrer
from tests.images import artifact, content_of, image
from tests.unit.cli import Manyfest, make_layout, reach


@pytest.fixture
def here(tmp_path: Path) -> LayoutStore:
    """A layout with two tags of one image, and one of another."""
    layout = make_layout(tmp_path / "here", "1.2.3", "latest")
    layout.tag("edge", content_of(image(layout, text="edge")))
    layout.close()
    return layout


def attached(layout: LayoutStore) -> Manifest:
    """Something that refers to an image of its own, and is listed."""
    referrer = artifact(layout)
    subject = referrer.body.subject
    assert subject is not None
    layout.tag("signed", content_of(image(layout)))
    layout.attach(subject, as_referrer(referrer))
    return referrer


def test_each_tag_that_was_set_is_printed(manyfest: Manyfest, here: LayoutStore) -> None:
    copied = manyfest("copy", "--all-tags", "oci:here", "oci:there")
    assert copied.code == 0
    assert copied.out.split() == ["1.2.3", "latest", "edge"]
    assert copied.err.startswith("oci:there: 3 tags copied, ")
    assert copied.err.endswith(" kB sent, 0 the same already\n")
    there = LayoutStore(Path("there"))
    assert {tag: there.resolve(tag) for tag in there.tags()} == {
        tag: here.resolve(tag) for tag in here.tags()
    }


def test_what_is_the_same_is_left_alone(manyfest: Manyfest, here: LayoutStore) -> None:
    manyfest("copy", "--all-tags", "oci:here", "oci:there")
    with here:
        here.tag("edge", content_of(image(here, text="newer")))
    again = manyfest("copy", "--all-tags", "oci:here", "oci:there")
    assert again.out == "edge\n"
    assert again.err.endswith("sent, 2 the same already\n")
    nothing = manyfest("copy", "--all-tags", "oci:here", "oci:there")
    assert nothing == (0, "", "oci:there: 0 tags copied, 0 B sent, 3 the same already\n")


def test_a_plan_changes_nothing(manyfest: Manyfest, here: LayoutStore) -> None:
    planned = manyfest("copy", "--all-tags", "--dry-run", "oci:here", "oci:there")
    assert planned.code == 0
    assert planned.out.splitlines() == [
        "1.2.3: would be set",
        "latest: would be set",
        "edge: would be set",
    ]
    assert not Path("there").exists()


def test_a_plan_leaves_the_archive_that_is_there(manyfest: Manyfest, here: LayoutStore) -> None:
    Path("all.tar").write_bytes(b"old")
    planned = manyfest("copy", "--all-tags", "--dry-run", "oci:here", "oci-archive:all.tar")
    assert len(planned.out.splitlines()) == 3
    assert Path("all.tar").read_bytes() == b"old"


def test_all_tags_fit_into_one_archive(manyfest: Manyfest, here: LayoutStore) -> None:
    assert manyfest("copy", "--all-tags", "oci:here", "oci-archive:all.tar").code == 0
    with ArchiveStore(Path("all.tar")) as archive:
        assert sorted(archive.tags()) == ["1.2.3", "edge", "latest"]
        assert archive.resolve("edge") == here.resolve("edge")


def test_one_image_without_a_tag_says_which_one_it_moves(
    manyfest: Manyfest, here: LayoutStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reach(monkeypatch, AppTransport(Registry(tmp_path / "registry")))
    copied = manyfest("copy", "oci:here:edge", "localhost:5000/team/app")
    assert (copied.code, copied.out) == (0, f"{here.resolve('edge').digest}\n")
    assert copied.err.startswith("localhost:5000/team/app:latest: ")


def test_in_an_archive_docker_knows_them_by_the_repository_they_come_from(
    manyfest: Manyfest, here: LayoutStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reach(monkeypatch, AppTransport(Registry(tmp_path / "registry")))
    manyfest("copy", "--all-tags", "oci:here", "localhost:5000/team/app")
    assert (
        manyfest("copy", "--all-tags", "localhost:5000/team/app", "oci-archive:all.tar").code == 0
    )
    with ArchiveStore(Path("all.tar")) as archive:
        assert archive.resolve("localhost:5000/team/app:edge") == here.resolve("edge")


def test_referrers_go_along(manyfest: Manyfest, here: LayoutStore) -> None:
    with here:
        referrer = attached(here)
    subject = referrer.body.subject
    assert subject is not None
    manyfest("copy", "--all-tags", "oci:here", "oci:there")
    assert LayoutStore(Path("there")).referrers(subject.digest) == (as_referrer(referrer),)


def test_referrers_can_be_left(manyfest: Manyfest, here: LayoutStore) -> None:
    with here:
        attached(here)
    manyfest("copy", "--all-tags", "--no-referrers", "oci:here", "oci:there")
    assert sorted(LayoutStore(Path("there")).tags()) == ["1.2.3", "edge", "latest", "signed"]


def test_a_plan_says_that_a_list_of_referrers_is_merged(
    manyfest: Manyfest, here: LayoutStore
) -> None:
    with here:
        subject = attached(here).body.subject
    assert subject is not None
    planned = manyfest("copy", "--all-tags", "--dry-run", "oci:here", "oci:there")
    assert (
        f"sha256-{subject.digest.hex}: what it lists would be attached" in planned.out.splitlines()
    )


def remove_a_child(store: LayoutStore) -> None:
    child = store.resolve("1.2.3")
    manifest = msgspec.json.decode(store.blobs.path(child.digest).read_bytes())["manifests"][1]
    (store.path / "blobs" / manifest["digest"].replace(":", "/")).unlink()


def test_a_repair_looks_into_unchanged_tags(manyfest: Manyfest, here: LayoutStore) -> None:
    manyfest("copy", "--all-tags", "oci:here", "oci:there")
    remove_a_child(LayoutStore(Path("there")))
    alone = manyfest("copy", "--all-tags", "oci:here", "oci:there")
    assert alone.err == "oci:there: 0 tags copied, 0 B sent, 3 the same already\n"
    planned = manyfest("copy", "--all-tags", "--repair", "--dry-run", "oci:here", "oci:there")
    assert planned.err == ("oci:there: 3 tags are the same already, and would be looked into\n")
    mended = manyfest("copy", "--all-tags", "--repair", "oci:here", "oci:there")
    assert (mended.code, mended.out) == (0, "")
    assert mended.err.startswith("oci:there: 0 tags copied, 5")
    assert mended.err.endswith(" B sent, 3 the same already\n")
    assert manyfest("check", "oci:there:1.2.3").code == 0


def test_tags_that_cannot_be_read_are_told_when_all_others_are_copied(
    manyfest: Manyfest, here: LayoutStore
) -> None:
    here.blobs.path(here.resolve("edge").digest).unlink()
    copied = manyfest("copy", "--all-tags", "oci:here", "oci:there")
    assert copied.code == 1
    assert copied.out.split() == ["1.2.3", "latest"]
    assert copied.err.splitlines()[-1] == (
        "manyfest: oci:here: 1 of 3 tags could not be copied: edge: here/blobs:"
        f" {here.resolve('edge').digest} is missing"
    )


def test_a_place_without_tags_is_copied_at_once(manyfest: Manyfest) -> None:
    with LayoutStore(Path("here")) as layout:
        image(layout)
    copied = manyfest("copy", "--all-tags", "oci:here", "oci-archive:all.tar")
    assert copied == (0, "", "oci:here: has no tags to copy\n")
    assert not Path("all.tar").exists()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("oci:here:edge", "oci:there", "oci:here:edge: --all-tags is for a place"),
        ("oci:here", "localhost:5/app:v1", "localhost:5/app:v1: --all-tags is for a place"),
        ("oci:here", "docker-daemon:app:v1", "--all-tags is for registries, layouts and files"),
        ("oci:here", "-", "--all-tags is for registries, layouts and files"),
    ],
)
def test_it_is_for_places(manyfest: Manyfest, source: str, target: str, message: str) -> None:
    refused = manyfest("copy", "--all-tags", source, target)
    assert refused.code == 2
    assert message in refused.err


def test_a_name_that_no_registry_takes_is_told(
    manyfest: Manyfest, here: LayoutStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reach(monkeypatch, AppTransport(Registry(tmp_path / "registry")))
    with here:
        here.tag("not a tag", content_of(image(here)))
    assert manyfest("copy", "--all-tags", "--dry-run", "oci:here", "oci:there").code == 0
    copied = manyfest("copy", "--all-tags", "oci:here", "localhost:5000/app")
    assert copied.code == 1
    assert copied.out.split() == ["1.2.3", "latest", "edge"]
    assert copied.err.splitlines()[-1] == (
        "manyfest: oci:here: 1 of 4 tags could not be copied: not a tag: 'not a tag' is not a tag;"
        " use up to 128 letters, digits, '_', '.' and '-', no '.' or '-' in front"
    )
