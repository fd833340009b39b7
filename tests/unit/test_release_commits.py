"""Which of two commits is the newer one. A late job's clone was made before the newer was pushed,
so it lacks it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import ReleaseError
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import OCI_CONFIG
from manyfest.release.tags.judge import CREATED, REVISION, created_of
from manyfest.release.versions import git
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.unit.releases import ONE, FakeStores
from tests.unit.test_release_moves import History, of_branch, to_set

ELSEWHERE = "f" * 40
BEFORE, SAME, AFTER = "2023-11-14T22:13:19Z", "2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z"


@pytest.fixture
def history(tmp_path: Path) -> History:
    folder = tmp_path / "history"
    folder.mkdir()
    return History(folder)


def clone(history: History, folder: Path, *commits: str) -> Path:
    """A clone that has nothing but these commits, each without what is before it."""
    fetch = ("-C", str(folder), "fetch", "-q", "--depth=1", f"file://{history.folder}")
    for arguments in (("init", "-q", str(folder)), *((*fetch, commit) for commit in commits)):
        subprocess.run(["git", *arguments], check=True, capture_output=True)
    return folder


def made_at(store: MemoryStore, told: str = "", configured: str = "", commit: str = "") -> Manifest:
    """An index of one image: when it was made, as an annotation and as the configuration say."""
    config = images.put(
        store,
        b'{"architecture":"amd64","os":"linux","created":"%s",'
        b'"rootfs":{"type":"layers","diff_ids":[]}}' % configured.encode(),
        OCI_CONFIG,
    )
    image = Manifest.of_image(Image(schema_version=2, config=config, layers=()))
    entry = images.entry(images.put_manifest(store, image), "linux/amd64")
    said = {CREATED: told, REVISION: commit}
    annotations = {key: value for key, value in said.items() if value}
    index = msgspec.structs.replace(images.index(store, [entry]).index, annotations=annotations)
    return images.put_manifest(store, Manifest.of_index(index))


def holding(told: str) -> FakeStores:
    """``edge`` is at a commit that is in no clone, of an image that was made at this time."""
    stores = FakeStores()
    index = made_at(stores.at(ONE), told, commit=ELSEWHERE)
    stores.at(ONE).names["edge"] = index.descriptor
    return stores


def test_edge_does_not_go_back_where_the_clone_lacks_the_newer_commit(history: History) -> None:
    release = of_branch(history, holding(AFTER), history.newer)
    assert to_set(release) == []
    assert release.kept == {
        "one.example/app:edge": f"skipped: it is at commit fffffff, which is after"
        f" {history.newer[:7]}"
    }


def test_edge_moves_on_from_a_commit_that_is_gone_and_was_before(history: History) -> None:
    assert to_set(of_branch(history, holding(BEFORE), history.newer)) == ["one.example/app:edge"]


@pytest.mark.parametrize("told", ["", SAME, "0001-01-01T00:00:00Z"])
def test_where_no_time_tells_it_either_it_is_an_error(history: History, told: str) -> None:
    with pytest.raises(ReleaseError) as refused:
        to_set(of_branch(history, holding(told), history.newer))
    assert str(refused.value) == (
        "one.example/app: edge is at commit fffffff, which may be after"
        f" {history.newer[:7]}: it is not in this clone, and the images do not tell which was made"
        " first; fetch the whole history, or have the tag moved whatever is there, by"
        " {tag: 'edge', forward: false}"
    )


@pytest.mark.parametrize(
    ("told", "configured", "seconds"),
    [
        (SAME, AFTER, 1_700_000_000.0),
        ("", AFTER, 1_700_000_001.0),
        ("2023-11-15T00:13:20.5+02:00", "", 1_700_000_000.5),
        ("", "2023-11-14T22:13:20.123456789Z", 1_700_000_000.123457),
        ("", "1970-01-01T00:00:00Z", 0.0),
        ("", "0001-01-01T00:00:00Z", 0.0),
        ("2023-11-14T22:13:20", "", 0.0),
        ("yesterday", "", 0.0),
        ("", "", 0.0),
    ],
)
def test_when_an_image_was_made(told: str, configured: str, seconds: float) -> None:
    store = MemoryStore()
    assert created_of(store, made_at(store, told, configured).descriptor) == seconds


def test_what_is_damaged_tells_no_time() -> None:
    store = MemoryStore()
    index = made_at(store, SAME)
    store.blobs[index.descriptor.digest] = b"?"
    assert created_of(store, index.descriptor) == 0.0


def test_git_knows_which_commit_is_before_which(history: History) -> None:
    assert git.is_ancestor(history.folder, history.older, history.newer) is True
    assert git.is_ancestor(history.folder, history.newer, history.older) is False


def test_what_is_not_in_the_clone_is_not_known(history: History, tmp_path: Path) -> None:
    assert git.is_ancestor(history.folder, history.newer, ELSEWHERE) is None
    assert git.is_ancestor(history.folder, ELSEWHERE, history.newer) is None
    late = clone(history, tmp_path / "late", history.older)
    assert git.is_ancestor(late, history.older, history.newer) is None


def test_what_lies_between_may_be_missing_in_a_shallow_clone(
    history: History, tmp_path: Path
) -> None:
    newest = history._commit("three")
    both = clone(history, tmp_path / "both", newest, history.older)
    assert git.is_ancestor(both, history.older, newest) is None


def test_outside_a_repository_nothing_is_known(tmp_path: Path) -> None:
    assert git.is_ancestor(tmp_path, "e" * 40, ELSEWHERE) is None
