"""COPY and ADD from the context. Expectations are what BuildKit does with the same files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manyfest.errors import BuildError, DockerfileError
from tests.unit.building import Bench, layer_files, write

FILES = {
    "a.txt": "a",
    "b.txt": "b",
    "dir/one": "1",
    "dir/sub/two": "2",
    "dir/link": "-> one",
    "to-dir": "-> dir",
    "to-a": "-> a.txt",
    "outside": "-> ../../../a.txt",
    "go/x1.go": "x1",
    "go/x2.go": "x2",
    "go/y.txt": "y",
    "go/deep/z.go": "z",
    "with blank/na me": "n",
    "we[ird": "w",
}
DIR = ["d/ 755", "d/link -> one", "d/one 644 =1", "d/sub/ 755", "d/sub/two 644 =2"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    write(bench.context, FILES)
    return bench


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("COPY a.txt /", ["a.txt 644 =a"]),
        ("COPY a.txt /x", ["x 644 =a"]),
        ("COPY a.txt /x/", ["x/ 755", "x/a.txt 644 =a"]),
        ("COPY a.txt /x/.", ["x/ 755", "x/a.txt 644 =a"]),
        ("COPY a.txt /x/y/z", ["x/ 755", "x/y/ 755", "x/y/z 644 =a"]),
        ("COPY a.txt .", ["a.txt 644 =a"]),
        ("COPY a.txt sub/", ["sub/ 755", "sub/a.txt 644 =a"]),
        ("COPY a.txt /x/../y", ["y 644 =a"]),
        ("COPY a.txt b.txt /x/", ["x/ 755", "x/a.txt 644 =a", "x/b.txt 644 =b"]),
        ("COPY ./a.txt /x", ["x 644 =a"]),
        ("COPY /a.txt /x", ["x 644 =a"]),
        ("COPY ../a.txt /x", ["x 644 =a"]),
        ("COPY dir/../a.txt /x", ["x 644 =a"]),
        ("COPY dir /d", DIR),
        ("COPY dir /d/", DIR),
        ("COPY dir/ /d", DIR),
        ("COPY dir/. /d", DIR),
        ("COPY dir/sub /d", ["d/ 755", "d/two 644 =2"]),
        ("COPY dir/sub dir/link /d", ["d/ 755", "d/link 644 =1", "d/two 644 =2"]),
        ("COPY to-dir /d", DIR),
        ("COPY to-a /x", ["x 644 =a"]),
        ("COPY to-a /x/", ["x/ 755", "x/to-a 644 =a"]),
        ("COPY outside /x", ["x 644 =a"]),
        ("COPY go/*.go /x/", ["x/ 755", "x/x1.go 644 =x1", "x/x2.go 644 =x2"]),
        ("COPY go/*/*.go /x/", ["x/ 755", "x/z.go 644 =z"]),
        ("COPY go/d* /x/", ["x/ 755", "x/z.go 644 =z"]),
        ("COPY g?/x[13].go /x", ["x 644 =x1"]),
        ("COPY *.none /x/", []),
        ('COPY ["with blank/na me", "/x y"]', ["x y 644 =n"]),
        ("COPY we[[]ird /x", ["x 644 =w"]),
        ("COPY --chown=1 a.txt /p/q", ["p/ 755 1:1", "p/q 644 1:1 =a"]),
        ("COPY --chown=1:2 dir/sub /d", ["d/ 755 1:2", "d/two 644 1:2 =2"]),
        ("COPY --chown=root:0 a.txt /x", ["x 644 =a"]),
        ("COPY --chmod=750 a.txt /p/q", ["p/ 750", "p/q 750 =a"]),
        ("COPY --chmod=4711 a.txt /p/q", ["p/ 711", "p/q 4711 =a"]),
        ("COPY --chmod=u=rwX,go=rX dir/sub /d", ["d/ 755", "d/two 644 =2"]),
        ("COPY --chmod=+x a.txt /x", ["x 755 =a"]),
        ("COPY --exclude=sub --exclude=l* dir /d", ["d/ 755", "d/one 644 =1"]),
        ("COPY --exclude=* --exclude=!sub/two dir /d",
         ["d/ 755", "d/sub/ 755", "d/sub/two 644 =2"]),
        ("COPY --parents dir/sub/two /d", ["d/ 755", *(f"d/{x}" for x in (
            "dir/ 755", "dir/sub/ 755", "dir/sub/two 644 =2"))]),
        ("COPY --parents dir/./sub/two /d", ["d/ 755", "d/sub/ 755", "d/sub/two 644 =2"]),
        ("COPY --parents **/*.go /d", ["d/ 755", "d/go/ 755", "d/go/deep/ 755",
            "d/go/deep/z.go 644 =z", "d/go/x1.go 644 =x1", "d/go/x2.go 644 =x2"]),
        ("COPY <<EOF /x\nhello\nEOF", ["x 644 =hello\n"]),
        ("COPY <<one <<two /x/\n1\none\n2\ntwo", ["x/ 755", "x/one 644 =1\n", "x/two 644 =2\n"]),
        ("COPY --chmod=755 --chown=3 <<EOF /x\nEOF", ["x 755 3:3 ="]),
        ("ADD a.txt /x", ["x 644 =a"]),
        ("ADD dir /d", DIR),
    ],
)  # fmt: skip
def test_from_the_context(bench: Bench, instruction: str, expected: list[str]) -> None:
    assert bench.files(f"FROM scratch\n{instruction}\n") == expected


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ("WORKDIR /w\nCOPY a.txt .", ["w/ 755", "w/a.txt 644 =a"]),
        ("WORKDIR /w\nCOPY a.txt ../x", ["w/ 755", "x 644 =a"]),
        ("COPY a.txt /x\nCOPY b.txt /x", ["x 644 =b"]),
        ("COPY dir/sub /x\nCOPY a.txt /x", ["x/ 755", "x/a.txt 644 =a", "x/two 644 =2"]),
        ("COPY --chown=4 dir/sub /x\nCOPY dir/sub /x", ["x/ 755 4:4", "x/two 644 =2"]),
    ],
)  # fmt: skip
def test_onto_what_is_there(bench: Bench, instructions: str, expected: list[str]) -> None:
    assert bench.files(f"FROM scratch\n{instructions}\n") == expected


def test_a_link_at_the_destination_is_followed(bench: Bench) -> None:
    found = bench.files("FROM scratch\nCOPY dir /d\nCOPY a.txt /d/link\n")

    assert found == ["d/ 755", "d/link -> one", "d/one 644 =a", "d/sub/ 755", "d/sub/two 644 =2"]


def test_links_on_the_way_to_the_destination_are_followed(bench: Bench) -> None:
    found = bench.files("FROM scratch\nCOPY . /c\nCOPY b.txt /c/to-dir/new\n")

    assert "c/to-dir -> dir" in found
    assert "c/dir/new 644 =b" in found


def test_a_file_put_over_a_link_in_a_directory_replaces_the_link(bench: Bench) -> None:
    (bench.context / "other").mkdir()
    (bench.context / "other/link").write_text("file")
    found = bench.files("FROM scratch\nCOPY dir /d\nCOPY other /d\n")

    assert "d/link 644 =file" in found
    assert "d/one 644 =1" in found


def test_a_linked_copy_puts_directories_over_links(bench: Bench) -> None:
    dockerfile = "FROM scratch\nCOPY . /c\nCOPY --link a.txt /c/to-dir/x\n"

    assert layer_files(bench.build(dockerfile)) == ["c/ 755", "c/to-dir/ 755", "c/to-dir/x 644 =a"]


def test_a_layer_repeats_the_directories_above_its_files(bench: Bench) -> None:
    dockerfile = "FROM scratch\nCOPY --chown=5 dir/sub /p/q\nCOPY a.txt /p/q/r\n"

    assert layer_files(bench.build(dockerfile)) == ["p/ 755 5:5", "p/q/ 755 5:5", "p/q/r 644 =a"]


def test_modes_are_those_of_the_files(bench: Bench) -> None:
    (bench.context / "dir/one").chmod(0o4751)
    (bench.context / "dir/sub").chmod(0o700)

    assert bench.files("FROM scratch\nCOPY dir /d\n") == [
        "d/ 755",
        "d/link -> one",
        "d/one 4751 =1",
        "d/sub/ 700",
        "d/sub/two 644 =2",
    ]


def test_hard_links_are_kept_within_one_source(bench: Bench) -> None:
    os.link(bench.context / "dir/one", bench.context / "dir/sub/same")
    built = bench.build("FROM scratch\nCOPY dir /d\nCOPY dir/one dir/sub/same /e/\n")

    assert "d/sub/same 644 == d/one" in layer_files(built, 0)
    assert layer_files(built, 1) == ["e/ 755", "e/one 644 =1", "e/same 644 =1"]


def test_a_pipe_is_a_pipe(bench: Bench) -> None:
    os.mkfifo(bench.context / "dir/sub/pipe", 0o600)

    assert bench.files("FROM scratch\nCOPY dir/sub /d\n") == [
        "d/ 755",
        "d/pipe 600 fifo",
        "d/two 644 =2",
    ]


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ("COPY a.tx /", "COPY: 'a.tx' is not in the build context; did you mean a.txt?"),
        ("COPY dri/one /", "COPY: 'dri/one' is not in the build context; did you mean dir?"),
        ("COPY dir/tow /", "COPY: 'dir/tow' is not in the build context"),
        ("COPY dir/sub/twp /", "COPY: 'dir/sub/twp' is not in the build context;"
         " did you mean dir/sub/two?"),
        ("ADD qqq /", "ADD: 'qqq' is not in the build context"),
        ("COPY --parents dir/qqq /", "COPY: 'dir/qqq' is not in the build context"),
        ("COPY a.txt b.txt /x", "COPY: several files cannot all become '/x';"
         " end the destination with a slash: /x/"),
        ("COPY go/*.go /x", "COPY: several files cannot all become '/x';"
         " end the destination with a slash: /x/"),
        ("COPY --chmod=999 a.txt /", "COPY: --chmod='999' is no mode;"
         " write octal up to 7777, or u=rwX,go=rX"),
        ("COPY --chmod=q+x a.txt /", "COPY: --chmod='q+x' is no mode;"
         " write octal up to 7777, or u=rwX,go=rX"),
        ("COPY --chown=bob a.txt /", "COPY: there is no user 'bob' in the image's /etc/passwd;"
         " use its number"),
        ("COPY --chown=1:staff a.txt /", "COPY: there is no group 'staff' in the image's"
         " /etc/group; use its number"),
        ("COPY --chown=99999999999 a.txt /", "COPY: '99999999999' is too large for a user or"
         " group; use a name"),
        ("COPY https://example.org/x /", "COPY: 'https://example.org/x' is not a file of the"
         " context; use ADD"),
    ],
)  # fmt: skip
def test_wrong_instructions(bench: Bench, instruction: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        bench.build(f"FROM scratch\n{instruction}\n")

    assert str(caught.value) == f"{bench.context}/Dockerfile:2: {message}"


@pytest.mark.parametrize(
    ("instructions", "message"),
    [
        ("COPY a.txt /x\nCOPY a.txt /x/y", "COPY: '/x' is a file, not a directory"),
        ("COPY dir /x\nCOPY b.txt /x/sub/two/", "COPY: '/x/sub/two' is a file, not a directory"),
        ("COPY a.txt /x/a.txt/z\nCOPY a.txt /x/", "COPY: '/x/a.txt' is a dir,"
         " which a file cannot replace"),
        ("COPY a.txt /d/sub\nCOPY dir /d", "COPY: '/d/sub' is a file, which a dir cannot replace"),
    ],
)  # fmt: skip
def test_what_cannot_be_done(bench: Bench, instructions: str, message: str) -> None:
    with pytest.raises(BuildError) as caught:
        bench.build(f"FROM scratch\n{instructions}\n")

    assert str(caught.value) == f"{bench.context}/Dockerfile:3: {message}"


def test_links_in_a_circle(bench: Bench) -> None:
    write(bench.context, {"loop": "-> loop"})

    with pytest.raises(DockerfileError, match="leads through more than 255 symbolic links"):
        bench.build("FROM scratch\nCOPY loop /x\n")
