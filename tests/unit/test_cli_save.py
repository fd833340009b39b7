"""``manyfest save``: several images in one archive, and what Docker will call them."""

from __future__ import annotations

import io
import json
import os
import pty
import tarfile
from pathlib import Path

import pytest

from manyfest.cli.main import run
from manyfest.oci.manifest import Image, Manifest
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.layout import LayoutStore
from tests import images
from tests.recorders import graph_of
from tests.unit.cli import Manyfest, make_layout


@pytest.fixture
def manyfest(manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch) -> Manyfest:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    return manyfest


@pytest.fixture
def digest(manyfest: Manyfest, tmp_path: Path) -> str:
    """Of the index in ``oci:app:v1``."""
    return str(make_layout(tmp_path / "app", "v1").resolve("v1").digest)


def names(archive: Path | bytes) -> list[list[str]]:
    """What Docker calls the images in an archive."""
    raw = archive if isinstance(archive, bytes) else archive.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(raw)) as files:
        file = files.extractfile("manifest.json")
        assert file is not None
        return [image["RepoTags"] for image in json.load(file)]


def test_it_prints_the_digest_alone_and_says_what_it_wrote(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    assert manyfest("save", "oci:app:v1", "-o", "image.tar") == (
        0,
        f"{digest}\n",
        "oci-archive:image.tar: 11.5 kB written\n",
    )
    assert names(tmp_path / "image.tar") == [
        ["docker.io/library/image:v1-amd64"],
        ["docker.io/library/image:v1", "docker.io/library/image:v1-arm64"],
        ["docker.io/library/image:v1-armv7"],
    ]


def test_the_first_platform_that_is_asked_for_gets_the_plain_name(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    saved = manyfest(
        "save", "oci:app:v1", "-o", "app.tar", "--platform", "arm/v7", "--platform", "amd64"
    )
    assert saved.code == 0
    assert saved.out != f"{digest}\n"
    assert names(tmp_path / "app.tar") == [
        ["docker.io/library/app:v1-amd64"],
        ["docker.io/library/app:v1", "docker.io/library/app:v1-armv7"],
    ]


def test_a_platform_that_is_not_there_is_an_error_and_leaves_no_file(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    assert manyfest("save", "oci:app:v1", "-o", "app.tar", "--platform", "s390x") == (
        1,
        "",
        "manyfest: oci:app: it has no linux/s390x; it has linux/amd64, linux/arm64, linux/arm/v7\n",
    )
    assert not (tmp_path / "app.tar").exists()


def test_several_images_share_one_archive_and_what_they_have_in_common(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    layout = LayoutStore(tmp_path / "both")
    one, two = images.image(layout, text="one"), images.image(layout, text="two")
    layout.tag("1", images.content_of(one))
    layout.tag("2", images.content_of(two))
    manyfest("copy", "oci:both:2", "docker-archive:two.tar:team/two:2")

    saved = manyfest("save", "oci:both:1", "docker-archive:two.tar:team/two:2", "-o", "all.tar")

    assert saved.out == f"{one.descriptor.digest}\n{two.descriptor.digest}\n"
    assert names(tmp_path / "all.tar") == [["docker.io/library/all:1"], ["docker.io/team/two:2"]]
    with tarfile.open(tmp_path / "all.tar") as files:
        blobs = [name for name in files.getnames() if name.startswith("blobs/sha256/")]
    assert len(blobs) == len(set(blobs)) == 7  # two images of four parts, and one shared layer


def test_one_image_under_two_names_is_saved_once(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    manyfest("tag", "oci:app:v1", "latest")
    saved = manyfest("save", "oci:app:v1", "oci:app:latest", "-o", "app.tar", "--platform", "arm64")
    assert len(set(saved.out.split())) == 1
    assert names(tmp_path / "app.tar") == [
        [
            "docker.io/library/app:latest",
            "docker.io/library/app:v1",
            "docker.io/library/app:latest-arm64",
            "docker.io/library/app:v1-arm64",
        ]
    ]


def test_two_images_cannot_have_one_name(manyfest: Manyfest, digest: str, tmp_path: Path) -> None:
    other = LayoutStore(tmp_path / "other")
    root = images.make(other, "image", "v1")
    assert manyfest("save", "oci:app:v1", "oci:other:v1", "-o", "all.tar") == (
        2,
        "",
        f"manyfest: {digest} and {root.descriptor.digest} are both called v1;"
        " save them in an archive each\n",
    )
    assert not (tmp_path / "all.tar").exists()


def test_what_has_only_a_digest_is_saved_without_a_name(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    layout = LayoutStore(tmp_path / "app")
    _, arm64, armv7 = (entry.digest for entry in graph_of(layout).root.index.manifests)
    saved = manyfest("save", f"oci:app@{arm64}", f"oci:app@{armv7}", "-o", "app.tar")
    assert saved.out == f"{arm64}\n{armv7}\n"
    assert names(tmp_path / "app.tar") == [[], []]


def test_an_archive_keeps_the_names_that_it_has(manyfest: Manyfest, digest: str) -> None:
    manyfest("copy", "oci:app:v1", "docker-archive:one.tar:team/app:v1")
    manyfest("save", "docker-archive:one.tar", "-o", "two.tar")
    assert Path("one.tar").read_bytes() == Path("two.tar").read_bytes()


def refer(layout: LayoutStore, tag: str) -> Manifest:
    """Put something that refers to an image into its layout."""
    subject = layout.resolve(tag)
    body = Image(
        schema_version=2,
        media_type=images.OCI_MANIFEST,
        artifact_type="application/vnd.example.sbom",
        config=images.put(layout, b"{}", images.OCI_EMPTY),
        layers=(images.put(layout, b"{}", "application/vnd.example.sbom+json"),),
        subject=subject,
    )
    referrer = images.put_manifest(layout, Manifest.of_image(body))
    layout.attach(subject, referrer.descriptor)
    return referrer


def test_what_refers_to_an_image_goes_along_unless_told_otherwise(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    layout = LayoutStore(tmp_path / "app")
    referrer = refer(layout, "v1")
    subject = layout.resolve("v1").digest

    saved = manyfest("save", "oci:app:v1", "-o", "app.tar")
    assert saved.err.endswith(" written, referrers: 1\n")
    with ArchiveStore(tmp_path / "app.tar") as archive:
        assert [each.digest for each in archive.referrers(subject)] == [referrer.descriptor.digest]

    manyfest("save", "oci:app:v1", "-o", "app.tar", "--no-referrers")
    with ArchiveStore(tmp_path / "app.tar") as archive:
        assert archive.referrers(subject) == ()


def test_what_refers_to_the_whole_index_is_told_of_when_some_platforms_are_saved(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    refer(LayoutStore(tmp_path / "app"), "v1")
    saved = manyfest("save", "oci:app:v1", "-o", "app.tar", "--platform", "arm64")
    assert saved.err.splitlines()[0] == (
        "oci:app:v1: referrers left behind: 1; they are of the whole index"
    )


@pytest.mark.parametrize("name", ["app.tar.gz", "app.tar.zst"])
def test_the_files_name_says_how_it_is_compressed(
    manyfest: Manyfest, digest: str, tmp_path: Path, name: str
) -> None:
    manyfest("save", "oci:app:v1", "-o", name)
    manyfest("save", "oci:app:v1", "-o", "app.tar")
    assert (tmp_path / name).stat().st_size < (tmp_path / "app.tar").stat().st_size / 4
    with ArchiveStore(tmp_path / name) as archive:
        assert str(archive.resolve("v1").digest) == digest


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    assert manyfest("save", "--dry-run", "oci:app:v1", "oci:app:v1", "-o", "app.tar") == (
        0,
        f"would save 11 parts, 11.5 kB, to app.tar\n{digest}\n{digest}\n",
        "",
    )
    assert not (tmp_path / "app.tar").exists()


def test_an_archive_is_not_written_over_while_it_is_read(manyfest: Manyfest, digest: str) -> None:
    manyfest("save", "oci:app:v1", "-o", "app.tar")
    assert manyfest("save", "oci-archive:app.tar:v1", "-o", "app.tar") == (
        2,
        "",
        "manyfest: oci-archive:app.tar: it would be read from and written to at once;"
        " write another file\n",
    )


def test_an_image_that_is_not_there_leaves_the_old_file(manyfest: Manyfest, digest: str) -> None:
    Path("app.tar").write_text("old")
    failed = manyfest("save", "oci:app:v1", "oci:app:v2", "-o", "app.tar")
    assert failed == (1, "", "manyfest: oci:app: 'v2' is not in it; it holds v1\n")
    assert Path("app.tar").read_text() == "old"


def test_without_a_file_the_archive_goes_to_standard_output(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    digest = make_layout(tmp_path / "app", "v1").resolve("v1").digest
    assert run(["save", f"oci:{tmp_path}/app:v1", "--platform", "arm64"]) == 0
    out, err = capfdbinary.readouterr()
    assert names(out) == [[]]
    assert err.startswith(b"standard output: ")
    assert str(digest).encode() not in err  # it is an index of one platform, with its own digest


def test_a_terminal_is_no_place_for_an_archive(
    manyfest: Manyfest, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, terminal = pty.openpty()
    isatty = os.isatty
    monkeypatch.setattr(os, "isatty", lambda fd: isatty(terminal if fd == 1 else fd))
    assert manyfest("save", "oci:app:v1") == (
        2,
        "",
        "manyfest: standard output: an archive is not for a terminal to show;"
        " send it to a file or a program\n",
    )
    assert manyfest("save", "oci:app:v1", "--dry-run").code == 0
    os.close(main)
    os.close(terminal)
