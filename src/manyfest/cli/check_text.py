"""What ``manyfest check`` found out of one place, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyfest.amounts import counted
from manyfest.cli.text import one_line, short, table

if TYPE_CHECKING:
    from manyfest.check.everywhere import Answer


def facts(answer: Answer) -> dict[str, object]:
    """As in ``--json``."""
    import msgspec

    known = msgspec.structs.asdict(answer.readiness)
    return {**known, "faults": answer.faults, "instead": answer.instead}


def answer_text(answer: Answer) -> str:
    """A line with the verdict, a row for each platform, and a line for each fault and each tag that
    serves a platform meanwhile."""
    ready = answer.readiness
    rows: list[tuple[str, ...]] = [("PLATFORM", "STATE", "DIGEST", "WHY")]
    rows += [(each.platform, each.state, short(each.digest), each.why) for each in ready.platforms]
    return "\n".join(
        [
            f"{one_line(ready.reference)}  {_verdict(answer)}",
            table(rows),
            *(one_line(str(fault)) for fault in answer.faults),
            *(
                f"meanwhile, for {each.platform}: docker pull {each.reference}"
                for each in answer.instead
            ),
        ]
    )


def _verdict(answer: Answer) -> str:
    if answer.faults:
        return f"NOT right: {counted(len(answer.faults), 'fault')}"
    return "ready" if answer.is_yes else "NOT ready"
