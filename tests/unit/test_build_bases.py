from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import BuildError, InvalidManifest
from manyfest.oci import json
from manyfest.oci.config import History, ImageConfig, RootFS
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.mediatypes import (
    DOCKER_CONFIG,
    DOCKER_FOREIGN_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_MANIFEST,
)
from manyfest.oci.platform import Platform
from manyfest.stores.base import Content
from manyfest.stores.memory import MemoryStore
from tests.unit.building import (
    Bench,
    Sealed,
    bench_with_base,
    image_files,
    layer_files,
    seal_layers,
    stored,
    write,
)

LAYER = Digest("sha256", "1" * 64)
FOREIGN = Digest("sha256", "2" * 64)


def put(store: MemoryStore, raw: bytes, media_type: str) -> Descriptor:
    descriptor = Descriptor.of(raw, media_type)
    store.put(Content(descriptor, lambda: io.BytesIO(raw)))
    return descriptor


def docker_image(store: MemoryStore, platform: str, *, diff_ids: int = 2) -> Descriptor:
    """An image of Docker's own media types whose two layers are nowhere."""
    its = Platform.parse(platform)
    config = ImageConfig(
        architecture=its.architecture,
        os=its.os,
        rootfs=RootFS(diff_ids=(LAYER,) * diff_ids),
    )
    image = Image(
        schema_version=2,
        media_type=DOCKER_MANIFEST,
        config=put(store, json.dumps(config), DOCKER_CONFIG),
        layers=(
            Descriptor(media_type=DOCKER_LAYER_GZIP, digest=LAYER, size=10),
            Descriptor(
                media_type=DOCKER_FOREIGN_LAYER, digest=FOREIGN, size=20, urls=("https://e.org",)
            ),
        ),
    )
    return put(store, json.dumps(image), DOCKER_MANIFEST)


def docker_base(tmp_path: Path, *platforms: str) -> Bench:
    store = MemoryStore()
    entries = []
    for platform in platforms:
        entry = docker_image(store, platform)
        entries.append(
            Descriptor(
                media_type=entry.media_type,
                digest=entry.digest,
                size=entry.size,
                platform=Platform.parse(platform),
            )
        )
    index = Index(schema_version=2, media_type=DOCKER_LIST, manifests=tuple(entries))
    store.names["1"] = put(store, json.dumps(index), DOCKER_LIST)
    bench = Bench(tmp_path)
    bench.bases["docker.io/library/base:1"] = store
    return bench


def test_docker_s_media_types_become_oci_s(tmp_path: Path) -> None:
    bench = docker_base(tmp_path, "linux/amd64")
    (built,) = bench.build("FROM base:1\nUSER 1\n").platforms

    assert [(layer.media_type, layer.digest, layer.size, layer.urls)
            for layer in built.manifest.image.layers] == [
        ("application/vnd.oci.image.layer.v1.tar+gzip", LAYER, 10, ()),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", FOREIGN, 20,
         ("https://e.org",)),
    ]  # fmt: skip
    assert built.config.rootfs.diff_ids == (LAYER, LAYER)


@pytest.mark.parametrize(
    ("has", "asked", "architecture"),
    [
        (["linux/amd64", "linux/arm64"], "linux/arm64/v8", "arm64"),
        (["linux/arm/v5", "linux/arm/v6"], "linux/arm/v7", "arm"),
        (["linux/amd64"], "linux/amd64/v3", "amd64"),
    ],
)
def test_an_older_variant_is_taken_where_there_is_no_other(
    tmp_path: Path, has: list[str], asked: str, architecture: str
) -> None:
    config = docker_base(tmp_path, *has).config("FROM base:1\n", asked)

    assert config.architecture == architecture
    assert config.platform == Platform.parse(asked)


@pytest.mark.parametrize(
    ("has", "asked"),
    [
        (["linux/amd64", "linux/arm/v7"], "linux/arm64"),
        (["linux/arm/v7"], "linux/arm/v6"),
        (["linux/386"], "linux/amd64"),
        (["windows/amd64"], "linux/amd64"),
    ],
)
def test_a_platform_that_the_base_has_not(tmp_path: Path, has: list[str], asked: str) -> None:
    bench = docker_base(tmp_path, *has)

    with pytest.raises(BuildError) as caught:
        bench.build("FROM base:1\n", asked)
    assert str(caught.value) == (
        f"{bench.context}/Dockerfile:1: FROM: base:1 has no image for {asked}; it has"
        f" {', '.join(has)}"
    )


def test_an_image_alone_must_be_for_the_platform(tmp_path: Path) -> None:
    store = MemoryStore()
    store.names["1"] = docker_image(store, "linux/amd64")
    bench = Bench(tmp_path, {"docker.io/library/base:1": store})

    assert bench.config("FROM base:1\n").architecture == "amd64"
    with pytest.raises(BuildError, match="base:1 has no image for linux/arm64; it has linux/amd64"):
        bench.build("FROM base:1\n", "linux/arm64")


def test_a_base_whose_configuration_contradicts_its_manifest(tmp_path: Path) -> None:
    store = MemoryStore()
    store.names["1"] = docker_image(store, "linux/amd64", diff_ids=1)
    bench = Bench(tmp_path, {"docker.io/library/base:1": store})

    with pytest.raises(InvalidManifest, match="its configuration has 1 layers, its manifest 2"):
        bench.build("FROM base:1\n")


def test_a_base_that_is_no_reference(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"FROM: cannot start from 'Base': .*has capital letters"):
        Bench(tmp_path).build("FROM Base\n")


def test_a_base_that_is_not_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"docker.io/library/base:1": MemoryStore("docker.io/library/base")})

    with pytest.raises(BuildError) as caught:
        bench.build("FROM base:1\n")
    assert str(caught.value) == (
        f"{bench.context}/Dockerfile:1: FROM: docker.io/library/base: '1' is not in it"
    )


def test_a_base_by_digest(tmp_path: Path) -> None:
    store = MemoryStore()
    digest = docker_image(store, "linux/amd64").digest
    bench = Bench(tmp_path, {f"docker.io/library/base@{digest}": store})

    assert bench.config(f"FROM base@{digest}\n").rootfs.diff_ids == (LAYER, LAYER)


def test_a_tag_is_resolved_once(tmp_path: Path) -> None:
    asked: list[str] = []

    class Noting(MemoryStore):
        def resolve(self, name: str) -> Descriptor:
            asked.append(name)
            return super().resolve(name)

    store = Noting()
    entry = docker_image(store, "linux/amd64")
    other = docker_image(store, "linux/arm64")
    index = Manifest.of_index(
        Index(
            schema_version=2,
            manifests=tuple(
                Descriptor(media_type=each.media_type, digest=each.digest, size=each.size,
                           platform=Platform.parse(platform))
                for each, platform in ((entry, "linux/amd64"), (other, "linux/arm64"))
            ),
        )
    )  # fmt: skip
    store.names["latest"] = put(store, index.raw, index.descriptor.media_type)
    bench = Bench(tmp_path, {"docker.io/library/base": store})
    bench.build("FROM base AS a\nUSER 1\nFROM base\n", "linux/amd64", "linux/arm64")

    assert asked == ["latest"]


def sealed_base(tmp_path: Path, dockerfile: str, files: dict[str, str | bytes]) -> Bench:
    base = Bench(tmp_path / "base")
    write(base.context, files)
    built = base.build(dockerfile, "linux/amd64")
    store: Sealed = stored(built, "1")
    seal_layers(store, built)
    bench = Bench(tmp_path / "app", {"docker.io/library/base:1": store})
    write(bench.context, {"app": "bin", "conf/a": "a"})
    return bench


USUAL = (
    "COPY app /usr/local/bin/app\n"
    "COPY app /usr/local/bin\n"
    "COPY --chown=1000:1000 conf /opt/app/\n"
    "WORKDIR /app\n"
    "COPY conf .\n"
    "COPY app /tmp/\n"
    "USER 1000\n"
    "WORKDIR data\n"
)


def test_the_layers_of_a_base_are_not_read_for_usual_places(tmp_path: Path) -> None:
    bench = sealed_base(tmp_path, "FROM scratch\nCOPY x /usr/x\n", {"x": "x"})
    built = bench.build(f"FROM base:1\n{USUAL}")

    assert layer_files(built, 1) == [
        "usr/ 755",
        "usr/local/ 755",
        "usr/local/bin/ 755",
        "usr/local/bin/app 644 =bin",
    ]
    assert layer_files(built, 2) == layer_files(built, 1)
    assert layer_files(built, 3) == [
        "opt/ 755",
        "opt/app/ 755 1000:1000",
        "opt/app/a 644 1000:1000 =a",
    ]
    assert layer_files(built, 6) == ["tmp/ 1777", "tmp/app 644 =bin"]
    assert layer_files(built, 7) == ["app/ 755", "app/data/ 755 1000:1000"]


@pytest.mark.parametrize(
    ("base", "instruction"),
    [
        ("", "COPY app /bin/app"),
        ("", "COPY app /home/me/app"),
        ("", "COPY --chown=me app /x"),
        ("WORKDIR /srv/it", "COPY app /srv/it/"),
        ("ENV DATA=/data", "COPY app /data"),
        ("VOLUME /var/lib/db", "COPY app /var/lib/db/x"),
        ('ENTRYPOINT ["/opt/it/run"]', "WORKDIR /opt/it"),
    ],
)
def test_they_are_read_for_places_of_which_the_base_speaks(
    tmp_path: Path, base: str, instruction: str
) -> None:
    bench = sealed_base(tmp_path, f"FROM scratch\nCOPY x /usr/x\n{base}\n", {"x": "x"})

    with pytest.raises(AssertionError, match="a layer of the base was opened"):
        bench.build(f"FROM base:1\n{instruction}\n")


@pytest.mark.parametrize("step", ["COPY x /", "COPY x /opt/", "ADD x /opt"])
def test_they_are_read_for_places_into_which_the_base_copied_something(
    tmp_path: Path, step: str
) -> None:
    bench = sealed_base(tmp_path, f"FROM scratch\nCOPY x /usr/x\n{step}\n", {"x": "x"})

    with pytest.raises(AssertionError, match="a layer of the base was opened"):
        bench.build("FROM base:1\nCOPY app /opt/app\n")


@pytest.mark.parametrize(
    "instruction",
    [
        "COPY conf /etc/app/",
        "COPY app /var/lib/app/",
        "WORKDIR /usr/share/app/html",
        "COPY app /usr/bin/app",
        "COPY app /root/app",
    ],
)
def test_they_are_read_for_places_where_packages_put_things(
    tmp_path: Path, instruction: str
) -> None:
    bench = sealed_base(tmp_path, "FROM scratch\nCOPY x /usr/x\n", {"x": "x"})

    with pytest.raises(AssertionError, match="a layer of the base was opened"):
        bench.build(f"FROM base:1\n{instruction}\n")


def test_a_base_that_does_not_tell_how_it_was_made_is_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"docker.io/library/base:1": base_with_link(tmp_path / "base", ".")})
    write(bench.context, {"app": "bin"})

    files = bench.files("FROM base:1\nCOPY app /link/app\n")

    assert files == ["link -> real", "real/ 700", "real/app 644 =bin"]


@pytest.mark.parametrize(
    "steps",
    [
        ["RUN apt-get install -y browser # buildkit"],
        ["/bin/sh -c #(nop) ADD file:0 in / ", "/bin/sh -c apt-get install -y browser"],
    ],
)
def test_a_base_for_which_a_program_ran_is_read_for_opt(tmp_path: Path, steps: list[str]) -> None:
    base = base_with_link(tmp_path / "base", "opt", *steps)
    bench = Bench(tmp_path, {"docker.io/library/base:1": base})
    write(bench.context, {"app": "bin"})

    files = bench.files("FROM base:1\nCOPY app /opt/link/app\n")

    assert files == ["opt/ 755", "opt/link -> real", "opt/real/ 700", "opt/real/app 644 =bin"]


def base_with_link(folder: Path, place: str, *steps: str) -> MemoryStore:
    """A base in which ``link`` leads to ``real`` in the directory ``place``, with a layer for each
    of the ``steps`` that its history tells of, or one."""
    made = Bench(folder)
    real = made.context / "root" / place / "real"
    real.mkdir(parents=True)
    real.chmod(0o700)
    real.with_name("link").symlink_to("real")
    copies = "COPY root /\n" * max(1, len(steps))
    built = made.build(f"FROM scratch\n{copies}", "linux/amd64")
    store = stored(built, "1")
    (platform,) = built.platforms
    history = tuple(History(created_by=step) for step in steps)
    config = msgspec.structs.replace(platform.config, history=history)
    image = msgspec.structs.replace(
        platform.manifest.image, config=put(store, json.dumps(config), OCI_CONFIG)
    )
    store.names["1"] = put(store, json.dumps(image), OCI_MANIFEST)
    return store


def test_what_a_stage_has_from_its_base_can_be_copied_from_it(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"x/ssl/certs/ca": "trusted", "x/bin/run": "it"}
    bench = bench_with_base(tmp_path, "FROM scratch\nCOPY x/ /etc/\nCOPY x/bin /usr/bin\n", files)
    write(bench.context, {"own": "mine"})
    dockerfile = (
        "FROM base:1 AS first\nCOPY own /etc/ssl/\nFROM first AS second\nFROM scratch\n"
        "COPY --from=second /etc/ssl/certs/ca /one/\n"
        "COPY --from=second /etc/ssl /all\n"
        "COPY --from=second /usr/bin/r* /some/\n"
    )
    assert bench.files(dockerfile) == [
        "all/ 755",
        "all/certs/ 755",
        "all/certs/ca 644 =trusted",
        "all/own 644 =mine",
        "one/ 755",
        "one/ca 644 =trusted",
        "some/ 755",
        "some/run 644 =it",
    ]


def test_what_a_stage_has_made_is_copied_without_a_look_at_its_base(tmp_path: Path) -> None:
    bench = sealed_base(tmp_path, "FROM scratch\nCOPY x /usr/x\n", {"x": "x"})
    built = bench.build(
        "FROM base:1 AS first\nCOPY app /usr/local/bin/\nWORKDIR /work\nCOPY app .\n"
        "FROM scratch\nCOPY --from=first /usr/local/bin/app /work/app /\n"
    )
    assert layer_files(built) == ["app 644 =bin"]


def test_a_linked_copy_needs_no_look_at_the_base(tmp_path: Path) -> None:
    bench = sealed_base(tmp_path, "FROM scratch\nCOPY x /usr/x\n", {"x": "x"})

    assert layer_files(bench.build("FROM base:1\nCOPY --link app /bin/app\n")) == [
        "bin/ 755",
        "bin/app 644 =bin",
    ]


def test_the_base_s_layers_come_first_and_can_be_read_from_what_was_built(tmp_path: Path) -> None:
    base = Bench(tmp_path / "base")
    write(base.context, {"x": "x"})
    base_built = base.build("FROM scratch\nCOPY x /x\n", "linux/amd64")
    bench = Bench(tmp_path / "app", {"docker.io/library/base:1": stored(base_built, "1")})
    write(bench.context, {"y": "y"})
    built = bench.build("FROM base:1\nCOPY y /y\n")

    assert image_files(built) == ["x 644 =x", "y 644 =y"]
    base_layer = base_built.platforms[0].manifest.image.layers[0]
    assert built.platforms[0].manifest.image.layers[0] == base_layer
    assert base_layer in built.graph.blobs
