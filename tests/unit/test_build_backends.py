"""What a builder gives becomes an image like those that are built natively."""

from __future__ import annotations

import io
import platform as this
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.build.backends import choose
from manyfest.build.backends.backend import Given, Job
from manyfest.build.backends.running import Runner
from manyfest.build.builder import plan
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.build.metadata import Metadata
from manyfest.build.request import BuildRequest
from manyfest.build.secrets import BuildSecret
from manyfest.errors import AccessDenied, BuildError, ConnectionFailed, NeedsBuilder
from manyfest.layers.compression import Compression
from manyfest.layers.entry import Entry
from manyfest.layers.write import TarWriter
from manyfest.oci import json
from manyfest.oci.config import History, ImageConfig, RootFS, RunConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.unit.building import EPOCH, Bench, bench_with_base, layer_entries, layer_files, write

BASE = "FROM scratch\nCOPY a /a\n"
DOCKERFILE = "FROM base:1\nRUN make\n"
COPIED = "/bin/sh -c #(nop) COPY file:" + "0" * 64 + " in /f "


def tar(*entries: Entry) -> bytes:
    sink = io.BytesIO()
    writer = TarWriter(sink)
    for entry in entries:
        writer.add(entry, b"x" * entry.size)
    writer.close()
    return sink.getvalue()


@dataclass
class Maker:
    """A builder that gives the base with ``layer`` upon it, for the platform asked for, or ``as_
    platform``. It keeps what it was given."""

    name = "maker"
    layer: bytes = field(default_factory=lambda: tar(Entry(name="made", size=1)))
    as_platform: str = ""
    wrapped: bool = False
    below: tuple[Digest, ...] | None = None
    jobs: list[Job] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)

    def __hash__(self) -> int:
        return id(self)

    def reads(self, dockerfile: Dockerfile) -> bool:
        return "<<" not in dockerfile.text

    def require(self, platforms: Sequence[Platform]) -> None:
        self.required = [str(platform) for platform in platforms]

    @contextmanager
    def build(self, job: Job, runner: Runner) -> Iterator[Given]:
        runner.run(["sh", "-c", "echo built"])
        self.jobs.append(job)
        for path in (job.dockerfile, job.ignore, *(path for _, path in job.secrets)):
            self.files[path.name] = path.read_text()
        store = MemoryStore("the builder")
        yield Given(store, self._image(job, store))

    def _image(self, job: Job, store: MemoryStore) -> Descriptor:
        base = job.images[0].config if job.images else None
        below = base.rootfs.diff_ids if base else ()
        if self.below is not None:
            below = self.below
        platform = Platform.parse(self.as_platform) if self.as_platform else job.platform
        layers = [images.put(store, tar(Entry(name=str(each)))) for each in below]
        made = images.put(store, self.layer)
        steps = (
            History(created="2030-01-01T00:00:00Z", created_by=COPIED, empty_layer=True),
            History(created="2030-01-01T00:00:00Z", created_by="RUN make"),
        )
        config = ImageConfig(
            created="2030-01-01T00:00:00Z",
            architecture=platform.architecture,
            os=platform.os,
            config=RunConfig(cmd=("/made",), labels={"made": "yes"}),
            rootfs=RootFS(diff_ids=(*below, made.digest)),
            history=(*(base.history if base else ()), *steps),
        )
        image = Image(
            schema_version=2,
            media_type=images.OCI_MANIFEST,
            config=images.put(store, json.dumps(config), images.OCI_CONFIG),
            layers=(*layers, made),
            annotations={"builder": "was here"},
        )
        manifest = images.put_manifest(store, Manifest.of_image(image)).descriptor
        if not self.wrapped:
            return manifest
        entry = Descriptor(
            media_type=manifest.media_type,
            digest=manifest.digest,
            size=manifest.size,
            platform=platform,
        )
        index = Index(schema_version=2, media_type=images.OCI_INDEX, manifests=(entry,))
        return images.put_manifest(store, Manifest.of_index(index)).descriptor


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Maker:
    """The only builder that is here."""
    maker = Maker()
    monkeypatch.setattr(choose, "_FINDERS", {"buildah": lambda _environ: maker})
    return maker


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return bench_with_base(tmp_path, BASE, {"a": "a"})


def request(bench: Bench, dockerfile: str = DOCKERFILE, *platforms: str) -> BuildRequest:
    return bench.request(dockerfile, *(platforms or ("linux/amd64",)), args={})


def base_layers(bench: Bench) -> tuple[Descriptor, ...]:
    return bench.build("FROM base:1\n").platforms[0].manifest.image.layers


def failure(bench: Bench, asked: BuildRequest) -> str:
    with pytest.raises(BuildError) as caught:
        bench.run(asked)
    return str(caught.value)


def test_layers_of_the_base_are_the_registry_s_own(bench: Bench, maker: Maker) -> None:
    built = bench.run(request(bench))
    assert built.platforms[0].manifest.image.layers[:-1] == base_layers(bench)
    assert layer_files(built) == ["made 644 =x"]


def test_what_is_upon_it_has_the_build_s_time_and_no_names(bench: Bench, maker: Maker) -> None:
    maker.layer = tar(
        Entry(name="late", mtime=EPOCH + 9, nanoseconds=5, uname="them", gname="theirs", uid=7),
        Entry(name="early", mtime=1, nanoseconds=5),
    )
    built = bench.run(request(bench))
    layer = built.platforms[0].manifest.image.layers[-1]
    assert [entry for entry, _ in layer_entries(built.source, layer)] == [
        Entry(name="late", mtime=EPOCH, uid=7),
        Entry(name="early", mtime=1, nanoseconds=5),
    ]


def test_it_is_compressed_as_asked_for(bench: Bench, maker: Maker) -> None:
    built = bench.run(replace(request(bench), compression=Compression.ZSTD))
    assert [layer.media_type for layer in built.platforms[0].manifest.image.layers] == [
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
    ]


def test_configuration_labels_and_annotations_are_ours(bench: Bench, maker: Maker) -> None:
    metadata = Metadata(labels={"l": "1"}, annotations={"a": "2"})
    asked = replace(request(bench, DOCKERFILE, "linux/arm64"), metadata=metadata)
    image = bench.run(asked).platforms[0]
    assert image.config.created == "2023-11-14T22:13:20Z"
    assert image.config.config.labels == {"l": "1", "made": "yes"}
    assert image.config.config.cmd == ("/made",)
    assert image.manifest.image.annotations["a"] == "2"
    assert "builder" not in image.manifest.image.annotations


def test_the_variant_is_told_although_the_builder_leaves_it_out(
    tmp_path: Path, maker: Maker
) -> None:
    bench = Bench(tmp_path)
    built = bench.run(request(bench, "FROM scratch\nRUN x\n", "linux/arm/v6"))
    assert str(built.platforms[0].config.platform) == "linux/arm/v6"
    assert str(built.graph.root.index.manifests[0].platform) == "linux/arm/v6"


def test_the_history_goes_on_at_the_build_s_time(bench: Bench, maker: Maker) -> None:
    history = bench.run(request(bench)).platforms[0].config.history
    assert [(step.created, step.created_by) for step in history] == [
        ("2023-11-14T22:13:20Z", "COPY a /a # buildkit"),
        ("2023-11-14T22:13:20Z", "/bin/sh -c #(nop) COPY file in /f "),
        ("2023-11-14T22:13:20Z", "RUN make"),
    ]


def test_an_index_around_the_image_is_looked_into(bench: Bench, maker: Maker) -> None:
    plain = bench.run(request(bench))
    maker.wrapped = True
    assert bench.run(request(bench)).graph.root.descriptor == plain.graph.root.descriptor


def test_an_image_for_another_processor_is_refused(bench: Bench, maker: Maker) -> None:
    maker.as_platform = "linux/s390x"
    assert failure(bench, request(bench)) == (
        "the builder was asked for linux/amd64, and gave an image for linux/s390x"
    )


def test_a_base_that_was_changed_meanwhile_is_refused(bench: Bench, maker: Maker) -> None:
    maker.below = (Digest.parse(f"sha256:{'1' * 64}"),)
    assert failure(bench, request(bench)) == (
        "base:1 for linux/amd64 is not what the builder started from;"
        " it was changed meanwhile; build once more"
    )


def test_a_base_that_only_the_builder_has(tmp_path: Path, maker: Maker) -> None:
    class Private(Bench):
        def open(self, name: object) -> MemoryStore:
            raise AccessDenied(f"{name} is for others", status=401)

    bench = Private(tmp_path)
    built = bench.run(request(bench, "FROM mine:1\nRUN make\n"))
    assert layer_files(built) == ["made 644 =x"]
    assert [job.has_others for job in maker.jobs] == [True]


def test_a_registry_that_does_not_tell_is_named_with_the_line(tmp_path: Path, maker: Maker) -> None:
    class Away(Bench):
        def open(self, name: object) -> MemoryStore:
            raise ConnectionFailed("no such host", where="far.example")

    bench = Away(tmp_path)
    assert failure(bench, request(bench, "FROM far.example/mine:1\nRUN make\n")) == (
        f"{bench.context}/Dockerfile:1: FROM: far.example: no such host"
    )
    assert maker.jobs == []


def test_images_that_onbuild_in_a_stage_copies_from_are_told_too(
    bench: Bench, maker: Maker
) -> None:
    stages = "FROM scratch AS first\nONBUILD COPY --from=base:1 /a /b\nFROM first\nRUN make\n"
    bench.run(request(bench, stages))
    assert [image.name for image in maker.jobs[0].images] == ["base:1"]


def test_only_platforms_that_run_programs_go_to_a_builder(bench: Bench, maker: Maker) -> None:
    dockerfile = (
        "FROM base:1 AS for-amd64\nRUN make\nFROM base:1 AS for-arm64\nCOPY b /b\n"
        "FROM for-$TARGETARCH\n"
    )
    write(bench.context, {"b": "b"})
    built = bench.run(request(bench, dockerfile, "linux/arm64", "linux/amd64"))
    assert maker.required == ["linux/amd64"]
    assert [str(each.platform) for each in built.platforms] == ["linux/arm64", "linux/amd64"]
    assert (layer_files(built, number=0), layer_files(built, number=1)) == (
        ["b 644 =b"],
        ["made 644 =x"],
    )


def test_a_stage_for_the_machine_that_builds_needs_no_emulator(
    bench: Bench, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(this, "machine", lambda: "x86_64")
    dockerfile = "FROM --platform=$BUILDPLATFORM base:1 AS build\nRUN make\nFROM base:1\n"
    dockerfile += "COPY --from=build /made /made\n"
    bench.run(request(bench, dockerfile, "linux/arm64", "linux/amd64"))
    assert maker.required == ["linux/amd64"]


def test_a_plan_says_who_builds_what(bench: Bench, maker: Maker) -> None:
    dockerfile = (
        "FROM scratch AS for-amd64\nRUN make\nFROM scratch AS for-arm64\nFROM for-$TARGETARCH\n"
    )
    assert str(plan(request(bench, dockerfile, "linux/arm64", "linux/amd64"))) == (
        "linux/arm64 by native\n"
        "  stage for-arm64 from scratch\n"
        "  stage 2 from stage for-arm64\n"
        "linux/amd64 by maker\n"
        "  stage for-amd64 from scratch\n"
        "    RUN make\n"
        "  stage 2 from stage for-amd64"
    )


def test_a_run_that_a_base_image_brings_along_goes_to_a_builder(
    tmp_path: Path, maker: Maker
) -> None:
    bench = bench_with_base(tmp_path, f"{BASE}ONBUILD RUN make\n", {"a": "a"})
    asked = request(bench, "FROM base:1\n")
    assert layer_files(bench.run(asked)) == ["made 644 =x"]
    with pytest.raises(NeedsBuilder, match="RUN: running programs needs a real builder"):
        bench.run(replace(asked, backend="native"))


def test_a_builder_reads_what_was_planned(bench: Bench, maker: Maker) -> None:
    write(bench.context, {".dockerignore": "x\n"})
    secret = BuildSecret(id="token", value=b"hush")
    bench.run(replace(request(bench), text=DOCKERFILE, secrets=(secret,)))
    assert maker.files == {
        "Dockerfile": DOCKERFILE,
        "Dockerfile.dockerignore": "x\n\n**/.manyfest-build-*\n",
        "secret-0": "hush",
    }
    assert [path for path in bench.folder.rglob("*") if path.name in maker.files] == [
        bench.context / "Dockerfile"
    ]


def test_without_a_builder_it_is_said_what_to_install(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "_FINDERS", {"buildah": lambda _environ: None})
    place = f"{bench.context}/Dockerfile:2"
    assert failure(bench, request(bench)) == (
        f"{place}: RUN needs a builder that runs programs, and there is none;"
        " install buildah, or docker with buildx, or buildctl and set BUILDKIT_HOST"
    )
    assert failure(bench, replace(request(bench), backend="buildah")) == (
        f"{place}: the back end buildah is not here; install it: apt-get install buildah"
    )


def test_here_documents_go_to_a_builder_that_knows_them(
    bench: Bench, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(bench, "FROM base:1\nRUN make\nRUN <<END\nmake\nEND\n")
    assert failure(bench, asked) == (
        f"{bench.context}/Dockerfile:3: the maker that is here does not know here-documents;"
        " use docker with buildx, or buildah 1.35 or newer"
    )

    class Newer(Maker):
        name = "newer"

        def reads(self, dockerfile: Dockerfile) -> bool:
            return True

    finders = {"buildah": lambda _environ: maker, "docker": lambda _environ: Newer()}
    monkeypatch.setattr(choose, "_FINDERS", finders)
    assert str(plan(asked)).startswith("linux/amd64 by newer\n")
