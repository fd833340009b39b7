"""Which image is taken as it is, and which is built again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manyfest.release.project.config import Build, Check
from manyfest.release.resume import reuse
from manyfest.release.run import run
from manyfest.release.steps.step import Outcome, Release
from manyfest.release.versions.version import Version, find_version
from tests.unit.check_images import elf
from tests.unit.releases import ONE, FakeStores, make_config, make_project, make_release, parsed


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=us", "-c", "user.email=us@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> Version:
    git(folder, "add", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return find_version(folder, "2.6.1", {})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with everything in it but programs, which git ignores."""
    make_project(tmp_path)
    (tmp_path / ".gitignore").write_text("bin/\n")
    git(tmp_path, "init", "-q")
    return tmp_path


def released(release: Release) -> dict[str, Outcome]:
    outcomes = {outcome.step: outcome for outcome in run(release)}
    release.close()
    return outcomes


def after_a_release(project: Path, stores: FakeStores | None = None) -> Version:
    version = commit(project, "one")
    released(make_release(project, stores or FakeStores(), version=version))
    return version


def test_an_unchanged_commit_is_only_looked_at(project: Path) -> None:
    stores = FakeStores()
    version = after_a_release(project, stores)
    stores.trouble.calls.clear()
    outcomes = released(make_release(project, stores, version=version))
    assert [(name, each.skipped, each.what) for name, each in outcomes.items()] == [
        ("preflight", False, "one.example/app in reach"),
        ("before", True, f"{project}/dist/app-2.6.1.tar holds the image of this commit"),
        ("build", True, f"{project}/dist/app-2.6.1.tar holds the image of this commit"),
        ("origin", True, "the image was built here"),
        ("check", True, "every tag points at it already"),
        ("smoke", True, "no 'check.smoke' is configured"),
        ("publish", True, "all 7 parts are there; 0 bytes uploaded"),
        ("tags", True, "every tag points there already"),
    ]
    assert {call.split()[0] for call in stores.trouble.calls} == {"resolve", "has"}


def test_nothing_is_written_down_when_nothing_was_done(project: Path) -> None:
    stores = FakeStores()
    version = after_a_release(project, stores)
    before = (project / "dist/app-2.6.1.journal").read_bytes()
    released(make_release(project, stores, version=version))
    assert (project / "dist/app-2.6.1.journal").read_bytes() == before


def test_a_release_that_goes_on_elsewhere_builds_nothing_and_checks_all(project: Path) -> None:
    version = after_a_release(project)
    outcomes = released(make_release(project, FakeStores(), version=version))
    assert {name: each.skipped for name, each in outcomes.items()} == {
        "preflight": False,
        "before": True,
        "build": True,
        "origin": True,
        "check": False,
        "smoke": True,
        "publish": False,
        "tags": False,
    }
    assert outcomes["check"].what.startswith("2 platforms: digests, platforms, programs")


def test_it_knows_the_same_of_the_platforms(project: Path) -> None:
    stores = FakeStores()
    version = commit(project, "one")
    first = make_release(project, stores, version=version)
    released(first)
    again = make_release(project, stores, version=version)
    released(again)
    told = ("platform", "descriptor", "size", "layers", "command")
    assert [[getattr(each, name) for name in told] for each in again.checked] == [
        [getattr(each, name) for name in told] for each in first.checked
    ]


def another_commit(folder: Path, release: Release) -> Release:
    return make_release(folder, version=commit(folder, "two"))


def dirty(folder: Path, release: Release) -> Release:
    (folder / "new").write_text("")
    release.version = find_version(folder, "2.6.1", {})
    release.allow_dirty = True
    return release


def another_program(folder: Path, release: Release) -> Release:
    (folder / "bin/linux/arm64/app").write_bytes(elf(183))
    return release


def one_more_ignored_file(folder: Path, release: Release) -> Release:
    (folder / "bin/linux/arm64/notes").write_text("")
    return release


def another_configuration(folder: Path, release: Release) -> Release:
    build = Build(platforms=parsed("linux/arm64", "linux/amd64"))
    return make_release(folder, config=make_config(folder, build=build), version=release.version)


def another_rule_of_the_check(folder: Path, release: Release) -> Release:
    config = make_config(folder, check=Check(foreign=("usr/bin/qemu-*",)))
    return make_release(folder, config=config, version=release.version)


def another_time(folder: Path, release: Release) -> Release:
    release.version = msgspec.structs.replace(release.version, commit_time=1)
    return release


def no_archive(folder: Path, release: Release) -> Release:
    release.archive.unlink()
    return release


def half_an_archive(folder: Path, release: Release) -> Release:
    raw = release.archive.read_bytes()
    release.archive.write_bytes(raw[: len(raw) // 2])
    return release


def no_journal(folder: Path, release: Release) -> Release:
    (folder / "dist/app-2.6.1.journal").unlink()
    return release


def damaged_journal(folder: Path, release: Release) -> Release:
    (folder / "dist/app-2.6.1.journal").write_bytes(b"\0" * 100)
    return release


@pytest.mark.parametrize(
    "change",
    [
        another_commit,
        dirty,
        another_program,
        one_more_ignored_file,
        another_configuration,
        another_rule_of_the_check,
        another_time,
        no_archive,
        half_an_archive,
        no_journal,
        damaged_journal,
    ],
)
def test_it_is_built_again(project: Path, change: Callable[[Path, Release], Release]) -> None:
    version = after_a_release(project)
    release = change(project, make_release(project, FakeStores(), version=version))
    assert not released(release)["build"].skipped


def test_other_tags_or_recipients_are_no_reason_to_build(project: Path) -> None:
    version = after_a_release(project)
    config = make_config(project, notify=("gotify://host/token",))
    release = make_release(project, FakeStores(), config=config, version=version)
    assert released(release)["build"].skipped


def test_outside_git_it_is_always_built(tmp_path: Path) -> None:
    make_project(tmp_path)
    released(make_release(tmp_path))
    assert b'"made"' not in (tmp_path / "dist/app-2.6.1.journal").read_bytes()
    assert not released(make_release(tmp_path))["build"].skipped


def test_a_context_outside_the_repository_is_always_built(project: Path) -> None:
    (project / "inner").mkdir()
    version = commit(project, "one")
    git(project / "inner", "init", "-q")
    config = make_config(
        project / "inner",
        build=Build(
            platforms=parsed("linux/amd64", "linux/arm64"), context="..", dockerfile="../Dockerfile"
        ),
    )
    for _ in range(2):
        outcomes = released(make_release(project / "inner", config=config, version=version))
        assert not outcomes["build"].skipped


def test_another_release_of_manyfest_builds_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = after_a_release(project)
    monkeypatch.setattr(reuse, "__version__", "99.0.0")
    assert not released(make_release(project, version=version))["build"].skipped


def test_a_dockerfile_that_git_ignores_counts_outside_the_context_too(project: Path) -> None:
    (project / ".gitignore").write_text("generated/\n")
    (project / "context").mkdir()
    make_project(project / "context")
    (project / "generated").mkdir()
    dockerfile = (project / "context/Dockerfile").rename(project / "generated/Dockerfile")
    platforms = parsed("linux/amd64", "linux/arm64")
    build = Build(platforms=platforms, context="context", dockerfile="generated/Dockerfile")
    config = make_config(project, build=build)
    version = commit(project, "one")
    released(make_release(project, config=config, version=version))
    assert released(make_release(project, config=config, version=version))["build"].skipped
    dockerfile.write_text(dockerfile.read_text() + "ENV A=1\n")
    assert not released(make_release(project, config=config, version=version))["build"].skipped


def in_a_repository_that_is_ignored(folder: Path) -> Path:
    """As a command before the build may clone one."""
    path = folder / "bin/linux/amd64/clone/deep/file"
    path.parent.mkdir(parents=True)
    git(folder / "bin/linux/amd64/clone", "init", "-q")
    path.write_text("one")
    commit(folder, "one")
    return path


def in_a_submodule_that_ignores_it(folder: Path) -> Path:
    inner = folder / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / ".gitignore").write_text("file\n")
    commit(inner, "inner")
    (inner / "file").write_text("one")
    commit(folder, "one")
    return inner / "file"


def told_to_be_taken_for_unchanged(folder: Path) -> Path:
    path = folder / "file"
    path.write_text("one")
    commit(folder, "one")
    git(folder, "update-index", "--assume-unchanged", "file")
    return path


def left_out_of_the_work_tree(folder: Path) -> Path:
    path = folder / "file"
    path.write_text("one")
    commit(folder, "one")
    git(folder, "update-index", "--skip-worktree", "file")
    return path


def written_by_a_filter(folder: Path) -> Path:
    """As Git LFS has it: the commit has a pointer, whatever the file holds."""
    git(folder, "config", "filter.lfs.clean", "echo pointer")
    (folder / ".gitattributes").write_text("file filter=lfs\n")
    path = folder / "file"
    path.write_text("pointer\n")
    commit(folder, "one")
    return path


def with_a_name_that_is_no_text(folder: Path) -> Path:
    (folder / ".gitignore").write_text("bin/\n*.tmp\n")
    path = folder / os.fsdecode(b"\xff.tmp")
    path.write_text("one")
    commit(folder, "one")
    return path


@pytest.mark.parametrize(
    "make",
    [
        in_a_repository_that_is_ignored,
        in_a_submodule_that_ignores_it,
        told_to_be_taken_for_unchanged,
        left_out_of_the_work_tree,
        written_by_a_filter,
        with_a_name_that_is_no_text,
    ],
)
def test_a_file_that_may_change_in_a_clean_work_tree_counts(
    project: Path, make: Callable[[Path], Path]
) -> None:
    path = make(project)
    version = find_version(project, "2.6.1", {})
    released(make_release(project, version=version))
    assert released(make_release(project, version=version))["build"].skipped
    path.write_text("another\n")
    assert not find_version(project, "2.6.1", {}).dirty
    assert not released(make_release(project, version=version))["build"].skipped


def test_what_changed_while_it_was_built_is_built_again(project: Path) -> None:
    version = commit(project, "one")
    release = make_release(project, version=version)
    for outcome in run(release):
        if outcome.step == "build":
            another_program(project, release)
    release.close()
    assert not released(make_release(project, version=version))["build"].skipped


def test_the_journal_tells_no_secret(project: Path) -> None:
    version = commit(project, "one")
    config = make_config(project, notify=("gotify://host/geheim",))
    released(make_release(project, config=config, version=version))
    assert b"geheim" not in (project / "dist/app-2.6.1.journal").read_bytes()


def test_a_repository_that_lost_a_part_gets_it_again(project: Path) -> None:
    stores = FakeStores()
    version = after_a_release(project, stores)
    registry = stores.at(ONE)
    release = make_release(project, stores, version=version)
    lost = registry.resolve("2.6.1-arm64")
    raw = registry.blobs.pop(lost.digest)
    outcomes = released(release)
    assert not outcomes["publish"].skipped
    assert registry.blobs[lost.digest] == raw
