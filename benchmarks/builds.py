"""The jobs of building without RUN: for five platforms, again after a change, and many files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks import verify
from benchmarks.bench import Bench
from benchmarks.contexts import ASSETS, PROGRAM, many_files, programs_and_assets
from benchmarks.inputs import MANYFEST, TAG
from benchmarks.job import Job, Peer
from benchmarks.tools import find

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/riscv64")
MOST_MEMORY = 150_000_000

BUILDAH = """\
buildah="buildah --storage-driver $1 --root $XDG_DATA_HOME/root --runroot $XDG_DATA_HOME/run"
$buildah manifest rm app 2>&- >&-; $buildah manifest create app && \
$buildah bud --quiet --isolation chroot $2 --manifest app --platform "$3" "$4" && \
exec $buildah manifest push --quiet --all app "oci-archive:$5:$6"
"""
"""Build for all platforms and push to an archive: DRIVER OPTIONS PLATFORMS CONTEXT FILE TAG."""

BUD = """\
exec buildah --storage-driver "$1" --root "$XDG_DATA_HOME/root" --runroot "$XDG_DATA_HOME/run" \
bud --quiet --isolation chroot "$2"
"""
"""Build into its own storage and no further: DRIVER CONTEXT."""


def platforms(bench: Bench) -> Job:
    """For five platforms, nothing known yet."""
    context = _programs(bench)
    return Job(
        name="build",
        title=f"Build for five platforms, {_size(context)} in {_number(context)} files, no RUN",
        command=_manyfest(bench, context, *PLATFORMS),
        peers=[
            Peer(
                tool="buildah",
                command=_buildah(bench, context),
                at_most=0.15,
                remark="build and push to an archive",
            )
        ],
        verify=partial(verify.archive_is_built, _file(bench), context, len(PLATFORMS)),
        rounds=bench.rounds,
        most_memory=MOST_MEMORY,
        most_disk=None,
    )


def again(bench: Bench, changed: str, what: str) -> Job:
    """The same once more, after one file was changed."""
    context = _programs(bench)
    ours, theirs = (
        _manyfest(bench, context, *PLATFORMS),
        _buildah(bench, context, "--layers"),
    )
    numbers = count()

    def build_and_change(command: list[str]) -> None:
        subprocess.run(
            command, check=True, capture_output=True,
            cwd=bench.scratch.work, env=bench.scratch.environment(),
        )  # fmt: skip
        _file(bench).unlink()
        with (context / changed).open("r+b") as file:
            file.write(b"%09d" % next(numbers))

    return Job(
        name=f"build-again-{what}",
        title=f"Build again for five platforms, one {what} changed",
        command=ours,
        peers=[
            Peer(
                tool="buildah",
                command=theirs,
                at_most=0.05,
                remark="build with --layers and push to an archive",
                prepare=partial(build_and_change, theirs),
            )
        ],
        prepare=partial(build_and_change, ours),
        verify=partial(verify.archive_is_built, _file(bench), context, len(PLATFORMS)),
        rounds=bench.few,
        most_memory=MOST_MEMORY,
        most_disk=None,
    )


def many(bench: Bench) -> Job:
    """Many small files; buildah is spared the archive."""
    context = bench.scratch.kept / "many"
    many_files(context, bench.scale.files)
    return Job(
        name="build-many-files",
        title=f"Build from {bench.scale.files:,} small files",
        command=_manyfest(bench, context, "linux/amd64"),
        peers=[
            Peer(
                tool="buildah",
                command=["sh", "-c", BUD, "sh", _driver(bench), str(context)],
                at_most=0.5,
                remark="bud, into its storage",
                verify=lambda: None,
            )
        ],
        verify=partial(verify.archive_is_built, _file(bench), context, 1),
        rounds=bench.few,
        most_memory=MOST_MEMORY,
        most_disk=None,
    )


def jobs() -> Mapping[str, Callable[[Bench], Job]]:
    """All of them, by name."""
    return {
        "build": platforms,
        "build-again-asset": partial(again, changed=f"{ASSETS}/0/0", what="asset"),
        "build-again-program": partial(again, changed=f"{PROGRAM}-arm64", what="program"),
        "build-many-files": many,
    }


def _programs(bench: Bench) -> Path:
    context = bench.scratch.kept / "programs"
    programs_and_assets(context, program=bench.scale.program, assets=bench.scale.assets)
    return context


def _file(bench: Bench) -> Path:
    return bench.scratch.out / "image.tar"


def _manyfest(bench: Bench, context: Path, *platforms: str) -> list[str]:
    options = [word for platform in platforms for word in ("--platform", platform)]
    return [MANYFEST, "build", "--quiet", str(context), *options,
            "-o", f"oci-archive:{_file(bench)}:{TAG}"]  # fmt: skip


def _buildah(bench: Bench, context: Path, options: str = "--layers=false") -> list[str]:
    return ["sh", "-c", BUILDAH, "sh", _driver(bench), options, ",".join(PLATFORMS),
            str(context), str(_file(bench)), TAG]  # fmt: skip


def _driver(bench: Bench) -> str:
    """The faster of buildah's ways to keep files that works here."""
    if find("buildah") is None:
        return "vfs"
    place = bench.scratch.kept / "driver"
    tried = subprocess.run(
        ["buildah", "--storage-driver", "overlay", "--root", str(place / "root"),
         "--runroot", str(place / "run"), "from", "scratch"],
        check=False, capture_output=True,
    )  # fmt: skip
    shutil.rmtree(place, ignore_errors=True)
    return "vfs" if tried.returncode else "overlay"


def _size(context: Path) -> str:
    files = (path for path in context.rglob("*") if path.is_file())
    return f"{sum(path.stat().st_size for path in files) / 1e6:,.0f} MB"


def _number(context: Path) -> int:
    return sum(path.is_file() for path in context.rglob("*"))
