"""The files for CI that this project gives its users, and the scripts in them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
FILES = [ACTION, *sorted((ROOT / "ci").rglob("*.yml"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(path: Path) -> Any:
    """The document. Keys that appear twice are an error."""
    return YAML(typ="safe", pure=True).load(path)


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """The steps of an action, or of a workflow of GitHub's or Forgejo's."""
    document = read(path)
    if "runs" in document:
        yield from document["runs"]["steps"]
    for job in document.get("jobs", {}).values():
        yield from job["steps"]


def scripts(path: Path) -> list[str]:
    """What shells run, in order, whichever CI the file is for."""
    document = read(path)
    if "runs" in document or "jobs" in document:
        return [step["run"] for step in steps(path) if "run" in step]
    if "steps" in document:  # Woodpecker
        return ["\n".join(step["commands"]) for step in document["steps"]]
    jobs = [job for job in document.values() if isinstance(job, dict)]
    return [
        "\n".join(job[key]) for job in jobs for key in ("before_script", "script") if key in job
    ]


def command_lines(script: str) -> Iterator[list[str]]:
    """The arguments of every call of manyfest in a script; variables stand as they are."""
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars="|&;\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word.strip("|&;\n"):
            words.append(word)
            continue
        if words and words[0] == "manyfest":
            yield words[1:]
        words = []
