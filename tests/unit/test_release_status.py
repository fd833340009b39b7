from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manyfest.errors import AccessDenied, ConnectionFailed
from manyfest.oci.reference import Name
from manyfest.release.destinations import destinations
from manyfest.release.published.holdings import read_holding
from manyfest.release.published.status import Status, read_status
from tests.unit.releases import ONE, TWO, FakeRegistry, FakeStores, hold_former_release
from tests.unit.test_release_rollback import Project

New = Callable[..., Project]


@pytest.fixture
def project(tmp_path: Path) -> New:
    return lambda *to, **changes: Project(tmp_path, *to, **changes)


def status_of(app: Project, *, every: bool = False) -> Status:
    places = destinations(app.config, map(Name.parse, app.to))
    status, silent = read_status(app.config, app.stores, places, every=every)
    assert silent == []
    return status


def told(status: Status) -> dict[str, list[str]]:
    return {tag.tag: [state.version for state in tag.repositories] for tag in status.tags}


def test_each_tag_and_the_version_that_it_holds(project: New) -> None:
    app = project(ONE, TWO).release("2.6.0", "2.6.1")
    status = status_of(app)
    assert told(status) == {
        "latest": ["2.6.1", "2.6.1"],
        "2": ["2.6.1", "2.6.1"],
        "2.6": ["2.6.1", "2.6.1"],
        "2.6.1": ["2.6.1", "2.6.1"],
    }
    assert status.good


def test_what_is_told_of_a_tag(project: New) -> None:
    app = project().release("2.6.1")
    (state,) = status_of(app).tags[0].repositories
    assert (state.repository, state.version, state.complete) == (ONE, "2.6.1", True)
    assert state.digest == str(app.at(ONE).pointers["2.6.1"])
    assert [(each.platform, each.state) for each in state.platforms] == [
        ("linux/amd64", "ready"),
        ("linux/arm64", "ready"),
    ]


def test_after_a_rollback_the_newest_version_is_told_of_too(project: New) -> None:
    app = project().release("2.6.0", "2.7.0")
    app.rollback()
    assert told(status_of(app)) == {
        "latest": ["2.6.0"],
        "2": ["2.6.0"],
        "2.6": ["2.6.0"],
        "2.7": [""],
        "2.6.0": ["2.6.0"],
        "2.7.0": ["2.7.0"],
    }


def test_a_tag_that_is_nowhere_is_no_disagreement(project: New) -> None:
    app = project(ONE, TWO).release("2.6.0", "2.7.0")
    app.rollback()
    assert status_of(app).good


def test_registries_that_differ_are_no(project: New) -> None:
    app = project(ONE, TWO).release("2.6.0").release("2.6.1", to=(ONE,))
    status = status_of(app)
    assert not status.good
    assert [(tag.tag, tag.agree) for tag in status.tags] == [
        ("latest", False),
        ("2", False),
        ("2.6", False),
        ("2.6.1", False),
        ("2.6.0", True),
    ]


def test_a_part_that_is_missing_is_no(project: New) -> None:
    app = project().release("2.6.1")
    registry = app.at(ONE)
    for digest, raw in list(registry.blobs.items()):
        if b"linux/arm64" in raw and b"2.6.1" in raw:
            del registry.blobs[digest]
    status = status_of(app)
    assert not status.good
    states = {each.platform: each.state for each in status.tags[0].repositories[0].platforms}
    assert states == {"linux/amd64": "ready", "linux/arm64": "partial"}


def test_a_platform_that_is_missing_is_no(project: New) -> None:
    app = project().release("2.6.1")
    hold_former_release(app.at(ONE), "latest")
    latest = status_of(app).tags[0]
    assert (latest.tag, latest.agree, latest.repositories[0].complete) == ("latest", True, False)
    assert latest.repositories[0].platforms[1].why == "it has linux/amd64"


def test_a_repository_that_is_yet_to_be_made_holds_nothing(project: New) -> None:
    app = project(ONE, TWO).release("2.6.1", to=(ONE,))
    status = status_of(app)
    assert not status.good
    assert [state.digest for state in status.tags[0].repositories][1] == ""


def test_all_versions_can_be_looked_at(project: New) -> None:
    app = project().release("1.9.0", "2.6.0", "2.6.1")
    assert told(status_of(app, every=True))["1.9"] == ["1.9.0"]
    assert "1.9" not in told(status_of(app))
    assert status_of(app, every=True).lines == ()


def lines(status: Status) -> dict[str, list[str]]:
    return {line.tag: [state.version for state in line.repositories] for line in status.lines}


def test_the_version_at_each_moving_tag_of_the_other_lines(project: New) -> None:
    app = project(ONE, TWO).release("0.9.0", "1.0.0", "1.1.0", "1.0.2")
    status = status_of(app)
    assert lines(status) == {
        "1.0": ["1.0.2", "1.0.2"],
        "0": ["0.9.0", "0.9.0"],
        "0.9": ["0.9.0", "0.9.0"],
    }
    assert status.good


def test_lines_that_differ_are_no(project: New) -> None:
    app = project(ONE, TWO).release("1.0.0", "1.1.0").release("1.0.2", to=(ONE,))
    status = status_of(app)
    assert lines(status) == {"1.0": ["1.0.2", "1.0.0"]}
    assert not status.good


def test_a_new_line_that_a_killed_release_has_made_in_some_repositories_is_no(
    project: New,
) -> None:
    app = project(ONE, TWO).release("1.0.0", "2.0.0", "1.1.0")
    names = app.at(TWO).names
    del names["1.1"]  # what 1.1.0 had not come to when it was killed
    status = status_of(app)
    assert lines(status)["1.1"] == ["1.1.0", ""]
    assert not status.good


def test_a_line_that_a_repository_never_had_is_left_out(project: New) -> None:
    app = project(ONE, TWO).release("1.0.0", to=(ONE,)).release("2.0.0")
    status = status_of(app)
    assert lines(status) == {}
    assert status.good


def test_an_old_line_need_not_have_every_platform(project: New) -> None:
    app = project().release("1.0.0", "2.0.0")
    hold_former_release(app.at(ONE), "1.0.0", "1.0", "1")
    assert status_of(app).good


def test_of_very_many_lines_there_are_those_of_the_highest_versions(project: New) -> None:
    app = project().release(*(f"1.{minor}.0" for minor in range(16)))
    assert [*lines(status_of(app))] == [f"1.{minor}" for minor in range(14, 2, -1)]


def test_a_half_release_is_no(project: New) -> None:
    app = project().release("6.3.0", "6.4.0")
    names = app.at(ONE).names
    names["latest"] = names["6.3.0"]  # what 6.4.0 had not come to when it was killed
    status = status_of(app)
    assert not status.good
    assert [str(half.what) for half in status.half] == [
        "6.4.0 is half released: 6 is at it, and latest is not"
    ]


def test_so_is_a_half_back_port(project: New) -> None:
    app = project().release("1.0.0", "1.0.1", "2.0.0", "1.0.2")
    names = app.at(ONE).names
    names["1"] = names["1.0.1"]
    (half,) = status_of(app).half
    assert (half.version, half.at_it, half.elsewhere) == ("1.0.2", ("1.0",), ("1",))


def test_a_version_that_was_taken_back_is_told_of_and_no_fault(project: New) -> None:
    app = project().release("1.0.0", "1.1.0", "1.0.2")
    app.rollback()
    status = status_of(app)
    assert (status.good, status.half) == (True, ())
    (newest,) = status.not_out
    assert (newest.version, newest.at_it, newest.elsewhere) == ("1.1.0", (), ("1", "latest"))


def test_a_tag_that_is_new_in_the_configuration_makes_no_release_half(project: New) -> None:
    app = project().release("1.0.0", "1.1.0")
    del app.at(ONE).names["1"]
    assert status_of(app).half == ()


def test_a_pre_release_that_is_newer_than_what_is_out_is_told_of_too(project: New) -> None:
    app = project().release("2.6.1", "2.7.0-rc.1")
    assert told(status_of(app))["2.7.0-rc.1"] == ["2.7.0-rc.1"]
    assert told(status_of(app))["latest"] == ["2.6.1"]


def test_older_pre_releases_are_among_all_versions(project: New) -> None:
    app = project().release("2.6.0-rc.1", "2.6.0-rc.2")
    assert "2.6.0-rc.1" not in told(status_of(app))
    assert told(status_of(app, every=True))["2.6.0-rc.1"] == ["2.6.0-rc.1"]


def test_a_repository_of_one_platform_agrees_by_version(project: New) -> None:
    app = project(arch_repositories={"linux/arm64": "-arm64"}).release("2.6.1")
    status = status_of(app)
    assert status.good
    assert [state.repository for state in status.tags[0].repositories] == [ONE, f"{ONE}-arm64"]
    assert [each.platform for each in status.tags[0].repositories[1].platforms] == ["linux/arm64"]


def test_a_registry_that_does_not_answer_is_told_besides_what_stands_in_the_others(
    project: New,
) -> None:
    app = project(ONE, TWO).release("2.6.1")
    app.stores.trouble.fails = lambda _number, call: call.split()[1] == TWO
    places = destinations(app.config, map(Name.parse, app.to))
    status, silent = read_status(app.config, app.stores, places)
    assert told(status)["2.6.1"] == ["2.6.1"]
    (error,) = silent
    assert isinstance(error, ConnectionFailed)
    assert TWO in str(error)


@pytest.mark.parametrize("tag", ["latest", "2.6"])
def test_one_that_ceases_to_answer_is_told_besides_what_stands_in_the_others(
    project: New, tag: str
) -> None:
    app = project(ONE, TWO).release("2.6.1")
    app.stores.trouble.fails = lambda _number, call: call == f"resolve {ONE} {tag}"
    places = destinations(app.config, map(Name.parse, app.to))
    status, silent = read_status(app.config, app.stores, places)
    assert told(status) == {
        "latest": ["2.6.1"],
        "2": ["2.6.1"],
        "2.6": ["2.6.1"],
        "2.6.1": ["2.6.1"],
    }
    assert [str(error) for error in silent] == ["one.example/app: the connection broke"]


def test_where_no_registry_answers_each_is_told(project: New) -> None:
    app = project(ONE, TWO).release("2.6.1")
    app.stores.trouble.fails = lambda _number, _call: True
    places = destinations(app.config, map(Name.parse, app.to))
    status, silent = read_status(app.config, app.stores, places)
    assert status.tags == ()
    assert [str(error) for error in silent] == [
        "one.example/app: the connection broke",
        "two.example/app: the connection broke",
    ]


def test_whoever_may_only_read_sees_it_too(project: New) -> None:
    app = project().release("2.6.1")
    registry = app.at(ONE)

    class Refused(FakeRegistry):
        def tags(self) -> Iterator[str]:
            raise AccessDenied("no token for whoever asks to push", where=self.label, status=403)

    class Readers(FakeStores):
        def registry(self, name: Name, *, writing: bool = False) -> FakeRegistry:
            return Refused(ONE, self.trouble) if writing else registry

    app.stores = Readers()
    assert told(status_of(app)) == {tag: ["2.6.1"] for tag in ("latest", "2", "2.6", "2.6.1")}


def test_where_there_is_no_release_there_are_no_tags(project: New) -> None:
    assert status_of(project()).tags == ()


def test_what_a_registry_lists_and_no_tag_can_be_is_none(project: New) -> None:
    app = project().release("2.6.1")
    too_long = "9" * 125 + ".0.0"
    app.at(ONE).names[too_long] = app.at(ONE).names["2.6.1"]
    (place,) = destinations(app.config, [Name.parse(ONE)])
    holding = read_holding(app.config, app.stores, place)
    assert [str(version) for version in holding.versions] == ["2.6.1"]
    assert "2.6.1" in holding.tags
    assert too_long not in holding.tags
