from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import ConfigError
from manyfest.serve.access.htpasswd import load
from manyfest.serve.access.live_file import LiveFile
from tests.gates import SWORDFISH


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("htpasswd")


def test_users_are_read_and_comments_are_not(path: Path) -> None:
    path.write_text(f"# people\n\nada:{SWORDFISH}\r\nb.o-b@example.org:{SWORDFISH}\n")
    users = load(path)
    assert list(users) == ["ada", "b.o-b@example.org"]
    assert users["ada"].hash == SWORDFISH.encode()
    assert users["ada"].cost == 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "bob:$apr1$salt$hash",
            "htpasswd:2: the password of 'bob' is a hash of MD5, and only bcrypt's are taken; write"
            " it with: htpasswd -B FILE NAME",
        ),
        (
            "bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
            "htpasswd:2: the password of 'bob' is a hash of SHA-1, and only bcrypt's are taken;"
            " write it with: htpasswd -B FILE NAME",
        ),
        (
            "bob:swordfish",
            "htpasswd:2: the password of 'bob' is no hash of bcrypt, and only bcrypt's are taken;"
            " write it with: htpasswd -B FILE NAME",
        ),
        ("swordfish", "htpasswd:2: this is not NAME:HASH; write it with: htpasswd -B FILE NAME"),
        (
            f":{SWORDFISH}",
            "htpasswd:2: this is not NAME:HASH; write it with: htpasswd -B FILE NAME",
        ),
        (f"ada:{SWORDFISH}", "htpasswd:2: 'ada' is there twice; take one out"),
        (
            f"anyone:{SWORDFISH}",
            "htpasswd:2: 'anyone' stands for everybody, and is no user's name",
        ),
        (
            f"bob:{SWORDFISH.replace('$05$', '$31$')}",
            "htpasswd:2: the password of 'bob' has the cost 31; use one from 4 to 15: htpasswd -B"
            " -C 10 FILE NAME",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(path: Path, line: str, message: str) -> None:
    path.write_text(f"ada:{SWORDFISH}\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == message


def test_a_file_without_a_user_is_refused(path: Path) -> None:
    path.write_text("# nobody yet\n")
    with pytest.raises(ConfigError, match="htpasswd: there is no user in it"):
        load(path)


def test_a_hash_is_not_shown(path: Path) -> None:
    path.write_text(f"ada:{SWORDFISH}\n")
    user = load(path)["ada"]
    assert repr(user) == "User('ada')"
    assert user.stamp not in SWORDFISH


def test_a_file_that_changes_is_read_again(path: Path) -> None:
    path.write_text(f"ada:{SWORDFISH}\n")
    live = LiveFile(path, load)
    path.write_text(f"ada:{SWORDFISH}\nbob:{SWORDFISH}\n")
    live.refresh()
    assert list(live.value) == ["ada", "bob"]


def test_a_mistake_leaves_what_was_there_and_is_told_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(f"ada:{SWORDFISH}\n")
    live = LiveFile(path, load)
    path.write_text("ada:swordfish\n")
    live.refresh()
    live.refresh()
    assert list(live.value) == ["ada"]
    assert live.value["ada"].hash == SWORDFISH.encode()
    assert [record.getMessage() for record in caplog.records] == [
        "htpasswd:1: the password of 'ada' is no hash of bcrypt, and only bcrypt's are taken; write"
        " it with: htpasswd -B FILE NAME; what it said before goes on to count"
    ]
    assert "swordfish" not in caplog.text
