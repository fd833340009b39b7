"""What of an earlier build is used again, and what is made anew."""

from __future__ import annotations

import os
import secrets
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.builder import build
from manyfest.build.built import Built
from manyfest.build.cache import BuildCache
from manyfest.build.request import BuildRequest
from manyfest.layers.compression import Compression
from manyfest.oci.digest import Digest
from manyfest.progress import NoProgress, Outcome
from manyfest.stores.layout import LayoutStore
from manyfest.threads import workers
from tests.unit.building import Bench, Sealed, bench_with_base, write

DOCKERFILE = """\
FROM scratch
COPY files /srv
"""
LATER = 3_600_000_000_000
"""An hour in nanoseconds: so much later the cache was opened than the files were written."""


class Outcomes(NoProgress):
    """Remembers how layers ended."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def finish(self, item: str, outcome: Outcome) -> None:
        self.seen.append(outcome)


class Kept(Struct):
    """Builds that share a cache in a folder."""

    bench: Bench
    folder: Path
    later: int = LATER
    compression: Compression = Compression.GZIP
    epoch: int = 1_700_000_000

    @property
    def files(self) -> Path:
        return self.bench.context / "files"

    def build(self, dockerfile: str = DOCKERFILE, *platforms: str) -> tuple[Built, list[str]]:
        """What was built, and for each layer ``done`` or ``present``."""
        return self.run(self.bench.request(dockerfile, *platforms, args={}))

    def run(self, request: BuildRequest) -> tuple[Built, list[str]]:
        outcomes = Outcomes()
        built = build(
            replace(request, compression=self.compression, epoch=self.epoch),
            workspace=LayoutStore(self.bench.folder / f"kept-{secrets.token_hex(4)}"),
            open_image=self.bench.open,
            progress=outcomes,
            cache=BuildCache(self.folder, clock=lambda: time.time_ns() + self.later),
        )
        return built, outcomes.seen

    def outcome(self, dockerfile: str = DOCKERFILE) -> str:
        """That of the last layer."""
        return self.build(dockerfile)[1][-1]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    bench = Bench(tmp_path / "bench")
    write(bench.context, {"files/a": "one", "files/b": "two", "other": "three"})
    return Kept(bench, tmp_path / "cache")


def layer_digests(built: Built) -> list[Digest]:
    return [layer.digest for each in built.platforms for layer in each.manifest.image.layers]


def test_a_second_build_takes_the_layer_and_is_the_same_image(kept: Kept) -> None:
    first, made = kept.build()
    second, again = kept.build()
    assert (made, again) == (["done"], ["present"])
    assert second.graph.root.descriptor.digest == first.graph.root.descriptor.digest


def test_the_files_are_not_opened_for_that(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.build()
    monkeypatch.setattr(
        "manyfest.build.context.Pinned.__call__", lambda _: pytest.fail("a file was opened")
    )
    assert kept.outcome() == "present"


def keep_times(path: Path, change: Callable[[], object]) -> None:
    """Change a file, and set its times back as they were."""
    before = path.stat()
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_link(files: Path) -> None:
    (files / "a").unlink()
    (files / "a").symlink_to("b")


def replace_by_hard_link(files: Path) -> None:
    (files / "b").unlink()
    (files / "b").hardlink_to(files / "a")


def lead_elsewhere(files: Path) -> None:
    (files / "l").unlink()
    (files / "l").symlink_to("b")


def swap(files: Path) -> None:
    (files / "a").rename(files / "c")
    (files / "b").rename(files / "a")
    (files / "c").rename(files / "b")


def replace_whole(files: Path) -> None:
    """Another file of the same size and time takes the name."""
    new = files.parent / "new"
    new.write_text("ONE")
    status = (files / "a").stat()
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.chmod(0o644)
    new.rename(files / "a")


CHANGES: dict[str, Callable[[Path], object]] = {
    "other content": lambda files: (files / "a").write_text("three"),
    "other content of the same size": lambda files: (files / "a").write_text("ONE"),
    "other content, size and time as before": lambda files: keep_times(
        files / "a", lambda: (files / "a").write_text("ONE")
    ),
    "another file, size and time as before": replace_whole,
    "a new name": lambda files: (files / "a").rename(files / "z"),
    "two names exchanged": swap,
    "another mode": lambda files: (files / "a").chmod(0o755),
    "another mode of a directory": lambda files: (files / "d").chmod(0o700),
    "one file more": lambda files: (files / "c").write_text(""),
    "one file less": lambda files: (files / "b").unlink(),
    "an empty directory more": lambda files: (files / "e").mkdir(),
    "a link in a file's place": replace_by_link,
    "a link that leads elsewhere": lead_elsewhere,
    "a hard link in a file's place": replace_by_hard_link,
}


@pytest.mark.parametrize("change", CHANGES)
def test_after_this_a_layer_is_made_anew(kept: Kept, change: str) -> None:
    (kept.files / "d").mkdir()
    (kept.files / "l").symlink_to("a")
    kept.build()
    CHANGES[change](kept.files)
    built, outcomes = kept.build()
    assert outcomes == ["done"]
    assert layer_digests(built) == layer_digests(kept.bench.build(DOCKERFILE))


OTHERWISE: dict[str, tuple[str, str]] = {
    "another destination": ("COPY files /srv", "COPY files /opt"),
    "another owner": ("COPY files /srv", "COPY --chown=1:2 files /srv"),
    "another mode": ("COPY files /srv", "COPY --chmod=700 files /srv"),
    "a file left out": ("COPY files /srv", "COPY --exclude=b files /srv"),
    "other inline content": ("COPY <<x /srv/\n1\nx", "COPY <<x /srv/\n2\nx"),
}


@pytest.mark.parametrize("how", OTHERWISE)
def test_what_is_copied_otherwise_is_another_layer(kept: Kept, how: str) -> None:
    before, after = OTHERWISE[how]
    assert kept.outcome(f"FROM scratch\n{before}\n") == "done"
    assert kept.outcome(f"FROM scratch\n{after}\n") == "done"
    assert kept.outcome(f"FROM scratch\n{before}\n") == "present"


SAME: dict[str, Callable[[Kept], object]] = {
    "a change of what is not copied": lambda kept: (kept.bench.context / "other").write_text("4"),
    "an unread file's time": lambda kept: os.utime(kept.bench.context / "other"),
    "another time of a directory": lambda kept: os.utime(kept.files),
    "an access to a file": lambda kept: (kept.files / "a").read_text(),
}


@pytest.mark.parametrize("change", SAME)
def test_after_this_the_layer_is_taken_all_the_same(kept: Kept, change: str) -> None:
    kept.build()
    SAME[change](kept)
    assert kept.outcome() == "present"


def test_another_epoch_or_compression_is_another_layer(kept: Kept) -> None:
    assert kept.outcome() == "done"
    assert [
        replace(kept, epoch=5).outcome(),
        replace(kept, compression=Compression.ZSTD).outcome(),
        replace(kept, compression=Compression.NONE).outcome(),
        replace(kept, compression=Compression.ZSTD).outcome(),
        kept.outcome(),
    ] == ["done", "done", "done", "present", "present"]


def test_what_writes_layers_is_an_input_too(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.build()
    monkeypatch.setattr("manyfest.build.inputs._writers", lambda _: (("write.py", 1, 2),))
    assert kept.outcome() == "done"


def test_files_that_were_just_written_are_read_once_more(kept: Kept) -> None:
    just_now = replace(kept, later=0)
    assert just_now.outcome() == "done"
    assert just_now.outcome() == "present"


def test_what_changes_unseen_in_a_file_that_was_just_written_is_seen(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that keeps time in steps: the second write shows in no time."""
    just_now = replace(kept, later=0)

    def unseen(status: os.stat_result) -> tuple[int, int, int, int, int]:
        return (0, 0, status.st_size, 0, 0)

    monkeypatch.setattr("manyfest.build.context._state", unseen)
    just_now.build()
    (kept.files / "a").write_text("ONE")
    built, outcomes = just_now.build()
    assert outcomes == ["done"]
    assert layer_digests(built) == layer_digests(kept.bench.build(DOCKERFILE))


def test_once_read_again_they_are_known(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(kept, later=0).build()
    kept.build()
    monkeypatch.setattr(
        "manyfest.build.context.Pinned.__call__", lambda _: pytest.fail("a file was opened")
    )
    assert kept.outcome() == "present"


def test_unpacked_archives_are_told_by_the_archive(kept: Kept) -> None:
    with tarfile.open(kept.bench.context / "in.tar", "w") as tar:
        tar.add(kept.files / "a", "a")
    dockerfile = "FROM scratch\nADD in.tar /\n"
    assert [kept.outcome(dockerfile), kept.outcome(dockerfile)] == ["done", "present"]
    with tarfile.open(kept.bench.context / "in.tar", "w") as tar:
        tar.add(kept.files / "b", "a")
    assert kept.outcome(dockerfile) == "done"


def test_files_of_a_stage_are_told_as_where_they_come_from(kept: Kept) -> None:
    dockerfile = "FROM scratch AS a\nCOPY files /x\nFROM scratch\nCOPY --from=a /x /y\n"
    assert kept.build(dockerfile)[1] == ["done", "done"]
    assert kept.build(dockerfile)[1] == ["present", "present"]
    (kept.files / "a").write_text("ONE")
    assert kept.build(dockerfile)[1] == ["done", "done"]


def test_files_of_an_image_are_told_by_the_digests_of_its_layers(tmp_path: Path) -> None:
    dockerfile = "FROM scratch\nCOPY --from=base:1 /in /out\n"
    base = "FROM scratch\nCOPY in /in\n"
    first = Kept(bench_with_base(tmp_path / "1", base, {"in": "one"}), tmp_path / "cache")
    other = Kept(bench_with_base(tmp_path / "2", base, {"in": "ONE"}), tmp_path / "cache")
    assert [kept.outcome(dockerfile) for kept in (first, first, other, first)] == [
        "done",
        "present",
        "done",
        "present",
    ]


def test_a_layer_of_a_base_image_that_must_be_read_is_fetched_once(tmp_path: Path) -> None:
    base = "FROM scratch\nCOPY passwd /etc/\n"
    bench = bench_with_base(tmp_path, base, {"passwd": "app:x:7:8::/:/bin/sh"})
    kept = Kept(bench, tmp_path / "cache")
    dockerfile = "FROM base:1\nCOPY --chown=app <<x /srv/\nx\n"
    first, _ = kept.build(dockerfile)
    store = bench.bases["docker.io/library/base:1"]
    assert isinstance(store, Sealed)
    store.sealed = {str(layer_digests(first)[0])}
    second, _ = kept.build(dockerfile)
    assert layer_digests(second) == layer_digests(first)


def test_without_a_cache_nothing_is_kept(kept: Kept) -> None:
    kept.bench.build(DOCKERFILE)
    assert not kept.folder.exists()


def test_builds_at_the_same_time_share_one(kept: Kept) -> None:
    dockerfile = "FROM scratch\nARG TARGETARCH\nCOPY files /srv/$TARGETARCH\n"
    request = kept.bench.request(dockerfile, "linux/amd64", "linux/arm64", "linux/386", args={})
    with workers(4, "builds") as pool:
        found = [layer_digests(built) for built, _ in pool.map(kept.run, [request] * 8)]
    assert found == [found[0]] * 8
    assert len(list(kept.folder.glob("sha256-*"))) == 3
