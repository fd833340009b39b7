"""Archives that other tools wrote are read, each with the digests that the image had before."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from manyfest.errors import NotFound
from manyfest.graph import read_graph
from manyfest.layers.decompress import decompress
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image
from manyfest.oci.parse import parse_config, parse_manifest
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.base import Source, read_all
from manyfest.stores.layout import LayoutStore
from tests import images, real
from tests.runtimes import Tool, podman_in, running_containerd

pytestmark = pytest.mark.real

CONFIG = "sha256:7b521a9a2116198db4e91afd408d1acbab15bd9a74a2d72dc0b90cf55c73db69"
"""What Docker and Podman know the image ``one`` by."""

MADE = "sha256:a891ccb0dbf6990486fa7b758b85c564f16dc10dd1ab4fd8a8953008dd69e69b"
"""The manifest that is made for it from an archive that has none, whoever wrote that."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with an index, ``index``, and two images, ``one`` and ``two``, of one platform."""
    path = tmp_path_factory.mktemp("images") / "layout"
    with LayoutStore(path) as store:
        images.make(store, "index", "index")
        images.make(store, "image", "one")
        store.tag("two", images.content_of(images.image(store, text="two")))
    return path


@pytest.fixture(scope="module")
def skopeo() -> Tool:
    """Runs skopeo, which needs no policy."""
    real.need_programs("skopeo")

    def run(*words: str) -> str:
        return real.output_of("skopeo", "--insecure-policy", *words)

    return run


@pytest.fixture(scope="module")
def saved(skopeo: Tool, layout: Path) -> dict[str, Path]:
    """Archives to load the images ``team/one:v1`` and ``team/two:v1`` from."""
    archives = {name: layout.parent / f"{name}.tar" for name in ("one", "two")}
    for name, path in archives.items():
        skopeo("copy", f"oci:{layout}:{name}", f"docker-archive:{path}:team/{name}:v1")
    return archives


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory, saved: dict[str, Path]) -> Tool:
    """Podman with the images ``one``, under two names, and ``two``, and nobody else's."""
    run = podman_in(tmp_path_factory.mktemp("p"))  # short, since podman takes no long path
    for archive in saved.values():
        run("load", "--quiet", "--input", str(archive))
    run("tag", "docker.io/team/one:v1", "localhost/one:latest")
    return run


@pytest.fixture
def docker_images(docker: list[str], saved: dict[str, Path]) -> Iterator[Tool]:
    """Docker with the same images under the same names."""

    def run(*words: str) -> str:
        return real.output_of(*docker, *words)

    names = ["team/one:v1", "team/two:v1", "localhost/one:latest"]
    for archive in saved.values():
        run("load", "--quiet", "--input", str(archive))
    run("tag", names[0], names[2])
    yield run
    run("rmi", *names)


@dataclass(frozen=True)
class Found:
    """What a name means in an archive, all of it read and verified."""

    root: str
    configs: tuple[str, ...]
    platforms: tuple[str, ...]


def found_in(source: Source, name: str) -> Found:
    graph = read_graph(source, source.resolve(name))
    bodies = [each.body for each in graph.manifests]
    seen = [_checked(source, body) for body in bodies if isinstance(body, Image)]
    return Found(
        str(graph.root.descriptor.digest),
        tuple(config for config, _ in seen),
        tuple(platform for _, platform in seen),
    )


def _checked(source: Source, image: Image) -> tuple[str, str]:
    """An image's configuration and platform, when its layers are found to be those it names."""
    config = parse_config(read_all(source, image.config))
    layers = (read_all(source, layer) for layer in image.layers)
    assert tuple(map(_diff_id, layers)) == config.rootfs.diff_ids
    return str(image.config.digest), f"{config.os}/{config.architecture}"


def _diff_id(layer: bytes) -> Digest:
    reader = decompress(io.BytesIO(layer))
    return Digest.of(b"".join(iter(lambda: reader.read(100_000), b"")))


ONE = Found(MADE, (CONFIG,), ("linux/amd64",))


def test_skopeos_docker_archive(skopeo: Tool, layout: Path, tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    skopeo("copy", "--additional-tag=app:latest", f"oci:{layout}:one",
           f"docker-archive:{path}:team/one:v1")  # fmt: skip
    with ArchiveStore(path) as store:
        assert list(store.tags()) == ["team/one:v1", "app:latest"]
        for name in ("", "team/one:v1", "app", "@0", CONFIG):
            assert found_in(store, name) == ONE


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_skopeos_oci_archive(
    skopeo: Tool, layout: Path, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "app.tar"
    skopeo("copy", "--all", f"oci:{layout}:index", f"oci-archive:{path}:v1")
    raw = real.output_of("skopeo", "inspect", "--raw", f"oci-archive:{path}:v1")
    path.write_bytes(pack(path.read_bytes()))
    with ArchiveStore(path) as store:
        assert list(store.tags()) == ["v1"]
        for name in ("", "v1"):
            found = found_in(store, name)
            assert found.root == str(Digest.of(raw.encode()))
            assert found.platforms == ("linux/amd64", "linux/arm64", "linux/arm")


def test_podmans_docker_archive(podman: Tool, tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    podman("save", "--quiet", "--format=docker-archive", f"--output={path}", "team/one:v1")
    with ArchiveStore(path) as store:
        assert list(store.tags()) == ["team/one:v1"]
        assert found_in(store, "") == ONE


def test_podmans_archive_of_several_images(podman: Tool, tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    names = ["docker.io/team/one:v1", "localhost/one:latest", "docker.io/team/two:v1"]
    podman("save", "--quiet", "--multi-image-archive", f"--output={path}", *names)
    with ArchiveStore(path) as store:
        assert set(store.tags()) == {"team/one:v1", "localhost/one:latest", "team/two:v1"}
        assert found_in(store, "team/one:v1") == ONE
        assert found_in(store, "localhost/one") == ONE
        assert found_in(store, "team/two:v1") == found_in(store, "@1") != ONE
        with pytest.raises(NotFound, match="it holds 2 images; name one of "):
            store.resolve("")


def test_podmans_oci_archive(podman: Tool, tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    podman("save", "--quiet", "--format=oci-archive", f"--output={path}", "team/one:v1")
    with ArchiveStore(path) as store:
        assert list(store.tags()) == ["v1"]
        for name in ("", "v1", "team/one:v1", "docker.io/team/one:v1", CONFIG):
            assert found_in(store, name).configs == (CONFIG,)


def test_docker_saves_archive(docker_images: Tool, tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    names = ["team/one:v1", "localhost/one:latest", "team/two:v1"]
    docker_images("save", f"--output={path}", *names)
    with ArchiveStore(path) as store:
        assert set(store.tags()) == set(names)
        assert found_in(store, "team/one:v1") == found_in(store, "localhost/one") == ONE
        assert found_in(store, "team/two:v1").configs != ONE.configs


def test_docker_saves_archive_without_names(docker_images: Tool, tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    docker_images("save", f"--output={path}", CONFIG)
    with ArchiveStore(path) as store:
        assert list(store.tags()) == []
        assert found_in(store, "") == found_in(store, CONFIG) == ONE


@pytest.mark.parametrize("packer", ["cat", "gzip", "zstd", "bzip2", "xz"])
def test_docker_save_into_a_pipe(docker: list[str], docker_images: Tool, packer: str) -> None:
    real.need_programs(packer)
    with (
        subprocess.Popen([*docker, "save", "team/one:v1"], stdout=subprocess.PIPE) as saving,
        subprocess.Popen([packer], stdin=saving.stdout, stdout=subprocess.PIPE) as packing,
    ):
        assert packing.stdout is not None
        label, descriptor = "docker-archive:-", packing.stdout.fileno()
        with ArchiveStore.standard_input(label=label, descriptor=descriptor) as store:
            assert found_in(store, "team/one:v1") == ONE


def test_cranes_archive(docker_registry: str, skopeo: Tool, layout: Path, tmp_path: Path) -> None:
    crane = real.peer("crane")
    path, name = tmp_path / "app.tar", f"{docker_registry}/team/one:v1"
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:one", f"docker://{name}")
    pushed = json.loads(real.output_of("skopeo", "inspect", "--raw", "--tls-verify=false",
                                       f"docker://{name}"))  # fmt: skip
    real.output_of(crane, "pull", "--insecure", name, path)
    with ArchiveStore(path) as store:
        assert list(store.tags()) == [name]
        assert found_in(store, "").configs == (CONFIG,)
        image = parse_manifest(read_all(store, store.resolve(name))).image
        # Its layers are compressed, and stay as they came from the registry.
        assert [str(each.digest) for each in image.layers] == [
            each["digest"] for each in pushed["layers"]
        ]


def test_containerds_archive(skopeo: Tool, layout: Path, tmp_path: Path) -> None:
    oci, path = tmp_path / "oci.tar", tmp_path / "app.tar"
    skopeo("copy", "--all", f"oci:{layout}:index", f"oci-archive:{oci}:v1")
    with running_containerd(tmp_path) as ctr:
        ctr("images", "import", "--no-unpack", "--all-platforms", "--base-name=team/app", str(oci))
        ctr("images", "export", "--all-platforms", str(path), "team/app:v1")
    with ArchiveStore(oci) as before, ArchiveStore(path) as store:
        assert list(store.tags()) == ["v1"]
        for name in ("", "v1", "team/app:v1"):
            assert found_in(store, name) == found_in(before, "v1")
        # Its manifest.json, for Docker, has one platform.
        assert found_in(store, "@0").configs == (CONFIG,)


@pytest.mark.parametrize("form", ["gnu", "pax", "ustar"])
def test_a_layout_that_tar_packed(layout: Path, tmp_path: Path, form: str) -> None:
    path = tmp_path / "app.tar.gz"
    real.output_of("tar", f"--format={form}", "-czf", path, "-C", layout, ".")
    with LayoutStore(layout) as before, ArchiveStore(path) as store:
        for name in ("index", "one", "two"):
            assert found_in(store, name) == found_in(before, name)
