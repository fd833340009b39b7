"""Podman is another program: here a script in its place, as long as it says what podman says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from manyfest.errors import ManyfestError, NotFound, StoreError
from manyfest.stores.runtimes.podman import Podman

ID = "a" * 64

Script = Callable[[str], None]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Puts a shell script in podman's place; it runs with its temporary files in ``tmp_path``."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))

    def put(text: str) -> None:
        (tmp_path / "podman").write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "podman").chmod(0o755)

    return put


def send(portions: Iterable[bytes]) -> None:
    with Podman().load() as write:
        for portion in portions:
            write(portion)


def refusal(act: Callable[[], object], kind: type[ManyfestError] = StoreError) -> str:
    with pytest.raises(kind) as caught:
        act()
    return str(caught.value)


def test_what_is_written_goes_into_podman_load(script: Script, tmp_path: Path) -> None:
    script(f'echo "$@" > {tmp_path}/asked; cat > {tmp_path}/received; echo Loaded image: app:v1')
    send([b"one", b"two" * 100_000])
    assert (tmp_path / "asked").read_text() == "load --quiet\n"
    assert (tmp_path / "received").read_bytes() == b"one" + b"two" * 100_000


def test_an_image_s_id_is_that_of_podman_image_inspect(script: Script, tmp_path: Path) -> None:
    script(f'echo "$@" > {tmp_path}/asked; echo {ID}')
    assert str(Podman().image_id("team/app:v1")) == f"sha256:{ID}"
    assert (tmp_path / "asked").read_text() == "image inspect --format {{.Id}} team/app:v1\n"


def test_an_image_that_is_not_there_is_an_error(script: Script) -> None:
    script("echo Error: inspecting object: app:v1: image not known >&2; exit 125")
    assert refusal(lambda: Podman().image_id("app:v1")) == (
        "Podman: inspecting object: app:v1: image not known"
    )


def test_an_id_that_is_none_is_an_error(script: Script) -> None:
    script("echo none")
    assert refusal(lambda: Podman().image_id("app:v1")).startswith("Podman: 'sha256:none'")


def test_what_podman_says_against_an_archive_is_one_line(script: Script) -> None:
    script("cat > /dev/null; printf 'Error: no image:\\n * oci\\n * dir\\n' >&2; exit 125")
    assert refusal(lambda: send([b"archive"])) == "Podman: no image: * oci * dir"


def test_podman_that_fails_and_says_nothing_is_an_error(script: Script) -> None:
    script("cat > /dev/null; exit 1")
    assert refusal(lambda: send([b"archive"])) == "Podman: it failed"


def test_podman_that_takes_no_more_says_why(script: Script) -> None:
    script("echo Error: no space left on device >&2; exit 125")
    assert refusal(lambda: send([bytes(1024 * 1024)] * 64)) == "Podman: no space left on device"


def test_podman_that_takes_no_more_and_is_content_is_an_error(script: Script) -> None:
    script("exit 0")
    assert refusal(lambda: send([bytes(1024 * 1024)] * 64)) == "Podman: it did not take all of it"


def test_podman_is_killed_if_the_block_raises_and_leaves_nothing(
    script: Script, tmp_path: Path
) -> None:
    script(f'cat > "$TMPDIR/unfinished"; touch {tmp_path}/loaded')

    def half() -> Iterator[bytes]:
        yield b"half of it"
        raise KeyError

    with pytest.raises(KeyError):
        send(half())
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "loaded").exists()


def test_podman_is_not_here_if_there_is_no_such_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not Podman().is_here()
    assert refusal(lambda: Podman().image_id("app:v1"), NotFound) == (
        "there is no podman here; install it, or load into Docker"
    )
