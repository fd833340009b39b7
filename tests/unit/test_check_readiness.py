from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from manyfest.check.parts import Memory
from manyfest.check.readiness import PlatformState, Readiness, readiness, with_findings
from manyfest.check.report import Finding, WrongPlatform
from manyfest.errors import AccessDenied, ConnectionFailed, ManyfestError
from manyfest.graph import read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader
from manyfest.stores.memory import MemoryStore
from tests.images import attested, content_of, entry, image, index, make, platforms

THREE = ("linux/amd64", "linux/arm64", "linux/arm/v7")


def ask(store: MemoryStore, *wanted: str, name: str = "v1") -> Readiness:
    return readiness(store, name, [Platform.parse(each) for each in wanted], "example/app:v1")


def states(answer: Readiness) -> list[tuple[str, str]]:
    return [(each.platform, each.state) for each in answer.platforms]


@pytest.mark.parametrize(
    ("kind", "wanted", "expected"),
    [
        ("image", [], [("linux/amd64", "ready")]),
        ("image", ["linux/amd64"], [("linux/amd64", "ready")]),
        ("image", ["linux/arm64"], [("linux/arm64", "missing")]),
        ("index", [], [(name, "ready") for name in THREE]),
        ("index", ["linux/arm64"], [("linux/arm64", "ready")]),
        ("index", ["linux/arm64/v8"], [("linux/arm64", "ready")]),
        (
            "index",
            ["linux/arm64", "linux/riscv64"],
            [("linux/arm64", "ready"), ("linux/riscv64", "missing")],
        ),
        ("index", ["linux/arm/v6"], [("linux/arm/v6", "missing")]),
        ("docker list", [], [(name, "ready") for name in THREE]),
        (
            "nested index",
            [],
            [("linux/amd64", "ready"), ("linux/arm64", "ready"), ("linux/riscv64", "ready")],
        ),
        ("nested index", ["linux/riscv64"], [("linux/riscv64", "ready")]),
        ("index with attestations", [], [("linux/amd64", "ready"), ("linux/arm64", "ready")]),
        ("artifact", [], [("any", "missing")]),
        ("artifact", ["linux/amd64"], [("linux/amd64", "missing")]),
    ],
)
def test_each_kind_is_complete_for_what_it_has(
    kind: str, wanted: list[str], expected: list[tuple[str, str]]
) -> None:
    store = MemoryStore()
    root = make(store, kind)
    answer = ask(store, *wanted)
    assert states(answer) == expected
    assert answer.ready is all(state == "ready" for _, state in expected)
    assert answer.digest == str(root.descriptor.digest)
    assert answer.reference == "example/app:v1"


@pytest.mark.parametrize("wanted", [[], ["linux/amd64", "linux/arm64"]])
def test_a_tag_that_is_not_there_is_a_no(wanted: list[str]) -> None:
    answer = ask(MemoryStore(), *wanted)
    assert not answer.ready
    assert answer.digest == ""
    assert states(answer) == [(name, "missing") for name in wanted or ["any"]]
    assert answer.platforms[0].why == "'v1' is not in it"


@pytest.mark.parametrize("wanted", [[], ["linux/amd64"]])
def test_an_empty_index_is_not_ready(wanted: list[str]) -> None:
    store = MemoryStore()
    store.tag("v1", content_of(index(store, [])))
    answer = ask(store, *wanted)
    assert not answer.ready
    assert states(answer) == [(name, "missing") for name in wanted or ["any"]]
    why = "it has none" if wanted else "it holds no image for a platform"
    assert answer.platforms[0].why == why


PARTS: dict[str, Callable[[Manifest], Descriptor]] = {
    "manifest": lambda image: image.descriptor,
    "configuration": lambda image: image.image.config,
    "layer": lambda image: image.image.layers[-1],
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_missing_makes_its_platform_partial_and_no_other(part: str) -> None:
    store = MemoryStore()
    root = make(store, "index")
    gone = PARTS[part](read_manifest(store, root.children[1]))
    del store.blobs[gone.digest]
    answer = ask(store)
    assert states(answer) == [
        ("linux/amd64", "ready"),
        ("linux/arm64", "partial"),
        ("linux/arm/v7", "ready"),
    ]
    assert not answer.ready
    assert str(gone.digest) in answer.platforms[1].why
    assert answer.platforms[1].digest == str(root.children[1].digest)
    assert ask(store, "linux/amd64").ready


def test_a_missing_attestation_keeps_no_platform_waiting() -> None:
    store = MemoryStore()
    root = attested(store)
    store.tag("v1", content_of(root))
    del store.blobs[root.children[1].digest]
    assert ask(store).ready


def test_all_that_is_missing_of_a_platform_is_counted() -> None:
    store = MemoryStore()
    root = make(store, "index")
    arm64 = read_manifest(store, root.children[1])
    for gone in (arm64.image.config, arm64.image.layers[-1]):
        del store.blobs[gone.digest]
    why = f"its configuration {arm64.image.config.digest}, and 1 more is not there"
    assert ask(store, "linux/arm64").platforms[0].why == why


def test_a_layer_that_lies_elsewhere_is_not_waited_for() -> None:
    store = MemoryStore()
    plain = image(store)
    foreign = msgspec.structs.replace(
        Descriptor.of(b"elsewhere", "application/vnd.oci.image.layer.nondistributable.v1.tar"),
        urls=("https://example.org/layer",),
    )
    layers = (foreign, *plain.image.layers)
    body = msgspec.structs.replace(plain.image, layers=layers)
    store.tag("v1", content_of(Manifest.of_image(body)))
    assert ask(store, "linux/amd64").ready


def test_an_inner_index_that_is_missing_hides_what_it_lists() -> None:
    store = MemoryStore()
    root = make(store, "nested index")
    gone = root.children[2]
    del store.blobs[gone.digest]
    assert states(ask(store)) == [
        ("linux/amd64", "ready"),
        ("linux/arm64", "ready"),
        ("any", "missing"),
    ]
    assert not ask(store).ready
    assert ask(store, "linux/arm64").ready
    why = ask(store, "linux/riscv64").platforms[0].why
    assert why == f"it has linux/amd64, linux/arm64; {gone.digest} is missing"


def test_one_image_listed_for_two_platforms_is_mislabelled_for_one_of_them() -> None:
    store = MemoryStore()
    amd64 = image(store, "linux/amd64")
    listed = [entry(amd64, "linux/amd64"), entry(amd64, "linux/arm64")]
    store.tag("v1", content_of(index(store, listed)))
    answer = ask(store)
    assert states(answer) == [("linux/amd64", "ready"), ("linux/arm64", "mislabelled")]
    assert answer.platforms[1].why == "its configuration says linux/amd64"
    assert not answer.ready
    assert ask(store, "linux/amd64").ready


@pytest.mark.parametrize("wanted", [[], ["windows/amd64"]])
def test_windows_has_an_image_for_each_version_of_the_system_and_all_must_be_there(
    wanted: list[str],
) -> None:
    store = MemoryStore()
    made = [image(store, "windows/amd64", text=text) for text in ("old", "new")]
    versions = ("10.0.17763.1", "10.0.20348.1")
    listed = [
        msgspec.structs.replace(
            each.descriptor,
            platform=Platform(os="windows", architecture="amd64", os_version=version),
        )
        for each, version in zip(made, versions, strict=True)
    ]
    store.tag("v1", content_of(index(store, listed)))
    assert states(ask(store, *wanted)) == [("windows/amd64", "ready")]
    del store.blobs[made[1].image.layers[-1].digest]
    answer = ask(store, *wanted)
    assert states(answer) == [("windows/amd64", "partial")]
    assert answer.platforms[0].digest == str(made[1].descriptor.digest)


def test_findings_make_their_platform_mislabelled_or_faulty() -> None:
    store = MemoryStore()
    make(store, "index")
    answer = with_findings(
        ask(store),
        [
            Finding("", "index", "is of no platform"),
            Finding("linux/arm64", "/app", "is not there"),
            WrongPlatform("linux/arm64", "/app", "is built for linux/amd64, not for linux/arm64"),
            WrongPlatform("linux/arm64", "/tool", "is built for linux/386, not for linux/arm64"),
            Finding("linux/amd64", "/app", "is not there"),
        ],
    )
    assert [state for _, state in states(answer)] == ["faulty", "mislabelled", "ready"]
    assert not answer.ready
    assert [each.why for each in answer.platforms] == [
        "/app is not there",
        "/app is built for linux/amd64, not for linux/arm64",
        "",
    ]


class Counting(MemoryStore):
    """Counts what it is asked, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def resolve(self, name: str) -> Descriptor:
        self.calls.append(f"resolve {name}")
        return super().resolve(name)

    def open(self, descriptor: Descriptor) -> Reader:
        self.calls.append("open")
        return super().open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        self.calls.append("has")
        return super().has(descriptor)

    def count(self) -> dict[str, int]:
        counted = dict(Counter(self.calls))
        self.calls.clear()
        return counted


def test_manifests_are_read_and_everything_else_is_asked_for_once() -> None:
    store = Counting()
    make(store, "index")
    assert ask(store).ready
    # The index and three images; three configurations, and four layers, one of which all share.
    assert store.count() == {"resolve v1": 1, "open": 4, "has": 7}


def test_with_a_memory_only_the_tag_is_asked_for_again() -> None:
    store, memory = Counting(), Memory()
    make(store, "index")
    for expected in ({"resolve v1": 1, "open": 4, "has": 7}, {"resolve v1": 1}):
        assert readiness(store, "v1", [], "example/app:v1", memory).ready
        assert store.count() == expected


@pytest.mark.parametrize(
    ("part", "again", "filled"),
    [
        ("manifest", {"resolve v1": 1, "has": 1}, {"resolve v1": 1, "has": 3, "open": 1}),
        ("layer", {"resolve v1": 1, "has": 1}, {"resolve v1": 1, "has": 1}),
    ],
)
def test_with_a_memory_only_what_was_missing_is_asked_for_again(
    part: str, again: dict[str, int], filled: dict[str, int]
) -> None:
    store, memory = Counting(), Memory()
    root = make(store, "index")
    digest = PARTS[part](read_manifest(store, root.children[1])).digest
    lost = store.blobs.pop(digest)
    seen = []
    for number in range(3):
        if number == 2:
            store.blobs[digest] = lost
        store.count()
        seen.append(readiness(store, "v1", [], "example/app:v1", memory).ready)
        if number:
            assert store.count() == (again if number == 1 else filled)
    assert seen == [False, False, True]


def test_a_tag_that_never_stays_the_same_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("manyfest.check.parts.MAX_MANIFEST_BYTES", 5000)
    store, memory = Counting(), Memory()
    for number in range(3):
        store.tag("v1", content_of(platforms(store, THREE, text=str(number))))
        assert readiness(store, "v1", [], "example/app:v1", memory).ready
    store.count()
    assert readiness(store, "v1", [], "example/app:v1", memory).ready
    assert store.count() == {"resolve v1": 1, "open": 4, "has": 7}


def test_an_inner_index_that_was_missing_is_looked_for_again() -> None:
    store, memory = MemoryStore(), Memory()
    gone = make(store, "nested index").children[2].digest
    lost = store.blobs.pop(gone)
    assert not readiness(store, "v1", [], "example/app:v1", memory).ready
    store.blobs[gone] = lost
    answer = readiness(store, "v1", [], "example/app:v1", memory)
    assert answer.ready
    assert ("linux/riscv64", "ready") in states(answer)


def test_a_tag_that_moved_has_only_what_is_new_asked_for() -> None:
    store, memory = Counting(), Memory()
    make(store, "index")
    readiness(store, "v1", [], "example/app:v1", memory)
    store.tag("v1", content_of(platforms(store, [*THREE, "linux/riscv64"])))
    store.count()
    assert readiness(store, "v1", [], "example/app:v1", memory).ready
    assert store.count() == {"resolve v1": 1, "open": 2, "has": 2}


def test_only_the_platforms_asked_for_are_read() -> None:
    store = MemoryStore()
    root = make(store, "index")
    for other in (root.children[0], root.children[2]):
        del store.blobs[other.digest]
    assert ask(store, "linux/arm64").ready


def test_a_platform_that_an_index_lists_twice_is_asked_for_once() -> None:
    store = MemoryStore()
    root = platforms(store, ["linux/arm64"])
    (arm64,) = root.children
    again = msgspec.structs.replace(
        arm64, platform=Platform(os="linux", architecture="arm64", variant="v8")
    )
    store.tag("v1", content_of(index(store, [arm64, again])))
    assert states(ask(store)) == [("linux/arm64", "ready")]


@pytest.mark.parametrize("error", [ConnectionFailed("no answer"), AccessDenied("no", status=403)])
@pytest.mark.parametrize("method", ["resolve", "open", "has"])
def test_what_could_not_be_told_is_an_error_and_no_answer(
    monkeypatch: pytest.MonkeyPatch, method: str, error: ManyfestError
) -> None:
    def fail(*_: object) -> None:
        raise error

    store = MemoryStore()
    make(store, "index")
    monkeypatch.setattr(store, method, fail)
    with pytest.raises(type(error)):
        ask(store)


def test_the_json_of_an_answer_is_a_contract() -> None:
    store = MemoryStore()
    make(store, "image")
    assert list(msgspec.to_builtins(ask(store))) == ["reference", "digest", "ready", "platforms"]
    assert list(PlatformState.__struct_fields__) == ["platform", "state", "digest", "why"]
