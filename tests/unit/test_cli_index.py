"""``manyfest index`` on layouts: what is printed, where, and what is there afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from manyfest.graph import read_config, read_manifest
from manyfest.oci import json as written
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.layout import LayoutStore
from tests import images
from tests.images import content_of, image, make
from tests.unit.cli import Manyfest

AMD64 = "sha256:a891ccb0dbf6990486fa7b758b85c564f16dc10dd1ab4fd8a8953008dd69e69b"
ARM64 = "sha256:8983950846cce5139df67714382de096476b57317a7bafc2940f6a821ddd7413"
BOTH = "sha256:9ca38b3704cd8892dd729d033a3cb3ffcc845988759c23cc6395c04be27ac670"
ALL = "sha256:7eaa5526dbafda282139e4896593cf12d3f75d032bb5a3713df1f6283b9dc410"
"""An index of linux/amd64, linux/arm64 and linux/arm/v7."""


@pytest.fixture
def manyfest(manyfest: Manyfest) -> Manyfest:
    """The command line beside two layouts, ``one`` and ``all``, of one and of three platforms."""
    make(LayoutStore(Path("one")), "image")
    make(LayoutStore(Path("all")), "index")
    return manyfest


@pytest.fixture
def app() -> LayoutStore:
    return LayoutStore(Path("app"))


def tagged(store: LayoutStore, root: Manifest, tag: str = "v1") -> Manifest:
    store.tag(tag, content_of(root))
    return root


def platforms(store: LayoutStore, tag: str = "v1") -> list[str]:
    return [str(each.platform) for each in body(store, tag).index.manifests]


def body(store: LayoutStore, tag: str = "v1") -> Manifest:
    return read_manifest(store, store.resolve(tag))


# create


def test_images_from_anywhere_become_an_index(manyfest: Manyfest, app: LayoutStore) -> None:
    made = manyfest("index", "create", "oci:app:v1", "oci:one:v1", "linux/arm64=oci:all:v1")

    assert made == (0, f"{BOTH}\n", "oci:app:v1: set, 7.9 kB sent\n")
    assert platforms(app) == ["linux/amd64", "linux/arm64"]
    assert manyfest("check", "oci:app:v1").code == 0


def test_the_manifests_of_the_images_keep_their_bytes(manyfest: Manyfest, app: LayoutStore) -> None:
    manyfest("index", "create", "oci:app:v1", "oci:one:v1", "linux/arm64=oci:all:v1")

    assert [str(each.digest) for each in body(app).index.manifests] == [AMD64, ARM64]


def test_making_it_again_says_that_there_is_nothing_to_do(manyfest: Manyfest) -> None:
    command = ("index", "create", "oci:app:v1", "oci:all:v1")
    manyfest(*command)

    assert manyfest(*command) == (
        0,
        f"{ALL}\n",
        "oci:app:v1: nothing to do: it is this index already\n",
    )


def test_a_tag_that_moves_is_told_with_what_it_was(manyfest: Manyfest) -> None:
    manyfest("index", "create", "oci:app:v1", "oci:all:v1")

    moved = manyfest("index", "create", "oci:app:v1", "amd64,arm64=oci:all:v1")

    assert moved == (0, f"{BOTH}\n", f"oci:app:v1: moved; it was {ALL}\n")


def test_images_of_the_same_layout_need_no_copy(manyfest: Manyfest, app: LayoutStore) -> None:
    for name in ("amd64", "arm64"):
        tagged(app, image(app, f"linux/{name}"), name)

    made = manyfest("index", "create", "oci:app:v1", "oci:app:amd64", "oci:app:arm64")

    assert made == (0, f"{BOTH}\n", "oci:app:v1: set\n")


def test_an_archive_is_a_source(manyfest: Manyfest, app: LayoutStore) -> None:
    manyfest("copy", "oci:all:v1", "oci-archive:all.tar:v1")

    assert manyfest("index", "create", "oci:app:v1", "oci-archive:all.tar:v1").code == 0
    assert platforms(app) == ["linux/amd64", "linux/arm64", "linux/arm/v7"]


def test_an_index_in_an_index_becomes_flat(manyfest: Manyfest, app: LayoutStore) -> None:
    make(LayoutStore(Path("nested")), "nested index")

    manyfest("index", "create", "oci:app:v1", "oci:nested:v1")

    assert platforms(app) == ["linux/amd64", "linux/arm64", "linux/riscv64"]


def test_attestations_come_with_their_images(manyfest: Manyfest, app: LayoutStore) -> None:
    root = make(LayoutStore(Path("attested")), "index with attestations")

    manyfest("index", "create", "oci:app:v1", "arm64=oci:attested:v1", "arm/v7=oci:all:v1")

    entries = body(app).index.manifests
    assert entries[:2] == root.index.manifests[2:]
    assert all(app.has(entry) for entry in entries)


def test_what_refers_to_an_image_comes_along_unless_it_is_to_be_left(
    manyfest: Manyfest, app: LayoutStore
) -> None:
    one = LayoutStore(Path("one"))
    signature = f"sha256-{one.resolve('v1').digest.hex}.sig"
    tagged(one, images.artifact(one), signature)

    manyfest("index", "create", "oci:bare:v1", "oci:one:v1", "--no-referrers")
    manyfest("index", "create", "oci:app:v1", "oci:one:v1")

    assert list(LayoutStore(Path("bare")).tags()) == ["v1"]
    assert app.resolve(signature) == one.resolve(signature)


def test_an_image_of_windows_keeps_its_version(manyfest: Manyfest, app: LayoutStore) -> None:
    built = image(app, "windows/amd64").image
    config = read_config(app, built)
    versioned = msgspec.structs.replace(config, os_version="10.0.17763.6532")
    changed = msgspec.structs.replace(
        built, config=images.put(app, written.dumps(versioned), images.OCI_CONFIG)
    )
    tagged(app, Manifest.of_image(changed), "windows")

    manyfest("index", "create", "oci:app:v1", "oci:app:windows", "oci:one:v1")

    (windows, _) = body(app).index.manifests
    assert windows.platform == Platform("amd64", "windows", os_version="10.0.17763.6532")


def test_an_index_is_annotated_when_it_is_made(manyfest: Manyfest, app: LayoutStore) -> None:
    manyfest("index", "create", "--annotate", "a=b=c", "oci:app:v1", "oci:one:v1")

    assert body(app).index.annotations == {"a": "b=c"}


def test_a_dry_run_prints_the_index_and_changes_nothing(manyfest: Manyfest) -> None:
    planned = manyfest(
        "index", "create", "--dry-run", "oci:app:v1", "oci:one:v1", "arm64=oci:all:v1"
    )

    assert planned == (
        0,
        "+ index        application/vnd.oci.image.index.v1+json\n"
        f"+ linux/amd64  {AMD64}\n"
        f"+ linux/arm64  {ARM64}\n"
        "would copy 7 parts, 7.9 kB, to oci:app:v1\n"
        f"{BOTH}\n",
        "",
    )
    assert not Path("app").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["oci:app:v1", "oci:one:v1", "oci:other:v1"],
            2,
            f"linux/amd64 is {AMD64} in oci:one:v1, and sha256:*in oci:other:v1;"
            " leave one of them out, or name the platforms that are meant: linux/amd64=SOURCE",
        ),
        (["oci:app:v1", "arm64=oci:one:v1"], 2, "oci:one:v1: it is for linux/amd64, not for"),
        (["oci:app:v1", "s390x=oci:all:v1"], 1, "oci:all: it has no linux/s390x; it has linux/amd"),
        (["oci:app:v1", "oci:none:v1"], 1, "oci:none: there is no OCI layout here"),
        (
            ["oci:app:v1", "amd46=oci:one:v1"],
            2,
            "unknown architecture in platform 'amd46'; use one of",
        ),
        (["oci:app:v1", "oci:one:v1", "--annotate", "a"], 2, "'a' is no annotation; write it as"),
        (["oci:app:v1", "oci:one:v1", "--annotate", "=b"], 2, "'=' is no annotation; write it as"),
        ([f"oci:app@{AMD64}", "oci:one:v1"], 2, "a target cannot be a digest*"),
        (
            ["oci-archive:app.tar:v1", "oci:one:v1"],
            2,
            "oci-archive:app.tar:v1: indexes are made and changed in registries and layouts, and"
            " not in what is written whole; use a layout, oci:DIR:TAG, and manyfest copy to it or"
            " from it",
        ),
    ],
)
def test_what_cannot_become_an_index_is_told_and_nothing_is_there(
    manyfest: Manyfest, arguments: list[str], code: int, message: str
) -> None:
    other = LayoutStore(Path("other"))
    tagged(other, image(other, text="other"))

    refused = manyfest("index", "create", *arguments)

    assert (refused.code, refused.out) == (code, "")
    for part in message.split("*"):
        assert part in refused.err
    assert refused.err.count("\n") == 1
    assert not Path("app").exists()
    assert not Path("app.tar").exists()


# add


def test_a_platform_is_added_and_the_old_digest_is_told(
    manyfest: Manyfest, app: LayoutStore
) -> None:
    manyfest("index", "create", "oci:app:v1", "amd64,arm64=oci:all:v1")

    command = ("index", "add", "oci:app:v1", "arm/v7=oci:all:v1")
    first, again = manyfest(*command), manyfest(*command)

    assert first == (0, f"{ALL}\n", f"oci:app:v1: moved; it was {BOTH}, 2.9 kB sent\n")
    assert again == (0, f"{ALL}\n", "oci:app:v1: nothing to do: it is this index already\n")
    assert platforms(app) == ["linux/amd64", "linux/arm64", "linux/arm/v7"]


def test_a_dry_run_marks_what_would_be_new(manyfest: Manyfest, app: LayoutStore) -> None:
    manyfest("index", "create", "oci:app:v1", "amd64,arm64=oci:all:v1")

    planned = manyfest("index", "add", "--dry-run", "oci:app:v1", "arm/v7=oci:all:v1")

    assert planned.err == f"oci:app:v1: would move; it is {BOTH}\n"
    assert planned.out.splitlines() == [
        "  index         application/vnd.oci.image.index.v1+json",
        f"  linux/amd64   {AMD64}",
        f"  linux/arm64   {ARM64}",
        "+ linux/arm/v7  sha256:70e6ccbf31dc2110d94fe8e8a14fcb1d1223631a183fb8d53f7186ee687bd175",
        "would copy 3 parts, 2.9 kB, to oci:app:v1",
        ALL,
    ]
    assert str(app.resolve("v1").digest) == BOTH


def test_adding_fills_a_gap_in_an_index_that_names_the_platform(
    manyfest: Manyfest, app: LayoutStore
) -> None:
    manyfest("copy", "--sparse", "--platform", "amd64", "oci:all:v1", "oci:app:v1")
    assert manyfest("check", "oci:app:v1").code == 3

    added = manyfest("index", "add", "oci:app:v1", "oci:all:v1")

    assert added == (
        0,
        f"{ALL}\n",
        "oci:app:v1: nothing to do: it is this index already, 5.8 kB sent\n",
    )
    assert manyfest("check", "oci:app:v1").code == 0


def test_an_image_is_replaced_only_if_that_is_asked_for(
    manyfest: Manyfest, app: LayoutStore
) -> None:
    tagged(app, image(app, text="new"), "new")
    manyfest("index", "create", "oci:app:v1", "oci:all:v1")

    refused = manyfest("index", "add", "oci:app:v1", "oci:app:new")
    replaced = manyfest("index", "add", "--replace", "oci:app:v1", "oci:app:new")

    assert (refused.code, refused.out) == (2, "")
    assert "; --replace puts it in the place of the other, or name the platforms" in refused.err
    assert replaced.code == 0
    assert platforms(app) == ["linux/arm64", "linux/arm/v7", "linux/amd64"]
    assert body(app).index.manifests[2].digest == app.resolve("new").digest


def test_a_list_of_dockers_that_becomes_an_index_of_ocis_is_told(
    manyfest: Manyfest, app: LayoutStore
) -> None:
    tagged(app, images.platforms(app, ["linux/amd64"], docker=True))

    added = manyfest("index", "add", "oci:app:v1", "arm64=oci:all:v1")

    assert added.err.endswith(
        "; it is an index of OCI's now, as a list of Docker's cannot hold this\n"
    )
    assert body(app).descriptor.media_type == "application/vnd.oci.image.index.v1+json"


def test_an_image_is_no_index_to_add_to(manyfest: Manyfest) -> None:
    refused = manyfest("index", "add", "oci:one:v1", "oci:all:v1")

    assert refused == (
        2,
        "",
        "manyfest: oci:one:v1: it is one image, and no index;"
        " make one: manyfest index create oci:one:v1 oci:one:v1 SOURCE\n",
    )


def test_an_index_that_is_not_there_is_told(manyfest: Manyfest) -> None:
    refused = manyfest("index", "add", "oci:all:v2", "oci:one:v1")

    assert refused == (1, "", "manyfest: oci:all: 'v2' is not in it; it holds v1\n")


# remove


def test_platforms_are_removed(manyfest: Manyfest) -> None:
    command = ("index", "remove", "oci:all:v1", "--platform", "arm/v7")
    first, again = manyfest(*command), manyfest(*command)

    assert first == (0, f"{BOTH}\n", f"oci:all:v1: moved; it was {ALL}\n")
    assert again == (
        0,
        f"{BOTH}\n",
        "oci:all:v1: it has no linux/arm/v7\noci:all:v1: nothing to do: it is this index already\n",
    )


def test_what_was_removed_can_still_be_had_by_the_old_digest(manyfest: Manyfest) -> None:
    manyfest("index", "remove", "oci:all:v1", "--platform", "arm/v7")

    assert manyfest("check", f"oci:all@{ALL}").code == 0


def test_an_image_is_removed_by_its_digest(manyfest: Manyfest) -> None:
    manyfest("index", "remove", "oci:all:v1", "--digest", ARM64)

    assert platforms(LayoutStore(Path("all"))) == ["linux/amd64", "linux/arm/v7"]


def test_a_dry_run_marks_what_would_go(manyfest: Manyfest) -> None:
    planned = manyfest("index", "remove", "-q", "--dry-run", "oci:all:v1", "--platform", "arm64")

    assert [line[:13] for line in planned.out.splitlines()] == [
        "  index      ",
        "  linux/amd64",
        "- linux/arm64",
        "  linux/arm/v",
        "sha256:2e83cd",
    ]
    assert str(LayoutStore(Path("all")).resolve("v1").digest) == ALL


def test_something_must_be_named_to_be_removed(manyfest: Manyfest) -> None:
    assert manyfest("index", "remove", "oci:all:v1") == (
        2,
        "",
        "manyfest: nothing is named to be removed; give --platform or --digest\n",
    )


def test_an_index_is_not_emptied(manyfest: Manyfest) -> None:
    refused = manyfest("index", "remove", "oci:all:v1", "--platform", "amd64,arm64,arm")

    assert refused == (
        2,
        "",
        "manyfest: oci:all:v1: nothing would be left of it; manyfest rm removes it altogether\n",
    )


# annotate


def test_annotations_are_set_and_taken_away(manyfest: Manyfest) -> None:
    store = LayoutStore(Path("all"))

    first = manyfest("index", "annotate", "oci:all:v1", "a=b", "c=d")
    manyfest("index", "annotate", "oci:all:v1", "a=")
    again = manyfest("index", "annotate", "oci:all:v1", "a=")

    assert first.err == f"oci:all:v1: moved; it was {ALL}\n"
    assert body(store).index.annotations == {"c": "d"}
    assert again.err == "oci:all:v1: nothing to do: it is this index already\n"


def test_one_platforms_entry_is_annotated(manyfest: Manyfest) -> None:
    manyfest("index", "annotate", "oci:all:v1", "a=b", "--platform", "arm64")

    entries = body(LayoutStore(Path("all"))).index.manifests
    assert [entry.annotations for entry in entries] == [{}, {"a": "b"}, {}]
    shown = json.loads(manyfest("inspect", "--json", "oci:all:v1").out)
    assert shown["images"][1]["annotations"] == {"a": "b"}


def test_a_dry_run_shows_annotations_in_one_line_each(manyfest: Manyfest) -> None:
    manyfest("index", "annotate", "oci:all:v1", "a=b")

    planned = manyfest(
        "index", "annotate", "-q", "--dry-run", "oci:all:v1", "a=x\x1b[31m\ny"
    ).out.splitlines()

    assert planned[1:3] == ["- index         a=b", r"+ index         a=x\x1b[31m\ny"]


def test_a_tag_that_somebody_else_moves_meanwhile_is_left(
    manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LayoutStore(Path("all"))
    other = image(store, text="of somebody else")

    class Raced(LayoutStore):
        """Somebody else moves the tag once it was read."""

        def resolve(self, name: str) -> Descriptor:
            found = super().resolve(name)
            store.tag("v1", content_of(other))
            return found

    monkeypatch.setattr("manyfest.stores.layout.LayoutStore", Raced)
    refused = manyfest("index", "annotate", "oci:all:v1", "a=b")

    assert refused == (
        1,
        "",
        f"manyfest: oci:all: v1 was {ALL} when it was read, and now is"
        f" {other.descriptor.digest}; it was left so; run the same command again to change what"
        " is there now\n",
    )
    assert store.resolve("v1").digest == other.descriptor.digest


# the group


def test_the_group_alone_prints_its_commands(manyfest: Manyfest) -> None:
    shown = manyfest("index")

    assert (shown.code, shown.out) == (2, "")
    for name in ("add", "annotate", "create", "remove"):
        assert f"\n  {name} " in shown.err


def test_a_command_that_is_not_there_is_told(manyfest: Manyfest) -> None:
    assert manyfest("index", "crate", "x") == (
        2,
        "",
        "manyfest: no such command 'crate'. Did you mean 'create'?\n",
    )
