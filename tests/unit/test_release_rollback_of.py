"""A release is taken back that is not the one which is out; and what is half released."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.errors import ReleaseError, UsageError
from manyfest.release.tags.rule import TagRule
from tests.unit.releases import ONE, TWO
from tests.unit.test_release_rollback import Project, kill_at

New = Callable[..., Project]


@pytest.fixture
def project(tmp_path: Path) -> New:
    return lambda *to, **changes: Project(tmp_path, *to, **changes)


def point(app: Project, version: str, *tags: str, places: tuple[str, ...] = (ONE,)) -> None:
    """Let tags hold a version, as a release that was killed has left them."""
    for place in places:
        names = app.at(place).names
        names.update(dict.fromkeys(tags, names[version]))


def test_a_back_port_is_taken_back_and_what_is_out_stays(project: New) -> None:
    app = project(ONE, TWO).release("1.0.0", "1.1.0", "1.0.2")
    done = app.rollback(of="1.0.2")
    assert (done.version, done.target) == ("1.0.2", "1.0.0")
    assert [each.reference for each in done.changed] == [f"{ONE}:1.0", f"{TWO}:1.0"]
    for place in (ONE, TWO):
        assert app.versions(place) == {
            "1.0": "1.0.0", "1.1": "1.1.0", "1": "1.1.0", "latest": "1.1.0",
        }  # fmt: skip


def test_without_a_journal_it_goes_to_the_next_lower_version_of_the_line(project: New) -> None:
    app = project().release("1.0.0", "1.1.0", "1.0.2", "1.0.3").forget_everywhere()
    assert app.rollback(of="1.0.3").target == "1.0.2"
    assert app.versions() == {"1.0": "1.0.2", "1.1": "1.1.0", "1": "1.1.0", "latest": "1.1.0"}


def test_the_release_that_is_out_can_be_named(project: New) -> None:
    app = project().release("1.0.0", "1.1.0")
    app.rollback(of="1.1.0")
    assert app.versions() == {"1.0": "1.0.0", "1": "1.0.0", "latest": "1.0.0"}


def test_taken_back_again_it_changes_nothing(project: New) -> None:
    app = project().release("1.0.0", "1.1.0", "1.0.2")
    app.rollback(of="1.0.2")
    done = app.rollback(of="1.0.2")
    assert (done.version, done.target, done.changed) == ("1.0.2", "1.0.0", ())


def test_another_version_can_be_put_in_its_place(project: New) -> None:
    app = project().release("1.0.0", "1.0.1", "1.1.0", "1.0.2")
    app.rollback("1.0.0", of="1.0.2")
    assert app.versions() == {"1.0": "1.0.0", "1.1": "1.1.0", "1": "1.1.0", "latest": "1.1.0"}


def test_a_tag_that_others_hold_now_stays(project: New) -> None:
    app = project().release("1.0.0", "1.0.1", "1.1.0", "1.0.2")
    point(app, "1.0.1", "1.0")
    assert app.rollback(of="1.0.2").changed == ()
    assert app.versions()["1.0"] == "1.0.1"


def test_repositories_must_agree_on_where_it_goes(project: New) -> None:
    app = project(ONE, TWO).release("1.0.0", "1.1.0").release("1.0.1", to=(ONE,)).release("1.0.2")
    with pytest.raises(ReleaseError) as refused:
        app.rollback(of="1.0.2")
    assert str(refused.value) == (
        "the repositories would go different ways: one.example/app from 1.0.2 to 1.0.1;"
        " two.example/app from 1.0.2 to 1.0.0; say which version all go to, with --to"
    )
    app.rollback("1.0.0", of="1.0.2")
    assert app.versions(ONE)["1.0"] == app.versions(TWO)["1.0"] == "1.0.0"


def test_the_tags_of_a_back_port_that_opened_a_line_are_taken_away(project: New) -> None:
    app = project(ONE, TWO).release("2.0.0", "1.0.0")
    done = app.rollback(of="1.0.0")
    assert [(each.reference, each.digest) for each in done.changed] == [
        (f"{place}:{tag}", None) for tag in ("1.0", "1") for place in (ONE, TWO)
    ]
    assert done.digest == str(app.at(ONE).pointers["2.0.0"])
    assert app.versions() == {"2.0": "2.0.0", "2": "2.0.0", "latest": "2.0.0"}


def test_the_only_release_has_nothing_to_go_back_to(project: New) -> None:
    with pytest.raises(ReleaseError) as refused:
        project().release("1.0.0").rollback(of="1.0.0")
    assert str(refused.value) == (
        "one.example/app: latest is at 1.0.0, and there is no version before that; it has 1.0.0"
    )


def test_a_repository_that_does_not_have_it_stays_as_it_is(project: New) -> None:
    app = project(ONE, TWO).release("1.0.0", "1.1.0").release("1.0.2", to=(TWO,))
    assert [each.reference for each in app.rollback(of="1.0.2").changed] == [f"{TWO}:1.0"]


def test_a_version_that_is_nowhere_is_refused(project: New) -> None:
    with pytest.raises(ReleaseError) as refused:
        project().release("1.0.0", "1.1.0").rollback(of="1.0.2")
    assert str(refused.value) == "one.example/app: it has no 1.0.2; it has 1.1.0, 1.0.0"


def test_a_version_that_no_tag_moves_for_is_refused(project: New) -> None:
    with pytest.raises(
        ReleaseError, match=r"^one\.example/app: no tag that moves is for 1\.1\.0-rc"
    ):
        project().release("1.0.0", "1.1.0-rc.1").rollback(of="1.1.0-rc.1")


def test_what_is_no_version_is_wrong_usage(project: New) -> None:
    with pytest.raises(UsageError, match=r"^--of '1\.0' is not a version; write 1\.2\.3$"):
        project().release("1.0.0").rollback(of="1.0")


@pytest.mark.parametrize("again", ["", "1.0.2"])
def test_one_that_was_killed_is_finished_by_the_next(project: New, again: str) -> None:
    app = project(ONE, TWO).release("1.0.0", "1.0.1", "1.1.0", "1.0.2")
    kill_at(app, f"tag {TWO} 1.0", of="1.0.2")
    app.rollback(of=again)
    for place in (ONE, TWO):
        assert app.versions(place)["1.0"] == "1.0.1"
        assert app.versions(place)["latest"] == "1.1.0"


def test_a_killed_one_of_another_release_is_not_gone_on_with(project: New) -> None:
    app = project(ONE, TWO).release("1.0.0", "1.1.0", "1.0.2")
    kill_at(app, f"tag {TWO} latest")
    app.rollback(of="1.0.2")
    assert app.versions(ONE)["1.0"] == app.versions(TWO)["1.0"] == "1.0.0"
    assert (app.versions(ONE)["latest"], app.versions(TWO)["latest"]) == ("1.0.0", "1.1.0")


def test_a_half_release_is_taken_back_in_every_repository(project: New) -> None:
    app = project(ONE, TWO).release("2.6.1", "2.7.0")
    point(app, "2.6.1", "latest", places=(ONE, TWO))
    point(app, "2.6.1", "2", places=(TWO,))
    del app.at(TWO).names["2.7"]
    assert app.rollback(of="2.7.0").target == "2.6.1"
    for place in (ONE, TWO):
        assert app.versions(place) == {"2.6": "2.6.1", "2": "2.6.1", "latest": "2.6.1"}


def test_where_nothing_is_to_be_taken_back_nobody_need_know_what_came_before(project: New) -> None:
    app = project(ONE, TWO).release("2.5.0", "2.6.0")
    app.rollback()
    app.release("2.7.0")
    app.forget()
    two = app.at(TWO).names
    point(app, "2.5.0", "2", "latest", places=(TWO,))
    for name in [name for name in two if name == "2.7" or name.startswith("sha256-")]:
        del two[name]
    assert app.rollback(of="2.7.0").target == "2.5.0"


def test_a_back_port_is_no_half_release_when_the_release_above_it_is_taken_back(
    project: New,
) -> None:
    app = project().release("0.9.0", "1.0.0", "1.1.0", "1.0.2")
    app.rollback()
    assert app.versions()["1.0"] == "1.0.2"
    assert app.rollback().target == "0.9.0"


def test_nor_is_a_release_whose_own_tag_the_registry_does_not_take_away(project: New) -> None:
    app = project().release("2.5.0", "2.6.0", "2.7.0")
    app.stores.trouble.fails = lambda _number, call: call.startswith("untag")
    app.rollback()
    assert app.versions()["2.7"] == "2.7.0"
    app.said.clear()
    assert app.rollback().target == "2.5.0"
    assert app.said[0] == (
        "one.example/app:2.7 stays at 2.7.0; manyfest rollback --of 2.7.0 takes that back"
    )


def test_nor_is_one_above_which_a_tag_goes_to_whatever_is_released_last(project: New) -> None:
    tags = ("{{version}}", "{{major}}.{{minor}}", "{{major}}")
    latest = TagRule(tag=TagRule.parse("latest").tag, forward=False)
    app = project(tags=(*map(TagRule.parse, tags), latest)).release("1.0.0", "1.1.0", "1.0.2")
    assert app.versions() == {"1.0": "1.0.2", "1.1": "1.1.0", "1": "1.1.0", "latest": "1.0.2"}
    assert app.rollback().target == "1.1.0"
