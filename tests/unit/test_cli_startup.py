"""What is slow to import is imported when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("asyncio", "cryptography", "granian", "pycurl", "rich", "ruamel", "semver")


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded once ``code`` has run in a new interpreter."""
    script = f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def run(*arguments: str) -> str:
    return f"from manyfest.cli.main import run\nrun({list(arguments)!r})"


@pytest.mark.parametrize(
    "code",
    [
        "import manyfest.cli.main",
        run("--version"),
        run("--help"),
        run("release", "--help"),
        run("ls", "oci:/nonexistent"),
    ],
)
def test_nothing_heavy_is_imported_for_what_needs_none_of_it(code: str) -> None:
    loaded = loaded_by(code)
    assert [name for name in HEAVY if name in loaded] == []


def test_only_the_verb_that_is_run_is_imported() -> None:
    verbs = {name for name in loaded_by(run("ls", "--help")) if name.startswith("manyfest.cli.")}
    assert "manyfest.cli.ls" in verbs
    assert "manyfest.cli.release" not in verbs


def test_the_package_alone_imports_next_to_nothing() -> None:
    loaded = {name for name in loaded_by("import manyfest") if name.startswith("manyfest")}
    assert loaded == {"manyfest"}


def test_a_release_loads_no_builder_before_it_builds() -> None:
    loaded = loaded_by("import manyfest.release.run, manyfest.release.reporting.report")
    assert "manyfest.release.steps.build" in loaded
    late = {"manyfest.build.builder", "manyfest.notify.send", "manyfest.release.smoke.run"}
    assert late & loaded == set()
