from __future__ import annotations

import json as plain_json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from manyfest.errors import ConfigError, ReleaseError
from manyfest.oci import json
from manyfest.oci.digest import Digest
from manyfest.oci.reference import Reference
from manyfest.release.project.config import Build
from manyfest.release.reporting.report import PlanReport, ReleaseReport, plan_report, release_report
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.step import Outcome, Release
from manyfest.release.steps.tags import TAGS
from tests.unit.releases import (
    ONE,
    TWO,
    VERSION,
    FakeStores,
    hold_former_release,
    make_config,
    make_release,
    parsed,
    with_image,
)


def small(folder: Path) -> Release:
    build = Build(platforms=parsed("linux/arm/v7"), before="make build")
    config = make_config(folder, build=build, tags=make_config(folder).tags[::2])
    release = with_image(make_release(folder, to=(ONE, TWO), config=config))
    release.archive = Path("dist/app-2.6.1.tar")
    return release


def as_json(report: ReleaseReport | PlanReport) -> object:
    return plain_json.loads(json.dumps(report))


def finished(folder: Path) -> ReleaseReport:
    release = small(folder)
    stores = release.stores
    assert isinstance(stores, FakeStores)
    hold_former_release(stores.at(ONE), "latest")
    release.checked = tuple(
        replace(image, size=4096, layers=2, command=("/app", "--serve"))
        for image in release.checked
    )
    release.build_seconds = {"linux/arm/v7": 0.123456}
    PUBLISH.run(release)
    TAGS.run(release)
    return release_report(
        release,
        [
            Outcome("before", skipped=True, what="there is no hook", seconds=0.00001),
            Outcome("tags", skipped=False, what="6 set", seconds=1.23456),
        ],
    )


TAGS_PLANNED = [
    {
        "tag": "2.6.1",
        "moves": False,
        "skipped": False,
        "reason": "names this release alone",
        "platform": None,
    },
    {
        "tag": "2.6.1-armv7",
        "moves": False,
        "skipped": False,
        "reason": "names the image for linux/arm/v7 in this release",
        "platform": "linux/arm/v7",
    },
    {
        "tag": "latest",
        "moves": True,
        "skipped": False,
        "reason": "moves to 2.6.1, a final release, unless a higher one is there",
        "platform": None,
    },
]


INDEX = "sha256:e4a11ff7c97f4eee1c2d40d5d32e81c4dc2dc1f9f953e52340d5f7d8632581c6"
ARM = "sha256:70e6ccbf31dc2110d94fe8e8a14fcb1d1223631a183fb8d53f7186ee687bd175"


def held(place: str, *, changed: bool = True) -> list[dict[str, object]]:
    """What each tag of the finished release holds in a repository."""
    return [
        {"reference": f"{place}:{tag}", "tag": tag, "digest": digest, "changed": changed}
        for tag, digest in (("2.6.1", INDEX), ("2.6.1-armv7", ARM), ("latest", INDEX))
    ]


def test_the_report_of_a_release(tmp_path: Path) -> None:
    assert as_json(finished(tmp_path)) == {
        "outcome": "released",
        "error": None,
        "name": "app",
        "version": "2.6.1",
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "digest": "sha256:e4a11ff7c97f4eee1c2d40d5d32e81c4dc2dc1f9f953e52340d5f7d8632581c6",
        "archive": "dist/app-2.6.1.tar",
        "taken_from": "",
        "platforms": [
            {
                "platform": "linux/arm/v7",
                "digest": "sha256:70e6ccbf31dc2110d94fe8e8a14fcb1d1223631a183fb8d53f7186ee687bd175",
                "config": "sha256:77d57613e61711e53667852c474ffc4c7d8982ae27caf3d2c7b30fdf3bb56394",
                "size": 4096,
                "layers": 2,
                "command": ["/app", "--serve"],
                "seconds": 0.123,
            }
        ],
        "destinations": [
            {
                "repository": "one.example/app",
                "platform": None,
                "uploaded": 3232,
                "tags": ["2.6.1", "2.6.1-armv7", "latest"],
                "references": held("one.example/app"),
                "kept": [],
            },
            {
                "repository": "two.example/app",
                "platform": None,
                "uploaded": 5280,
                "tags": ["2.6.1", "2.6.1-armv7", "latest"],
                "references": held("two.example/app"),
                "kept": [],
            },
        ],
        "changed": [
            "one.example/app:2.6.1",
            "two.example/app:2.6.1",
            "one.example/app:2.6.1-armv7",
            "two.example/app:2.6.1-armv7",
            "one.example/app:latest",
            "two.example/app:latest",
        ],
        "standing": [],
        "tags": TAGS_PLANNED,
        "steps": [
            {"step": "before", "outcome": "skipped", "what": "there is no hook", "seconds": 0.0},
            {"step": "tags", "outcome": "done", "what": "6 set", "seconds": 1.235},
        ],
    }


def test_a_reference_that_held_the_release_before_is_not_changed(tmp_path: Path) -> None:
    release = small(tmp_path)
    PUBLISH.run(release)
    TAGS.run(release)
    release.changed_tags = []
    report = release_report(release, [])
    assert report.changed == ()
    assert as_json(report)["destinations"][1]["references"] == held(TWO, changed=False)  # type: ignore[index]


def test_a_tag_that_somebody_else_has_moved_on_is_not_said_to_hold_the_release(
    tmp_path: Path,
) -> None:
    release = small(tmp_path)
    PUBLISH.run(release)
    TAGS.run(release)
    release.moved_on = {"one.example/app:latest": Digest("sha256", "ab" * 32)}
    report = release_report(release, [])
    one, two = report.destinations
    assert one.tags == ("2.6.1", "2.6.1-armv7")
    assert [each.reference for each in one.references] == [f"{ONE}:2.6.1", f"{ONE}:2.6.1-armv7"]
    assert [(each.tag, each.reason) for each in one.kept] == [
        ("latest", f"somebody else has moved it on to sha256:{'ab' * 32}")
    ]
    assert (two.tags, two.kept) == (("2.6.1", "2.6.1-armv7", "latest"), ())
    assert "one.example/app:latest" not in report.changed
    assert "two.example/app:latest" in report.changed


def test_a_release_that_failed_at_a_tag_says_where_each_stands(tmp_path: Path) -> None:
    release = small(tmp_path)
    stores = release.stores
    assert isinstance(stores, FakeStores)
    hold_former_release(stores.at(ONE), "latest")
    PUBLISH.run(release)
    stores.trouble.fails = lambda _, call: call == f"tag {TWO} latest"
    with pytest.raises(ReleaseError) as failed:
        TAGS.run(release)
    report = as_json(release_report(release, [], failed.value))
    assert isinstance(report, dict)
    assert (report["outcome"], report["digest"], report["changed"]) == ("failed", INDEX, [])
    assert report["error"] == {
        "where": "two.example/app:latest",
        "what": "the tag could not be set: the connection broke; put back: one.example/app:latest;"
        " set and left, naming this version alone: one.example/app:2.6.1, two.example/app:2.6.1,"
        " one.example/app:2.6.1-armv7,"
        " two.example/app:2.6.1-armv7; no other tag was changed",
        "mend": "mend that and run the same command again",
        "exit_code": 1,
    }
    assert {each["reference"]: each["standing"] for each in report["standing"]} == {
        "one.example/app:2.6.1": "set and left",
        "two.example/app:2.6.1": "set and left",
        "one.example/app:2.6.1-armv7": "set and left",
        "two.example/app:2.6.1-armv7": "set and left",
        "one.example/app:latest": "put back",
        "two.example/app:latest": "as before",
    }
    assert [(each["tags"], each["references"]) for each in report["destinations"]] == [([], [])] * 2


def test_a_release_that_failed_at_once_knows_no_digest(tmp_path: Path) -> None:
    release = make_release(tmp_path)
    report = release_report(release, [], ConfigError("no", where="manyfest.yaml:3", mend="do"))
    assert (report.digest, report.platforms, report.standing) == ("", (), ())
    assert as_json(report)["error"] == {  # type: ignore[index]
        "where": "manyfest.yaml:3",
        "what": "no",
        "mend": "do",
        "exit_code": 2,
    }


def test_a_plan_names_whom_it_would_tell_without_secrets(tmp_path: Path) -> None:
    told = ("gotify://push.example.org/s3cret", "env:OPS_URL", "tgram://s3cret/12")
    release = make_release(tmp_path, config=make_config(tmp_path, notify=told))
    assert plan_report(release).notify == ("gotify://push.example.org", "env:OPS_URL", "tgram://…")


def test_the_plan_of_a_release(tmp_path: Path) -> None:
    assert as_json(plan_report(small(tmp_path))) == {
        "name": "app",
        "version": "2.6.1",
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "taken_from": "",
        "before": "make build",
        "archive": "dist/app-2.6.1.tar",
        "platforms": ["linux/arm/v7"],
        "smoke": [],
        "destinations": ["one.example/app", "two.example/app"],
        "tags": TAGS_PLANNED,
        "notify": [],
    }


def test_a_plan_asks_no_registry(tmp_path: Path) -> None:
    release = small(tmp_path)
    plan_report(release)
    assert isinstance(release.stores, FakeStores)
    assert release.stores.trouble.calls == []


def test_an_image_that_is_taken_is_neither_built_nor_written(tmp_path: Path) -> None:
    release = small(tmp_path)
    release.taken_from = Reference.parse("oci-archive:image.tar:v1")
    plan = plan_report(release)
    assert (plan.taken_from, plan.before, plan.archive) == ("oci-archive:image.tar:v1", "", "")
    report = release_report(release, [])
    assert (report.taken_from, report.archive) == ("oci-archive:image.tar:v1", "")
    assert report.platforms[0].seconds is None
    assert report.destinations[0].uploaded == 0


def test_a_tag_that_a_prerelease_leaves_alone_is_planned_and_not_set(tmp_path: Path) -> None:
    version = msgspec.structs.replace(VERSION, text="2.7.0-rc.1", prerelease=True)
    release = with_image(make_release(tmp_path, version=version))
    assert [(tag.tag, tag.reason) for tag in plan_report(release).tags][-1] == (
        "latest",
        "skipped: 2.7.0-rc.1 is a pre-release",
    )
    assert release_report(release, []).destinations[0].tags == (
        "2.7.0-rc.1",
        "2.7.0-rc.1-amd64",
        "2.7.0-rc.1-arm64",
    )
