"""The warnings of a build: what is suspicious in its Dockerfile, once for all platforms."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import DockerfileError
from tests.unit.building import Bench, bench_with_base, write


def test_warnings_are_given_once_for_all_platforms(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    built = bench.build("FROM scratch\nUSER $TARGETARCH\n", "linux/amd64", "linux/arm64")

    assert built.warnings == (
        f"{bench.context}/Dockerfile:2: UndefinedVar: nothing sets $TARGETARCH here;"
        " add ARG TARGETARCH to this stage",
    )


def test_the_variables_of_the_base_image_are_known(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, "FROM scratch\nENV HOME_OF_APP=/app\n", {})
    built = bench.build("FROM base:1\nLABEL a=$HOME_OF_APP b=$HOME_OF_API\n")

    assert built.warnings == (
        f"{bench.context}/Dockerfile:2: UndefinedVar: nothing sets $HOME_OF_API here;"
        " did you mean HOME_OF_APP?",
    )


def test_the_ignore_file_is_looked_at(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    write(bench.context, {".dockerignore": "docs\n", "src/x": "1"})
    text = "FROM scratch AS unused\nCOPY docs /\nFROM scratch\nCOPY src /\n"

    assert bench.build(text).warnings == (
        f"{bench.context}/Dockerfile:2: CopyIgnoredFile: the ignore file leaves 'docs' out of the"
        " context; take it back there with !, or copy something else",
    )


def test_a_dockerfile_may_want_no_warnings(tmp_path: Path) -> None:
    with pytest.raises(DockerfileError, match=r"Dockerfile:2: StageNameCasing: .*error=true"):
        Bench(tmp_path).build("# check=error=true\nFROM scratch AS One\nUSER 1\n")


def test_nor_one_that_only_the_base_image_tells(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, "FROM scratch\nUSER 1\n", {})
    with pytest.raises(DockerfileError, match=r"Dockerfile:3: UndefinedVar: nothing sets \$HOME "):
        bench.build("# check=error=true\nFROM base:1\nUSER $HOME\n")


def test_and_may_want_none_told(tmp_path: Path) -> None:
    assert Bench(tmp_path).build("# check=skip=all\nFROM scratch AS One\nUSER 1\n").warnings == ()
