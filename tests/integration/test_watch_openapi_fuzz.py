"""Requests made up from the description of the interface: whatever comes, the answer is one that is
described, and no request makes the watch fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from manyfest.watch.values import Incident
from tests.unit.watch_web import IMAGE, Client, Watch, client, state, token
from tests.unit.watching import NOW, event

_EXAMPLES = 12
"""For each operation, of which there are two dozen."""


_CAN_BE_WRONG = {
    "GET /api/v1/events",
    "GET /api/v1/gate",
    "GET /api/v1/images/{image}/versions",
    "GET /api/v1/incidents",
    "GET /badge/{image}.svg",
    "GET /feed.atom",
    "POST /api/v1/images",
}
"""What has parameters or a body that the schema would not allow."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    watch = Watch(tmp_path_factory.mktemp("fuzz"))
    watch.knows(
        state("2.6.1"),
        state("2.6.0", complete_at=None),
        events=[event("appeared"), event("complete")],
        opened=[Incident(kind="late", began=NOW, cause="", image=IMAGE, tag="2.6.1")],
    )
    yield client(watch)
    watch.history.close()


def test_every_answer_is_a_described_one(web: Client) -> None:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", web.app)
    fields = {"Authorization": token(web, may_write=True)}
    operations: list[Any] = [cast("Any", each).ok() for each in schema.get_all_operations()]
    for operation in operations:
        _ask(operation.as_strategy(GenerationMode.POSITIVE), fields)
        if operation.label in _CAN_BE_WRONG:
            _ask(operation.as_strategy(GenerationMode.NEGATIVE), fields)
    assert len(operations) > 20
    assert {each.label for each in operations} >= _CAN_BE_WRONG


def _ask(requests: Any, fields: dict[str, str]) -> None:
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests)
    def ask(case: Any) -> None:
        # What the schema allows may be refused: it does not know which images there are.
        case.call_and_validate(headers=fields, excluded_checks=[positive_data_acceptance])

    ask()
