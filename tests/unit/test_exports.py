from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import manyfest
from manyfest import errors
from manyfest.stores.layout import LayoutStore
from tests import images

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", manyfest.__all__)
def test_every_name_that_is_promised_can_be_loaded(name: str) -> None:
    assert getattr(manyfest, name) is not None


def test_the_promised_names_are_sorted_and_come_from_their_homes() -> None:
    assert sorted(manyfest.__all__) == manyfest.__all__
    assert {*manyfest._HOMES, "__version__"} == {*manyfest.__all__}
    for name, home in manyfest._HOMES.items():
        assert getattr(manyfest, name).__module__ == home


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^    ([│ ]*)(?:[├└]── )?([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    here = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    assert [name for _, name in drawn] == list(here)
    above: list[str] = ["Exception"]
    for bars, name in drawn:
        depth = len(bars) // 4 + (name != "ManyfestError")
        del above[depth + 1 :]
        assert here[name].__mro__[1].__name__ == above[-1]
        above.append(name)


def test_every_module_that_is_named_in_the_code_is_there() -> None:
    missing = [
        (str(path.relative_to(ROOT)), name)
        for path in (ROOT / "src/manyfest").rglob("*.py")
        for name in re.findall(r":mod:`~?((?:manyfest)?\.[^`]+)`", path.read_text())
        if not module_at(path.parent, name).with_suffix(".py").exists()
        and not module_at(path.parent, name).is_dir()
    ]
    assert missing == []


def module_at(folder: Path, name: str) -> Path:
    """Where a module is, if there is one: ``.name`` is in ``folder``."""
    start = folder if name.startswith(".") else ROOT / "src"
    return start.joinpath(*name.removeprefix(".").split("."))


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'manyfest' has no attribute 'Nothing'$"):
        manyfest.Nothing  # noqa: B018


def test_the_version_is_the_packages() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{manyfest.__version__}"\n' in project


def test_the_example_in_the_docstring_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layout = LayoutStore(tmp_path / "image")
    layout.tag("v1", images.content_of(images.platforms(layout)))
    example = re.search(r"::\n\n(.*)\Z", manyfest.__doc__ or "", re.DOTALL)
    assert example is not None
    code = "\n".join(line[4:] for line in example[1].splitlines())
    assert f"```python\n{code}\n```" in (ROOT / "README.md").read_text()
    assert {"Reference", "Stores"} <= {
        alias.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    # The same lines, between places that are here.
    code = code.replace("oci-archive:image.tar:v1", "oci:image:v1")
    code = code.replace("registry.example.org/app", "oci:copied")
    exec(compile(code, "example", "exec"), {})
    assert LayoutStore(tmp_path / "copied").resolve("v1") == layout.resolve("v1")
