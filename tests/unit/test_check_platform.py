from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence

import pytest

from manyfest.check.image import check_image
from manyfest.oci.config import RunConfig
from tests.unit.check_images import (
    AMD64,
    ARM64,
    Images,
    Item,
    Layer,
    directory,
    elf,
    file,
    hardlink,
    lines,
    one,
    program,
    symlink,
)


def test_a_program_for_another_platform_is_named_with_both() -> None:
    store = Images()
    entry = store.image(store.layer(program("usr/bin/app")), platform="linux/arm64", entrypoint=())
    assert lines(check_image(store, store.index(entry))) == [
        "linux/arm64 /usr/bin/app: is built for linux/amd64, not for linux/arm64; ship the build"
        " for this platform, or list the path in 'check.foreign' if it is there on purpose"
    ]


def test_libraries_and_files_that_are_not_executable_are_judged_too() -> None:
    store = Images()
    layer = store.layer(file("lib/a.so", elf(183, type_=3)), file("data", elf(3, bits=32)))
    found = check_image(store, one(store, layer)).findings
    assert [finding.where for finding in found] == ["/data", "/lib/a.so"]


def test_object_files_and_unknown_machines_are_not_judged() -> None:
    store = Images()
    layer = store.layer(file("a.o", elf(183, type_=1)), file("bpf", elf(247)))
    assert lines(check_image(store, one(store, layer))) == []


def test_a_damaged_elf_file() -> None:
    store = Images()
    layer = store.layer(program("app", AMD64[:20]))
    assert lines(check_image(store, one(store, layer))) == [
        "linux/amd64 /app: begins as an ELF file, but its header is damaged or cut off; ship the"
        " build for this platform, or list the path in 'check.foreign' if it is there on purpose"
    ]


@pytest.mark.parametrize(
    "upper",
    [
        [file(".wh.app")],
        [program("app")],
        [file("app", b"text")],
        [symlink("app", "other")],
        [directory("app")],
        [file(".wh..wh..opq")],
    ],
)
def test_a_program_that_no_container_sees_does_not_count(upper: Sequence[Item]) -> None:
    store = Images()
    lower = store.layer(program("app", ARM64))
    assert lines(check_image(store, one(store, lower, store.layer(*upper)))) == []


def test_a_program_above_a_layer_that_cannot_be_read_counts_and_one_below_does_not() -> None:
    store = Images()
    lower, middle = store.layer(program("lower", ARM64)), store.layer(file("x"))
    upper = store.layer(program("upper", ARM64))
    root = one(store, lower, middle, upper)
    del store.blobs[middle.descriptor.digest]
    found = [finding.where for finding in check_image(store, root).findings]
    assert found == [f"layer 2 {middle.descriptor.digest}", "/upper"]


def test_hard_links_are_one_program() -> None:
    store = Images()
    layer = store.layer(program("a", ARM64), hardlink("b", "a"), hardlink("c", "b"))
    found = check_image(store, one(store, layer)).findings
    assert [finding.where for finding in found] == ["/a"]


@pytest.mark.parametrize(
    "pattern", ["usr/bin/qemu-arm64", "/usr/bin/qemu-arm64", "usr/bin/qemu-*", "usr/*", "*/qemu-*"]
)
def test_foreign_programs_are_let_pass(pattern: str) -> None:
    store = Images()
    root = one(store, store.layer(program("usr/bin/qemu-arm64", ARM64)))
    assert lines(check_image(store, root, foreign=["opt/*", pattern])) == []


def test_foreign_programs_are_not_let_pass_elsewhere() -> None:
    store = Images()
    layer = store.layer(program("bin/qemu-arm64", ARM64), program("usr/bin/QEMU-arm64", ARM64))
    found = check_image(store, one(store, layer), foreign=["usr/bin/qemu-*"]).findings
    assert [finding.where for finding in found] == ["/bin/qemu-arm64", "/usr/bin/QEMU-arm64"]


def test_names_cannot_move_a_terminals_cursor() -> None:
    store = Images()
    layer = store.layer(program("a\x1b[2J\udcff", ARM64))
    (finding,) = check_image(store, one(store, layer)).findings
    assert finding.where == r"/a\x1b[2J\udcff"


def test_all_is_reported_in_the_same_order_each_time() -> None:
    store = Images()
    wrong = store.layer(program("b", ARM64), program("a", ARM64))
    root = store.index(
        store.image(wrong, entrypoint=("/none",)),
        store.image(wrong, platform="linux/386", entrypoint=("/none",)),
    )
    reports = [check_image(store, root) for _ in range(3)]
    assert [(finding.platform, finding.where) for finding in reports[0].findings] == [
        ("linux/amd64", "/a"),
        ("linux/amd64", "/b"),
        ("linux/amd64", "/none"),
        ("linux/386", "/a"),
        ("linux/386", "/b"),
        ("linux/386", "/none"),
    ]
    assert reports[0] == reports[1] == reports[2]


# Entrypoints; test_check_entrypoint.py has all the rules


def test_an_entrypoint_that_is_missing() -> None:
    store = Images()
    root = store.index(store.image(store.layer(file("a"))))
    assert lines(check_image(store, root)) == [
        "linux/amd64 /app: does not exist in the image; copy it there, or correct the path"
    ]


def test_an_entrypoint_from_a_lower_layer_through_a_link_of_a_higher_one() -> None:
    store = Images()
    lower, upper = store.layer(program("opt/app/bin/app")), store.layer(symlink("app", "opt/run"))
    top = store.layer(symlink("opt/run", "app/bin/app"))
    assert lines(check_image(store, store.index(store.image(lower, upper, top)))) == []


def test_the_entrypoint_of_windows_is_called_unchecked() -> None:
    store = Images()
    entry = store.image(store.layer(file("Files/app.exe", b"MZ")), platform="windows/amd64")
    report = check_image(store, store.index(entry))
    assert lines(report) == []
    assert report.platforms[0].unchecked == ("entrypoint",)


def test_layers_that_another_tool_wrote() -> None:
    store = Images()
    blob = io.BytesIO()
    with tarfile.open(fileobj=blob, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, add in _odd_entries().items():
            add(archive, name)
    layer = store.blob(blob.getvalue(), "application/vnd.oci.image.layer.v1.tar")
    root = one(store, Layer(layer, layer.digest), run=RunConfig(cmd=("app",)))
    assert lines(check_image(store, root)) == []


def _odd_entries() -> dict[str, Callable[[tarfile.TarFile, str], None]]:
    def put(archive: tarfile.TarFile, name: str, content: bytes = AMD64, **fields: object) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o755
        for key, value in fields.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(content))

    return {
        "./": lambda archive, name: put(archive, name, b"", type=tarfile.DIRTYPE),
        "./usr/local/bin/real": put,
        "/usr/local/bin/app": lambda archive, name: put(
            archive, name, b"", type=tarfile.LNKTYPE, linkname="./usr/local/bin/real"
        ),
        "x" * 300: put,
        "dev/null": lambda archive, name: put(archive, name, b"", type=tarfile.CHRTYPE),
    }
