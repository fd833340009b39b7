"""The description of the interface, for programs that make clients of it."""

from __future__ import annotations

from functools import cache

import msgspec

from manyfest.watch.web.api.openapi import described
from manyfest.watch.web.api.operations import Answer, Call, Operation
from manyfest.watch.web.api.replies import Reply


@cache
def _body() -> bytes:
    from manyfest.watch.web.api import all_operations

    return msgspec.json.encode(described(all_operations()))


def _description(call: Call) -> Reply:  # noqa: ARG001 - it is the same for all
    return Reply(body=_body())


OPERATIONS = (
    Operation(
        name="description",
        path="/api/openapi.json",
        summary="This description",
        run=_description,
        answers=(Answer(what="OpenAPI 3.1.", media="application/json"),),
        scope="open",
    ),
)
