from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.build.secrets import BuildSecret
from manyfest.errors import UsageError


@pytest.mark.parametrize("key", ["src", "source"])
def test_a_secret_from_a_file(tmp_path: Path, key: str) -> None:
    (tmp_path / "token").write_bytes(b"a\nb\xff")
    found = BuildSecret.parse(f"type=file,id=t,{key}={tmp_path / 'token'}", {})
    assert found == BuildSecret(id="t", value=b"a\nb\xff")


def test_a_secret_from_a_variable() -> None:
    environ = {"TOKEN": "x", "OTHER": "y"}
    assert BuildSecret.parse("id=t,env=TOKEN", environ).value == b"x"
    assert BuildSecret.parse("id=OTHER", environ).value == b"y"


def test_a_secret_shows_itself_to_nobody() -> None:
    assert repr(BuildSecret(id="t", value=b"hush")) == "BuildSecret(id='t')"


def test_every_line_of_it_is_hidden_unless_that_would_hide_everything() -> None:
    assert BuildSecret(id="t", value=b" first line \n}\n\nsecond\n").hidden == (
        b"first line",
        b"second",
    )


@pytest.mark.parametrize(
    "text", ["", "t", "src=a", "id=", "id=a/b", "id=t,what=1", "id=t,src=a,env=B"]
)
def test_what_is_no_secret(text: str) -> None:
    with pytest.raises(UsageError, match="is not understood; write id=ID,src=FILE or id=ID,env=NA"):
        BuildSecret.parse(text, {})


def test_secrets_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(512_001))
    with pytest.raises(UsageError, match="the secret's variable T is not set"):
        BuildSecret.parse("id=a,env=T", {})
    with pytest.raises(UsageError, match="/none: the secret cannot be read: No such file"):
        BuildSecret.parse(f"id=a,src={tmp_path}/none", {})
    with pytest.raises(UsageError, match="/large: the secret is larger than 500 KiB"):
        BuildSecret.parse(f"id=a,src={tmp_path}/large", {})
