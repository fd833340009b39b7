"""Labels and annotations: who is stronger, and what the index says."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from manyfest.build.built import Built
from manyfest.build.metadata import Metadata
from tests.unit.building import Bench, bench_with_base, stored, write

TITLE = "org.opencontainers.image.title"
VENDOR = "org.opencontainers.image.vendor"


def built(bench: Bench, dockerfile: str, metadata: Metadata, *platforms: str) -> Built:
    request = bench.request(dockerfile, *(platforms or ("linux/amd64",)), args={})
    return bench.run(replace(request, metadata=metadata))


def labels(image: Built) -> dict[str, str]:
    return image.platforms[0].config.config.labels


def notes(image: Built, number: int = 0) -> dict[str, str]:
    return image.platforms[number].manifest.image.annotations


def index_annotations(image: Built) -> dict[str, str]:
    return image.graph.root.index.annotations


def test_facts_are_labels_and_annotations(tmp_path: Path) -> None:
    image = built(Bench(tmp_path), "FROM scratch\n", Metadata(facts={VENDOR: "us", TITLE: "app"}))
    assert list(labels(image).items()) == [(TITLE, "app"), (VENDOR, "us")]
    assert list(notes(image).items()) == [(TITLE, "app"), (VENDOR, "us")]
    assert list(index_annotations(image).items()) == [(TITLE, "app"), (VENDOR, "us")]


def test_what_the_dockerfile_says_is_stronger_than_a_fact(tmp_path: Path) -> None:
    dockerfile = f"FROM scratch\nLABEL {TITLE}=theirs org.example.by=them\n"
    image = built(Bench(tmp_path), dockerfile, Metadata(facts={TITLE: "filled", VENDOR: "us"}))
    assert labels(image) == {TITLE: "theirs", VENDOR: "us", "org.example.by": "them"}
    assert notes(image) == {TITLE: "theirs", VENDOR: "us"}
    assert index_annotations(image) == {TITLE: "theirs", VENDOR: "us"}


def test_what_is_asked_for_by_name_is_stronger_than_all(tmp_path: Path) -> None:
    asked = Metadata(facts={TITLE: "filled"}, labels={TITLE: "label"}, annotations={TITLE: "note"})
    image = built(Bench(tmp_path), f"FROM scratch\nLABEL {TITLE}=theirs\n", asked)
    assert labels(image) == {TITLE: "label"}
    assert notes(image) == {TITLE: "note"}
    assert index_annotations(image) == {TITLE: "note"}


def test_a_fact_is_stronger_than_what_a_base_image_says_of_itself(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, f"FROM scratch\nLABEL {TITLE}=base {VENDOR}=its\n", {})
    image = built(bench, "FROM base:1\n", Metadata(facts={TITLE: "app"}))
    assert labels(image) == {TITLE: "app", VENDOR: "its"}
    assert TITLE in notes(image)
    assert VENDOR not in notes(image)


def test_the_base_is_named_with_the_digest_of_what_its_name_stands_for(tmp_path: Path) -> None:
    base = Bench(tmp_path / "base")
    write(base.context, {})
    made = base.build("FROM scratch\n", "linux/amd64", "linux/arm64")
    bench = Bench(tmp_path / "app", bases={"docker.io/library/base:1": stored(made, "1")})
    dockerfile = "FROM base:1 AS first\nFROM first\nENV A=b\n"
    image = built(bench, dockerfile, Metadata(), "linux/amd64", "linux/arm64")
    expected = {
        "org.opencontainers.image.base.digest": str(made.graph.root.descriptor.digest),
        "org.opencontainers.image.base.name": "docker.io/library/base:1",
    }
    assert notes(image, 0) == expected
    assert notes(image, 1) == expected
    assert index_annotations(image) == expected
    assert labels(image) == {}


def test_the_index_says_what_all_its_images_say(tmp_path: Path) -> None:
    dockerfile = f"FROM scratch\nARG TARGETARCH\nLABEL {TITLE}=for-$TARGETARCH {VENDOR}=us\n"
    image = built(Bench(tmp_path), dockerfile, Metadata(), "linux/amd64", "linux/arm64")
    assert [notes(image, 0)[TITLE], notes(image, 1)[TITLE]] == [
        "for-amd64",
        "for-arm64",
    ]
    assert index_annotations(image) == {VENDOR: "us"}
