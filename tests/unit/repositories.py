"""Real repositories of git, with nobody's settings and a fixed clock."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]

FIRST_COMMIT_TIME = 1700000000


def make_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """An empty repository in ``folder``. What is returned runs git in it and gives its output."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.org")
        monkeypatch.setenv(f"GIT_{who}_DATE", f"{FIRST_COMMIT_TIME} +0000")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)

    def git(*arguments: str, cwd: Path = folder) -> str:
        done = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("init", "--quiet", "--initial-branch=main")
    return git


def commit(run: Git, *tags: str, message: str = "") -> str:
    """An empty commit with these tags; its digest."""
    run("commit", "--quiet", "--allow-empty", f"--message={message or f'change {tags}'}")
    for tag in tags:
        run("tag", tag)
    return run("rev-parse", "HEAD")
