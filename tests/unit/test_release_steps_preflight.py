from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from manyfest.errors import ConfigError, ConnectionFailed, ReleaseError, UsageError
from manyfest.oci.reference import Reference
from manyfest.release.config import Check, Layers, Sign, Smoke
from manyfest.release.steps.preflight import PREFLIGHT
from tests.unit.releases import (
    ONE,
    TWO,
    VERSION,
    FakeStores,
    Trouble,
    make_config,
    make_release,
)


def test_it_names_the_repositories_that_answer(tmp_path: Path) -> None:
    release = make_release(tmp_path, to=(ONE, TWO))
    assert PREFLIGHT.run(release) == "one.example/app, two.example/app in reach"


def test_it_is_never_skipped(tmp_path: Path) -> None:
    assert PREFLIGHT.check(make_release(tmp_path)) == ""


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"check": Check(smoke=Smoke(command=("--version",)))}, "check.smoke"),
        ({"sign": Sign(key="env:KEY")}, "sign"),
        ({"layers": Layers(optimize=True)}, "layers.optimize"),
    ],
)
def test_what_would_be_left_out_is_refused(
    tmp_path: Path, change: dict[str, object], key: str
) -> None:
    release = make_release(tmp_path, config=make_config(tmp_path, **change))
    with pytest.raises(ConfigError, match=rf"does not do '{key}'; take it out"):
        PREFLIGHT.run(release)


def test_a_dirty_work_tree_is_refused(tmp_path: Path) -> None:
    release = make_release(tmp_path, version=msgspec.structs.replace(VERSION, dirty=True))
    with pytest.raises(ReleaseError) as refused:
        PREFLIGHT.run(release)
    assert str(refused.value) == (
        f"{tmp_path}: the work tree differs from commit 0123456;"
        " commit or stash the changes, or release them with --allow-dirty"
    )


@pytest.mark.parametrize("told", ["--allow-dirty", "--from"])
def test_a_dirty_work_tree_may_not_matter(tmp_path: Path, told: str) -> None:
    release = make_release(tmp_path, version=msgspec.structs.replace(VERSION, dirty=True))
    release.allow_dirty = told == "--allow-dirty"
    release.taken_from = Reference.parse("oci:image") if told == "--from" else None
    assert PREFLIGHT.run(release) == "one.example/app in reach"


def test_nowhere_to_publish_to_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        PREFLIGHT.run(make_release(tmp_path, to=()))
    assert str(refused.value) == (
        f"{tmp_path}/manyfest.yaml: 'publish' names no repository;"
        " name one there or with --to; `manyfest build` only builds"
    )


def test_a_registry_that_does_not_answer_is_named(tmp_path: Path) -> None:
    trouble = Trouble(lambda _number, call: TWO in call)
    with pytest.raises(ConnectionFailed, match=r"^two.example/app: the connection broke"):
        PREFLIGHT.run(make_release(tmp_path, FakeStores(trouble), to=(ONE, TWO)))
    assert trouble.count("put") == trouble.count("tag") == 0
