"""For those who run the watch: whether its process lives, and whether it does its work."""

from __future__ import annotations

from manyfest.watch.web.api.operations import Answer, Call, Operation
from manyfest.watch.web.api.replies import Fault, Reply, document
from manyfest.watch.web.api.values import Alive


def _alive(call: Call) -> Reply:  # noqa: ARG001 - that it is called is the answer
    return document(Alive(), headers={"Cache-Control": "no-store"})


def _ready(call: Call) -> Reply:
    """Its troubles are for those who may see the page."""
    if not call.service.is_ready():
        raise Fault(503, "the watch is not looking at registries, or its history takes nothing")
    return document(Alive(), headers={"Cache-Control": "no-store"})


OPERATIONS = (
    Operation(
        name="healthz",
        path="/healthz",
        summary="Whether the process answers",
        run=_alive,
        answers=(Answer(what="It does.", shape=Alive),),
        scope="open",
        tag="forms",
    ),
    Operation(
        name="readyz",
        path="/readyz",
        summary="Whether it looks at registries, and the history takes what it sees",
        run=_ready,
        answers=(Answer(what="It does.", shape=Alive),),
        scope="open",
        faults=(503,),
        tag="forms",
    ),
)
