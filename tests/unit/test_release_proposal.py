from __future__ import annotations

import re
from pathlib import Path

import pytest

from manyfest.errors import AnswerIsNo, ReleaseError
from manyfest.release.project.load import load
from manyfest.release.versions.commits import Bump, read_change
from manyfest.release.versions.git import Commit
from manyfest.release.versions.proposal import Proposal, Reason, next_version, propose
from manyfest.release.versions.version import versions
from tests.unit.repositories import Git, commit, make_repository

GUIDE = Path(__file__).parents[2] / "docs/guides/versions.md"
CONFIG = "name: server\nbuild: {platforms: [linux/amd64]}\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    run = make_repository(tmp_path, monkeypatch)
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    return run


def proposed(folder: Path, **environment: str) -> Proposal:
    return propose(load(folder / "manyfest.yaml"), environment)


@pytest.mark.parametrize(
    ("released", "bump", "expected"),
    [
        ("2.6.1", Bump.PATCH, "2.6.2"),
        ("2.6.1", Bump.MINOR, "2.7.0"),
        ("2.6.1", Bump.MAJOR, "3.0.0"),
        ("2.6.1", Bump.NONE, "None"),
        ("2.6.1+build.9", Bump.PATCH, "2.6.2"),
        # Before 1.0.0 the minor number says what breaks.
        ("0.4.2", Bump.PATCH, "0.4.3"),
        ("0.4.2", Bump.MINOR, "0.4.3"),
        ("0.4.2", Bump.MAJOR, "0.5.0"),
        # A pre-release promised something, and what came after it may need more.
        ("2.6.1 2.7.0-rc.1", Bump.NONE, "2.7.0"),
        ("2.6.1 2.7.0-rc.1", Bump.PATCH, "2.7.0"),
        ("2.6.1 2.7.0-rc.1", Bump.MINOR, "2.7.0"),
        ("2.6.1 2.7.0-rc.1", Bump.MAJOR, "3.0.0"),
        ("2.6.1 2.6.2-rc.1", Bump.MINOR, "2.7.0"),
        ("2.6.1 3.0.0-rc.1 3.0.0-rc.2", Bump.MAJOR, "3.0.0"),
        ("0.9.0 1.0.0-rc.1", Bump.MAJOR, "1.0.0"),
        ("1.0.0-rc.1", Bump.MAJOR, "1.0.0"),
        ("1.2.3 1.2.4rc1", Bump.PATCH, "1.2.4"),
    ],
)
def test_the_next_version(released: str, bump: Bump, expected: str) -> None:
    assert str(next_version(versions(released.split()), bump)) == expected


def test_the_guide_says_the_same() -> None:
    section = GUIDE.read_text().partition("## What comes next\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    assert len(rows) == 5
    for said, *expected in rows[1:]:
        for sample in re.findall(r"`([^`]+)`", said):
            bump = read_change(Commit(revision="a" * 40, message=message_of(sample))).bump
            found = (next_version(versions([last]), bump) for last in ("2.6.1", "0.4.2"))
            assert [str(each or "none") for each in found] == expected


def message_of(sample: str) -> str:
    """A message as the guide has it: a subject, a footer, or a type alone."""
    if sample.startswith("BREAKING"):
        return f"x\n\n{sample}"
    return sample if ":" in sample else f"{sample}: x"


def test_the_commits_since_the_last_tag_give_the_reasons(run: Git, tmp_path: Path) -> None:
    commit(run, "v2.6.1", message="feat!: before it")
    fix = commit(run, message="fix: a crash")
    commit(run, message="docs: say so")
    feature = commit(run, message="feat: list the clients\n\nAll of them.")
    assert proposed(tmp_path) == Proposal(
        version="2.7.0",
        bump="minor",
        since="v2.6.1",
        reasons=(
            Reason(bump="minor", revision=feature, subject="feat: list the clients"),
            Reason(bump="patch", revision=fix, subject="fix: a crash"),
        ),
    )


def test_a_pre_release_becomes_final_without_a_reason(run: Git, tmp_path: Path) -> None:
    commit(run, "v2.6.1")
    commit(run, "v2.7.0-rc.1", message="feat: x")
    assert proposed(tmp_path) == Proposal(
        version="2.7.0", bump="minor", since="v2.7.0-rc.1", reasons=()
    )


def test_a_last_version_on_another_branch_does_not_count(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    run("checkout", "--quiet", "-b", "next")
    commit(run, "v2.0.0")
    run("checkout", "--quiet", "main")
    commit(run, message="fix: an old one")
    assert proposed(tmp_path).version == "1.0.1"


def test_nothing_to_release_is_a_no(run: Git, tmp_path: Path) -> None:
    commit(run, "v2.6.1")
    with pytest.raises(AnswerIsNo) as caught:
        proposed(tmp_path)
    assert str(caught.value) == "server: nothing to release since v2.6.1: there is no change"
    commit(run, message="docs: say so")
    commit(run, message="chore(deps): new ones")
    with pytest.raises(AnswerIsNo, match=r"since v2\.6\.1: there is only chore, docs$"):
        proposed(tmp_path)


def test_a_project_with_a_prefix_has_the_commits_of_its_own_folders(
    run: Git, tmp_path: Path
) -> None:
    for name in ("server", "client", "shared"):
        (tmp_path / name).mkdir()
    (tmp_path / "server/manyfest.yaml").write_text(f"{CONFIG}version_prefix: server/\n")
    commit(run, "server/v1.0.0", "v9.0.0")
    changed(run, tmp_path / "client/file", "feat!: of the client")
    changed(run, tmp_path / "server/file", "fix: of the server")
    assert proposed(tmp_path / "server").version == "1.0.1"
    (tmp_path / "server/manyfest.yaml").write_text(
        "name: server\nversion_prefix: server/\n"
        "build: {platforms: [linux/amd64], context: ../shared}\n"
    )
    changed(run, tmp_path / "shared/file", "feat: of the context")
    assert proposed(tmp_path / "server").version == "1.1.0"


def test_a_context_outside_the_repository_has_no_commits(run: Git, tmp_path: Path) -> None:
    (tmp_path / "manyfest.yaml").write_text(
        "name: server\nversion_prefix: server/\nbuild: {platforms: [linux/amd64], context: ..}\n"
    )
    commit(run, "server/v1.0.0")
    changed(run, tmp_path / "file", "fix: inside")
    assert proposed(tmp_path).version == "1.0.1"


def test_a_folder_of_a_name_that_git_could_take_for_a_pattern(run: Git, tmp_path: Path) -> None:
    folder = tmp_path / "[ab]*"
    (tmp_path / "a").mkdir()
    folder.mkdir()
    (folder / "manyfest.yaml").write_text(f"{CONFIG}version_prefix: server/\n")
    commit(run, "server/v1.0.0")
    changed(run, tmp_path / "a/file", "feat: of another")
    changed(run, folder / "file", "fix: of ours")
    assert proposed(folder).version == "1.0.1"


def test_in_a_shallow_clone_nothing_is_proposed(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    commit(run, "v1.1.0")
    run("clone", "--quiet", "--depth=1", "--branch=v1.1.0", f"file://{tmp_path}", "shallow")
    (tmp_path / "shallow/manyfest.yaml").write_text(CONFIG)
    with pytest.raises(ReleaseError, match=r"is shallow.*fetch-depth: 0"):
        proposed(tmp_path / "shallow", GITHUB_ACTIONS="true")


def test_that_nothing_was_released_yet_is_not_guessed(run: Git, tmp_path: Path) -> None:
    commit(run, message="feat: x")
    with pytest.raises(ReleaseError, match=r"there is no tag.*git tag v0\.1\.0"):
        proposed(tmp_path)


def test_a_message_in_another_encoding_is_read(run: Git, tmp_path: Path) -> None:
    commit(run, "v1.0.0")
    run("config", "i18n.commitEncoding", "ISO-8859-1")
    run("config", "i18n.logOutputEncoding", "ISO-8859-1")
    (tmp_path / "message").write_bytes("feat: caf\xe9".encode("latin-1"))
    run("commit", "--quiet", "--allow-empty", "--file=message")
    assert proposed(tmp_path).reasons[0].subject == "feat: caf\xe9"


def changed(run: Git, path: Path, message: str) -> None:
    path.write_text(message)
    run("add", str(path))
    run("commit", "--quiet", f"--message={message}")
