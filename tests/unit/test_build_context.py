from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from manyfest.build.context import Context, Pinned
from manyfest.build.dockerignore import Ignore
from manyfest.errors import BuildError, ConfigError, DockerfileError
from tests.unit.building import Bench, write


def context(folder: Path, files: dict[str, str | bytes], ignore: str = "") -> Context:
    write(folder, files)
    return Context(folder, Ignore.parse(ignore), mtime=7, ignored_by=".dockerignore")


def everything(tree: Context, folder: str = ".") -> Iterator[str]:
    for name in tree.names(folder):
        path = name if folder == "." else f"{folder}/{name}"
        yield path
        yield from everything(tree, path)


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        ("", ["a", "a/x", "a/y", "b", "b/c", "b/c/z"]),
        ("a", ["b", "b/c", "b/c/z"]),
        ("a/*\n!a/y", ["a", "a/y", "b", "b/c", "b/c/z"]),
        ("a\n!a/y", ["a", "a/y", "b", "b/c", "b/c/z"]),
        ("b\n!b/c/q", ["a", "a/x", "a/y"]),
        ("*\n!b/c/z", ["b", "b/c", "b/c/z"]),
        ("**/z", ["a", "a/x", "a/y", "b", "b/c"]),
        ("*", []),
    ],
)
def test_what_is_left_out(tmp_path: Path, ignore: str, expected: list[str]) -> None:
    tree = context(tmp_path, {"a/x": "", "a/y": "", "b/c/z": ""}, ignore)

    assert list(everything(tree)) == expected


def test_names_are_sorted_by_their_bytes(tmp_path: Path) -> None:
    tree = context(tmp_path, dict.fromkeys(("é", "b", "A", "a.", "a", "\U0001f600"), ""))

    assert tree.names(".") == ("A", "a", "a.", "b", "é", "\U0001f600")


def test_owner_and_time_of_this_machine_do_not_show(tmp_path: Path) -> None:
    found = context(tmp_path, {"a": "1"}).find("a")

    assert found is not None
    assert (found.entry.uid, found.entry.gid, found.entry.mtime, found.entry.uname) == (0, 0, 7, "")


def test_a_name_that_is_not_utf_8_survives(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_text("1")

    assert context(tmp_path, {}).names(".") == ("\udcff",)


def test_what_users_note_of_a_file_is_kept(tmp_path: Path) -> None:
    tree = context(tmp_path, {"a": "1", "d/b": ""})
    try:
        os.setxattr(tmp_path / "a", "user.note", b"n")
        os.setxattr(tmp_path / "d", "user.note", b"d")
    except OSError as error:
        pytest.skip(f"the file system keeps no notes: {error.strerror}")
    notes = [found.entry.xattrs for name in ("a", "d", "d/b") if (found := tree.find(name))]

    assert notes == [{"user.note": b"n"}, {"user.note": b"d"}, {}]


def test_a_socket_is_an_empty_file(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    with closing(listener):
        listener.bind(str(tmp_path / "s"))
        found = context(tmp_path, {}).find("s")

    assert found is not None
    assert (found.entry.type, found.entry.size, found.content) == ("file", 0, None)


def opener(tree: Context, name: str) -> Pinned:
    found = tree.find(name)
    assert found is not None
    assert isinstance(found.content, Pinned)
    return found.content


@pytest.mark.parametrize("text", ["123456", "1234", "54321"])
def test_a_file_that_is_written_to_while_it_is_built(tmp_path: Path, text: str) -> None:
    opened = opener(context(tmp_path, {"a": "12345"}), "a")
    (tmp_path / "a").write_text(text)
    file = opened()
    file.read(10)

    with pytest.raises(BuildError, match="'a': changed while the image was built"):
        file.close()


def test_a_file_that_is_replaced_while_it_is_built(tmp_path: Path) -> None:
    opened = opener(context(tmp_path, {"a": "12345", "b": "12345"}), "a")
    (tmp_path / "b").rename(tmp_path / "a")
    file = opened()

    with pytest.raises(BuildError, match="'a': changed while the image was built"):
        file.close()


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path: Path) -> None:
    opened = opener(context(tmp_path, {"a": "1", "b": "1"}), "a")
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("b")

    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        opened()


def test_a_growing_file_gives_no_more_than_it_had(tmp_path: Path) -> None:
    file = opener(context(tmp_path, {"a": "123"}), "a")()
    with (tmp_path / "a").open("a") as appended:
        appended.write("456")

    assert file.read(100) == b"123"
    with pytest.raises(BuildError):
        file.close()


def test_the_dockerfile_s_own_ignore_file_comes_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    write(
        bench.context,
        {"a": "", "b": "", ".dockerignore": "a", "Dockerfile.dockerignore": "b\nD*\n.d*"},
    )

    assert bench.files("FROM scratch\nCOPY . /\n") == ["a 644 ="]


def test_a_source_that_is_left_out_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    write(bench.context, {"a": "", ".dockerignore": "a"})

    with pytest.raises(DockerfileError) as caught:
        bench.build("FROM scratch\nCOPY a /\n")
    assert str(caught.value) == (
        f"{bench.context}/Dockerfile:2: COPY: 'a' is not in the build context;"
        " .dockerignore leaves it out"
    )


def test_a_malformed_pattern_is_told_with_its_line(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    write(bench.context, {".dockerignore": "a\n[\n"})

    with pytest.raises(ConfigError) as caught:
        bench.build("FROM scratch\nCOPY . /\n")
    assert caught.value.where == f"{bench.context}/.dockerignore:2"
