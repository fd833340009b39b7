"""``manyfest inspect`` on every kind of place, and with what other tools wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyfest.stores.layout import LayoutStore
from tests import images, real
from tests.integration.conftest import Manyfest

pytestmark = pytest.mark.real


@pytest.fixture
def layout(tmp_path: Path) -> LayoutStore:
    """An index for three platforms under ``v1``."""
    store = LayoutStore(tmp_path / "image")
    images.make(store, "index")
    return store


def test_an_image_in_each_kind_of_place(
    manyfest: Manyfest, layout: LayoutStore, docker_registry: str, tmp_path: Path
) -> None:
    """Of an index each kind of place shows the same."""
    places = ["oci-archive:image.tar:v1", f"{docker_registry}/team/app:v1"]
    for place in places:
        assert manyfest("copy", "oci:image:v1", place).returncode == 0

    shown = [manyfest("inspect", place) for place in ("oci:image:v1", *places)]

    assert [each.returncode for each in shown] == [0, 0, 0]
    tables = {each.stdout.partition("\n")[2] for each in shown}
    assert len(tables) == 1
    assert "linux/arm/v7  70e6ccbf31dc  5.0 kB    4.1 kB       2  2026-01-02\n" in tables.pop()


def test_what_skopeo_wrote_for_docker(
    manyfest: Manyfest, layout: LayoutStore, tmp_path: Path
) -> None:
    real.need_programs("skopeo")
    real.output_of(
        "skopeo", "copy", "-q", "--override-arch", "arm64",
        f"oci:{layout.path}:v1", f"docker-archive:{tmp_path}/image.tar:team/app:v1",
    )  # fmt: skip

    shown = json.loads(manyfest("inspect", "--json", "docker-archive:image.tar").stdout)

    (arm64,) = shown["images"]
    assert (arm64["platform"], arm64["unpacked"], arm64["user"]) == ("linux/arm64", 4096, "app")


def test_an_image_in_docker(
    manyfest: Manyfest,
    layout: LayoutStore,
    docker_host: str,
    docker: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    loaded = manyfest("copy", "--platform", "amd64", "oci:image:v1", "docker-daemon:team/app:v1")
    assert loaded.returncode == 0, loaded.stderr

    shown = manyfest("inspect", "docker-daemon:team/app:v1")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\nlinux/amd64  " in shown.stdout
    assert "\nruns  /app --serve\nuser  app\n" in shown.stdout
    assert "4.1 kB       2  2026-01-02\n" in shown.stdout


def test_what_layers_unpack_to_is_what_they_are_in_a_file_system(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    """Compressed by skopeo, and counted again."""
    real.need_programs("skopeo")
    store = LayoutStore(tmp_path / "image")
    images.make(store, "image")
    real.output_of(
        "skopeo", "copy", "-q", "--dest-compress-format", "zstd",
        f"oci:{store.path}:v1", f"oci:{tmp_path}/packed:v1",
    )  # fmt: skip

    (told,) = json.loads(manyfest("inspect", "--json", "oci:packed:v1").stdout)["images"]
    (counted,) = json.loads(manyfest("inspect", "--json", "--unpacked", "oci:packed:v1").stdout)[
        "images"
    ]

    assert {layer["media_type"] for layer in told["contents"]} == {
        "application/vnd.oci.image.layer.v1.tar+zstd"
    }
    assert (told["unpacked"], counted["unpacked"]) == (None, 4096)


def test_a_sparse_index_shows_what_is_missing(
    manyfest: Manyfest, layout: LayoutStore, tmp_path: Path
) -> None:
    manyfest("copy", "--sparse", "--platform", "amd64", "oci:image:v1", "oci:sparse:v1")

    shown = manyfest("inspect", "oci:sparse:v1")

    assert shown.returncode == 0
    assert [line.split()[-1] for line in shown.stdout.splitlines()[5:8]] == [
        "2026-01-02",
        "missing",
        "missing",
    ]
    assert "\nmissing: the index names it, and it is not there.\n" in shown.stdout
