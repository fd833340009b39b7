"""Stages that start from and copy from each other and from images."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.errors import BuildError, DockerfileError
from tests.unit.building import Bench, bench_with_base, image_files, stored, write

STAGE = "FROM scratch AS s\nCOPY --chown=3:4 dir /d\nWORKDIR /w\nFROM scratch\n"
FILES: dict[str, str | bytes] = {"dir/one": "1", "dir/sub/two": "2", "dir/link": "-> sub"}


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("COPY --from=s /d/one /", ["one 644 3:4 =1"]),
        ("COPY --from=s d/one /", ["one 644 3:4 =1"]),
        ("COPY --from=S /w /v", ["v/ 755"]),
        ("COPY --from=0 /d/sub /e", ["e/ 755", "e/two 644 3:4 =2"]),
        ("COPY --from=s /d/link/ /e", ["e/ 755", "e/two 644 3:4 =2"]),
        ("COPY --from=s /d/l* /e", ["e/ 755", "e/two 644 3:4 =2"]),
        ("COPY --from=s --chown=7 /d/one /", ["one 644 7:7 =1"]),
        ("COPY --from=s / /", ["d/ 755 3:4", "d/link 3:4 -> sub", "d/one 644 3:4 =1",
            "d/sub/ 755 3:4", "d/sub/two 644 3:4 =2", "w/ 755"]),
        ("COPY --from=scratch . /e", ["e/ 755"]),
    ],
)  # fmt: skip
def test_from_a_stage(tmp_path: Path, instruction: str, expected: list[str]) -> None:
    bench = Bench(tmp_path)
    write(bench.context, FILES)

    assert bench.files(f"{STAGE}{instruction}\n") == expected


def test_a_stage_as_base_has_its_layers(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    write(bench.context, FILES)
    built = bench.build("FROM scratch AS s\nCOPY dir/one /a\nFROM s\nCOPY dir/one /b\n")

    assert len(built.platforms[0].config.rootfs.diff_ids) == 2
    assert [step.created_by for step in built.platforms[0].config.history] == [
        "COPY dir/one /a # buildkit",
        "COPY dir/one /b # buildkit",
    ]


def test_a_stage_that_is_not_needed_is_not_built(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    assert bench.files("FROM nowhere AS x\nRUN no\nFROM scratch\nCOPY <<a /b\na\n") == ["b 644 ="]


def test_a_missing_file_in_a_stage(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    write(bench.context, FILES)

    with pytest.raises(DockerfileError) as caught:
        bench.build(f"{STAGE}COPY --from=s /d/on /\n")
    assert str(caught.value) == (
        f"{bench.context}/Dockerfile:5: COPY: 'd/on' is not in stage s; did you mean d/one?"
    )


BASE = "FROM scratch\nCOPY root /\nCOPY --chown=100:101 home /home\n"
BASE_FILES: dict[str, str | bytes] = {
    "root/usr/bin/sh": "sh",
    "root/bin": "-> usr/bin",
    "root/etc/passwd": "root:x:0:0::/:/bin/sh\napp:x:100:101::/home/app:/bin/sh\n",
    "root/etc/group": "staff:x:50:app\n",
    "home/app/.profile": "p",
}


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ("COPY new /bin/tool", "usr/bin/tool 644 =n"),
        ("COPY new /bin", "usr/bin/new 644 =n"),
        ("COPY new /home/app/", "home/app/new 644 =n"),
        ("COPY --chown=app new /x", "x 644 100:101 =n"),
        ("COPY --chown=app:staff new /x", "x 644 100:50 =n"),
        ("USER app\nWORKDIR /x/y", "x/y/ 755 100:101"),
        ("USER app:staff\nWORKDIR /x/y", "x/ 755 100:50"),
        ("COPY --from=base:1 /bin/sh /x", "x 644 =sh"),
        ("COPY --from=base:1 /home /x", "x/app/.profile 644 100:101 =p"),
    ],
)
def test_a_base_is_read_when_it_must_be(tmp_path: Path, instructions: str, expected: str) -> None:
    bench = bench_with_base(tmp_path, BASE, BASE_FILES)
    write(bench.context, {"new": "n"})
    found = bench.files(f"FROM base:1\n{instructions}\n")

    assert expected in found
    assert "bin -> usr/bin" in found
    assert "home/app/ 755 100:101" in found


def test_of_an_index_each_platform_gets_its_own_files(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"bin/amd64": "for amd64", "bin/arm64": "for arm64"}
    base = "FROM scratch\nARG TARGETARCH\nCOPY bin/$TARGETARCH /tool\n"
    bench = bench_with_base(tmp_path, base, files)
    built = bench.build(
        "FROM scratch\nCOPY --from=base:1 /tool /mine\n", "linux/arm64", "linux/amd64"
    )

    assert image_files(built, 0) == ["mine 644 =for arm64"]
    assert image_files(built, 1) == ["mine 644 =for amd64"]


def test_an_image_by_its_digest(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, BASE, BASE_FILES)
    store = bench.bases["docker.io/library/base:1"]
    name = f"registry.example:5000/team/base@{store.resolve('1').digest}"
    bench.bases[name] = store

    assert bench.files(f"FROM scratch\nCOPY --from={name} /bin/sh /x\n") == ["x 644 =sh"]


def test_from_a_stage_on_a_base_the_base_s_files_can_be_copied(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, BASE, BASE_FILES)
    write(bench.context, {"new": "n"})
    dockerfile = "FROM base:1 AS b\nCOPY new /etc/\nFROM scratch\nCOPY --from=b /etc /e\n"

    assert [name.split()[0] for name in bench.files(dockerfile)] == [
        "e/",
        "e/group",
        "e/new",
        "e/passwd",
    ]


def test_from_a_stage_on_a_base_any_file_of_the_base_can_be_copied(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, BASE, BASE_FILES)

    assert bench.files(
        "FROM base:1 AS b\nUSER app\nWORKDIR /q\nFROM b AS c\nFROM scratch\n"
        "COPY --from=c /bin/sh /home/app/.profile /\n"
    ) == [
        ".profile 644 100:101 =p",
        "sh 644 =sh",
    ]


def test_files_of_an_image_that_are_hard_links_stay_so_and_others_do_not(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, "FROM scratch\nCOPY . /d/\n", {"a": "", "b": "", "c": "c"})
    source = bench.folder.parent / "base/context"
    (source / "c2").hardlink_to(source / "c")
    built = Bench(bench.folder.parent / "base").build("FROM scratch\nCOPY . /d/\n")
    bench.bases["docker.io/library/base:1"] = stored(built, "1")

    assert bench.files("FROM scratch\nCOPY --from=base:1 --exclude=D* /d /\n") == [
        "a 644 =",
        "b 644 =",
        "c 644 =c",
        "c2 644 == c",
    ]


def test_a_user_whom_the_base_does_not_know(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, BASE, BASE_FILES)

    with pytest.raises(DockerfileError, match="there is no user 'eve' in the image's /etc/passwd"):
        bench.build("FROM base:1\nUSER eve\nWORKDIR /x\n")


@pytest.mark.parametrize(
    ("dockerfile", "line"),
    [
        ("FROM scratch\nRUN make\n", 2),
        ("FROM scratch AS a\n\nRUN make\nFROM scratch\nCOPY --from=a /x /\n", 3),
        ("FROM scratch AS a\nONBUILD RUN make\nFROM a\n", 3),
    ],
)
def test_the_native_builder_runs_no_programs(tmp_path: Path, dockerfile: str, line: int) -> None:
    bench = Bench(tmp_path)
    request = replace(bench.request(dockerfile, args={}), backend="native")

    with pytest.raises(BuildError) as caught:
        bench.run(request)
    assert str(caught.value) == (
        f"{bench.context}/Dockerfile:{line}: RUN: running programs needs a real builder, and the"
        " native one only copies files; leave out --backend native, or do it before the build and"
        " COPY what it makes"
    )
