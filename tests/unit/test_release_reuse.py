"""Which image is taken as it is, and which is built again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manyfest.release.config import Build, Check
from manyfest.release.run import run
from manyfest.release.steps.step import Outcome, Release
from manyfest.release.version import Version, find_version
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
        ("origin", True, "it was built here"),
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
