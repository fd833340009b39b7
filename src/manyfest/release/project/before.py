"""The project's own command before the build, once for each platform, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from manyfest.amounts import counted
from manyfest.errors import ConfigError, ReleaseError
from manyfest.oci.platform import Platform
from manyfest.processes import Process, run_aloud
from manyfest.progress import Progress
from manyfest.release.project.config import Config
from manyfest.release.versions.version import Version
from manyfest.threads import together

_SHOWN = 80
"""Characters of the command."""


def run_before(
    config: Config, version: Version, platforms: Sequence[Platform], progress: Progress
) -> None:
    """Run ``build.before`` for each platform, in the configuration's folder. That it runs is said,
    since it may be silent for minutes, and each line that it prints, with its platform.

    Raises :class:`~manyfest.errors.ReleaseError` if one fails; the others are ended then.
    """
    command = _shown(config.build.before)
    progress.say(f"before: running {command} for {counted(len(platforms), 'platform')}")
    hooks = [_Hook(config, version, platform, progress) for platform in platforms]

    def stop() -> None:
        for hook in hooks:
            hook.process.stop()

    # The commands are waited for after Ctrl-C too: they end soon, and none may outlive us.
    with ThreadPoolExecutor(len(hooks), thread_name_prefix="hook") as pool:
        try:
            together(pool, _Hook.run, hooks, stop=stop)
        finally:
            stop()


def check_before(config: Config) -> None:
    """Let the shell read the command without running it.

    Raises :class:`~manyfest.errors.ConfigError` if it cannot.
    """
    import subprocess

    where = config.where("build.before")
    try:
        read = subprocess.run(
            ["/bin/sh", "-n", "-c", config.build.before],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise ConfigError(
            f"'build.before' needs /bin/sh, which cannot be started: {error.strerror}", where=where
        ) from None
    except ValueError:  # a zero byte, which no argument of a program can hold
        raise ConfigError("'build.before' has a control character in it", where=where) from None
    if read.returncode:
        said = " ".join(read.stderr.decode(errors="replace").split())[:200]
        raise ConfigError(f"the shell cannot read 'build.before': {said}", where=where)


def _shown(command: str) -> str:
    """Its first line, if it is not too long."""
    first, *more = command.strip().splitlines() or [""]
    return f"{first[:_SHOWN]}…" if more or len(first) > _SHOWN else first


class _Hook:
    """The command for one platform."""

    def __init__(
        self, config: Config, version: Version, platform: Platform, progress: Progress
    ) -> None:
        self.process = Process(
            ["/bin/sh", "-c", config.build.before],
            folder=config.root,
            environment=environment(version, platform),
        )
        self._config = config
        self._platform = platform
        self._progress = progress

    def run(self) -> None:
        try:
            ending = run_aloud(self.process, self._progress.say, f"{self._platform} | ")
        except OSError as error:
            raise self._failure(f"it cannot be started: {error.strerror}") from None
        except ValueError:  # a zero byte, which no argument of a program can hold
            raise self._failure("it has a control character in it") from None
        if ending.status:
            raise self._failure(ending.why)

    def _failure(self, why: str) -> ReleaseError:
        return ReleaseError(
            f"'build.before' failed for {self._platform}: {why}",
            where=self._config.where("build.before"),
        )


def environment(version: Version, platform: Platform) -> Mapping[str, str]:
    """What the command is told of the platform and the version."""
    return {
        "TARGETPLATFORM": str(platform),
        "TARGETOS": platform.os,
        "TARGETARCH": platform.architecture,
        "TARGETVARIANT": platform.variant,
        "VERSION": version.text,
        "REVISION": version.revision,
    }
