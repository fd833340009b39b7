from __future__ import annotations

import json
import tarfile
from pathlib import Path

import msgspec
import pytest

from manyfest.duration import Duration
from manyfest.errors import CheckFailed, DockerfileError, NotFound, ReleaseError, StoreError
from manyfest.oci.reference import Name, Reference
from manyfest.release.project.building import project_request
from manyfest.release.project.config import Build
from manyfest.release.project.template import Template
from manyfest.release.steps.build import BUILD
from manyfest.release.steps.check import CHECK
from manyfest.release.steps.step import Release
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.layout import LayoutStore
from tests import images
from tests.unit.releases import (
    VERSION,
    Notes,
    make_config,
    make_project,
    make_release,
    parsed,
)


def build_and_check(release: Release) -> str:
    told = BUILD.check(release) or BUILD.run(release)
    CHECK.run(release)
    release.close()
    return told


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_the_builder_is_asked_for(tmp_path: Path) -> None:
    build = Build(
        platforms=parsed("linux/amd64"),
        context="src",
        dockerfile="docker/Dockerfile",
        target="final",
        args={"APP_VERSION": Template("v{{version}}")},
    )
    asked = project_request(make_config(tmp_path, build=build), VERSION)
    assert asked.context == tmp_path / "src"
    assert asked.dockerfile == tmp_path / "docker/Dockerfile"
    assert [str(platform) for platform in asked.platforms] == ["linux/amd64"]
    assert asked.build_args == {"APP_VERSION": "v2.6.1"}
    assert asked.target == "final"
    assert asked.epoch == 1_700_000_000
    assert asked.metadata.facts == {
        "org.opencontainers.image.title": "app",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.version": "2.6.1",
        "org.opencontainers.image.revision": "0123456789abcdef0123456789abcdef01234567",
    }


def test_outside_a_repository_no_revision_is_said(tmp_path: Path) -> None:
    version = msgspec.structs.replace(VERSION, revision="")
    asked = project_request(make_config(tmp_path), version)
    assert "org.opencontainers.image.revision" not in asked.metadata.facts


def test_the_archive_gets_its_name_when_it_is_checked(tmp_path: Path) -> None:
    make_project(tmp_path)
    release = make_release(tmp_path)
    assert BUILD.check(release) == ""
    assert BUILD.run(release) == "2 platforms"
    assert "app-2.6.1.tar" not in files(tmp_path / "dist")
    assert CHECK.run(release) == ("2 platforms: digests, platforms, programs and entrypoints agree")
    assert files(tmp_path / "dist") == [".gitignore", "app-2.6.1.tar"]
    release.close()
    with ArchiveStore(tmp_path / "dist/app-2.6.1.tar") as archive:
        assert list(archive.tags()) == ["2.6.1"]
        assert archive.resolve("2.6.1").digest == release.built.digest


@pytest.mark.parametrize(
    ("publish", "place"),
    [
        ((), "docker.io/library/app"),
        (("ghcr.io/team/app", "docker.io/team/app"), "ghcr.io/team/app"),
    ],
)
def test_docker_loads_the_archive_under_the_name_that_it_is_published_by(
    tmp_path: Path, publish: tuple[str, ...], place: str
) -> None:
    make_project(tmp_path)
    build = Build(platforms=parsed("linux/arm64", "linux/amd64"))
    config = make_config(tmp_path, build=build, publish=tuple(map(Name.parse, publish)))
    release = make_release(tmp_path, config=config, to=("elsewhere.example/app",))
    build_and_check(release)
    with tarfile.open(release.archive) as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        names = [image["RepoTags"] for image in json.load(file)]
    assert names == [
        [f"{place}:2.6.1", f"{place}:2.6.1-arm64"],
        [f"{place}:2.6.1-amd64"],
    ]


def test_an_archive_with_another_name_for_docker_is_written_anew(tmp_path: Path) -> None:
    make_project(tmp_path)
    build_and_check(make_release(tmp_path))
    published = make_config(tmp_path, publish=(Name.parse("ghcr.io/team/app"),))
    assert build_and_check(make_release(tmp_path, config=published)) == "2 platforms"
    with ArchiveStore(tmp_path / "dist/app-2.6.1.tar") as archive:
        archive.resolve("ghcr.io/team/app:2.6.1")


def test_what_is_built_is_kept_out_of_git(tmp_path: Path) -> None:
    make_project(tmp_path)
    build_and_check(make_release(tmp_path))
    assert (tmp_path / "dist/.gitignore").read_text() == "*\n"


def test_a_folder_that_is_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/notes").write_text("mine")
    build_and_check(make_release(tmp_path))
    assert files(tmp_path / "dist") == ["app-2.6.1.tar", "notes"]


def test_the_same_again_writes_nothing(tmp_path: Path) -> None:
    make_project(tmp_path)
    build_and_check(make_release(tmp_path))
    archive = tmp_path / "dist/app-2.6.1.tar"
    before = archive.stat()
    assert build_and_check(make_release(tmp_path)) == (
        f"2 platforms; {archive} holds the same already"
    )
    assert archive.stat().st_ino == before.st_ino


@pytest.mark.parametrize("damaged", [b"", b"not a tar" * 100])
def test_an_archive_that_cannot_be_read_is_written_anew(tmp_path: Path, damaged: bytes) -> None:
    make_project(tmp_path)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/app-2.6.1.tar").write_bytes(damaged)
    assert build_and_check(make_release(tmp_path)) == "2 platforms"
    assert (tmp_path / "dist/app-2.6.1.tar").stat().st_size > 1000


def test_what_a_killed_release_left_behind_is_never_taken(tmp_path: Path) -> None:
    make_project(tmp_path)
    release = make_release(tmp_path)
    build_and_check(release)
    good = release.archive.read_bytes()
    release.candidate.write_bytes(b"half an archive")
    build_and_check(make_release(tmp_path))
    assert release.archive.read_bytes() == good
    assert files(tmp_path / "dist") == [".gitignore", "app-2.6.1.tar"]


def test_a_faulty_image_leaves_no_archive(tmp_path: Path) -> None:
    make_project(tmp_path)
    wrong = tmp_path / "bin/linux/arm64/app"
    wrong.write_bytes((tmp_path / "bin/linux/amd64/app").read_bytes())
    release = make_release(tmp_path)
    BUILD.run(release)
    with pytest.raises(CheckFailed, match=r"^linux/arm64 /app: is built for linux/amd64"):
        CHECK.run(release)
    assert files(tmp_path / "dist") == [".gitignore"]


def test_a_faulty_image_leaves_the_archive_that_was_there(tmp_path: Path) -> None:
    make_project(tmp_path)
    release = make_release(tmp_path)
    build_and_check(release)
    good = release.archive.read_bytes()
    (tmp_path / "bin/linux/arm64/app").unlink()
    (tmp_path / "bin/linux/arm64/other").write_bytes(b"")
    again = make_release(tmp_path)
    BUILD.run(again)
    with pytest.raises(CheckFailed):
        CHECK.run(again)
    assert release.archive.read_bytes() == good
    assert files(tmp_path / "dist") == [".gitignore", "app-2.6.1.tar"]


def test_a_check_that_is_interrupted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    make_project(tmp_path)
    release = make_release(tmp_path)
    BUILD.run(release)
    monkeypatch.setattr("manyfest.release.steps.check.check_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        CHECK.run(release)
    assert files(tmp_path / "dist") == [".gitignore"]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY missing /\n")
    with pytest.raises(DockerfileError, match=r"Dockerfile:2: "):
        BUILD.run(make_release(tmp_path))
    assert files(tmp_path / "dist") == [".gitignore"]


def test_a_file_where_the_archives_folder_would_be(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "dist").write_text("")
    with pytest.raises(ReleaseError, match=r"dist: the archive's folder cannot be used: "):
        BUILD.run(make_release(tmp_path))


def test_warnings_are_told(tmp_path: Path) -> None:
    make_project(tmp_path)
    build = Build(platforms=parsed("linux/amd64"), args={"NOBODY": Template("x")})
    release = make_release(tmp_path, config=make_config(tmp_path, build=build))
    notes = release.progress = Notes()
    build_and_check(release)
    assert notes.said == [
        f"warning: {tmp_path}/Dockerfile: build argument NOBODY has no effect: no ARG declares it"
    ]


def test_an_image_that_was_named_is_taken_as_it_is(tmp_path: Path) -> None:
    make_project(tmp_path)
    release = make_release(tmp_path)
    build_and_check(release)
    taken = make_release(tmp_path)
    taken.taken_from = Reference.parse(f"oci-archive:{release.archive}:2.6.1")
    assert BUILD.check(taken) == (
        f"{release.built.digest} is taken from oci-archive:{tmp_path}/dist/app-2.6.1.tar:2.6.1"
    )
    CHECK.run(taken)
    taken.close()
    assert taken.built.digest == release.built.digest


def test_a_single_image_can_be_released_too(tmp_path: Path) -> None:
    make_project(tmp_path)
    release = make_release(tmp_path)
    build_and_check(release)
    config = make_config(tmp_path, build=Build(platforms=parsed("linux/arm64")))
    single = make_release(tmp_path, config=config)
    arm64 = release.built.graph.root.index.manifests[1].digest
    single.taken_from = Reference.parse(f"oci-archive:{release.archive}@{arm64}")
    BUILD.check(single)
    CHECK.run(single)
    single.close()
    assert single.built.digest == arm64
    assert [image.platform for image in single.checked] == ["linux/arm64"]


@pytest.mark.parametrize(
    ("reference", "error"),
    [("oci:none", NotFound), ("oci-archive:none.tar", NotFound), ("oci-archive:.", StoreError)],
)
def test_an_image_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, error: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    release = make_release(tmp_path)
    release.taken_from = Reference.parse(reference)
    with pytest.raises(error):
        BUILD.check(release)


def test_a_platform_that_a_taken_image_lacks_is_a_fault(tmp_path: Path) -> None:
    layout = LayoutStore(tmp_path / "layout")
    root = images.platforms(layout, ["linux/amd64"])
    layout.tag("v1", images.content_of(root))
    release = make_release(tmp_path)
    release.taken_from = Reference.parse(f"oci:{tmp_path}/layout:v1")
    BUILD.check(release)
    with pytest.raises(CheckFailed) as failed:
        CHECK.run(release)
    assert failed.value.where.startswith(f"oci:{tmp_path}/layout:v1: ")
    assert release.checked == ()


def test_what_runs_programs_is_asked_for_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    build = Build(
        platforms=parsed("linux/amd64"),
        backend="buildah",
        timeout=Duration.parse("1h30m"),
        secrets=("id=token,env=TOKEN",),
    )
    asked = project_request(make_config(tmp_path, build=build), VERSION)
    assert (asked.backend, asked.timeout) == ("buildah", 5400)
    assert [(secret.id, secret.value) for secret in asked.secrets] == [("token", b"secret")]
