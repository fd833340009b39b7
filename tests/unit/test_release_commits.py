from __future__ import annotations

import pytest

from manyfest.release.versions.commits import Bump, Change, changes, read_change
from manyfest.release.versions.git import Commit


def commit(message: str, number: int = 1, *parents: int) -> Commit:
    """A commit whose digest is its number, forty digits long."""
    return Commit(
        revision=digest(number), message=message, parents=tuple(digest(each) for each in parents)
    )


def digest(number: int) -> str:
    return f"{number:x}".rjust(7, "a").ljust(40, "0")


def read(message: str) -> Change:
    return read_change(commit(message))


def texts(*commits: Commit) -> list[str]:
    return [change.subject for change in changes(commits)]


@pytest.mark.parametrize(
    ("subject", "type_", "scope", "text"),
    [
        ("feat: list the clients", "feat", "", "list the clients"),
        ("fix(api): answer 404", "fix", "api", "answer 404"),
        ("feat(api)!: drop v1", "feat", "api", "drop v1"),
        ("FEAT: list the clients", "feat", "", "list the clients"),
        ("build(deps): bump x: from 1 to 2", "build", "deps", "bump x: from 1 to 2"),
        ("fix():  twice spaced", "fix", "", "twice spaced"),
    ],
)
def test_a_conventional_subject(subject: str, type_: str, scope: str, text: str) -> None:
    change = read(subject)
    assert (change.type, change.scope, change.text) == (type_, scope, text)
    assert change.subject == subject


@pytest.mark.parametrize(
    "subject",
    [
        "List the clients",
        "fix:no space",
        "fix :a space before",
        "fix: ",
        "two words: more",
        'Revert "feat: list the clients"',
        "fixup! feat: list the clients",
        "net/http: close the body",
        "",
    ],
)
def test_other_subjects_are_their_own_text(subject: str) -> None:
    change = read(subject)
    assert (change.type, change.scope, change.text) == ("", "", subject.strip())


@pytest.mark.parametrize(
    ("message", "warning"),
    [
        ("feat!: drop v1", ""),
        ("chore(api)!: drop v1", ""),
        ("feat: new\n\nBREAKING CHANGE: v1 is gone", "v1 is gone"),
        ("feat: new\n\nBREAKING-CHANGE: v1 is gone", "v1 is gone"),
        ("feat: new\n\nBREAKING CHANGE #v1 is gone", "v1 is gone"),
        ("New\r\n\r\nBREAKING CHANGE: v1\r\nis gone\r\n\r\nMore", "v1 is gone"),
        (
            "fix: x\n\nWhy.\n\nRefs: #1\nBREAKING CHANGE:\n  v1 is gone\nReviewed-by: Z",
            "v1 is gone",
        ),
        ("feat!: new\n\nBREAKING CHANGE: v1 is gone\nCloses #2", "v1 is gone"),
    ],
)
def test_a_mark_or_a_footer_says_that_something_breaks(message: str, warning: str) -> None:
    change = read(message)
    assert (change.breaking, change.warning, change.bump) == (True, warning, Bump.MAJOR)


@pytest.mark.parametrize(
    "message",
    [
        "feat: no BREAKING CHANGE: at all",
        "feat: new\n\nbreaking change: in lower case",
        "feat: new\n\nThis is no BREAKING CHANGE: really",
        "feat: new\n\nBREAKING CHANGES: two",
    ],
)
def test_other_words_break_nothing(message: str) -> None:
    assert not read(message).breaking


@pytest.mark.parametrize(
    ("subject", "bump"),
    [
        ("feat: x", Bump.MINOR),
        ("fix: x", Bump.PATCH),
        ("perf: x", Bump.PATCH),
        ("revert: x", Bump.PATCH),
        ("security: x", Bump.PATCH),
        ("Make it faster", Bump.PATCH),
        *((f"{kind}: x", Bump.NONE) for kind in ("build", "chore", "ci", "docs")),
        *((f"{kind}: x", Bump.NONE) for kind in ("refactor", "style", "test")),
    ],
)
def test_what_a_change_asks_of_the_next_version(subject: str, bump: Bump) -> None:
    assert read(subject).bump is bump


def test_a_merge_counts_only_if_somebody_wrote_what_it_is() -> None:
    assert texts(
        commit("feat(engine): merge the new engine", 5, 3, 4),
        commit("Merge branch 'fixes' into 'main'\n\nfix: as a body\n\nSee !5", 4, 2, 3),
        commit("fix: a crash", 3, 2),
    ) == ["feat(engine): merge the new engine", "fix: a crash"]


def test_a_merge_that_breaks_something_counts() -> None:
    merge = commit("Merge branch 'v2' into 'main'\n\nBREAKING CHANGE: v1 is gone", 4, 2, 3)
    assert [(each.subject, each.bump) for each in changes([merge])] == [
        ("Merge branch 'v2' into 'main'", Bump.MAJOR)
    ]


def test_what_is_said_twice_counts_once() -> None:
    found = changes(
        [
            commit("feat(api): list the clients (#12)", 4, 2, 3),
            commit("feat(api)!: list the clients", 3, 2),
            commit("feat(ui): list the clients", 2, 1),
            commit("feat(api): list the clients (!13)", 1),
        ]
    )
    assert [(each.scope, each.breaking) for each in found] == [("api", True), ("ui", False)]


def test_a_reverted_commit_and_its_revert_leave_no_trace() -> None:
    assert texts(
        commit(f'Revert "feat: x"\n\nThis reverts commit {digest(2)}.', 3),
        commit("feat: x", 2),
        commit("fix: y", 1),
    ) == ["fix: y"]


def test_a_revert_of_a_revert_brings_the_commit_back() -> None:
    assert texts(
        commit(f'Reapply "feat: x"\n\nThis reverts commit {digest(3)}.', 4),
        commit(f'Revert "feat: x"\n\nThis reverts commit {digest(2)}.', 3),
        commit("feat: x", 2),
    ) == ["feat: x"]


def test_a_conventional_revert_names_commits_in_a_footer() -> None:
    short = digest(2)[:7], digest(1)[:7]
    message = f"revert(api): let us forget it\n\nRefs: {short[0]}, {short[1]}"
    assert texts(commit(message, 3), commit("feat: x", 2), commit("fix: y", 1)) == []


def test_what_was_released_before_is_reverted_by_a_change_that_users_see() -> None:
    revert = commit(f'Revert "feat: x"\n\nThis reverts commit {digest(9)}.', 3)
    assert [each.bump for each in changes([revert])] == [Bump.PATCH]
    both = commit(f"revert: x and y\n\nRefs: {digest(9)}, {digest(1)}", 3)
    assert texts(both, commit("fix: y", 1)) == ["revert: x and y"]


def test_a_change_that_also_reverts_one_stands() -> None:
    message = f"fix: y in another way\n\nThis reverts commit {digest(1)}."
    assert texts(commit(message, 2), commit("fix: y", 1)) == ["fix: y in another way"]


def test_a_reverted_merge_takes_along_all_that_it_brought() -> None:
    message = (
        f"Revert \"Merge branch 'next'\"\n\nThis reverts commit {digest(5)}, reversing\n"
        f"changes made to {digest(3)}."
    )
    assert texts(
        commit(message, 6, 5),
        commit("Merge branch 'next'", 5, 3, 4),
        commit("feat: on the branch", 4, 2),
        commit("fix: on main", 3, 1),
        commit("feat: also on the branch", 2, 1),
        commit("fix: before both", 1),
    ) == ["fix: on main", "fix: before both"]


def test_references_take_no_time_whatever_they_are() -> None:
    endless = commit(f"revert: x\n\nRefs: {'a' * 20000}!", 2)
    assert texts(endless) == ["revert: x"]
