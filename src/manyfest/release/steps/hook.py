"""The project's own command before the build, once for each platform, all at once."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress

from manyfest.errors import ReleaseError
from manyfest.oci.platform import Platform
from manyfest.release.steps.step import Release, Step


def _check(release: Release) -> str:
    if release.taken_from is not None:
        return f"the image is taken from {release.taken_from}"
    return "" if release.config.build.before else "no 'build.before' is configured"


def _run(release: Release) -> str:
    platforms = release.config.build.platforms
    runs = [_Run(release, platform) for platform in platforms]
    with ThreadPoolExecutor(len(runs), thread_name_prefix="hook") as pool:
        tasks = [pool.submit(run.finish) for run in runs]
        try:
            done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
            errors = [error for task in done if (error := task.exception())]
        finally:
            for run in runs:
                run.stop()
    if errors:
        raise errors[0]
    return f"ran for {len(platforms)} platforms"


class _Run:
    """The command for one platform.

    Its newest line of output is held back until the next one comes: of a command that fails, that
    line is the best reason there is, and it goes into the error.
    """

    def __init__(self, release: Release, platform: Platform) -> None:
        self._release = release
        self._platform = platform
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def finish(self) -> None:
        """Run it to its end. Raises :class:`~manyfest.errors.ReleaseError` if it fails."""
        process = self._start()
        if process is None or process.stdout is None:
            return
        last = ""
        with process, process.stdout as output:
            for line in output:
                self._show(last)
                last = line.rstrip()
        if process.returncode == 0:
            self._show(last)
        elif not self._stopped:
            raise self._failure(process.returncode, last)

    def stop(self) -> None:
        """End the command and all that it started."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    def _start(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._stopped:
                return None
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", self._release.config.build.before],
                cwd=self._release.config.root,
                env={**os.environ, **environment(self._release, self._platform)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            return self._process

    def _show(self, line: str) -> None:
        if line:
            self._release.progress.say(f"{self._platform} | {line}")

    def _failure(self, status: int, last: str) -> ReleaseError:
        reason = last or f"exit status {status}"
        return ReleaseError(
            f"'build.before' failed for {self._platform}: {reason}",
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


HOOK = Step("before", _check, _run)
