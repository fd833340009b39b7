from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.layout import LayoutStore
from tests import images
from tests.images import artifact, attestation, content_of, entry, image, index
from tests.unit.cli import Manyfest


@pytest.fixture
def manyfest(manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch) -> Manyfest:
    """The command line on a machine whose platform is linux/arm64."""
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    return manyfest


@pytest.fixture
def layout(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "image")


def tagged(layout: LayoutStore, root: Manifest) -> str:
    layout.tag("v1", content_of(root))
    return "oci:image:v1"


def test_each_platform_is_a_line_and_what_they_share_is_told_once(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    shown = manyfest("inspect", tagged(layout, images.platforms(layout)))

    assert (shown.code, shown.err) == (0, "")
    assert shown.out == (
        "oci:image:v1\n"
        "digest  sha256:7eaa5526dbafda282139e4896593cf12d3f75d032bb5a3713df1f6283b9dc410\n"
        "type    application/vnd.oci.image.index.v1+json\n"
        "\n"
        "PLATFORM      DIGEST          SIZE  UNPACKED  LAYERS  CREATED\n"
        "linux/amd64   a891ccb0dbf6  5.0 kB    4.1 kB       2  2026-01-02\n"
        "linux/arm64   8983950846cc  5.0 kB    4.1 kB       2  2026-01-02\n"
        "linux/arm/v7  70e6ccbf31dc  5.0 kB    4.1 kB       2  2026-01-02\n"
        "\n"
        "runs  /app --serve\n"
        "user  app\n"
        "\n"
        "linux/arm64, this machine's platform, is there.\n"
    )


def test_it_is_told_that_this_machines_platform_is_not_there(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    shown = manyfest("inspect", tagged(layout, images.single(layout)))

    assert shown.out.splitlines()[-1] == "linux/arm64, this machine's platform, is NOT there."


def test_a_platform_that_is_missing_below_its_index_is_not_there(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    root = images.platforms(layout)
    reference = tagged(layout, root)
    layout.blobs.path(root.children[1].digest).unlink()

    lines = manyfest("inspect", reference).out.splitlines()

    assert lines[6].split() == ["linux/arm64", "8983950846cc", "missing"]
    assert lines[-1] == "linux/arm64, this machine's platform, is NOT there."


def test_nothing_is_said_of_this_machine_if_another_platform_is_asked_for(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    reference = tagged(layout, images.platforms(layout))

    assert "this machine" not in manyfest("inspect", "--platform", "amd64", reference).out


def test_nor_of_an_artifact_which_is_shown_as_what_it_is(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    shown = manyfest("inspect", tagged(layout, artifact(layout))).out

    assert "this machine" not in shown
    assert shown.split("\n\n")[1:] == [
        "PLATFORM  DIGEST         SIZE  UNPACKED  LAYERS  CREATED\n"
        "(none)    bb14b2208110  607 B                 1\n"
        "  application/vnd.example.sbom",
        "refers to  sha256:a891ccb0dbf6990486fa7b758b85c564f16dc10dd1ab4fd8a8953008dd69e69b\n",
    ]


def test_an_empty_index_is_told_to_be_empty(manyfest: Manyfest, layout: LayoutStore) -> None:
    shown = manyfest("inspect", tagged(layout, index(layout, []))).out

    assert "\n\nIt is empty: it has no image for any platform.\n\nlinux/arm64, this" in shown


def test_attestations_and_signatures_are_named_and_not_verified(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    built = image(layout)
    other = image(layout, "linux/arm64")
    signed = images.put(layout, b"{}", "application/vnd.dev.cosign.simplesigning.v1+json")
    signature = msgspec.structs.replace(built.image, layers=(signed,))
    layout.tag(
        f"sha256-{built.descriptor.digest.hex}.sig", content_of(Manifest.of_image(signature))
    )
    root = index(
        layout,
        [
            entry(built, "linux/amd64"),
            attestation(layout, built),
            entry(other, "linux/arm64"),
            attestation(layout, other),
        ],
    )

    shown = manyfest("inspect", tagged(layout, root)).out

    assert "attached  provenance (SLSA)\n          signature (cosign)  (linux/amd64)\n" in shown
    assert "\n\nWhat is attached was found, not verified.\n" in shown


def test_signatures_need_not_be_looked_for(manyfest: Manyfest, layout: LayoutStore) -> None:
    reference = tagged(layout, images.attested(layout))
    subject = layout.resolve("v1").digest
    layout.tag(f"sha256-{subject.hex}.sig", content_of(image(layout)))

    assert "(the index)" in manyfest("inspect", reference).out
    assert "(the index)" not in manyfest("inspect", "--no-referrers", reference).out


def test_each_version_of_windows_is_told_and_no_line_is_too_long(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    entries = []
    for version in ("10.0.17763.6532", "10.0.20348.2966"):
        built = image(layout, "windows/amd64", text=version, docker=True)
        platform = Platform(os="windows", architecture="amd64", os_version=version)
        entries.append(msgspec.structs.replace(built.descriptor, platform=platform))

    lines = manyfest("inspect", tagged(layout, index(layout, entries))).out.splitlines()

    assert [lines[6], lines[8]] == ["  10.0.17763.6532", "  10.0.20348.2966"]
    assert max(map(len, lines)) <= 80


def test_what_is_unknown_is_marked_and_read_when_asked_for(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    reference = tagged(layout, image(layout, docker=True))

    before = manyfest("inspect", reference).out
    after = manyfest("inspect", "-q", "--unpacked", reference).out

    assert "linux/amd64  093e5449a2de  1.1 kB         ?       2  2026-01-02\n" in before
    assert "?: images do not say it. --unpacked reads the layers that lie here.\n" in before
    assert " 4.1 kB  " in after
    assert "?" not in after


def test_control_characters_of_an_image_are_shown(manyfest: Manyfest, layout: LayoutStore) -> None:
    body = Index(
        schema_version=2,
        media_type=images.OCI_INDEX,
        manifests=(entry(image(layout), "linux/amd64"),),
        annotations={"org.example.\x1b[31m": "red\nlinux/s390x  is there"},
    )

    root = images.put_manifest(layout, Manifest.of_index(body))
    shown = manyfest("inspect", tagged(layout, root))

    assert "annotation  org.example.\\x1b[31m=red\\nlinux/s390x  is there\n" in shown.out
    assert "\x1b" not in shown.out


def test_the_manifests_own_bytes(manyfest: Manyfest, layout: LayoutStore) -> None:
    root = images.platforms(layout)

    assert manyfest("inspect", "--raw", tagged(layout, root)) == (0, root.raw.decode(), "")


def test_one_platforms_own_bytes(manyfest: Manyfest, layout: LayoutStore) -> None:
    reference = tagged(layout, images.platforms(layout))
    arm64 = image(layout, "linux/arm64")

    shown = manyfest("inspect", "--raw", "--platform", "arm64", reference)

    assert shown == (0, arm64.raw.decode(), "")


def test_one_platforms_configuration(manyfest: Manyfest, layout: LayoutStore) -> None:
    reference = tagged(layout, images.platforms(layout))

    shown = manyfest("inspect", "--config", "--platform", "arm64", reference)

    assert json.loads(shown.out)["architecture"] == "arm64"


def test_the_layers_of_each_platform(manyfest: Manyfest, layout: LayoutStore) -> None:
    reference = tagged(layout, images.platforms(layout, ["linux/amd64", "linux/arm64"]))

    assert manyfest("inspect", "--layers", reference).out == (
        "linux/amd64\n"
        "sha256:a891ccb0dbf6990486fa7b758b85c564f16dc10dd1ab4fd8a8953008dd69e69b\n"
        "LAYER           SIZE  UNPACKED  TYPE  CREATED BY\n"
        "76f758b1ad7e  2.0 kB    2.0 kB  tar\n"
        "f4d8c23a5251  2.0 kB    2.0 kB  tar\n"
        "\n"
        "linux/arm64\n"
        "sha256:8983950846cce5139df67714382de096476b57317a7bafc2940f6a821ddd7413\n"
        "LAYER           SIZE  UNPACKED  TYPE  CREATED BY\n"
        "76f758b1ad7e  2.0 kB    2.0 kB  tar\n"
        "6ca6b73e4cbd  2.0 kB    2.0 kB  tar\n"
    )


def test_what_made_a_layer_is_cut_at_the_width_of_a_terminal(
    manyfest: Manyfest, layout: LayoutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = tagged(layout, images.single(layout))
    monkeypatch.setattr("manyfest.cli.session.Session.width", lambda _: 20)

    lines = manyfest("inspect", "--layers", reference).out.splitlines()

    assert lines[2:4] == ["LAYER           SIZ…", "76f758b1ad7e  2.0 k…"]


@pytest.mark.parametrize(("is_terminal", "width"), [(True, 42), (False, None)])
def test_there_is_a_width_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, width: int | None
) -> None:
    from manyfest.cli.session import Session

    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((42, 24)))

    assert Session.width() == width


def test_a_template_is_filled_with_what_the_json_has(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    reference = tagged(layout, images.platforms(layout, ["linux/amd64", "linux/arm64"]))

    shown = manyfest(
        "inspect", reference, "--format", "{{images.*.platform}} {{images.*.unpacked}}"
    )

    assert shown == (0, "linux/amd64 4096\nlinux/arm64 4096\n", "")


def test_the_json_is_a_contract(manyfest: Manyfest, layout: LayoutStore) -> None:
    reference = tagged(layout, images.attested(layout))

    document = json.loads(manyfest("inspect", "--json", reference).out)

    assert keys(document) == (
        "digest media_type images attestations annotations subject attached here"
    )
    assert document["here"] == {"platform": "linux/arm64", "there": True}
    (amd64, _) = document["images"]
    assert keys(amd64) == (
        "platform digest size layers created command user labels artifact_type os_version"
        " media_type missing unpacked entrypoint arguments kinds annotations contents attached"
    )
    assert keys(amd64["contents"][0]) == "digest media_type size unpacked created_by"
    assert keys(amd64["attached"][0]) == "kinds digest artifact_type found_by"


def keys(document: dict[str, Any]) -> str:
    return " ".join(document)


def test_one_form_at_a_time(manyfest: Manyfest, layout: LayoutStore) -> None:
    refused = manyfest("inspect", "--raw", "--json", tagged(layout, images.single(layout)))

    assert refused == (2, "", "manyfest: --raw and --json do not go together\n")


def test_an_index_has_no_configuration_of_its_own(manyfest: Manyfest, layout: LayoutStore) -> None:
    refused = manyfest("inspect", "--config", tagged(layout, images.platforms(layout)))

    assert refused == (
        2,
        "",
        "manyfest: oci:image:v1: it has a configuration for each platform; add --platform\n",
    )


def test_a_platform_that_is_not_there_is_told_in_every_form(
    manyfest: Manyfest, layout: LayoutStore
) -> None:
    reference = tagged(layout, images.single(layout))

    for form in ("--raw", "--config", "--json", "--layers", "-q"):
        assert manyfest("inspect", form, "--platform", "s390x", reference) == (
            1,
            "",
            "manyfest: oci:image: it has no linux/s390x; it has linux/amd64\n",
        )
