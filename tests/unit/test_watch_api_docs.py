"""The page of what programs ask, and the example of rules for Prometheus, name what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from manyfest.watch.health.values import RegistryState
from manyfest.watch.values import Notice, Sample
from manyfest.watch.web.api.read import GateQuery
from tests.unit.watch_openapi import document, template_of
from tests.unit.watch_web import Watch, client, image, state
from tests.unit.watching import NOW, event

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/watch-api.md").read_text()
PREFIX = "manyfest_watch_"


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[dict[str, set[str]]]:
    """The labels of each metric of the watch, by its name."""
    watch = Watch(tmp_path)
    watch.watch(image(soak=60))
    watch.knows(
        state(),
        registries=[RegistryState(registry="ghcr.io", at=NOW, began=NOW - 60, answered_at=NOW)],
        samples=[Sample(registry="ghcr.io", at=NOW - 30, seconds=0.1)],
        notices=[Notice(recipient="ops", due=NOW - 30, events=(event("late"),))],
    )
    text = client(watch).get("/metrics").text
    yield {
        each.name.removeprefix(PREFIX): set(each.labels)
        for family in text_string_to_metric_families(text)
        for each in family.samples
        if each.name.startswith(PREFIX)
    }
    watch.history.close()


def test_the_page_has_all_metrics_with_their_labels(metrics: dict[str, set[str]]) -> None:
    table = PAGE.partition("| `manyfest_watch_…` |")[2]
    rows = re.findall(r"^\| (`[^|]+) \| ([^|]*)\|", table, re.MULTILINE)
    told = {
        name: set(re.findall(r"`(\w+)`", labels))
        for names, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    assert told == metrics


def test_the_page_has_all_parameters_of_the_gate() -> None:
    table = PAGE.partition("| parameter |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)(?:=1)?`", cell)]
    assert named == list(GateQuery.__struct_fields__)


def test_the_page_has_all_statuses_of_the_gate() -> None:
    table = PAGE.partition("| status |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| ([0-9, ]+) \|", table, re.MULTILINE)
    named = {status for cell in cells for status in re.findall("[0-9]+", cell)}
    described = set(document()["paths"]["/api/v1/gate"]["get"]["responses"])
    assert named | {"304", "400", "401", "500"} == described


def test_every_path_on_the_page_is_there() -> None:
    named = re.findall(r"`(/(?:api/v[12]/|badge/|feed|healthz|readyz|metrics)[\w./]*)`", PAGE)
    assert len(named) >= 6
    for path in named:
        if path != "/api/v1":
            template_of("GET", path.replace("IMAGE", "gotify/server").replace("TAG", "2.6.1"))


def rules() -> list[Any]:
    groups = YAML(typ="safe").load((ROOT / "examples/watch/alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_rules_are_about_metrics_that_there_are(metrics: dict[str, set[str]]) -> None:
    named = {name for rule in rules() for name in re.findall(rf"{PREFIX}(\w+)", rule["expr"])}
    assert len(named) >= 5
    assert named <= set(metrics)


def test_the_rules_show_labels_that_there_are(metrics: dict[str, set[str]]) -> None:
    for rule in rules():
        [of, *_] = [*re.findall(rf"{PREFIX}(\w+)", rule["expr"]), "none"]
        shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert shown <= metrics.get(of, set()), rule["alert"]
