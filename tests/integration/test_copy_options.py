"""The options of ``manyfest copy`` with a real registry as target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from tests import images, real
from tests.integration.conftest import Manyfest

pytestmark = pytest.mark.real


@pytest.fixture
def digest(tmp_path: Path) -> str:
    """Of the index for three platforms in ``oci:image:v1``; something refers to the first."""
    with LayoutStore(tmp_path / "image") as layout:
        root = images.make(layout, "index", "v1")
        layout.attach(root.index.manifests[0], images.artifact(layout).descriptor)
    return str(root.descriptor.digest)


def asked(registry: str, path: str) -> Any:
    """What the registry itself says."""
    real.need_programs("curl")
    return json.loads(real.output_of("curl", "-s", f"http://{registry}/v2/{path}"))


def test_a_dry_copy_leaves_the_registry_empty(
    manyfest: Manyfest, docker_registry: str, digest: str
) -> None:
    name = f"{docker_registry}/app:v1"
    planned = manyfest("copy", "--dry-run", "oci:image:v1", name)
    assert (planned.returncode, planned.stdout) == (
        0,
        f"would copy 14 parts, 12.1 kB, to {name}; referrers: 1\n{digest}\n",
    )
    assert asked(docker_registry, "_catalog") == {"repositories": []}


def test_a_dry_copy_tells_what_is_there(
    manyfest: Manyfest, docker_registry: str, digest: str
) -> None:
    name = f"{docker_registry}/app:v1"
    options = ("--platform", "arm64", "--no-referrers")
    subset = manyfest("copy", "oci:image:v1", name, *options).stdout.strip()
    planned = manyfest("copy", "--dry-run", "--no-referrers", "oci:image:v1", name)
    assert planned.stdout.splitlines()[0] == (
        f"would copy 7 parts, 6.6 kB, to {name}; 4 are there; it is {subset} now"
    )


def test_platforms_that_are_named_are_an_index_of_their_own(
    manyfest: Manyfest, docker_registry: str, digest: str
) -> None:
    arguments = ("--platform", "linux/arm64", "--platform", "linux/amd64")
    copied = manyfest("copy", "oci:image:v1", f"{docker_registry}/app:v1", *arguments)
    in_layout = manyfest("copy", "oci:image:v1", "oci:other:v1", *arguments)
    assert copied.returncode == 0, copied.stderr
    assert copied.stdout == in_layout.stdout != f"{digest}\n"


def test_a_registry_that_takes_no_gaps_says_what_to_leave_out(
    manyfest: Manyfest, docker_registry: str, digest: str
) -> None:
    copied = manyfest(
        "copy", "oci:image:v1", f"{docker_registry}/app:v1", "--platform", "arm64", "--sparse"
    )
    assert (copied.returncode, copied.stdout) == (1, "")
    assert copied.stderr.endswith(
        "is left out; leave out --sparse: the platforms then get an index of their own\n"
    )
    assert "tags" not in asked(docker_registry, "app/tags/list")


def test_referrers_go_along_unless_they_are_left(
    manyfest: Manyfest, docker_registry: str, digest: str
) -> None:
    subject = images.single(MemoryStore()).descriptor.digest
    along = manyfest("copy", "oci:image:v1", f"{docker_registry}/along:v1")
    alone = manyfest("copy", "oci:image:v1", f"{docker_registry}/alone:v1", "--no-referrers")

    assert along.stderr.endswith(", referrers: 1\n")
    assert "referrers" not in alone.stderr
    fallback = f"sha256-{subject.hex}"
    assert sorted(asked(docker_registry, "along/tags/list")["tags"]) == [fallback, "v1"]
    assert asked(docker_registry, "alone/tags/list")["tags"] == ["v1"]
