"""Whether a release that met faults ended as it may, and whether its report is true."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tests.chaos.scene import Ended

Both = tuple[dict[str, str], dict[str, str]]
"""Where the tags of two registries point."""

UNTOUCHED = "with no public tag changed"
NEW_LEFT = "with tags set that were not there before"
PUT_BACK = "with moving tags put back"
MOVED = "with moving tags that could not be put back, and named"


class Wrong(Exception):
    """Something that must not be."""


class Run(Struct, frozen=True):
    """A release that met faults: how it ended, and what each of its two ``repositories`` held
    before it and after it. ``goal`` are the tags that it was to set. ``may_stay``: the
    fault lasted, so that moving tags perhaps could not be put back."""

    ended: Ended
    repositories: Sequence[str]
    before: Both
    after: Both
    goal: dict[str, str]
    may_stay: bool

    def judge(self) -> str:
        """How it failed, or empty if it did not. Raises :class:`Wrong`."""
        if "Traceback" in self.ended.said:
            raise Wrong("a traceback")
        return self._judge_failed() if self.ended.code else self._judge_released()

    def _judge_released(self) -> str:
        for place, before, after in zip(self.repositories, self.before, self.after, strict=True):
            if after != {**before, **self.goal}:
                raise Wrong(f"released, and {place} holds {after}")
        changed = {
            f"{place}:{tag}"
            for place, before in zip(self.repositories, self.before, strict=True)
            for tag, digest in self.goal.items()
            if before.get(tag) != digest
        }
        if self.ended.report["digest"] != self.ended.digest:
            raise Wrong(f"printed {self.ended.digest}, reported {self.ended.report['digest']}")
        if changed != set(self.ended.report["changed"]):
            raise Wrong(f"released, and says that it changed {self.ended.report['changed']}")
        return ""

    def _judge_failed(self) -> str:
        said = {each["reference"]: each["standing"] for each in self.ended.report["standing"]}
        found = {UNTOUCHED}
        for place, before, after in zip(self.repositories, self.before, self.after, strict=True):
            for tag in {*before, *after, *self.goal}:
                reference = f"{place}:{tag}"
                standing = said.pop(reference, "")
                if standing not in {"", "as before"} and reference not in self.ended.said:
                    raise Wrong(f"{reference} is {standing}, and stderr does not say so")
                found.add(self._judge_tag(reference, standing, before.get(tag), after.get(tag)))
        if said:
            raise Wrong(f"the report names {said}")
        return next(how for how in (MOVED, PUT_BACK, NEW_LEFT, UNTOUCHED) if how in found)

    def _judge_tag(
        self, reference: str, standing: str, before: str | None, after: str | None
    ) -> str:
        tag = reference.rpartition(":")[2]
        goal = self.goal.get(tag)
        true: dict[str, list[str | None]] = {
            "": [before],
            "as before": [before],
            "put back": [before],
            "taken away": [None] if before is None else [],
            "set and left": [goal],
            "changed by others": [],
            "not known": [before, goal],
        }
        if after not in true[standing]:
            raise Wrong(f"{reference} held {before}, holds {after}, and is said {standing!r}")
        if standing in {"put back", "taken away"}:
            return PUT_BACK
        if after == before:
            return UNTOUCHED
        if before is None:
            return NEW_LEFT
        if not self.may_stay:
            raise Wrong(f"{reference} was not put back, and the registry was well again")
        return MOVED
