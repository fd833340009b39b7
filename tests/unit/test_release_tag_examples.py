"""The names of two projects' releases, from the configurations in ``examples/tags``."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from manyfest.oci.reference import Name
from manyfest.release.project.load import load
from manyfest.release.run import run
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.step import Release
from manyfest.release.steps.tags import TAGS
from manyfest.release.tags.plan import plan_tags
from manyfest.release.versions.occasion import Occasion
from manyfest.release.versions.version import Version
from tests.unit.releases import VERSION, FakeStores, assert_whole, make_release, with_image

EXAMPLES = Path(__file__).parents[2] / "examples/tags"

GOTIFY = """\
docker.io/gotify/server:2 docker.io/gotify/server:2.6
docker.io/gotify/server:2.6.1 docker.io/gotify/server:latest
docker.io/gotify/server-arm64:2 docker.io/gotify/server-arm64:2.6
docker.io/gotify/server-arm64:2.6.1 docker.io/gotify/server-arm64:latest
docker.io/gotify/server-arm7:2 docker.io/gotify/server-arm7:2.6
docker.io/gotify/server-arm7:2.6.1 docker.io/gotify/server-arm7:latest
docker.io/gotify/server-riscv64:2 docker.io/gotify/server-riscv64:2.6
docker.io/gotify/server-riscv64:2.6.1 docker.io/gotify/server-riscv64:latest
ghcr.io/gotify/server:2 ghcr.io/gotify/server:2.6
ghcr.io/gotify/server:2.6.1 ghcr.io/gotify/server:latest
ghcr.io/gotify/server-arm64:2 ghcr.io/gotify/server-arm64:2.6
ghcr.io/gotify/server-arm64:2.6.1 ghcr.io/gotify/server-arm64:latest
ghcr.io/gotify/server-arm7:2 ghcr.io/gotify/server-arm7:2.6
ghcr.io/gotify/server-arm7:2.6.1 ghcr.io/gotify/server-arm7:latest
ghcr.io/gotify/server-riscv64:2 ghcr.io/gotify/server-riscv64:2.6
ghcr.io/gotify/server-riscv64:2.6.1 ghcr.io/gotify/server-riscv64:latest
"""


def released(
    name: str,
    folder: Path,
    stores: FakeStores,
    version: Version = VERSION,
    occasion: Occasion = Occasion(),  # noqa: B008
) -> Release:
    """The release of an example's project, done."""
    read = load(EXAMPLES / name)
    config = msgspec.structs.replace(read, path=folder / "manyfest.yaml")
    to = [place.place for place in config.publish]
    release = make_release(folder, stores, to=to, config=config, version=version)
    release.tags = plan_tags(config, version, occasion)
    with_image(release, version.text)
    for _ in run(release, (PUBLISH, TAGS)):
        pass
    return release


def test_gotify_s_thirty_two_names(tmp_path: Path) -> None:
    stores = FakeStores()
    release = released("gotify-server.yaml", tmp_path, stores)
    names = [f"{place}:{tag}" for place, held in stores.fakes.items() for tag in held.pointers]
    assert sorted(names) == sorted(GOTIFY.split())
    assert len(names) == 32
    images = {str(image.platform): image.descriptor.digest for image in release.checked}
    for registry in ("docker.io", "ghcr.io"):
        for repository, digest in (
            ("server", release.built.digest),
            ("server-arm64", images["linux/arm64"]),
            ("server-arm7", images["linux/arm/v7"]),
            ("server-riscv64", images["linux/riscv64"]),
        ):
            held = stores.at(f"{registry}/gotify/{repository}")
            assert set(held.pointers.values()) == {digest}
            assert_whole(held)


STATPING = "ghcr.io/statping-ng/statping-ng"
SNAPSHOT = msgspec.structs.replace(
    VERSION, text="2.6.2-dev.5-g0123456", patch=2, prerelease=True, snapshot=True
)
BETA = msgspec.structs.replace(VERSION, text="2.7.0-beta.1", minor=7, patch=0, prerelease=True)
BACK_PORT = msgspec.structs.replace(VERSION, text="2.5.9", minor=5, patch=9)


@pytest.mark.parametrize(
    ("version", "occasion", "tags"),
    [
        (VERSION, Occasion(), ["2", "2.6", "2.6.1", "latest"]),
        (BETA, Occasion(), ["2.7.0-beta.1"]),
        (SNAPSHOT, Occasion(branch="dev"), ["br-dev"]),
        (SNAPSHOT, Occasion(branch="feature/x"), ["br-feature-x"]),
        (SNAPSHOT, Occasion(pull_request="12"), ["pr-12"]),
    ],
)
def test_statping_ng_s_tags(
    tmp_path: Path, version: Version, occasion: Occasion, tags: list[str]
) -> None:
    stores = FakeStores()
    released("statping-ng.yaml", tmp_path, stores, version, occasion)
    assert sorted(stores.at(STATPING).pointers) == tags


def test_neither_a_beta_nor_a_back_port_takes_statping_ng_s_latest(tmp_path: Path) -> None:
    stores = FakeStores()
    first = released("statping-ng.yaml", tmp_path, stores)
    beta = released("statping-ng.yaml", tmp_path, stores, BETA)
    back_port = released("statping-ng.yaml", tmp_path, stores, BACK_PORT)
    assert stores.at(STATPING).pointers == {
        "2.6.1": first.built.digest,
        "2.6": first.built.digest,
        "2": first.built.digest,
        "latest": first.built.digest,
        "2.7.0-beta.1": beta.built.digest,
        "2.5.9": back_port.built.digest,
        "2.5": back_port.built.digest,
    }
    assert back_port.kept == {
        f"{STATPING}:2": "skipped: 2.6.1 is there, a higher 2.x",
        f"{STATPING}:latest": "skipped: 2.6.1 is there, a higher final version",
    }


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_a_configuration(path: Path) -> None:
    config = load(path)
    config.require_supported()
    assert all(isinstance(name, Name) for name in config.publish)


GUIDE = Path(__file__).parents[2] / "docs/guides/tags.md"


@pytest.mark.parametrize("keys", re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL))
def test_what_the_guide_shows_can_be_read(tmp_path: Path, keys: str) -> None:
    path = tmp_path / "manyfest.yaml"
    path.write_text("name: app\nbuild: {platforms: [linux/amd64, linux/arm64]}\n" + keys)
    load(path).require_supported()


@pytest.mark.parametrize("shown", re.findall(r"\| `(?:type|flavor).*\| (`.+?`)", GUIDE.read_text()))
def test_the_guide_s_rules_can_be_read(tmp_path: Path, shown: str) -> None:
    path = tmp_path / "manyfest.yaml"
    rule = shown.strip("`")
    key = rule if rule.startswith("version_prefix") else f"tags:\n- {rule}"
    path.write_text(f"name: app\nbuild: {{platforms: [linux/amd64]}}\n{key}\n")
    load(path).require_supported()
