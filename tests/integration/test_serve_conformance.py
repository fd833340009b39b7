"""The official conformance suite of the distribution specification, all of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from manyfest.serve.server import running
from tests import real

pytestmark = pytest.mark.real

# What version 1.1 of the suite leaves out unless told, as other registries may not have it.
OPTIONAL = {
    "OCI_API_BLOBS_DIGEST_HEADER": "true",
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
    "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_TAG_PARAM": "true",
}


def results(address: str, folder: Path, **settings: str) -> dict[str, str]:
    """How each of the suite's tests ended. Those of one name count as one, which ended as the
    worst of them did."""
    done = subprocess.run(
        [real.peer("conformance")],
        env={
            "OCI_REGISTRY": address,
            "OCI_TLS": "disabled",
            "OCI_VERSION": "1.1",
            "OCI_RESULTS_DIR": str(folder),
            **settings,
        },
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
    )
    assert (folder / "junit.xml").exists(), done.stderr
    found: dict[str, str] = {}
    for case in ElementTree.parse(folder / "junit.xml").iter("testcase"):
        name = case.attrib["name"].removeprefix("OCI Conformance Test/")
        if found.get(name, "passed") == "passed":
            found[name] = case.attrib["status"]
    return found


def test_the_whole_suite_passes_and_nothing_is_left_out(tmp_path: Path) -> None:
    with running(tmp_path / "registry") as address:
        found = results(address, tmp_path / "results", **OPTIONAL)
    assert {name: status for name, status in found.items() if status != "passed"} == {}
    groups = {name.partition("/")[0] for name in found}
    assert {"sha256 blobs", "sha512 blobs", "index", "artifacts-with-subject"} <= groups
    endings = {name.rpartition("/")[2] for name in found}
    assert {
        "blob-mount-anonymous", "blob-patch-chunked", "blob-post-cancel", "blob-delete",
        "range 500-1499", "tag-delete", "manifest-delete",
    } <= endings  # fmt: skip
