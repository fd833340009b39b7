"""Has platforms built by a back end, at the same time, each in a folder of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from manyfest.build.backends.backend import Backend, Job
from manyfest.build.backends.intake import take_in
from manyfest.build.backends.origins import images_of, root_of
from manyfest.build.backends.running import Runner
from manyfest.build.bases import BaseImage, Bases
from manyfest.build.built import BuiltPlatform
from manyfest.build.dockerfile.instructions import FromImage
from manyfest.build.dockerfile.plan import Plan, no_stage_either
from manyfest.build.request import BuildRequest, dockerfile_text, ignore_file
from manyfest.build.stage import blamed
from manyfest.build.workspace import PREFIX
from manyfest.errors import AccessDenied, NotFound
from manyfest.progress import Progress
from manyfest.stores.layout import LayoutStore
from manyfest.threads import together

JOBS = 4
"""Platforms built at the same time."""


def build_with(
    backend: Backend,
    plans: Sequence[Plan],
    request: BuildRequest,
    *,
    workspace: LayoutStore,
    bases: Bases,
    progress: Progress,
) -> list[BuiltPlatform]:
    """Have ``backend`` build ``plans``; the images are in ``workspace``, and nothing else is left.

    Raises :class:`~manyfest.errors.BuildError`, and what the stores of base images raise.
    """
    with TemporaryDirectory(
        prefix="builder-", dir=workspace.path, ignore_cleanup_errors=True
    ) as folder:
        files = _Files(Path(folder).absolute(), request)
        builds = [_Build(plan, request, files, progress.say) for plan in plans]

        def run(each: _Build) -> BuiltPlatform:
            return each.run(backend, bases, workspace)

        def stop() -> None:
            for each in builds:
                each.runner.stop()

        # Builders are waited for after Ctrl-C too: they end soon, and none may outlive us.
        with ThreadPoolExecutor(min(len(builds), JOBS), thread_name_prefix="builder") as pool:
            try:
                return together(pool, run, builds, stop=stop)
            finally:
                stop()


class _Files:
    """What all platforms' builds read: the Dockerfile as it was planned, its ignore file under the
    name that BuildKit looks for, and the secrets."""

    def __init__(self, folder: Path, request: BuildRequest) -> None:
        self.folder = folder
        self.dockerfile = folder / "file" / "Dockerfile"
        self.dockerfile.parent.mkdir()
        self.dockerfile.write_text(dockerfile_text(request))
        ignored = ignore_file(request)
        text = ignored.read_text() if ignored else ""
        # Our own place may lie in the context, with the secrets in it.
        text = f"{text}\n**/{PREFIX}*\n"
        self.dockerfile.with_name("Dockerfile.dockerignore").write_text(text)
        self.secrets = [
            (secret.id, self._written(number, secret.value))
            for number, secret in enumerate(request.secrets)
        ]

    def _written(self, number: int, value: bytes) -> Path:
        path = self.folder / f"secret-{number}"
        path.touch(mode=0o600)
        path.write_bytes(value)
        return path


class _Build:
    """One platform's build."""

    def __init__(
        self, plan: Plan, request: BuildRequest, files: _Files, say: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._request = request
        self._files = files
        self._folder = files.folder / plan.platform.suffix
        self.runner = Runner(
            plan.platform,
            folder=self._folder,
            say=say,
            timeout=request.timeout,
            hidden=[part for secret in request.secrets for part in secret.hidden],
            programs=plan.runs,
        )

    def run(self, backend: Backend, bases: Bases, workspace: LayoutStore) -> BuiltPlatform:
        start = time.monotonic()
        self._folder.mkdir(mode=0o700)
        images = self._images(bases)
        found = [base for base in images.values() if base is not None]
        root = root_of(self._plan)
        base = images[root] if isinstance(root, FromImage) else None
        job = Job(
            plan=self._plan,
            request=self._request,
            folder=self._folder,
            dockerfile=self._files.dockerfile,
            secrets=self._files.secrets,
            images=found,
            has_others=len(found) < len(images),
        )
        with backend.build(job, self.runner) as given:
            image = take_in(given, self._plan.platform, base, self._request, workspace)
        seconds = time.monotonic() - start
        return BuiltPlatform(image.platform, image.manifest, image.config, seconds)

    def _images(self, bases: Bases) -> dict[FromImage, BaseImage | None]:
        images: dict[FromImage, BaseImage | None] = {}
        for image, instruction in images_of(self._plan).items():
            with blamed(instruction, no_stage_either(image, instruction, self._plan.dockerfile)):
                images[image] = _find(image, bases)
        return images


def _find(image: FromImage, bases: Bases) -> BaseImage | None:
    """The image in its registry; ``None`` if it can only be one that the builder keeps."""
    try:
        return bases.get(image)
    except (NotFound, AccessDenied):
        return None
