"""What ``manyfest check`` found out of one place, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyfest.cli.text import one_line, table

if TYPE_CHECKING:
    from manyfest.check.everywhere import Answer

_SHORT = len("sha256:") + 12


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
    rows += [
        (each.platform, each.state, each.digest[:_SHORT], each.why) for each in ready.platforms
    ]
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
    count = len(answer.faults)
    if count:
        return f"NOT right: {count} {'fault' if count == 1 else 'faults'}"
    return "ready" if answer.is_yes else "NOT ready"
