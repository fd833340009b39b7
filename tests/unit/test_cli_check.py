"""``manyfest check`` on two registries in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyfest.copy import copy_graph
from manyfest.graph import read_graph
from manyfest.stores.registry.http import Request, Response
from tests import images
from tests.quirks import Send, said
from tests.signing import Key, payload_of, sign_by_tag
from tests.unit.check_images import Images, directory, program
from tests.unit.cli import Manyfest, make_layout
from tests.unit.internet import BOTH, ONE, TWO, Internet
from tests.unit.test_docs import example, shape


def states(text: str) -> dict[str, dict[str, str]]:
    """Of ``--json``: for each reference the state of each platform."""
    return {
        image["reference"]: {each["platform"]: each["state"] for each in image["platforms"]}
        for image in json.loads(text)["images"]
    }


@pytest.mark.parametrize("arguments", [(ONE, TWO), (ONE, "--in", "two.example")])
def test_what_is_complete_and_the_same_in_both_is_a_yes(
    manyfest: Manyfest, internet: Internet, arguments: tuple[str, ...]
) -> None:
    for host in internet.hosts:
        internet.put(host, BOTH)
    told = manyfest("check", "--json", *arguments)
    assert (told.code, told.err) == (0, "")
    assert states(told.out) == {
        ONE: {"linux/amd64": "ready", "linux/arm64": "ready"},
        TWO: {"linux/amd64": "ready", "linux/arm64": "ready"},
    }


def test_one_registry_that_is_behind_is_a_no_and_the_tag_that_serves_is_told(
    manyfest: Manyfest, internet: Internet
) -> None:
    digest = internet.put("one.example", BOTH).descriptor.digest
    behind = internet.put("two.example", ["linux/amd64"])
    store = internet.hosts["two.example"].store("app")
    store.tag("2.6.1-arm64", images.content_of(images.image(store, "linux/arm64")))
    told = manyfest("check", ONE, "--in", "two.example")
    assert (told.code, told.err) == (3, "")
    amd64 = str(behind.children[0].digest)[:19]
    first, second = told.out.split("\n\n")
    assert first.splitlines()[0] == f"{ONE}  ready"
    assert second.splitlines() == [
        f"{TWO}  NOT ready",
        "PLATFORM     STATE      DIGEST               WHY",
        f"linux/amd64  different  {amd64}  the same image, but in another index than in {ONE}",
        "linux/arm64  missing                         it has linux/amd64",
        "meanwhile, for linux/arm64: docker pull two.example/app:2.6.1-arm64",
    ]
    told = manyfest("check", "--json", ONE, "--in", "two.example")
    shown = json.loads(told.out)["images"]
    assert [image["digest"] for image in shown] == [str(digest), str(behind.descriptor.digest)]
    assert [image["ready"] for image in shown] == [True, False]
    assert [image["instead"] for image in shown] == [
        [],
        [{"platform": "linux/arm64", "reference": "two.example/app:2.6.1-arm64"}],
    ]


def test_another_build_of_the_same_version_is_different(
    manyfest: Manyfest, internet: Internet
) -> None:
    internet.put("one.example", BOTH)
    internet.put("two.example", BOTH, text="built again")
    told = manyfest("check", "--json", ONE, TWO, "--platform", "arm64")
    assert told.code == 3
    assert states(told.out) == {ONE: {"linux/arm64": "ready"}, TWO: {"linux/arm64": "different"}}


def test_a_tag_that_is_in_one_registry_only_is_missing_in_the_other(
    manyfest: Manyfest, internet: Internet
) -> None:
    internet.put("one.example", BOTH)
    told = manyfest("check", "--json", ONE, TWO)
    assert told.code == 3
    assert states(told.out)[TWO] == {"linux/amd64": "missing", "linux/arm64": "missing"}


def test_the_example_with_a_registry_that_is_behind_has_the_keys_that_are_printed(
    manyfest: Manyfest, internet: Internet
) -> None:
    internet.put("one.example", ["linux/arm64"])
    store = internet.hosts["two.example"].store("app")
    store.tag("2.6.1-arm64", images.content_of(images.image(store, "linux/arm64")))
    told = manyfest("check", "--json", ONE, "--in", "two.example")
    assert shape(json.loads(told.out)) == shape(example("check", 2))
    assert "the manifest 2.6.1: not found (404)" in told.out


def test_nothing_but_manifests_is_read(manyfest: Manyfest, internet: Internet) -> None:
    internet.put("one.example", BOTH)
    assert manyfest("check", ONE).code == 0
    asked = internet.hosts["one.example"].requests
    assert {each.method for each in asked if "/blobs/" in each.url} == {"HEAD"}
    read = [each.url.rpartition("/")[2] for each in asked if each.method == "GET"]
    assert len(read) == len(set(read)) == 3  # the index and two images


def test_a_registry_that_does_not_tell_is_an_error_and_the_others_are_shown(
    manyfest: Manyfest, internet: Internet
) -> None:
    def refuses(_request: Request, _send: Send) -> Response:
        return said(403, "DENIED")

    internet.put("one.example", BOTH)
    internet.hosts["two.example"].quirk = refuses
    told = manyfest("check", ONE, TWO)
    assert told.code == 1
    assert told.out.splitlines()[0] == f"{ONE}  ready"
    assert told.err.startswith("manyfest: two.example/app: the registry refuses the manifest 2.6.1")
    assert manyfest("check", "--json", ONE, TWO).out == ""


def test_a_program_for_another_processor_is_mislabelled_if_everything_is_read(
    manyfest: Manyfest, internet: Internet
) -> None:
    made = Images()
    layer = made.layer(directory("bin"), program("app"))
    root = made.index(made.image(layer), made.image(layer, platform="linux/arm64"))
    store = internet.hosts["one.example"].store("app")
    copy_graph(made, read_graph(made, root), store, ["2.6.1"])
    assert manyfest("check", ONE).code == 0
    told = manyfest("check", "--deep", "--json", ONE)
    assert told.code == 3
    assert states(told.out)[ONE] == {"linux/amd64": "ready", "linux/arm64": "mislabelled"}
    shown = manyfest("check", "--deep", ONE)
    assert shown.out.splitlines()[0] == f"{ONE}  NOT right: 1 fault"
    assert "/app is built for linux/amd64, not for linux/arm64" in shown.out


def test_what_is_wrong_otherwise_makes_its_platform_faulty(
    manyfest: Manyfest, internet: Internet
) -> None:
    made = Images()
    whole, empty = made.layer(directory("bin"), program("app")), made.layer(directory("bin"))
    root = made.index(made.image(whole), made.image(empty, platform="linux/arm64"))
    store = internet.hosts["one.example"].store("app")
    copy_graph(made, read_graph(made, root), store, ["2.6.1"])
    told = manyfest("check", "--deep", "--json", ONE)
    assert told.code == 3
    assert states(told.out)[ONE] == {"linux/amd64": "ready", "linux/arm64": "faulty"}


@pytest.mark.parametrize(
    ("reference", "line"),
    [
        ("oci-archive:nope.tar:v1", "oci-archive:nope.tar: there is no such file"),
        ("oci:nope:v1", "oci:nope: there is no OCI layout here"),
    ],
)
def test_a_place_that_is_not_there_at_all_is_an_error_and_no_answer(
    manyfest: Manyfest, reference: str, line: str
) -> None:
    assert manyfest("check", reference) == (1, "", f"manyfest: {line}\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("oci:image:v1", "--in", "one.example"), "oci:image:v1: it lies in no registry"),
        ((ONE, "--in", TWO), f"--in {TWO!r} names one image"),
    ],
)
def test_a_place_that_cannot_be_one_is_wrong_usage(
    manyfest: Manyfest, tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    make_layout(tmp_path / "image", "v1")
    told = manyfest("check", *arguments)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(f"manyfest: {line}")


def test_what_is_complete_and_not_signed_with_the_key_is_a_no(
    manyfest: Manyfest, internet: Internet, tmp_path: Path
) -> None:
    key, path = Key(), tmp_path / "cosign.pub"
    path.write_bytes(key.pem)
    root = internet.put("one.example", BOTH)
    told = manyfest("check", "--signed-by", str(path), ONE)
    assert (told.code, told.err) == (3, "")
    rows = told.out.splitlines()
    assert (rows[0], rows[2].split()[1]) == (f"{ONE}  NOT ready", "unsigned")
    assert rows[2].endswith("  it is not signed")

    store = internet.hosts["one.example"].store("app")
    payload = payload_of(str(root.descriptor.digest))
    sign_by_tag(store, root, (payload, key.sign(payload)))
    told = manyfest("check", "--signed-by", str(path), ONE)
    assert (told.code, told.out.splitlines()[0]) == (0, f"{ONE}  ready")


def test_a_key_that_cannot_be_used_is_told_before_anybody_is_asked(
    manyfest: Manyfest, internet: Internet
) -> None:
    told = manyfest("check", "--signed-by", "nowhere.pub", ONE)
    assert (told.code, told.out) == (2, "")
    assert "nowhere.pub: the key cannot be read: No such file or directory" in told.err
    assert internet.hosts["one.example"].asked() == []
