from __future__ import annotations

from pathlib import Path

from manyfest.errors import ReleaseError
from manyfest.notify.message import Message
from manyfest.release.published.rollback import RollbackReport, TagChange
from manyfest.release.reporting.messages import failed, released, rolled_back
from manyfest.release.reporting.report import release_report
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.tags import TAGS
from tests.unit.releases import make_release, with_image

RUN = {"CI_JOB_URL": "https://gitlab.example.org/app/-/jobs/7"}


def test_a_release_is_told_with_its_platforms_and_tags(tmp_path: Path) -> None:
    release = with_image(make_release(tmp_path, to=("one.example/app", "ghcr.io/us/app")))
    PUBLISH.run(release)
    TAGS.run(release)
    report = release_report(release, [])
    assert released(report, RUN) == Message(
        title="app 2.6.1 is released",
        text="linux/amd64, linux/arm64\n"
        "one.example/app: 2.6.1, 2.6.1-amd64, 2.6.1-arm64, 2.6, latest\n"
        "ghcr.io/us/app: 2.6.1, 2.6.1-amd64, 2.6.1-arm64, 2.6, latest\n"
        f"{report.digest}\n"
        "https://ghcr.io/us/app",
        markdown="linux/amd64, linux/arm64  \n"
        "one.example/app: 2.6.1, 2.6.1-amd64, 2.6.1-arm64, 2.6, latest  \n"
        "ghcr.io/us/app: 2.6.1, 2.6.1-amd64, 2.6.1-arm64, 2.6, latest  \n"
        f"{report.digest}  \n"
        "<https://ghcr.io/us/app>",
        link="https://ghcr.io/us/app",
        tone="success",
        priority=5,
        in_markdown=True,
    )


def test_where_no_registry_has_a_page_the_run_has(tmp_path: Path) -> None:
    release = with_image(make_release(tmp_path))
    PUBLISH.run(release)
    TAGS.run(release)
    report = release_report(release, [])
    assert released(report, RUN).link == "https://gitlab.example.org/app/-/jobs/7"
    assert released(report, {}).link == ""


def test_a_failure_is_told_with_its_error(tmp_path: Path) -> None:
    error = ReleaseError("it broke; no tag was changed", where="one.example/app", mend="try again")
    report = release_report(make_release(tmp_path), [], error)
    assert failed(report, RUN) == Message.of_lines(
        "app 2.6.1 was not released",
        ["one.example/app: it broke; no tag was changed; try again"],
        link="https://gitlab.example.org/app/-/jobs/7",
        tone="failure",
        priority=8,
        in_markdown=True,
    )


def test_a_long_error_is_cut(tmp_path: Path) -> None:
    report = release_report(make_release(tmp_path), [], ReleaseError("x" * 3000))
    assert failed(report, {}).text == "x" * 1000 + "…"


def rollback_report(**changes: object) -> RollbackReport:
    settings: dict[str, object] = {
        "name": "app",
        "version": "2.7.0",
        "target": "2.6.0",
        "digest": "sha256:old",
        "changed": (
            TagChange(reference="quay.io/us/app:2", before="sha256:new", digest="sha256:old"),
            TagChange(reference="quay.io/us/app:2.7", before="sha256:new", digest=None),
        ),
        "left": (),
        "moved_on": (),
        **changes,
    }
    return RollbackReport(**settings)  # type: ignore[arg-type]


def test_a_rollback_is_told_with_what_moved() -> None:
    assert rolled_back(rollback_report(), {}) == Message.of_lines(
        "app is back from 2.7.0 to 2.6.0",
        ["quay.io/us/app:2", "quay.io/us/app:2.7 is taken away"],
        link="https://quay.io/repository/us/app",
        tone="warning",
        priority=5,
        in_markdown=True,
    )


def test_and_with_what_stays() -> None:
    done = rollback_report(left=("one.example/app:2.7",), moved_on=("one.example/app:latest",))
    assert rolled_back(done, {}).text.splitlines()[2:4] == [
        "one.example/app:2.7 was new and stays: it may still hold 2.7.0",
        "one.example/app:latest: somebody else has moved it on",
    ]


def test_a_version_that_is_gone_up_to_is_not_back() -> None:
    assert rolled_back(rollback_report(target="2.8.0"), {}).title == (
        "app is moved from 2.7.0 to 2.8.0"
    )


def test_where_tags_were_only_taken_away_nothing_is_back() -> None:
    gone = TagChange(reference="quay.io/us/app:1.9", before="sha256:new", digest=None)
    done = rollback_report(version="1.9.0", target="2.6.0", changed=(gone,))
    assert rolled_back(done, {}).title == "app 1.9.0 is taken back"
