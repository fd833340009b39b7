from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyfest.errors import ConfigError
from manyfest.serve.access.file import load, schema
from tests.gates import ACCESS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("access.yaml")


def test_a_file_is_read(path: Path) -> None:
    path.write_text(ACCESS)
    access = load(path)
    assert access.rights("bob", "team/app") == {"read", "write"}
    assert access.rights("ada", "team/app") == {"read", "write", "delete"}
    assert access.rights("eve", "secret/app") == frozenset()
    assert access.rights("", "tools") == {"read"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "access.yaml: the file is empty; the guide to a registry of your own shows one",
        ),
        ("rules: []\n", "access.yaml:1: 'rules' is empty; name at least one"),
        (
            "rules:\n- repositories: [Team]\n",
            "access.yaml:2: 'rules[0].repositories[0]': 'Team' is not a pattern of repositories;"
            " write for example team/app, team/* or team/**",
        ),
        (
            "rules:\n- repositories: [app]\n  push: [ada]\n",
            "access.yaml:3: unknown key 'push' under 'rules[0]'; the keys are repositories, read,"
            " write, delete",
        ),
        (
            "rules:\n- repositories: [app]\n  read: [a:b]\n",
            "access.yaml:3: 'rules[0].read[0]': 'a:b' is not a user; write a name, group:NAME,"
            " users or anyone",
        ),
        (
            "rules:\n- repositories: [app]\n  read:\n  - ada\n  - group:ci\n",
            "access.yaml:5: there is no group 'ci'; add it under 'groups', or write ci for a user",
        ),
        (
            "groups:\n  ci: [anyone]\nrules:\n- repositories: [app]\n",
            "access.yaml:2: 'anyone' is not a user, and a group has users only",
        ),
        (
            "rules:\n- repositories: ['**']\n- repositories: [app]\n",
            "access.yaml:3: this never counts, as the rule on line 2 is for app already; the first"
            " rule that fits counts: put narrow ones before wide ones",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == message


def test_the_schema_that_is_published_is_current() -> None:
    """If not: ``python -m manyfest.serve.access.file > docs/reference/access.schema.json``."""
    published = (ROOT / "docs/reference/access.schema.json").read_text()
    assert published == json.dumps(schema(), indent=2) + "\n"
