"""The official conformance suite of the distribution specification, all of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from manyfest.graph import read_graph
from manyfest.serve.access.gate import Challenge
from manyfest.serve.content import content_at
from manyfest.serve.policy import Policy
from manyfest.serve.server import running
from manyfest.stores.layout import LayoutStore
from tests import real
from tests.gates import gate
from tests.images import make
from tests.integration.conftest import Manyfest
from tests.referring import attach

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
    first of them did that did not pass."""
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
    )
    found: dict[str, str] = {}
    for name, ending in re.findall(r"^ *OCI Conformance Test/(.+): (\w+)$", done.stdout, re.M):
        if found.get(name, "Pass") == "Pass":
            found[name] = ending
    assert found, done.stderr
    return found


def test_the_whole_suite_passes_and_nothing_is_left_out(tmp_path: Path) -> None:
    with running(tmp_path / "registry") as address:
        found = results(address, tmp_path / "results", **OPTIONAL)
    assert {name: status for name, status in found.items() if status != "Pass"} == {}
    groups = {name.partition("/")[0] for name in found}
    assert {"sha256 blobs", "sha512 blobs", "index", "artifacts-with-subject"} <= groups
    endings = {name.rpartition("/")[2] for name in found}
    assert {
        "blob-mount-anonymous", "blob-patch-chunked", "blob-post-cancel", "blob-delete",
        "range 500-1499", "tag-delete", "manifest-delete",
    } <= endings  # fmt: skip


@pytest.mark.parametrize("challenge", ["token", "basic"])
def test_it_passes_for_a_user_too(tmp_path: Path, challenge: Challenge) -> None:
    users = gate(tmp_path / "access", None, challenge=challenge)
    who = {"OCI_USERNAME": "ada", "OCI_PASSWORD": "swordfish"}
    with running(tmp_path / "registry", policy=Policy(gate=users)) as address:
        found = results(address, tmp_path / "results", **OPTIONAL, **who)
    assert {name: status for name, status in found.items() if status != "Pass"} == {}
    assert {"sha256 blobs", "index"} <= {name.partition("/")[0] for name in found}


def test_what_is_only_read_passes_on_an_archive(tmp_path: Path, manyfest: Manyfest) -> None:
    with LayoutStore(tmp_path / "image") as store:
        root = make(store, "index")
        attach(store, root, "note")
        blobs = read_graph(store, root.descriptor).blobs
    assert manyfest("copy", "oci:image:v1", "oci-archive:app.tar:v1").returncode == 0
    with running(content_at([tmp_path / "app.tar"])) as address:
        found = results(
            address,
            tmp_path / "results",
            OCI_REPO1="app",
            OCI_API_PUSH="false",
            OCI_API_BLOBS_DELETE="false",
            OCI_API_MANIFESTS_DELETE="false",
            OCI_API_TAGS_DELETE="false",
            OCI_RO_DATA_TAGS="v1",
            OCI_RO_DATA_MANIFESTS=str(root.descriptor.digest),
            OCI_RO_DATA_BLOBS=" ".join(str(blob.digest) for blob in blobs),
            OCI_RO_DATA_REFERRERS=str(root.descriptor.digest),
        )
    assert set(found.values()) == {"Pass", "Disabled"}
    assert {name for name, ending in found.items() if ending == "Disabled"} == {
        "sha256 blobs",
        "sha512 blobs",
        "read-only/push",
        "read-only/push/manifest-by-digest",
        "read-only/push/manifest-by-tag",
        "read-only/delete",
        "read-only/delete/manifest-delete",
        "read-only/delete/blob-delete",
        "invalid-digest-format/manifest-put",
        "invalid-digest-format/delete",
        "invalid-digest-format/delete/manifest-delete",
        "invalid-digest-format/delete/blob-delete",
    }
    assert {"read-only/pull/blob-get", "read-only/referrers", "read-only/tag-list"} <= set(found)
