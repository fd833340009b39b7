from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli import Manyfest, make_layout, runner


@pytest.fixture
def manyfest(capsys: pytest.CaptureFixture[str]) -> Manyfest:
    return runner(capsys)


def test_archives_and_layouts_are_not_filled(manyfest: Manyfest, tmp_path: Path) -> None:
    make_layout(tmp_path / "layout", "v1")
    ran = manyfest("serve", tmp_path / "layout", "--upstream", "docker.io")
    assert (ran.code, ran.out) == (2, "")
    assert "--upstream is for a registry's folder, not for archives and layouts" in ran.err


def test_archives_and_layouts_have_no_quota(manyfest: Manyfest, tmp_path: Path) -> None:
    make_layout(tmp_path / "layout", "v1")
    ran = manyfest("serve", tmp_path / "layout", "--quota", "1GB")
    assert (ran.code, ran.out) == (2, "")
    assert "--quota is for a registry's folder, not for archives and layouts" in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--upstream", "docker.io", "--upstream", "ghcr.io"], "give all but one a prefix"),
        (["--upstream", "UPPER=docker.io"], "is not an upstream"),
        (["--fresh", "1m"], "--fresh is of use with --upstream only"),
        (["--upstream", "docker.io", "--fresh", "soon"], "--fresh: 'soon' is not a time"),
        (["--upstream", "docker.io", "--fresh", "-1s"], "--fresh: '-1s' is not a time"),
    ],
)
def test_options_that_cannot_be_right(
    manyfest: Manyfest, tmp_path: Path, options: list[str], said: str
) -> None:
    ran = manyfest("serve", tmp_path / "cache", *options)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "cache").exists()
