"""A run is killed while it moves tags, and the next one fails before it comes to the tags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.copy import copy_graph
from manyfest.errors import ConnectionFailed, ReleaseError, UsageError
from manyfest.oci.digest import Digest
from manyfest.release.resume.journal import journal_path, read_journal
from manyfest.release.resume.unfinished import moving
from manyfest.release.run import run
from manyfest.release.steps.preflight import PREFLIGHT_WITHOUT_BUILD
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.step import Release, Step
from manyfest.release.steps.tags import TAGS
from manyfest.release.tags.pointing import Pointing
from tests.unit.releases import (
    ONE,
    TWO,
    FakeStores,
    Notes,
    digests,
    hold_former_release,
    make_config,
    make_release,
    never,
    with_image,
)

ALL = (PREFLIGHT_WITHOUT_BUILD, PUBLISH, TAGS)


class Killed(BaseException):
    pass


class Project:
    """A release to two repositories that was killed when it began to set ``dies_at`` in the second
    one; both held an earlier release."""

    def __init__(self, folder: Path, dies_at: str = "latest", **changes: object) -> None:
        self.folder = folder
        self.config = make_config(folder, **changes)
        self.stores = FakeStores()
        self.former: dict[str, Digest] = {
            place: hold_former_release(self.stores.at(place), "2.6", "latest")
            for place in (ONE, TWO)
        }
        self.killed = self.release()

        def dies(_number: int, call: str) -> bool:
            if call == f"tag {TWO} {dies_at}":
                raise Killed
            return False

        self.stores.trouble.fails = dies
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Pointing, "_put_all_back", lambda _: "")
            with pytest.raises(Killed):
                list(run(self.killed, ALL))
        self.stores.trouble.fails = never

    def release(self, folder: Path | None = None) -> Release:
        release = make_release(folder or self.folder, self.stores, to=(ONE, TWO))
        release.progress = Notes()
        return with_image(release)

    def fails(self, error: BaseException, folder: Path | None = None) -> Release:
        """The next run, which ``error`` ends before it uploads anything."""

        def broken(_: Release) -> str:
            raise error

        release = self.release(folder)
        with pytest.raises(type(error)):
            list(run(release, (PREFLIGHT_WITHOUT_BUILD, Step("broken", broken, broken))))
        return release

    def dies(self, place: str) -> None:
        """The registry says nothing any more."""
        self.stores.trouble.fails = lambda _number, call: call.split()[1] == place

    def pointers(self, place: str) -> tuple[Digest, Digest]:
        names = self.stores.at(place).pointers
        return names["2.6"], names["latest"]


@pytest.fixture
def gone() -> ConnectionFailed:
    return ConnectionFailed("no answer", where=TWO)


def test_what_it_moved_goes_back_where_that_can_be_reached(tmp_path: Path) -> None:
    project = Project(tmp_path, "2.6")
    ours, former = project.killed.built.digest, project.former
    assert project.pointers(ONE) == (ours, former[ONE])
    project.dies(TWO)
    release = project.release()
    with pytest.raises(ConnectionFailed) as failed:
        list(run(release, ALL))
    assert str(failed.value) == (
        "two.example/app: the connection broke;"
        " a run of this release that was killed was moving tags:"
        " not known: two.example/app:2.6, two.example/app:latest; put back: one.example/app:2.6"
    )
    assert release.standing == {
        "one.example/app:2.6": "put back",
        "two.example/app:2.6": "not known",
        "two.example/app:latest": "not known",
    }
    assert project.pointers(ONE) == (former[ONE], former[ONE])


def test_whoever_goes_on_afterwards_gets_it_whole(tmp_path: Path, gone: ConnectionFailed) -> None:
    project = Project(tmp_path)
    project.fails(gone)
    assert project.pointers(ONE) == (project.former[ONE], project.former[ONE])
    assert project.pointers(TWO) == (project.former[TWO], project.former[TWO])
    release = project.release()
    list(run(release, ALL))
    for place in (ONE, TWO):
        assert project.stores.at(place).pointers == digests(release)


def test_a_first_run_that_loses_a_registry_before_the_tags_speaks_of_no_other_run(
    tmp_path: Path,
) -> None:
    stores = FakeStores()
    for place in (ONE, TWO):
        hold_former_release(stores.at(place), "2.6", "latest")
    gone: list[str] = []

    def fails(_number: int, call: str) -> bool:
        if call.startswith(f"attach {TWO}"):
            gone.append(TWO)
        return call.split()[1] in gone

    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    stores.trouble.fails = fails
    with pytest.raises(ConnectionFailed) as failed:
        list(run(release, ALL))
    assert str(failed.value) == "two.example/app: the connection broke"


def test_ctrl_c_before_the_tags_puts_them_back_too(tmp_path: Path) -> None:
    project = Project(tmp_path)
    interruption = KeyboardInterrupt()
    project.fails(interruption)
    assert project.pointers(ONE) == (project.former[ONE], project.former[ONE])
    assert interruption.__notes__ == [
        "a run of this release that was killed was moving tags: put back: one.example/app:2.6,"
        " one.example/app:latest, two.example/app:2.6"
    ]


def test_what_was_typed_wrongly_changes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, "2.6")
    before = project.pointers(ONE)
    wrong = UsageError("no such option")
    project.fails(wrong)
    assert project.pointers(ONE) == before
    assert str(wrong) == (
        "no such option; a run of this release that was killed was moving tags:"
        " set and left: one.example/app:2.6"
    )


def test_where_it_may_have_come_to_its_end_nothing_changes(tmp_path: Path) -> None:
    """All that can be seen is set, and what the other registry has nobody knows."""
    project = Project(tmp_path)
    before = project.pointers(ONE)
    project.dies(TWO)
    release = project.release()
    with pytest.raises(ConnectionFailed) as failed:
        list(run(release, ALL))
    assert project.pointers(ONE) == before == (release.built.digest, release.built.digest)
    assert failed.value.what == (
        "the connection broke; a run of this release that was killed was moving tags:"
        " not known: two.example/app:2.6, two.example/app:latest;"
        " set and left: one.example/app:2.6, one.example/app:latest"
    )


def finished(project: Project) -> None:
    list(run(project.release(), ALL))


def finished_elsewhere(project: Project) -> None:
    list(run(project.release(project.folder / "elsewhere"), ALL))


def killed_after_the_last(project: Project) -> None:
    for place in (ONE, TWO):
        registry = project.stores.at(place)
        registry.names |= {"2.6": registry.names["2.6.1"], "latest": registry.names["2.6.1"]}
    list(run(project.release(), ALL))


@pytest.mark.parametrize("finish", [finished, finished_elsewhere, killed_after_the_last])
def test_a_release_that_came_to_its_end_stays(
    tmp_path: Path, gone: ConnectionFailed, finish: Callable[[Project], None]
) -> None:
    project = Project(tmp_path)
    finish(project)
    release = project.fails(gone)
    assert project.pointers(ONE) == (release.built.digest, release.built.digest)
    assert gone.what == "no answer"


def test_one_that_came_to_its_end_stays_when_somebody_puts_a_tag_back(
    tmp_path: Path, gone: ConnectionFailed
) -> None:
    project = Project(tmp_path)
    finished(project)
    registry = project.stores.at(ONE)
    registry.names["latest"] = registry.resolve(str(project.former[ONE]))
    release = project.fails(gone)
    assert project.pointers(ONE) == (release.built.digest, project.former[ONE])


def test_another_machine_only_tells_of_it(tmp_path: Path, gone: ConnectionFailed) -> None:
    """Whoever moves them may be at it this very moment."""
    project = Project(tmp_path / "here", "2.6")
    before = project.pointers(ONE)
    project.fails(gone, tmp_path / "there")
    assert project.pointers(ONE) == before
    assert gone.what == (
        "no answer; another run of this release has begun to move tags:"
        " set and left: one.example/app:2.6"
    )


def test_a_run_that_is_still_at_it_is_left_in_peace(tmp_path: Path, gone: ConnectionFailed) -> None:
    project = Project(tmp_path, "2.6")
    before = project.pointers(ONE)
    with moving(project.killed.open_journal().path.parent):
        project.fails(gone)
    assert project.pointers(ONE) == before
    assert gone.what == "no answer"


def test_another_image_of_the_version_may_have_been_built_since(tmp_path: Path) -> None:
    project = Project(tmp_path, "2.6")
    other = with_image(make_release(tmp_path, project.stores, to=(ONE, TWO)), "another")
    other.progress = Notes()
    other.open_journal().note_end("build", "2 platforms")  # this takes the old journal's place
    with pytest.raises(ReleaseError) as refused:
        list(run(other, ALL))
    assert refused.value.what == (
        f"the tag already holds {project.killed.built.digest}, and this release is"
        f" {other.built.digest}; this run has set no tag; a run of this release that was killed was"
        " moving tags: put back: one.example/app:2.6"
    )
    assert project.pointers(ONE) == (project.former[ONE], project.former[ONE])


def test_tags_are_under_way_until_all_are_set(tmp_path: Path) -> None:
    project = Project(tmp_path)
    path = journal_path(project.killed.archive, project.killed.version)
    digest = project.killed.built.digest
    killed = read_journal(path, print)
    assert killed is not None
    assert killed.under_way == {
        "one.example/app:2.6": digest,
        "two.example/app:2.6": digest,
        "one.example/app:latest": digest,
        "two.example/app:latest": digest,
    }
    finished(project)
    ended = read_journal(path, print)
    assert ended is not None
    assert ended.under_way == {}


def test_only_what_this_release_moved_goes_back(tmp_path: Path) -> None:
    """It was complete in one repository, and was killed when it went on to the other."""
    stores = FakeStores()
    for place in (ONE, TWO):
        hold_former_release(stores.at(place), "2.6", "latest")
    first = with_image(make_release(tmp_path, stores))
    list(run(first, ALL))
    second = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    copy_graph(second.built.source, second.built.graph, stores.at(TWO))
    stores.trouble.fails = lambda _number, call: call == f"tag {TWO} latest"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pointing, "_put_all_back", lambda _: "")
        with pytest.raises(ReleaseError):
            TAGS.run(second)
    with pytest.raises(ReleaseError, match=r"broke; put back: two.example/app:2.6; no other"):
        TAGS.run(with_image(make_release(tmp_path, stores, to=(ONE, TWO))))
    assert stores.at(ONE).pointers == digests(first)
