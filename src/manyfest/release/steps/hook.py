"""The project's own command before the build, once for each platform, all at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from manyfest.errors import ReleaseError
from manyfest.oci.platform import Platform
from manyfest.release.steps.shell import Shell
from manyfest.release.steps.step import Release, Step, counted
from manyfest.threads import together

_SHOWN = 300
_MOMENT = 1.0


def _check(release: Release) -> str:
    if release.taken_from is not None:
        return f"the image is taken from {release.taken_from}"
    return "" if release.config.build.before else "no 'build.before' is configured"


def _run(release: Release) -> str:
    hooks = [_Hook(release, platform) for platform in release.config.build.platforms]

    def stop() -> None:
        for hook in hooks:
            hook.shell.stop()

    # The commands are waited for after Ctrl-C too: they end soon, and none may outlive us.
    with ThreadPoolExecutor(len(hooks), thread_name_prefix="hook") as pool:
        try:
            together(pool, _Hook.run, hooks, stop=stop)
        finally:
            stop()
    return f"ran for {counted(len(hooks), 'platform')}"


class _Hook:
    """The command for one platform.

    Of a command that fails, the last line is the best reason there is, and it goes into the
    error. So the newest line is held back for a moment: it should not be told twice, nor once for
    each platform when all fail for one reason.
    """

    def __init__(self, release: Release, platform: Platform) -> None:
        config = release.config
        self.shell = Shell(
            config.build.before, folder=config.root, environment=environment(release, platform)
        )
        self._release = release
        self._platform = platform
        self._last = ""
        self._due: float | None = None

    def run(self) -> None:
        """Raises :class:`~manyfest.errors.ReleaseError` if the command fails."""
        try:
            status = self.shell.run(self._show, self._tell_if_due)
        except OSError as error:
            raise self._failure(f"it cannot be started: {error.strerror}") from None
        except ValueError:  # a zero byte, which no argument of a program can hold
            raise self._failure("it has a control character in it") from None
        if status:
            raise self._failure(f"{_told(status)}: {self._last[:_SHOWN] or 'it printed nothing'}")
        if status == 0:
            self._tell()

    def _show(self, line: str) -> None:
        self._tell()
        self._last = line
        self._due = time.monotonic() + _MOMENT

    def _tell_if_due(self) -> None:
        if self._due is not None and time.monotonic() >= self._due:
            self._tell()

    def _tell(self) -> None:
        if self._due is not None:
            self._due = None
            self._release.progress.say(f"{self._platform} | {self._last}")

    def _failure(self, why: str) -> ReleaseError:
        return ReleaseError(
            f"'build.before' failed for {self._platform}: {why}",
            where=self._release.config.where("build.before"),
        )


def environment(release: Release, platform: Platform) -> Mapping[str, str]:
    """What the command is told of the platform and the version."""
    return {
        "TARGETPLATFORM": str(platform),
        "TARGETOS": platform.os,
        "TARGETARCH": platform.architecture,
        "TARGETVARIANT": platform.variant,
        "VERSION": release.version.text,
        "REVISION": release.version.revision,
    }


def _told(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"ended by signal {-status}"


HOOK = Step("before", _check, _run)
