from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import ReleaseError, UsageError
from manyfest.oci.reference import is_tag
from manyfest.release.versions import git
from manyfest.release.versions.git import changed_files
from manyfest.release.versions.version import (
    Version,
    find_version,
    parse_version,
    snapshot,
    version_if_known,
    version_order,
    versions,
)
from tests.unit.repositories import Git, commit, make_repository


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    return make_repository(tmp_path, monkeypatch)


def add_submodule(run: Git, folder: Path) -> None:
    """A repository in the folder ``part``, and a commit with it."""
    run("clone", "--quiet", str(folder), "elsewhere")
    (folder / ".git/info/exclude").write_text("elsewhere/\n")
    allowed = ("-c", "protocol.file.allow=always")
    run(*allowed, "submodule", "--quiet", "add", str(folder / "elsewhere"), "part")
    commit(run, "v1.1.0")


def version_of(folder: Path, told: str = "", prefix: str = "", **environment: str) -> Version:
    return find_version(folder, told, environment, prefix=prefix)


def test_an_exact_tag_is_the_version(run: Git, tmp_path: Path) -> None:
    revision = commit(run, "v2.6.1")
    assert version_of(tmp_path) == Version(
        text="2.6.1",
        revision=revision,
        major=2,
        minor=6,
        patch=1,
        prerelease=False,
        commit_time=1700000000,
        dirty=False,
        snapshot=False,
    )


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["2.6.1"], "2.6.1"),
        (["v2.7.0-rc.1"], "2.7.0-rc.1"),
        (["v2.7.0-rc.1", "v2.7.0"], "2.7.0"),
        (["v2.9.0", "v2.10.0"], "2.10.0"),
        (["v2", "latest", "nightly-2030", "v2.6.1"], "2.6.1"),
    ],
)
def test_the_highest_version_among_the_tags_counts(
    run: Git, tmp_path: Path, tags: list[str], expected: str
) -> None:
    commit(run, *tags)
    assert version_of(tmp_path).text == expected


@pytest.mark.parametrize("tag", ["server/v2.6.1", "server/2.6.1"])
def test_after_the_prefix_of_the_project_a_tag_is_read_as_usual(
    run: Git, tmp_path: Path, tag: str
) -> None:
    commit(run, tag)
    assert version_of(tmp_path, prefix="server/").text == "2.6.1"


def test_a_prefix_hides_the_tags_of_others(run: Git, tmp_path: Path) -> None:
    commit(run, "server/v2.6.1", "v9.0.0", "client/v8.0.0", "server/client/v7.0.0")
    revision = commit(run, "client/v8.0.1")
    short = revision[:7]
    assert version_of(tmp_path, prefix="server/").text == f"2.6.2-dev.1-g{short}"
    assert version_of(tmp_path).text == f"9.0.1-dev.1-g{short}"
    known = version_if_known(tmp_path, environment={}, prefix="server/")
    assert known.text == f"2.6.2-dev.1-g{short}"
    assert version_if_known(tmp_path, environment={}, prefix="web/").text == ""


@pytest.mark.parametrize(
    "variables",
    [
        {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/v2.7.0-rc.1"},
        {"GITLAB_CI": "true", "CI_COMMIT_TAG": "v2.7.0-rc.1"},
        {"CI": "woodpecker", "CI_COMMIT_TAG": "v2.7.0-rc.1"},
        {"DRONE": "true", "DRONE_TAG": "v2.7.0-rc.1"},
    ],
)
def test_of_several_tags_on_a_commit_the_one_that_ci_was_started_for_counts(
    run: Git, tmp_path: Path, variables: dict[str, str]
) -> None:
    commit(run, "v2.7.0-rc.1", "v2.7.0")
    assert version_of(tmp_path, **variables).text == "2.7.0-rc.1"


def test_a_tag_that_ci_was_started_for_counts_only_if_it_is_one_of_the_projects_versions(
    run: Git, tmp_path: Path
) -> None:
    commit(run, "server/v1.0.0", "client/v2.0.0")
    started = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/client/v2.0.0"}
    assert version_of(tmp_path, prefix="server/", **started).text == "1.0.0"


@pytest.mark.parametrize(
    ("tag", "text", "place"),
    [
        ("v1.2.3rc1", "1.2.3rc1", "1.2.3-rc.1"),
        ("1.2.3a10", "1.2.3a10", "1.2.3-a.10"),
        ("1.2.3b2", "1.2.3b2", "1.2.3-b.2"),
    ],
)
def test_a_pre_release_as_python_writes_it_keeps_its_spelling(
    run: Git, tmp_path: Path, tag: str, text: str, place: str
) -> None:
    commit(run, tag)
    version = version_of(tmp_path)
    assert (version.text, version.prerelease, version.patch) == (text, True, 3)
    assert str(parse_version(tag)) == place
    assert version_of(tmp_path, tag).text == text


def test_a_snapshot_after_a_pre_release_of_pythons_is_a_version_of_semver(
    run: Git, tmp_path: Path
) -> None:
    commit(run, "1.2.3rc1")
    revision = commit(run)
    assert version_of(tmp_path).text == f"1.2.3-rc.1.dev.1-g{revision[:7]}"


def test_an_annotated_tag_counts_like_any_other(run: Git, tmp_path: Path) -> None:
    commit(run)
    run("tag", "--annotate", "--message=release", "v1.0.0")
    assert version_of(tmp_path).text == "1.0.0"


def test_a_tag_of_something_that_is_no_commit_is_passed_over(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    (tmp_path / "key").write_text("a public key")
    run("tag", "v9.0.0", run("hash-object", "-w", "key"))
    (tmp_path / "key").unlink()
    assert version_of(tmp_path).text == "1.0.0"


def test_a_commit_after_a_tag_is_a_snapshot_of_the_next_patch(run: Git, tmp_path: Path) -> None:
    commit(run, "v2.6.1", "v2")
    commit(run)
    revision = commit(run)
    version = version_of(tmp_path)
    assert version.text == f"2.6.2-dev.2-g{revision[:7]}"
    assert (version.snapshot, version.prerelease) == (True, True)
    assert (version.major, version.minor, version.patch) == (2, 6, 2)


def test_a_snapshot_follows_the_highest_version_it_contains(run: Git, tmp_path: Path) -> None:
    commit(run, "v2.0.0")
    commit(run, "v1.9.9")
    revision = commit(run)
    assert version_of(tmp_path).text == f"2.0.1-dev.2-g{revision[:7]}"


def test_tags_on_other_branches_do_not_count(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    run("checkout", "--quiet", "-b", "next")
    commit(run, "v2.0.0")
    run("checkout", "--quiet", "main")
    revision = commit(run)
    assert version_of(tmp_path).text == f"1.0.1-dev.1-g{revision[:7]}"


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("2.6.1", "2.6.2-dev.5-gabc1234"),
        ("2.7.0-rc.1", "2.7.0-rc.1.dev.5-gabc1234"),
        ("2.7.0-rc1", "2.7.0-rc1.dev.5-gabc1234"),
        ("2.6.1+build.9", "2.6.2-dev.5-gabc1234"),
    ],
)
def test_a_snapshot_lies_between_its_base_and_the_next_release(base: str, expected: str) -> None:
    version = parse_version(base)
    assert version is not None
    made = snapshot(version, 5, "abc1234def")
    assert str(made) == expected
    assert version < made < version.replace(prerelease=None).next_version("patch")
    assert is_tag(expected)


@pytest.mark.parametrize(
    "tag",
    [
        *["v1", "1.2", "01.2.3", "v1.2.3.4", "vv1.2.3", "1.2.3\n", "1.٢.3", "release-1.2.3", ""],
        *["1.2.3.dev5", "1.2.3.post1", "1.2.3rc1.dev2", "1!1.2.3", "1.2rc1", "1.2.3rc01"],
        *["1.2.3c1", "1.2.3alpha1", "1.2.3rc", "server/1.2.3"],
    ],
)
def test_other_names_are_not_versions(tag: str) -> None:
    assert parse_version(tag) is None
    assert versions([tag]) == ()


def test_versions_sort_by_number_after_what_is_no_version() -> None:
    tags = ["2.10.0", "latest", "2.9.0", "2.10.0-rc.1", "2.9", "v2.9.0", "2.10.0b2", "2.10.0rc2"]
    assert sorted(tags, key=version_order) == [
        "2.9",
        "latest",
        "2.9.0",
        "v2.9.0",
        "2.10.0b2",
        "2.10.0-rc.1",
        "2.10.0rc2",
        "2.10.0",
    ]


def test_snapshots_sort_by_the_number_of_their_commits() -> None:
    tags = ["2.6.2-dev.10-gabc1234", "2.6.1", "2.6.2-dev.5-g0000000", "2.6.2-dev.100-g1234567"]
    assert sorted(tags, key=version_order) == [
        "2.6.1",
        "2.6.2-dev.5-g0000000",
        "2.6.2-dev.10-gabc1234",
        "2.6.2-dev.100-g1234567",
    ]


@pytest.mark.parametrize("told", ["v3.0.0", "3.0.0"])
def test_a_version_that_is_told_wins(run: Git, tmp_path: Path, told: str) -> None:
    revision = commit(run, "v2.6.1")
    version = version_of(tmp_path, told)
    assert (version.text, version.revision, version.snapshot) == ("3.0.0", revision, False)


def test_outside_a_repository_a_told_version_has_no_commit(tmp_path: Path) -> None:
    version = version_of(tmp_path, "1.0.0-rc.1")
    assert (version.text, version.revision, version.commit_time) == ("1.0.0-rc.1", "", 0)
    assert (version.prerelease, version.dirty) == (True, False)


def test_without_git_a_told_version_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert version_of(tmp_path, "1.0.0").revision == ""


@pytest.mark.parametrize("told", ["latest", "1.2", "1.2.3-", "1.2.3 ", "-h"])
def test_what_is_told_must_be_a_version(tmp_path: Path, told: str) -> None:
    with pytest.raises(UsageError, match=r"is not a version; write 1\.2\.3 or 1\.2\.3-rc\.1"):
        version_of(tmp_path, told)


@pytest.mark.parametrize(
    ("told", "mend"),
    [("1.2.3+5", "leave out what follows '\\+'"), ("1.2.3-" + "a" * 130, "at most 128 characters")],
)
def test_a_version_that_no_tag_can_hold_is_refused(tmp_path: Path, told: str, mend: str) -> None:
    with pytest.raises(UsageError, match=mend):
        version_of(tmp_path, told)


def test_a_build_does_without_a_version_where_no_tag_gives_one(run: Git, tmp_path: Path) -> None:
    revision = commit(run, "v2")
    known = version_if_known(tmp_path, environment={})
    assert (known.text, known.revision, known.commit_time) == ("", revision, 1700000000)
    commit(run, "v1.0.0")
    assert version_if_known(tmp_path, environment={}) == version_of(tmp_path)
    assert version_if_known(tmp_path, "3.0.0", {}) == version_of(tmp_path, "3.0.0")


def test_a_build_does_without_a_repository(tmp_path: Path) -> None:
    known = version_if_known(tmp_path, environment={"SOURCE_DATE_EPOCH": "7"})
    assert (known.text, known.revision, known.commit_time) == ("", "", 7)


def test_source_date_epoch_is_the_time(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    assert version_of(tmp_path, SOURCE_DATE_EPOCH="42").commit_time == 42


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "٣", "253402300800", "9" * 5000])
def test_source_date_epoch_must_be_a_time(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        version_of(tmp_path, "1.0.0", SOURCE_DATE_EPOCH=text)


@pytest.mark.parametrize("name", ["new", "-n", "two\nlines", "caf\xe9", "; rm x"])
def test_a_file_that_git_does_not_know_makes_the_tree_dirty(
    run: Git, tmp_path: Path, name: str
) -> None:
    commit(run, "v1.0.0")
    (tmp_path / name).touch()
    run("config", "status.showUntrackedFiles", "no")
    assert version_of(tmp_path).dirty
    assert changed_files(tmp_path) == [name]


def test_a_changed_file_makes_the_tree_dirty_and_an_ignored_one_does_not(
    run: Git, tmp_path: Path
) -> None:
    (tmp_path / ".gitignore").write_text("dist/\n")
    run("add", ".gitignore")
    commit(run, "v1.0.0")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/image.tar").touch()
    assert not version_of(tmp_path).dirty
    (tmp_path / ".gitignore").write_text("dist/\nbin/\n")
    assert version_of(tmp_path).dirty


def test_nothing_that_the_repository_configures_is_run(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    witness = tmp_path / ".git/witness"
    run("config", "core.fsmonitor", f"touch {witness}")
    run("config", "core.pager", f"touch {witness}; cat")
    version_of(tmp_path)
    assert not witness.exists()


def test_a_submodule_at_another_commit_makes_the_tree_dirty(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    add_submodule(run, tmp_path)
    assert not version_of(tmp_path).dirty
    run("commit", "--quiet", "--allow-empty", "--message=change", cwd=tmp_path / "part")
    run("config", "diff.ignoreSubmodules", "all")
    assert version_of(tmp_path).dirty
    assert version_of(tmp_path / "part").text.startswith("1.0.1-dev.1-g")


def test_a_work_tree_has_the_version_of_its_own_commit(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    commit(run, "v2.0.0")
    run("worktree", "add", "--quiet", str(tmp_path / "old"), "v1.0.0")
    assert version_of(tmp_path / "old").text == "1.0.0"
    (tmp_path / "old/new").touch()
    assert version_of(tmp_path / "old").dirty


def test_a_commit_that_is_checked_out_without_a_branch_has_its_version(
    run: Git, tmp_path: Path
) -> None:
    commit(run, "v1.0.0")
    commit(run, "v2.0.0")
    run("checkout", "--quiet", "--detach", "v1.0.0")
    assert version_of(tmp_path).text == "1.0.0"


def test_nothing_that_a_submodule_configures_is_run(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    add_submodule(run, tmp_path)
    witness = tmp_path / "elsewhere/witness"
    run("config", "core.fsmonitor", f"touch {witness}", cwd=tmp_path / "part")
    run("status", "--ignore-submodules=none")
    assert witness.exists()
    witness.unlink()
    version_of(tmp_path)
    assert not witness.exists()


def test_a_folder_inside_the_repository_will_do(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    (tmp_path / "examples").mkdir()
    assert version_of(tmp_path / "examples").text == "1.0.0"


def fails(folder: Path, prefix: str = "", **environment: str) -> str:
    with pytest.raises(ReleaseError) as caught:
        version_of(folder, prefix=prefix, **environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_repository_is_said(tmp_path: Path) -> None:
    assert fails(tmp_path) == (
        f"{tmp_path}: not in a git repository, and the version comes from git;"
        " run it in a clone, or give --version"
    )


def test_a_bare_repository_has_nothing_to_build(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    run("clone", "--quiet", "--bare", str(tmp_path), "bare")
    assert "git failed: 'fatal: this operation must be run in a work tree'" in fails(
        tmp_path / "bare"
    )


def test_no_commit_is_said(run: Git, tmp_path: Path) -> None:
    assert fails(tmp_path) == f"{tmp_path}: the repository has no commit yet; commit, then tag it"


def test_no_tag_is_said(run: Git, tmp_path: Path) -> None:
    commit(run)
    assert "there is no tag to take the version from; fetch them" in fails(tmp_path)


def test_tags_that_are_no_versions_are_named(run: Git, tmp_path: Path) -> None:
    commit(run, "release-7")
    assert "no tag is a version like v1.2.3: there is 'release-7'" in fails(tmp_path)


def test_tags_without_the_prefix_are_named_beside_one_that_would_do(
    run: Git, tmp_path: Path
) -> None:
    commit(run, "v2.0.0")
    assert fails(tmp_path, prefix="server/").endswith(
        "no tag is a version like server/v1.2.3: there is 'v2.0.0'; fetch them (git fetch --tags),"
        " tag the commit (git tag server/v0.1.0), or give --version"
    )


def test_a_shallow_clone_without_a_tag_says_the_line_that_mends_it(
    run: Git, tmp_path: Path
) -> None:
    commit(run, "v1.0.0")
    commit(run)
    run("clone", "--quiet", "--depth=1", f"file://{tmp_path}", "shallow")
    assert fails(tmp_path / "shallow") == (
        f"{tmp_path}/shallow: the clone is shallow, so the versions before this commit are not"
        " known; run: git fetch --unshallow --tags"
    )


CI_LINES = [
    ({"GITHUB_ACTIONS": "true"}, "give actions/checkout this: with: {fetch-depth: 0}"),
    ({"GITLAB_CI": "true"}, "set GIT_DEPTH: 0 among the job's variables"),
    (
        {"CI": "woodpecker"},
        "give the clone step's plugin-git the settings: {partial: false, tags: true}",
    ),
    ({"DRONE": "true"}, "take 'depth' out of 'clone' and run git fetch --tags in a step"),
]


@pytest.mark.parametrize(("variables", "line"), CI_LINES)
def test_in_ci_a_shallow_clone_is_mended_by_a_line_in_its_file(
    run: Git, tmp_path: Path, variables: dict[str, str], line: str
) -> None:
    commit(run, "v1.0.0")
    commit(run)
    run("clone", "--quiet", "--depth=1", f"file://{tmp_path}", "shallow")
    assert fails(tmp_path / "shallow", **variables).endswith(f"; {line}")


@pytest.mark.parametrize(("variables", "line"), CI_LINES)
def test_in_ci_the_same_line_fetches_tags_that_are_missing(
    run: Git, tmp_path: Path, variables: dict[str, str], line: str
) -> None:
    commit(run, "v1.0.0")
    commit(run)
    run("clone", "--quiet", "--no-tags", f"file://{tmp_path}", "untagged")
    assert f"there is no tag to take the version from; {line}, tag the commit" in fails(
        tmp_path / "untagged", **variables
    )


def test_a_shallow_clone_of_a_tag_is_enough(run: Git, tmp_path: Path) -> None:
    commit(run)
    commit(run, "v1.0.0")
    run("clone", "--quiet", "--depth=1", f"file://{tmp_path}", "shallow")
    assert version_of(tmp_path / "shallow").text == "1.0.0"


def test_a_repository_of_somebody_else_is_said_with_gits_own_remedy(
    run: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(run, "v1.0.0")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    (tmp_path / "server").mkdir()
    expected = f"; run: git config --global --add safe.directory {tmp_path}"
    assert fails(tmp_path).endswith(expected)
    assert fails(tmp_path / "server").endswith(expected)
    with pytest.raises(ReleaseError, match="another user owns it"):
        version_of(tmp_path, "1.0.0")


def test_a_missing_git_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fails(tmp_path) == (
        "git is not installed, and the version comes from it; install git, or give --version"
    )


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    assert fails(tmp_path / "gone") == f"{tmp_path}/gone: no such folder"


def test_any_other_failure_of_git_is_one_line(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    (tmp_path / ".git/config").write_text("[core\n\x1b[31m")
    assert fails(tmp_path).startswith(f"{tmp_path}: git failed: 'fatal: bad config line 1")


def test_the_remote_is_the_one_called_origin(run: Git, tmp_path: Path) -> None:
    assert git.remote(tmp_path) == ""
    run("remote", "add", "origin", "git@github.com:gotify/server.git")
    assert git.remote(tmp_path) == "git@github.com:gotify/server.git"
