"""The smoke test as a step of a release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manyfest.duration import Duration
from manyfest.errors import ConfigError
from manyfest.oci.platform import Platform
from manyfest.release.project.config import Build, Check, Smoke
from manyfest.release.project.template import Template
from manyfest.release.run import STEPS, run
from manyfest.release.smoke.run import Passed
from manyfest.release.smoke.trial import Trial
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.smoke import SMOKE, trial_of
from manyfest.release.steps.step import Release
from manyfest.release.steps.tags import TAGS
from tests.unit.releases import (
    ONE,
    TWO,
    VERSION,
    FakeStores,
    make_config,
    make_release,
    parsed,
    with_image,
)

SMOKE_KEYS = Smoke(command=("--version",), expect=Template("app {{version}}"), runtime="podman")


def release_of(folder: Path, stores: FakeStores | None = None, **changes: object) -> Release:
    """A release with an image, and a smoke test."""
    config = make_config(folder, check=Check(smoke=SMOKE_KEYS), **changes)
    return with_image(make_release(folder, stores, to=(ONE, TWO), config=config))


def test_it_comes_before_anybody_sees_the_image() -> None:
    names = [each.name for each in STEPS]
    assert names[names.index("check") :] == ["check", "smoke", "publish", "tags"]


def test_it_is_skipped_where_none_is_configured(tmp_path: Path) -> None:
    assert SMOKE.check(make_release(tmp_path)) == "no 'check.smoke' is configured"


def test_the_image_is_tried_as_it_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def passes(source: object, root: object, trial: Trial, **options: object) -> Passed:
        given.update(source=source, root=root, trial=trial, **options)
        return Passed((Platform.parse("amd64"), Platform.parse("arm64")), "podman")

    monkeypatch.setattr("manyfest.release.smoke.run.smoke_test", passes)
    release = release_of(tmp_path)
    assert SMOKE.check(release) == ""
    assert SMOKE.run(release) == "2 platforms passed, run by podman"
    assert given == {
        "source": release.built.source,
        "root": release.built.graph.root.descriptor,
        "trial": Trial(command=("--version",), expect="app 2.6.1", exit=0, timeout=60),
        "runtime": "podman",
        "folder": None,
        "progress": release.progress,
        "where": f"{tmp_path}/manyfest.yaml",
    }
    release.archive.parent.mkdir()
    SMOKE.run(release)
    assert given["folder"] == tmp_path / "dist"


def test_it_is_skipped_where_every_tag_points_at_the_image_already(tmp_path: Path) -> None:
    stores = FakeStores()
    list(run(release_of(tmp_path, stores), (PUBLISH, TAGS)))
    assert SMOKE.check(release_of(tmp_path, stores)) == "every tag points at it already"
    del stores.at(TWO).names["2.6.1"]
    assert SMOKE.check(release_of(tmp_path, stores)) == ""


def test_an_image_that_somebody_else_pushed_is_tried_before_a_tag_moves_to_it(
    tmp_path: Path,
) -> None:
    stores = FakeStores()
    list(run(release_of(tmp_path, stores), (PUBLISH, TAGS)))
    for place in (ONE, TWO):
        del stores.at(place).names["latest"]
    assert SMOKE.check(release_of(tmp_path, stores)) == ""


def test_time_is_as_it_is_configured(tmp_path: Path) -> None:
    keys = Smoke(command=("-v",), exit=2, timeout=Duration.parse("2m"))
    assert trial_of(keys, make_config(tmp_path), VERSION) == Trial(
        command=("-v",), expect="", exit=2, timeout=120
    )


def test_a_template_that_needs_what_is_not_known_is_refused(tmp_path: Path) -> None:
    keys = Smoke(command=("-v",), expect=Template("{{sha}}"))
    unknown = VERSION.__class__(
        text="1.0.0", revision="", major=1, minor=0, patch=0, prerelease=False, commit_time=0,
        dirty=False, snapshot=False,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="is not known here"):
        trial_of(keys, make_config(tmp_path), unknown)


def test_secrets_of_the_build_are_hidden_as_far_as_they_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    secrets = ("id=token,env=TOKEN", "id=other,src=missing")
    config = make_config(tmp_path, build=Build(platforms=parsed("amd64"), secrets=secrets))
    assert trial_of(SMOKE_KEYS, config, VERSION).hidden == (b"hunter2",)
