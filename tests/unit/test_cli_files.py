"""Files that are named as an image in a registry would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images import make
from tests.unit.cli import Manyfest, make_layout
from tests.unit.internet import Internet

FAILED = "one.example/dist/app: the manifest v1: not found (404"


@pytest.fixture(autouse=True)
def reached(internet: Internet) -> Internet:
    return internet


def test_who_looks_for_a_file_in_a_registry_is_told_how_to_write_it(manyfest: Manyfest) -> None:
    Path("one.example/dist").mkdir(parents=True)
    Path("one.example/dist/app").touch()
    refused = manyfest("inspect", "one.example/dist/app:v1")
    assert refused.code == 1
    assert refused.err.startswith(f"manyfest: {FAILED}")
    assert refused.err.endswith(
        "; there is such a file: write oci-archive:one.example/dist/app:v1\n"
    )


def test_who_looks_for_a_layout_too(manyfest: Manyfest) -> None:
    make_layout(Path("one.example/dist/app"), "v1").close()
    refused = manyfest("copy", "one.example/dist/app:v1", "oci:to")
    assert refused.err.endswith("; there is such a layout: write oci:one.example/dist/app:v1\n")


def test_who_names_a_folder_is_told_to_name_a_file_in_it(manyfest: Manyfest) -> None:
    Path("one.example/dist/app").mkdir(parents=True)
    refused = manyfest("inspect", "one.example/dist/app:v1")
    assert refused.err.endswith(
        "; there is such a folder: write oci-archive:one.example/dist/app/FILE"
        " for an archive in it\n"
    )


def test_an_image_that_is_there_is_read_whatever_file_is_called_so(
    manyfest: Manyfest, internet: Internet
) -> None:
    make(internet.hosts["one.example"].store("dist/app"), "index", "v1")
    Path("one.example/dist").mkdir(parents=True)
    Path("one.example/dist/app").touch()
    assert manyfest("inspect", "one.example/dist/app:v1").code == 0
