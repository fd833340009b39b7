"""The jobs of moving images: out of archives, between registries, and what is there already."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial

from benchmarks import floor, verify
from benchmarks.bench import REPOSITORY, Bench, Image
from benchmarks.inputs import TAG
from benchmarks.job import Job, Peer
from benchmarks.servers import Server
from benchmarks.tools import HERE

SKOPEO = ("skopeo", "copy", "--all", "--quiet")
FLOOR = (sys.executable, str(HERE / "benchmarks" / "floor.py"))
AT_ONCE = "64"
"""Tags that crane copies at the same time if it is told to: its best where registries are far away.
Where they are near, more are no faster than the few that it takes on its own."""

CRANE_PUSH = """\
mkdir "$TMPDIR/layout" && tar -xf "$1" -C "$TMPDIR/layout" && \
exec crane push --insecure "$TMPDIR/layout" "$2"
"""
REGCTL_EXPORT = """\
mkdir "$TMPDIR/layout" && tar -xf "$1" -C "$TMPDIR/layout" && \
exec regctl image export --platform linux/amd64 --name "$3" "ocidir://$TMPDIR/layout:v1" "$2"
"""


def archive_to_registry(bench: Bench) -> Job:
    """Into an empty registry."""
    return _push(bench, bench.image, "archive-to-registry", bench.rounds, (0.5, 0.8))


def large_to_registry(bench: Bench) -> Job:
    """One large layer, into an empty registry."""
    return _push(bench, bench.large, "large-layer-to-registry", bench.few, (None, None))


def _push(
    bench: Bench, image: Image, name: str, rounds: int, at_most: tuple[float | None, float | None]
) -> Job:
    place = f"{bench.target.address}/{REPOSITORY}:{TAG}"
    files = bench.scratch.kept / "largest"
    floor.unpack_largest(image.archive, files)
    return Job(
        name=name,
        title=f"OCI archive to registry, {image.megabytes}",
        command=[*_copy(bench.target), image.reference, place],
        peers=[
            Peer(
                tool="skopeo",
                command=[*_skopeo(bench), "--dest-tls-verify=false",
                         image.reference, f"docker://{place}"],
                at_most=at_most[0],
            ),
            Peer(
                tool="crane",
                command=["sh", "-c", CRANE_PUSH, "sh", str(image.archive), place],
                at_most=at_most[1],
                remark="with its untar",
            ),
            Peer(
                tool="regctl",
                command=["regctl", *_plain(bench.target),
                         "image", "import", place, str(image.archive)],
            ),
            _floor("push", str(files), bench.target.address),
        ],
        prepare=bench.target.restart_empty,
        verify=bench.target_holds(image),
        rounds=rounds,
    )  # fmt: skip


def registry_to_registry(bench: Bench) -> Job:
    """Between two registries, the target empty."""
    bench.fill_source(bench.image)
    source = f"{bench.source.address}/{REPOSITORY}:{TAG}"
    target = f"{bench.target.address}/{REPOSITORY}:{TAG}"
    hosts = bench.source.address, bench.target.address
    return Job(
        name="registry-to-registry",
        title=f"Registry to registry, {bench.image.megabytes}",
        command=[*_copy(bench.source, bench.target), source, target],
        peers=[
            Peer(
                tool="skopeo",
                command=[*_skopeo(bench), "--src-tls-verify=false", "--dest-tls-verify=false",
                         f"docker://{source}", f"docker://{target}"],
                at_most=0.6,
            ),
            Peer(tool="crane", command=["crane", "cp", "--insecure", source, target], at_most=0.9),
            Peer(
                tool="regctl",
                command=["regctl", *_plain(bench.source, bench.target),
                         "image", "copy", source, target],
            ),
            _floor("pass-on", *hosts, REPOSITORY, *_largest(bench, bench.image)),
        ],
        prepare=bench.target.restart_empty,
        verify=bench.target_holds(bench.image),
        rounds=bench.rounds,
    )  # fmt: skip


def registry_to_archive(bench: Bench) -> Job:
    """Into a file that is not there yet."""
    bench.fill_source(bench.image)
    source = f"{bench.source.address}/{REPOSITORY}:{TAG}"
    file = bench.scratch.out / "image.tar"
    return Job(
        name="registry-to-archive",
        title=f"Registry to OCI archive, {bench.image.megabytes}",
        command=[*_copy(bench.source), source, f"oci-archive:{file}:{TAG}"],
        peers=[
            Peer(
                tool="skopeo",
                command=[*_skopeo(bench), "--src-tls-verify=false",
                         f"docker://{source}", f"oci-archive:{file}:{TAG}"],
                at_most=0.6,
            ),
            Peer(
                tool="regctl",
                command=["regctl", *_plain(bench.source), "image", "export", source, str(file)],
            ),
            _pulled(bench, bench.image),
        ],
        verify=partial(verify.archive_holds, file, bench.image.digest),
        rounds=bench.rounds,
    )  # fmt: skip


def registry_to_layout(bench: Bench) -> Job:
    """Into a folder that is not there yet."""
    return _pull(bench, bench.image, "registry-to-layout", bench.rounds, 0.6)


def large_to_layout(bench: Bench) -> Job:
    """One large layer, into a folder that is not there yet."""
    return _pull(bench, bench.large, "large-layer-to-layout", bench.few, None)


def _pull(bench: Bench, image: Image, name: str, rounds: int, at_most: float | None) -> Job:
    bench.fill_source(image)
    source = f"{bench.source.address}/{REPOSITORY}:{TAG}"
    folder = bench.scratch.out / "layout"
    return Job(
        name=name,
        title=f"Registry to layout, {image.megabytes}",
        command=[*_copy(bench.source), source, f"oci:{folder}:{TAG}"],
        peers=[
            Peer(
                tool="skopeo",
                command=[*_skopeo(bench), "--src-tls-verify=false",
                         f"docker://{source}", f"oci:{folder}:{TAG}"],
                at_most=at_most,
            ),
            Peer(
                tool="regctl",
                command=["regctl", *_plain(bench.source),
                         "image", "copy", source, f"ocidir://{folder}:{TAG}"],
            ),
            _pulled(bench, image),
        ],
        verify=partial(verify.layout_holds, folder, image.digest),
        rounds=rounds,
    )  # fmt: skip


def archive_to_docker(bench: Bench) -> Job:
    """One platform of an archive, into a file that ``docker load`` takes."""
    file = bench.scratch.out / "image.tar"
    name = "example.org/app:1"
    image = bench.image
    return Job(
        name="archive-to-docker-archive",
        title="One platform of an OCI archive to a file that docker load takes",
        command=[*_copy(), "--platform", "linux/amd64",
                 image.reference, f"docker-archive:{file}:{name}"],
        peers=[
            Peer(
                tool="skopeo",
                command=["skopeo", "--tmpdir", str(bench.scratch.aside / "tmp"),
                         "--override-os", "linux", "--override-arch", "amd64",
                         "copy", "--quiet", image.reference, f"docker-archive:{file}:{name}"],
                at_most=0.15,
            ),
            Peer(
                tool="regctl",
                command=["sh", "-c", REGCTL_EXPORT, "sh", str(image.archive), str(file), name],
                remark="with its untar",
            ),
        ],
        verify=partial(verify.docker_archive_holds, file, name),
        rounds=bench.rounds,
    )  # fmt: skip


def tags(bench: Bench, count: int) -> Job:
    """All of them there already."""
    bench.fill_both("tags", count)
    return _tags(bench, count, bench.source, bench.target, at_most=(0.3, 1.0), far="")


def tags_far(bench: Bench, count: int) -> Job:
    """All of them there already, on registries that are far away."""
    bench.fill_both("tags", count)
    source, target = bench.slow_lines()
    far = f", {bench.scale.milliseconds} ms a round trip"
    return _tags(bench, count, source, target, at_most=(0.2, 0.2), far=far)


def _tags(
    bench: Bench, count: int, source: Server, target: Server, *,
    at_most: tuple[float, float], far: str,
) -> Job:  # fmt: skip
    from_, to = f"{source.address}/tags", f"{target.address}/tags"
    names = [f"http://{place}/v2/tags/manifests/v{number:04}"
             for place in (source.address, target.address) for number in range(count)]  # fmt: skip
    crane = ["crane", "cp", "--insecure", "--all-tags"]
    tuned = Peer(
        tool="crane",
        command=[*crane, "--jobs", AT_ONCE, from_, to],
        remark=f"told to copy {AT_ONCE} at once",
    )
    asked = floor.address_list(bench.scratch.kept / "addresses", names)
    return Job(
        name=f"tags-{count}" + ("-far" if far else ""),
        title=f"{count:,} tags already there{far}",
        command=[*_copy(source, target), "--all-tags", f"docker://{from_}", f"docker://{to}"],
        peers=[
            Peer(
                tool="skopeo",
                command=["skopeo", "sync", "--all", "--src", "docker", "--dest", "docker",
                         "--src-tls-verify=false", "--dest-tls-verify=false",
                         from_, target.address],
                at_most=at_most[0],
                remark="sync",
                slow=bool(far),
            ),
            Peer(
                tool="crane",
                command=[*crane, from_, to],
                at_most=at_most[1],
                remark="as it comes" if far else "",
            ),
            *([tuned] if far else []),
            _floor("ask", str(asked), what="a HEAD of each tag on both sides"),
        ],
        verify=partial(verify.registry_lists, bench.target.address, "tags", count),
        rounds=bench.few if far else bench.rounds,
    )  # fmt: skip


def jobs(bench: Bench) -> Mapping[str, Callable[[Bench], Job]]:
    """All of them, by name. Called, one sets up what it needs."""
    few, many = bench.scale.tags
    return {
        "archive-to-registry": archive_to_registry,
        "registry-to-registry": registry_to_registry,
        "registry-to-archive": registry_to_archive,
        "registry-to-layout": registry_to_layout,
        "archive-to-docker-archive": archive_to_docker,
        f"tags-{few}": partial(tags, count=few),
        f"tags-{many}": partial(tags, count=many),
        f"tags-{few}-far": partial(tags_far, count=few),
        f"tags-{many}-far": partial(tags_far, count=many),
        "large-layer-to-registry": large_to_registry,
        "large-layer-to-layout": large_to_layout,
    }


def _skopeo(bench: Bench) -> list[str]:
    tool, *options = SKOPEO
    # It takes /var/tmp otherwise, whatever the environment says.
    return [tool, "--tmpdir", str(bench.scratch.aside / "tmp"), *options]


def _copy(*servers: Server) -> list[str]:
    plain = [word for server in servers for word in ("--plain-http", server.address)]
    return ["manyfest", "copy", "--quiet", *plain]


def _plain(*servers: Server) -> list[str]:
    return [word for server in servers for word in ("--host", f"reg={server.address},tls=disabled")]


def _largest(bench: Bench, image: Image) -> list[str]:
    folder = bench.scratch.kept / "largest"
    digests = floor.unpack_largest(image.archive, folder)
    shutil.rmtree(folder)
    return digests


def _pulled(bench: Bench, image: Image) -> Peer:
    digests = _largest(bench, image)
    return _floor("pull", bench.source.address, str(bench.scratch.out), REPOSITORY, *digests)


def _floor(*arguments: str, what: str = "the layers alone") -> Peer:
    return Peer(
        tool="curl", command=[*FLOOR, *arguments], remark=f"the floor: {what}", verify=lambda: None
    )
