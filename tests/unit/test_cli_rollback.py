"""``rollback`` and ``status`` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.oci.digest import Digest
from manyfest.release.resume.journal import Began, Held, Journal
from tests import images
from tests.quirks import Between
from tests.unit.cli import Manyfest, reach

CONFIG = """\
name: app
build: {platforms: [linux/amd64, linux/arm64]}
tags: ["{{version}}", "{{major}}.{{minor}}", latest]
publish: [localhost:5000/team/app]
"""
HERE = "localhost:5000/team/app"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Between]:
    """Whatever registry is named is this one."""
    between = Between()
    reach(monkeypatch, between)
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    yield between
    between.close()


def publish(registry: Between, version: str, *moving: str, repository: str = "team/app") -> Digest:
    store = registry.store(repository)
    root = images.platforms(store, ["linux/amd64", "linux/arm64"], text=version)
    for tag in (version, *moving):
        store.tag(tag, images.content_of(root))
    return root.descriptor.digest


def test_the_digest_of_what_is_out_again_is_printed_last(
    manyfest: Manyfest, registry: Between
) -> None:
    old = publish(registry, "2.6.0")
    new = publish(registry, "2.6.1", "2.6", "latest")
    done = manyfest("rollback")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "app is back from 2.6.1 to 2.6.0\n"
        "TAG                             WAS                  NOW\n"
        f"localhost:5000/team/app:2.6     {str(new)[:19]}  {str(old)[:19]}\n"
        f"localhost:5000/team/app:latest  {str(new)[:19]}  {str(old)[:19]}\n"
        f"{old}\n"
    )
    assert registry.store().resolve("latest").digest == old


def test_a_plan_changes_nothing(manyfest: Manyfest, registry: Between) -> None:
    publish(registry, "2.6.0")
    new = publish(registry, "2.6.1", "2.6", "latest")
    registry.asked()
    planned = manyfest("rollback", "--dry-run")
    assert planned.out.startswith("app would go back from 2.6.1 to 2.6.0\n")
    assert not any(line.startswith("PUT") for line in registry.asked())
    assert registry.store().resolve("latest").digest == new


def test_what_is_there_already_is_said(manyfest: Manyfest, registry: Between) -> None:
    only = publish(registry, "2.6.0", "2.6", "latest")
    assert manyfest("rollback", "--to", "v2.6.0").out == (
        f"app is at 2.6.0: every tag is there already\n{only}\n"
    )


def test_a_back_port_is_taken_back(manyfest: Manyfest, registry: Between) -> None:
    old = publish(registry, "2.6.0")
    publish(registry, "2.7.0", "2.7", "latest")
    bad = publish(registry, "2.6.1", "2.6")
    assert manyfest("rollback", "--of", "v2.6.1").out == (
        "app is back from 2.6.1 to 2.6.0\n"
        "TAG                          WAS                  NOW\n"
        f"localhost:5000/team/app:2.6  {str(bad)[:19]}  {str(old)[:19]}\n"
        f"{old}\n"
    )
    assert manyfest("rollback", "--of", "2.6.1").out == (
        f"app: no moving tag is at 2.6.1; there is nothing to take back\n{old}\n"
    )


def test_tags_that_are_only_taken_away_are_at_no_other_version(
    manyfest: Manyfest, registry: Between
) -> None:
    out = publish(registry, "2.7.0", "2.7", "latest")
    new = publish(registry, "2.6.0", "2.6")
    journal = Journal(
        Path("dist/app-2.6.0.journal"), Began(name="app", version="2.6.0", digest=new)
    )
    journal.path.parent.mkdir()
    journal.note(Held(reference=f"{HERE}:2.6", digest=None))
    planned = manyfest("rollback", "--of", "2.6.0", "--dry-run").out.splitlines()
    assert (planned[0], planned[-1]) == ("app 2.6.0 would be taken back", str(out))


def test_a_plan_says_of_a_tag_that_not_every_registry_takes_it_away(
    manyfest: Manyfest, registry: Between
) -> None:
    publish(registry, "2.6.0", "2.6")
    new = publish(registry, "2.7.0", "2.7", "latest")
    journal = Journal(
        Path("dist/app-2.7.0.journal"), Began(name="app", version="2.7.0", digest=new)
    )
    journal.path.parent.mkdir()
    held = registry.store().resolve("2.6").digest
    journal.note(
        Held(reference=f"{HERE}:2.7", digest=None), Held(reference=f"{HERE}:latest", digest=held)
    )
    planned = manyfest("rollback", "--dry-run")
    assert planned.out.splitlines()[-2] == (
        f"localhost:5000/team/app:2.7     {str(new)[:19]}  taken away, where the registry does that"
    )


def test_a_version_that_is_gone_up_to_is_not_back(manyfest: Manyfest, registry: Between) -> None:
    publish(registry, "2.6.0", "2.6", "latest")
    publish(registry, "2.7.0", "2.7")
    told = manyfest("rollback", "--to", "2.7.0", "--dry-run")
    assert told.out.startswith("app would move from 2.6.0 to 2.7.0\n")


def test_a_pre_release_with_tags_of_its_own_does_not_pass_for_the_one_that_is_out(
    manyfest: Manyfest, registry: Between, tmp_path: Path
) -> None:
    beta = CONFIG.replace("latest]", "latest, {tag: beta, on: [prerelease]}]")
    (tmp_path / "manyfest.yaml").write_text(beta)
    publish(registry, "2.6.0", "2.6", "latest")
    pre = publish(registry, "2.7.0-rc.1", "beta")
    assert manyfest("rollback", "--to", "2.7.0-rc.1").out == (
        f"app: the tags that move for 2.7.0-rc.1 are there already; 2.6.0 is out\n{pre}\n"
    )


def test_a_rollback_as_json(manyfest: Manyfest, registry: Between) -> None:
    old = publish(registry, "2.6.0")
    new = publish(registry, "2.6.1", "2.6", "latest")
    assert json.loads(manyfest("rollback", "--json").out) == {
        "name": "app",
        "version": "2.6.1",
        "target": "2.6.0",
        "digest": str(old),
        "changed": [
            {"reference": f"{HERE}:2.6", "before": str(new), "digest": str(old)},
            {"reference": f"{HERE}:latest", "before": str(new), "digest": str(old)},
        ],
        "left": [],
        "moved_on": [],
    }


def test_the_tags_and_what_they_hold(manyfest: Manyfest, registry: Between) -> None:
    digest = publish(registry, "2.6.1", "2.6", "latest")
    assert manyfest("status") == (
        0,
        "TAG     REPOSITORY               VERSION  DIGEST               PLATFORMS\n"
        f"latest  localhost:5000/team/app  2.6.1    {str(digest)[:19]}  all 2\n"
        f"2.6     localhost:5000/team/app  2.6.1    {str(digest)[:19]}  all 2\n"
        f"2.6.1   localhost:5000/team/app  2.6.1    {str(digest)[:19]}  all 2\n"
        "app: complete everywhere\n",
        "",
    )


HALF = CONFIG.replace('"{{major}}.{{minor}}", latest', '"{{major}}", latest')


def test_a_half_release_is_no_and_how_it_is_mended_is_said(
    manyfest: Manyfest, registry: Between, tmp_path: Path
) -> None:
    (tmp_path / "manyfest.yaml").write_text(HALF)
    for repository in ("team/app", "mirror"):
        publish(registry, "6.3.0", "latest", repository=repository)
        publish(registry, "6.4.0", "6", repository=repository)
    told = manyfest("status", "--repo", HERE, "--repo", "localhost:5000/mirror")
    assert told.code == 3
    assert told.out.splitlines()[-2:] == [
        "localhost:5000/team/app, localhost:5000/mirror: 6.4.0 is half released: 6 is at it, and"
        " latest is not; release 6.4.0 again to finish it, or take it back: manyfest rollback --of"
        " 6.4.0",
        "app: NOT released whole",
    ]


def test_what_is_not_out_and_other_lines_are_told(manyfest: Manyfest, registry: Between) -> None:
    publish(registry, "1.0.2", "1.0")
    publish(registry, "1.1.0", "1.1", "latest")
    publish(registry, "1.2.0")
    told = manyfest("status")
    assert told.code == 0
    assert told.out.splitlines()[-3:] == [
        "other lines: 1.0 at 1.0.2",
        "1.2.0 is not out under latest: it was taken back, or its release did not end",
        "app: complete everywhere",
    ]


def test_repositories_that_differ_are_no(manyfest: Manyfest, registry: Between) -> None:
    publish(registry, "2.6.1", "2.6", "latest")
    told = manyfest("status", "--repo", HERE, "--repo", "localhost:5000/mirror")
    assert told.code == 3
    assert (
        "latest (differs)  localhost:5000/mirror    -        -                    no such tag"
        in (told.out)
    )
    assert told.out.endswith("app: NOT the same and complete everywhere\n")


def test_a_status_as_json(manyfest: Manyfest, registry: Between) -> None:
    publish(registry, "2.6.1", "2.6", "latest")
    told = json.loads(manyfest("status", "--json").out)
    assert (told["name"], told["good"]) == ("app", True)
    assert [tag["tag"] for tag in told["tags"]] == ["latest", "2.6", "2.6.1"]


def test_where_nothing_was_released_that_is_said(manyfest: Manyfest, registry: Between) -> None:
    assert manyfest("status") == (0, "app: nothing is released yet\n", "")


@pytest.mark.parametrize("verb", ["rollback", "status"])
def test_somewhere_must_be_looked(manyfest: Manyfest, tmp_path: Path, verb: str) -> None:
    (tmp_path / "manyfest.yaml").write_text(
        CONFIG.replace("publish: [localhost:5000/team/app]", "")
    )
    assert manyfest(verb) == (
        2,
        "",
        "manyfest: manyfest.yaml: 'publish' names no repository; name one there or with --repo\n",
    )


@pytest.mark.parametrize("verb", ["rollback", "status"])
def test_one_image_is_no_repository(manyfest: Manyfest, registry: Between, verb: str) -> None:
    assert manyfest(verb, "--repo", f"{HERE}:v1") == (
        2,
        "",
        f"manyfest: --repo '{HERE}:v1' names one image; write {HERE}; 'tags' has the tags\n",
    )
