from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.errors import AccessDenied, NotFound, ReleaseError, UsageError
from manyfest.oci.digest import Digest
from manyfest.oci.reference import Name
from manyfest.release.destinations import destinations
from manyfest.release.project.config import Config
from manyfest.release.published.holdings import version_from
from manyfest.release.published.previous import Request
from manyfest.release.published.rollback import RollbackReport, plan_rollback, report, run_rollback
from manyfest.release.resume.journal import Began, Held, Journal
from manyfest.release.run import run
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.tags import TAGS
from manyfest.release.tags.pointing import Pointing
from manyfest.release.tags.rule import TagRule
from manyfest.release.versions.version import parse_version
from tests.unit.releases import (
    ONE,
    TWO,
    FakeRegistry,
    FakeStores,
    make_config,
    make_release,
    never,
    with_image,
)


class Project:
    """A project that has released some versions; what was said in rolling back."""

    def __init__(self, folder: Path, *to: str, **changes: object) -> None:
        tags = ("{{version}}", "{{major}}.{{minor}}", "{{major}}", "latest")
        settings = {"tags": tuple(map(TagRule.parse, tags)), "arch_tags": False, **changes}
        self.config: Config = make_config(folder, **settings)
        self.folder = folder
        self.stores = FakeStores()
        self.to = to or (ONE,)
        self.said: list[str] = []

    def release(self, *versions: str, to: tuple[str, ...] = ()) -> Project:
        for text in versions:
            number = parse_version(text)
            assert number is not None
            release = make_release(
                self.folder,
                self.stores,
                to=to or self.to,
                config=self.config,
                version=version_from(number),
            )
            for _ in run(with_image(release, text), (PUBLISH, TAGS)):
                pass
        return self

    def forget(self) -> Project:
        """Lose this machine's journals."""
        for path in (self.folder / "dist").glob("*.journal"):
            path.unlink()
        return self

    def forget_everywhere(self) -> Project:
        for place in self.to:
            registry = self.at(place)
            for name in [name for name in registry.names if name.startswith("sha256-")]:
                del registry.names[name]
        return self.forget()

    def at(self, place: str) -> FakeRegistry:
        return self.stores.at(place)

    def request(self, to: str = "", of: str = "") -> Request:
        places = destinations(self.config, map(Name.parse, self.to))
        return Request(self.config, places, self.stores, self.said.append, to, of)

    def rollback(self, to: str = "", of: str = "") -> RollbackReport:
        return run_rollback(plan_rollback(self.request(to, of)), self.said.append)

    def versions(self, place: str = ONE) -> dict[str, str]:
        """For each moving tag the version whose image it holds."""
        pointers = self.at(place).pointers
        named = {digest: tag for tag, digest in pointers.items() if tag.count(".") == 2}
        return {tag: named[held] for tag, held in pointers.items() if tag not in named.values()}


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Project]:
    return lambda *to, **changes: Project(tmp_path, *to, **changes)


New = Callable[..., Project]


def test_moving_tags_go_back_to_the_release_before(project: New) -> None:
    app = project(ONE, TWO).release("2.6.0", "2.6.1")
    done = app.rollback()
    assert (done.version, done.target) == ("2.6.1", "2.6.0")
    assert done.digest == str(app.at(ONE).pointers["2.6.0"])
    for place in (ONE, TWO):
        assert app.versions(place) == {"2.6": "2.6.0", "2": "2.6.0", "latest": "2.6.0"}


def test_versions_stay_and_latest_goes_last(project: New) -> None:
    app = project(ONE, TWO).release("2.6.0", "2.6.1")
    before = app.at(ONE).pointers["2.6.1"]
    app.stores.trouble.calls.clear()
    app.rollback()
    assert [call for call in app.stores.trouble.calls if call.startswith("tag")] == [
        "tag one.example/app 2.6",
        "tag two.example/app 2.6",
        "tag one.example/app 2",
        "tag two.example/app 2",
        "tag one.example/app latest",
        "tag two.example/app latest",
    ]
    assert app.at(ONE).pointers["2.6.1"] == before


@pytest.mark.parametrize("forget", [Project.forget, Project.forget_everywhere])
def test_the_registry_knows_it_too(project: New, forget: Callable[[Project], Project]) -> None:
    app = forget(project().release("2.6.0", "2.6.1"))
    app.rollback()
    assert app.versions() == {"2.6": "2.6.0", "2": "2.6.0", "latest": "2.6.0"}


def test_what_came_before_need_not_be_the_next_lower_version(project: New) -> None:
    app = project().release("2.5.0", "2.6.0")
    app.rollback()
    app.release("2.6.1")
    assert app.rollback().target == "2.5.0"


def test_where_a_release_is_half_out_nobody_guesses_what_is_meant(project: New) -> None:
    app = project().release("2.6.0", "2.6.1", "2.7.0")
    names = app.at(ONE).names
    names["latest"] = names["2.6.1"]  # what 2.7.0 had not come to when it was killed
    before = app.versions()
    with pytest.raises(ReleaseError) as refused:
        app.rollback()
    assert str(refused.value) == (
        "one.example/app: 2.7.0 is half released: 2 is at it, and latest is not; release 2.7.0"
        " again to finish it, or take it back: manyfest rollback --of 2.7.0"
    )
    assert app.versions() == before
    app.rollback("2.6.1")
    assert app.versions() == {
        "2.6": "2.6.1",
        "2.7": "2.7.0",
        "2": "2.6.1",
        "latest": "2.6.1",
    }


def test_a_pre_release_that_no_moving_tag_is_for_cannot_be_out(project: New) -> None:
    app = project().release("2.6.1", "2.7.0-rc.1")
    with pytest.raises(ReleaseError) as refused:
        app.rollback("2.7.0-rc.1")
    assert str(refused.value) == (
        "one.example/app: no tag that moves is for 2.7.0-rc.1; name another version; it has 2.6.1"
    )


def test_a_back_port_that_came_later_stays(project: New) -> None:
    app = project().release("2.6.1", "2.7.0", "2.6.2")
    assert app.versions() == {"2.6": "2.6.2", "2.7": "2.7.0", "2": "2.7.0", "latest": "2.7.0"}
    app.rollback()
    assert app.versions() == {"2.6": "2.6.2", "2": "2.6.1", "latest": "2.6.1"}


def test_a_killed_rollback_goes_on_with_what_it_was_to_do_and_no_more(project: New) -> None:
    app = project(ONE, TWO).release("2.6.1", "2.7.0", "2.6.2")
    kill_at(app, f"untag {ONE} 2.7")
    app.rollback()
    for place in (ONE, TWO):
        assert app.versions(place) == {"2.6": "2.6.2", "2": "2.6.1", "latest": "2.6.1"}
    assert app.said == ["going on with the rollback to 2.6.1, which was interrupted"]


def test_it_can_be_done_again_to_go_further_back(project: New) -> None:
    app = project().release("2.4.0", "2.5.0", "2.6.0")
    assert [app.rollback().target, app.rollback().target] == ["2.5.0", "2.4.0"]


def test_a_tag_that_the_release_made_is_taken_away(project: New) -> None:
    app = project().release("2.6.1", "2.7.0")
    done = app.rollback()
    assert app.versions() == {"2.6": "2.6.1", "2": "2.6.1", "latest": "2.6.1"}
    assert [(each.reference, each.digest) for each in done.changed] == [
        ("one.example/app:2", done.digest),
        ("one.example/app:latest", done.digest),
        ("one.example/app:2.7", None),
    ]


def test_where_that_cannot_be_done_it_stays_and_is_told(project: New) -> None:
    app = project().release("2.6.1", "2.7.0")
    app.stores.trouble.fails = lambda _number, call: call.startswith("untag")
    done = app.rollback()
    assert done.left == ("one.example/app:2.7",)
    assert app.said == ["one.example/app:2.7 was new and stays: the connection broke"]
    assert app.versions()["2.7"] == "2.7.0"


def test_without_a_journal_it_stays_and_that_is_said(project: New) -> None:
    app = project().release("2.6.1", "2.7.0").forget_everywhere()
    app.rollback()
    assert app.said == ["one.example/app:2.7 stays at 2.7.0: it is not known what it held before"]
    assert app.versions()["2.7"] == "2.7.0"


def test_a_version_can_be_named(project: New) -> None:
    app = project(ONE, TWO).release("2.4.0", "2.5.0", "2.6.0")
    assert app.rollback("2.4.0").target == "2.4.0"
    assert app.versions(TWO) == {
        "2.4": "2.4.0", "2.5": "2.5.0", "2.6": "2.6.0", "2": "2.4.0", "latest": "2.4.0",
    }  # fmt: skip


def test_a_version_that_some_lack_is_refused_before_anything_changes(project: New) -> None:
    app = project(ONE, TWO).release("2.5.0", to=(ONE,)).release("2.6.0", "2.6.1")
    before = app.at(ONE).pointers
    with pytest.raises(ReleaseError) as refused:
        app.rollback("2.5.0")
    assert str(refused.value) == "two.example/app: it has no 2.5.0; it has 2.6.1, 2.6.0"
    assert app.at(ONE).pointers == before


def test_going_up_to_a_version_takes_nothing_back(project: New) -> None:
    app = project().release("1.0.0", "1.1.0")
    app.rollback()
    app.rollback("1.1.0")
    assert app.versions() == {"1.0": "1.0.0", "1.1": "1.1.0", "1": "1.1.0", "latest": "1.1.0"}
    assert app.said == []


def test_a_tag_of_another_line_than_the_named_version_stays_and_how_it_goes_back_is_said(
    project: New,
) -> None:
    app = project().release("2.6.0", "3.0.0", "3.0.1")
    app.rollback("2.6.0")
    assert app.said == [
        "one.example/app:3.0 stays at 3.0.1: it is no tag of 2.6.0; manyfest rollback --of 3.0.1"
        " takes it back",
        "one.example/app:3 stays at 3.0.1: it is no tag of 2.6.0; manyfest rollback --of 3.0.1"
        " takes it back",
    ]
    app.rollback(of="3.0.1")
    assert app.versions() == {
        "2.6": "2.6.0", "3.0": "3.0.0", "2": "2.6.0", "3": "3.0.0", "latest": "2.6.0",
    }  # fmt: skip


@pytest.mark.parametrize("lines", [(), (Held(reference=f"{ONE}:latest", digest=None),)])
def test_the_journal_of_a_build_that_was_refused_says_nothing_of_the_release(
    project: New, lines: tuple[Held, ...]
) -> None:
    app = project().release("2.6.0", "2.7.0")
    (path,) = (app.folder / "dist").glob("*2.7.0.journal")
    other = Began(name="app", version="2.7.0", digest=Digest.of(b"another build"))
    Journal(path, other).note(*lines)
    app.rollback()
    assert app.said == []
    assert app.versions() == {"2.6": "2.6.0", "2": "2.6.0", "latest": "2.6.0"}


def test_what_is_no_version_is_wrong_usage(project: New) -> None:
    with pytest.raises(UsageError, match=r"^--to 'latest' is not a version; write 1\.2\.3$"):
        project().release("2.6.0").rollback("latest")


def test_repositories_that_disagree_are_told_and_a_version_is_asked_for(project: New) -> None:
    app = project(ONE, TWO).release("2.5.0").release("2.6.0", to=(ONE,)).release("2.6.1")
    with pytest.raises(ReleaseError) as refused:
        app.rollback()
    assert str(refused.value) == (
        "the repositories would go different ways: one.example/app from 2.6.1 to 2.6.0;"
        " two.example/app from 2.6.1 to 2.5.0; say which version all go to, with --to"
    )
    app.rollback("2.5.0")
    assert app.versions(ONE)["latest"] == app.versions(TWO)["latest"] == "2.5.0"


def test_a_repository_that_is_yet_to_be_made_has_nothing_to_go_back_to(project: New) -> None:
    def fails(_number: int, made: str) -> bool:
        if made == f"list {ONE}":
            raise NotFound("not found", where=ONE)
        return False

    app = project()
    app.stores.trouble.fails = fails
    with pytest.raises(ReleaseError) as refused:
        app.rollback()
    assert str(refused.value) == "one.example/app: there is no such repository yet"


def test_the_first_release_has_nothing_before_it(project: New) -> None:
    with pytest.raises(ReleaseError) as refused:
        project().release("2.6.0").rollback()
    assert str(refused.value) == (
        "one.example/app: latest is at 2.6.0, and there is no version before that; it has 2.6.0"
    )


def test_what_was_before_may_be_no_version(project: New) -> None:
    app = project().release("2.5.0", "2.6.0")
    strange = app.at(ONE).names.pop("2.5.0").digest
    with pytest.raises(ReleaseError) as refused:
        app.rollback()
    assert str(refused.value) == (
        f"one.example/app:latest: before 2.6.0 it held {strange}, which no version there is;"
        " say a version with --to; it has 2.6.0"
    )


def test_a_tag_that_somebody_has_moved_since_is_left_alone(project: New) -> None:
    app = project().release("2.4.0", "2.5.0", "2.6.0")
    app.at(ONE).names["2"] = app.at(ONE).names["2.4.0"]
    app.rollback()
    # What the release before would set is set; what nobody knows of stays.
    assert app.versions()["latest"] == "2.5.0"


def test_an_image_that_is_no_longer_whole_is_refused(project: New) -> None:
    app = project(ONE, TWO).release("2.5.0", "2.6.0")
    two = app.at(TWO)
    index = two.names["2.5.0"]
    lost = plan_rollback(app.request()).moves[0].manifest.index.manifests[0]
    del two.blobs[lost.digest]
    with pytest.raises(ReleaseError) as refused:
        app.rollback()
    assert str(refused.value) == (
        f"two.example/app: {index.digest} is not whole there: {lost.digest} is missing;"
        " copy 2.5.0 there again, or go back to another version with --to"
    )
    assert two.pointers["latest"] == two.pointers["2.6.0"] != index.digest
    assert app.versions(ONE)["latest"] == "2.6.0"


def test_all_that_stands_in_the_way_is_told_before_anything_changes(project: New) -> None:
    class Closed(FakeRegistry):
        def require_push(self) -> None:
            raise AccessDenied("it is closed", where=self.label)

    app = project(ONE, TWO)
    app.stores.fakes[TWO] = Closed(TWO, app.stores.trouble)
    app.release("2.5.0", "2.6.0")
    with pytest.raises(AccessDenied, match=r"^two.example/app: it is closed$"):
        app.rollback()
    assert app.versions(ONE)["latest"] == "2.6.0"


def fail_once(app: Project, call: str) -> None:
    failed: list[str] = []

    def fails(_number: int, made: str) -> bool:
        hit = made == call and not failed
        failed.extend([made] if hit else [])
        return hit

    app.stores.trouble.fails = fails


def test_if_one_tag_cannot_be_set_all_go_back(project: New) -> None:
    app = project(ONE, TWO).release("2.5.0", "2.6.0")
    fail_once(app, f"tag {TWO} latest")
    with pytest.raises(ReleaseError) as stopped:
        app.rollback()
    assert str(stopped.value) == (
        "two.example/app:latest: the tag could not be set: the connection broke;"
        " put back: one.example/app:2, two.example/app:2, one.example/app:latest;"
        " no other tag was changed; mend that and run the same command again"
    )
    for place in (ONE, TWO):
        assert app.versions(place) == {
            "2.5": "2.5.0", "2.6": "2.6.0", "2": "2.6.0", "latest": "2.6.0",
        }  # fmt: skip
    assert app.rollback().target == "2.5.0"


def kill_at(app: Project, call: str, of: str = "") -> None:
    """Let a rollback die when it makes this call."""

    class Killed(BaseException):
        pass

    def dies(_number: int, made: str) -> bool:
        if made == call:
            raise Killed
        return False

    app.stores.trouble.fails = dies
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pointing, "_put_all_back", lambda _: "")
        with pytest.raises(Killed):
            app.rollback(of=of)
    app.stores.trouble.fails = never


CALLS = [f"tag {place} {tag}" for tag in ("2", "latest") for place in (ONE, TWO)]


@pytest.mark.parametrize("call", [*CALLS, f"untag {ONE} 2.7", f"untag {TWO} 2.7"])
def test_killed_anywhere_the_same_command_finishes(project: New, call: str) -> None:
    app = project(ONE, TWO).release("2.5.0", "2.6.1", "2.7.0")
    kill_at(app, call)
    assert app.rollback().target == "2.6.1"
    for place in (ONE, TWO):
        assert app.versions(place) == {
            "2.5": "2.5.0", "2.6": "2.6.1", "2": "2.6.1", "latest": "2.6.1",
        }  # fmt: skip


def test_what_a_killed_one_moved_goes_back_if_the_next_fails(project: New) -> None:
    app = project(ONE, TWO).release("2.5.0", "2.6.0")
    kill_at(app, f"tag {TWO} latest")
    fail_once(app, f"tag {TWO} latest")
    with pytest.raises(ReleaseError, match=r"put back: one.example/app:2, "):
        app.rollback()
    for place in (ONE, TWO):
        assert app.versions(place)["latest"] == app.versions(place)["2"] == "2.6.0"


def test_on_another_machine_a_killed_one_is_seen_and_a_version_asked_for(project: New) -> None:
    app = project(ONE, TWO).release("2.4.0", "2.5.0", "2.6.0")
    kill_at(app, f"tag {TWO} latest")
    app.forget()
    with pytest.raises(ReleaseError, match=r"^the repositories would go different ways: "):
        app.rollback()
    assert app.rollback("2.5.0").target == "2.5.0"
    assert app.versions(ONE)["latest"] == app.versions(TWO)["latest"] == "2.5.0"


def test_one_that_was_given_up_long_ago_says_nothing(project: New) -> None:
    app = project().release("2.4.0", "2.5.0")
    kill_at(app, f"tag {ONE} latest")
    app.release("2.6.0")
    assert app.rollback().target == "2.5.0"


def test_a_plan_changes_nothing_and_tells_what_would(project: New) -> None:
    app = project().release("2.5.0", "2.6.0")
    before = app.at(ONE).pointers
    told = report(plan_rollback(app.request()))
    assert [each.reference for each in told.changed] == [
        "one.example/app:2",
        "one.example/app:latest",
        "one.example/app:2.6",
    ]
    assert app.at(ONE).pointers == before
    assert told == app.rollback()


def test_repositories_of_one_platform_go_back_too(project: New) -> None:
    app = project(arch_repositories={"linux/arm64": "-arm64"}).release("2.5.0", "2.6.0")
    app.rollback()
    arm64 = "one.example/app-arm64"
    assert app.versions(arm64)["latest"] == "2.5.0"
    assert isinstance(app.at(arm64).pointers["latest"], Digest)


def test_there_must_be_a_release(project: New) -> None:
    with pytest.raises(ReleaseError) as refused:
        project().rollback()
    assert str(refused.value) == (
        "one.example/app: no moving tag points at a version that is there, so what came before is"
        " not known; say it with --to; it has no version at all"
    )
