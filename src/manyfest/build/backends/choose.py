"""Which builder builds which platform. Only those that are wanted are loaded: most images need
none of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from manyfest.build.backends.heredocs import first_heredoc
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.build.dockerfile.plan import Plan
from manyfest.build.request import AUTO, NATIVE
from manyfest.errors import BuildError

if TYPE_CHECKING:
    from manyfest.build.backends.backend import Backend


def assign(plans: Sequence[Plan], name: str, environ: Mapping[str, str]) -> list[Backend | None]:
    """For each plan the back end that builds it; ``None`` is the native builder.

    With ``auto`` that is the native one for all that runs no programs. Raises
    :class:`~manyfest.errors.BuildError` if there is no such back end here.
    """
    programs = [program for plan in plans for program in plan.runs]
    if name == NATIVE or (name == AUTO and not programs):
        return [None] * len(plans)
    where = str(programs[0].place) if programs else ""
    backend = find_backend(name, environ, plans[0].dockerfile, where=where)
    return [backend if plan.runs or name != AUTO else None for plan in plans]


def find_backend(
    name: str, environ: Mapping[str, str], dockerfile: Dockerfile, *, where: str = ""
) -> Backend:
    """The back end that ``name`` names; with ``auto`` the first that is here and reads the
    Dockerfile. ``where`` is the line that needs it, if that is known.

    Raises :class:`~manyfest.errors.BuildError`.
    """
    wanted = [name] if name != AUTO else list(_FINDERS)
    here = [found for each in wanted if (found := _FINDERS[each](environ))]
    for backend in here:
        if backend.reads(dockerfile):
            return backend
    if here:
        raise _cannot_read(here[0], dockerfile)
    if name != AUTO:
        raise BuildError(f"the back end {name} is not here", where=where, mend=_MENDS[name])
    raise BuildError(
        "RUN needs a builder that runs programs, and there is none",
        where=where,
        mend="install buildah, or docker with buildx, or buildctl and set BUILDKIT_HOST",
    )


def _cannot_read(backend: Backend, dockerfile: Dockerfile) -> BuildError:
    heredoc = first_heredoc(dockerfile)
    return BuildError(
        f"the {backend.name} that is here does not know here-documents",
        where=str(heredoc.place) if heredoc else dockerfile.file,
        mend="use docker with buildx, or buildah 1.35 or newer",
    )


def _buildah(environ: Mapping[str, str]) -> Backend | None:
    from manyfest.build.backends.buildah import Buildah

    program = _program("buildah", environ)
    return Buildah(program, environ) if program else None


def _docker(environ: Mapping[str, str]) -> Backend | None:
    from manyfest.build.backends.docker import find_docker

    program = _program("docker", environ)
    return find_docker(program, environ) if program else None


def _buildctl(environ: Mapping[str, str]) -> Backend | None:
    from manyfest.build.backends.buildctl import Buildctl

    program, host = _program("buildctl", environ), environ.get("BUILDKIT_HOST", "")
    return Buildctl(program, host) if program and host else None


def _program(name: str, environ: Mapping[str, str]) -> str | None:
    return shutil.which(name, path=environ.get("PATH"))


_FINDERS = {"buildah": _buildah, "docker": _docker, "buildctl": _buildctl}
"""In the order in which they are taken."""

_MENDS = {
    "buildah": "install it: apt-get install buildah",
    "docker": "install the docker command with its buildx plugin",
    "buildctl": "install buildctl, and set BUILDKIT_HOST to where buildkitd listens",
}
