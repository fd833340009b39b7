"""The documentation says what the code does."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyfest.cli.commands import COMMANDS
from manyfest.cli.reference import page
from manyfest.oci import json as written
from manyfest.release.reporting.report import release_report
from manyfest.release.run import run
from manyfest.stores.layout import LayoutStore
from tests import images
from tests.unit.cli import Manyfest, runner
from tests.unit.releases import FakeStores, make_project, make_release

ROOT = Path(__file__).parents[2]
JSON_PAGE = ROOT / "docs/reference/json.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

CONFIG = (
    "name: server\nbuild: {platforms: [linux/amd64, linux/arm64], before: 'true'}\n"
    'tags: ["{{version}}", latest]\narch_tags: true\npublish: [one.example/app]\n'
    "notify: [gotify://push.example.org/TOKEN]\ncheck: {smoke: {command: [--version]}}\n"
)


def test_the_page_of_the_command_line_is_current() -> None:
    """If not: ``python -m manyfest.cli.reference > docs/reference/command-line.md``."""
    assert (ROOT / "docs/reference/command-line.md").read_text() == page()


def test_the_page_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = page()
    monkeypatch.setenv("COLUMNS", "40")
    assert page() == wide


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_verb_that_is_named_exists(path: Path) -> None:
    text = re.sub(r"```python\n.*?```", "", path.read_text(), flags=re.DOTALL)
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    named = re.findall(r"(?<![\w./-])manyfest ([a-z][a-z-]*)", code)
    assert [verb for verb in named if verb not in COMMANDS] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_page_that_is_linked_to_exists(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_heading_that_is_linked_to_exists(path: Path) -> None:
    links = re.findall(r"\]\(([^):]*)#([^)]+)\)", path.read_text())
    pages = [(path.parent / page if page else path, heading) for page, heading in links]
    assert [heading for page, heading in pages if heading not in _headings(page)] == []


def _headings(page: Path) -> set[str]:
    """The names under which the headings of a page are linked to, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_order_of_imports_is_told_as_it_is_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    page = (ROOT / "docs/decisions/0001-structure.md").read_text()
    told = re.findall(r"`(\w+)`", page.partition("checks it:\n\n")[2].partition("\n\n")[0])
    assert told == layers[: len(told)]
    assert [layer for layer in layers if (ROOT / "src/manyfest" / layer).is_dir()] == [
        layer for layer in told if layer not in {"copy", "graph"}
    ]


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Manyfest:
    """The command line, in a folder with a project and images of it."""
    monkeypatch.chdir(tmp_path)
    make_project(tmp_path)
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    manyfest = runner(capsys)
    manyfest("build", "--platform", "amd64,arm64", "-o", "oci:image:v1")
    shutil.copy("bin/linux/amd64/app", "bin/linux/arm64/app")
    manyfest("build", "--platform", "amd64,arm64", "-o", "oci:faulty:v1")
    return manyfest


def example(verb: str, number: int = 0) -> Any:
    """The verb's example in the page."""
    sections = dict(
        re.findall(r"^## manyfest (.*?) ?--json\n(.*?)(?=^## |\Z)", text(), re.M | re.S)
    )
    return json.loads(re.findall(r"```json\n(.*?)```", sections[verb], re.DOTALL)[number])


def text() -> str:
    return JSON_PAGE.read_text()


def shape(value: Any) -> Any:
    """Keys and types, whatever the values are and however many there are of the same kind."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        shapes = [shape(each) for each in value]
        return [each for at, each in enumerate(shapes) if each not in shapes[:at]]
    return type(value).__name__


@pytest.mark.parametrize(
    ("verb", "number", "arguments"),
    [
        ("version", 0, ["version", "--offline", "--version", "2.6.1"]),
        ("release --dry-run", 0, ["release", "--dry-run", "--version", "2.6.1"]),
        ("check", 0, ["check", "oci:image:v1"]),
        ("check", 1, ["check", "--deep", "oci:faulty:v1"]),
        ("ls", 0, ["ls", "oci:image"]),
    ],
)
def test_the_examples_have_the_keys_and_types_that_are_printed(
    project: Manyfest, verb: str, number: int, arguments: list[str]
) -> None:
    printed = json.loads(project(*arguments, "--json").out)
    for tag in printed.get("tags", []):
        if verb == "release --dry-run":
            tag["platform"] = None  # in the example no tag is for one platform alone
    assert shape(printed) == shape(example(verb, number))


def test_the_example_of_inspect_has_the_keys_and_types_that_are_printed(
    project: Manyfest, tmp_path: Path
) -> None:
    layout = LayoutStore(tmp_path / "attested")
    images.make(layout, "index with attestations")
    printed = json.loads(project("inspect", "oci:attested:v1", "--json").out)
    shown = example("inspect")
    for document in (printed, *printed["images"], shown, *shown["images"]):
        for key in ("annotations", "labels"):
            if key in document:
                document[key] = {}
    assert shape(printed) == shape(shown)


def test_the_example_of_release_has_the_keys_and_types_that_are_printed(tmp_path: Path) -> None:
    make_project(tmp_path)
    release = make_release(tmp_path, FakeStores())
    outcomes = list(run(release))
    release.close()
    printed = json.loads(written.dumps(release_report(release, outcomes)))
    for tag in printed["tags"]:
        tag["platform"] = None
    assert shape(printed) == shape(example("release"))


@pytest.mark.parametrize(
    "verb",
    ["version", "release --dry-run", "release", "rollback", "status", "inspect", "check", "ls"],
)
def test_every_key_is_explained(verb: str) -> None:
    section = text().partition(f"## manyfest {verb} --json")[2].partition("\n## ")[0]
    explained = set(re.findall(r"`([a-z_]+)`", section.partition("```json")[0]))
    assert set(example(verb)) - explained == set()


def test_every_verb_that_prints_json_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    manyfest: Callable[..., Any] = runner(capsys)
    printing = {verb for verb in COMMANDS if "\n  --json " in manyfest(verb, "--help").out}
    assert printing == {
        "version",
        "release",
        "stage",
        "publish",
        "rollback",
        "status",
        "inspect",
        "check",
        "ls",
    }
    for verb in printing:
        assert f"## manyfest {verb} --json\n" in text()
