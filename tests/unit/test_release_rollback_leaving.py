"""Tags that the release made, which a rollback takes away again; and how a rollback ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.errors import ReleaseError
from manyfest.oci.descriptor import Descriptor
from manyfest.release.resume.journal import Journal
from tests import images
from tests.unit.releases import ONE, FakeRegistry
from tests.unit.test_release_rollback import Project

MADE = "one.example/app:3"


@pytest.fixture
def app(tmp_path: Path) -> Project:
    """A project whose 3.0.0 has made the tags ``3`` and ``3.0``."""
    return Project(tmp_path).release("2.6.1", "3.0.0")


def release_elsewhere(app: Project, tag: str, *, at: str) -> Descriptor:
    """Let somebody else point ``tag`` at 3.0.1 just before the call ``at``."""
    newer = images.platforms(app.at(ONE), ["linux/amd64"], text="3.0.1").descriptor

    def comes(_number: int, call: str) -> bool:
        if call == at:
            app.at(ONE).names[tag] = newer
        return False

    app.stores.trouble.fails = comes
    return newer


def fails_from(app: Project, first: str, then: Callable[[str], bool]) -> None:
    """Let the call ``first`` fail, and of those after it what ``then`` says."""
    begun: list[str] = []

    def fails(_number: int, call: str) -> bool:
        if call == first:
            begun.append(call)
            return True
        return bool(begun) and then(call)

    app.stores.trouble.fails = fails


def test_a_tag_that_somebody_else_has_moved_on_meanwhile_is_not_taken_away(app: Project) -> None:
    newer = release_elsewhere(app, "3", at=f"tag {ONE} latest")
    done = app.rollback()
    assert app.at(ONE).pointers["3"] == newer.digest
    assert app.stores.trouble.count(f"untag {ONE} 3.0") == 1
    assert f"untag {ONE} 3" not in app.stores.trouble.calls
    assert app.said == [f"{MADE}: somebody else has moved it on to {newer.digest}"]
    assert (done.left, done.moved_on) == ((), (MADE,))
    assert MADE not in [each.reference for each in done.changed]


def test_a_tag_that_went_back_and_was_moved_on_since_is_not_said_to_be_back(app: Project) -> None:
    latest = f"{ONE}:latest"
    newer = images.platforms(app.at(ONE), ["linux/amd64"], text="3.0.1").descriptor

    def comes(_number: int, call: str) -> bool:
        old = app.at(ONE).pointers["2.6.1"]
        if call == f"resolve {ONE} latest" and app.at(ONE).pointers["latest"] == old:
            app.at(ONE).names["latest"] = newer
        return False

    app.stores.trouble.fails = comes
    done = app.rollback()
    assert app.said == [f"{latest}: somebody else has moved it on to {newer.digest}"]
    assert done.moved_on == (latest,)
    assert latest not in [each.reference for each in done.changed]


def test_a_tag_whose_answer_was_lost_is_looked_at(app: Project) -> None:
    app.stores.trouble.late = True
    app.stores.trouble.fails = lambda _number, call: call == f"untag {ONE} 3"
    done = app.rollback()
    assert "3" not in app.at(ONE).pointers
    assert (done.left, app.said) == ((), [])
    assert [each.digest for each in done.changed if each.reference == MADE] == [None]


def test_where_nobody_can_look_that_is_said(app: Project) -> None:
    fails_from(app, f"untag {ONE} 3", lambda call: call == f"resolve {ONE} 3")
    done = app.rollback()
    assert done.left == (MADE,)
    assert app.said == [
        "one.example/app:3 was new, and whether it is gone is not known: the connection broke"
    ]


def test_what_a_registry_takes_away_and_shows_still_is_said(
    app: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(app.at(ONE)), "untag", lambda *_: None)
    done = app.rollback()
    assert done.left == ("one.example/app:3.0", MADE)
    assert app.said[1] == (
        "one.example/app:3 was new and stays: it was taken away, and the registry still shows it"
    )


class Unverified(FakeRegistry):
    """A repository that does not look at a manifest when it is asked for its digest."""

    def resolve(self, name: str) -> Descriptor:
        known = {str(each.digest): each for each in self.names.values()}
        return known[name] if name in known else super().resolve(name)


@pytest.mark.parametrize(("lost", "fault"), [(True, "is gone from"), (False, "is damaged in")])
def test_an_image_that_is_no_longer_good_can_be_gone_back_from(
    tmp_path: Path, lost: bool, fault: str
) -> None:
    app = Project(tmp_path)
    app.stores.fakes[ONE] = Unverified(ONE, app.stores.trouble)
    app.release("2.6.0", "2.6.1")
    out, blobs = app.at(ONE).pointers["2.6.1"], app.at(ONE).blobs
    blobs[out] = blobs[out].replace(b"arm64", b"arm65")
    if lost:
        del blobs[out]
    assert app.rollback().target == "2.6.0"
    assert app.versions() == {"2.6": "2.6.0", "2": "2.6.0", "latest": "2.6.0"}
    assert app.said[-1] == (
        f"one.example/app:latest: what it held, {out}, {fault} the registry; should this"
        " rollback fail, it cannot be put back"
    )


def test_an_end_that_cannot_be_written_down_is_a_warning(
    app: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ReleaseError("the journal cannot be written: no space left", where="dist")

    monkeypatch.setattr(Journal, "note_end", full)
    assert app.rollback().target == "2.6.1"
    assert app.versions() == {"2.6": "2.6.1", "2": "2.6.1", "latest": "2.6.1"}
    assert app.said == ["warning: dist: the journal cannot be written: no space left"]
