"""``manyfest serve --upstream`` before a real registry, with the clients that people use."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import real
from tests.docker_daemon import client_of, running_daemon
from tests.integration.conftest import MANYFEST
from tests.integration.test_serve_clients import digest_at, layout, skopeo_push
from tests.runtimes import podman_in, running_containerd
from tests.serving import ask
from tests.upstreams import (
    LoggedRegistry,
    OneImage,
    Out,
    caching,
    digest_of,
    logged_registry,
)

pytestmark = pytest.mark.real

__all__ = ["layout"]

LAYER = os.urandom(6_000_000)


@pytest.fixture
def upstream(tmp_path: Path, layout: tuple[str, str]) -> Iterator[LoggedRegistry]:
    """``docker-registry`` with the image ``team/app:v1``."""
    with logged_registry(tmp_path / "upstream") as registry:
        skopeo_push(layout[0], f"{registry.address}/team/app:v1")
        yield registry


@pytest.fixture
def address(tmp_path: Path, upstream: LoggedRegistry) -> Iterator[str]:
    """The address of a cache before it, whose tags are not believed for long."""
    with caching(tmp_path / "cache", upstream.address, "--fresh", "1s", program=MANYFEST) as (
        _,
        address,
    ):
        yield address


def pulled(address: str, target: Path) -> str:
    """Pull the image of both platforms by skopeo; the digest that came."""
    real.output_of(
        "skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false",
        f"docker://{address}/team/app:v1", f"oci:{target}:v1",
    )  # fmt: skip
    entries = json.loads((target / "index.json").read_text())["manifests"]
    return str(entries[0]["digest"])


def get(address: str, path: str, wanted: str = "bytes=0-") -> bytes:
    """The body; raises what an incomplete one raises."""
    status, _, body = ask(address, "GET", path, range=wanted)
    assert status in (200, 206), (status, body)
    return body


def comes_whole(address: str, path: str) -> bool:
    """Whether a client would take the answer for the content: neither an error nor broken off."""
    try:
        return ask(address, "GET", path)[0] == 200
    except (http.client.IncompleteRead, ConnectionError):
        return False


# Cold, warm, and without the upstream


def test_skopeo_pulls_cold_warm_and_without_the_upstream(
    address: str, upstream: LoggedRegistry, layout: tuple[str, str], tmp_path: Path
) -> None:
    assert pulled(address, tmp_path / "cold") == layout[1]
    fetched = upstream.asked("GET /v2/team/app/blobs/")
    assert fetched == 4  # a configuration and a layer for each platform
    assert pulled(address, tmp_path / "warm") == layout[1]
    assert upstream.asked("GET /v2/team/app/blobs/") == fetched
    upstream.stop()
    time.sleep(1.1)
    assert pulled(address, tmp_path / "stale") == layout[1]
    _, fields, _ = ask(address, "HEAD", "/v2/team/app/manifests/v1")
    assert fields["warning"].startswith('299 - "127.0.0.1:')


def test_a_tag_that_moved_is_seen(
    address: str, upstream: LoggedRegistry, layout: tuple[str, str], tmp_path: Path
) -> None:
    assert digest_at(f"{address}/team/app:v1") == layout[1]
    real.output_of(
        "skopeo", "copy", "--dest-tls-verify=false", layout[0],
        f"docker://{upstream.address}/team/app:v1",
    )  # fmt: skip
    moved = digest_at(f"{upstream.address}/team/app:v1")
    assert moved != layout[1]
    time.sleep(1.1)
    assert digest_at(f"{address}/team/app:v1") == moved


def test_podman(address: str, tmp_path: Path) -> None:
    podman = podman_in(tmp_path)
    podman("pull", "--tls-verify=false", f"{address}/team/app:v1")


def test_crane(
    address: str, upstream: LoggedRegistry, layout: tuple[str, str], tmp_path: Path
) -> None:
    crane = real.peer("crane")
    assert real.output_of(crane, "digest", f"{address}/team/app:v1") == layout[1]
    assert real.output_of(crane, "ls", f"{address}/team/app") == "v1"
    real.output_of(crane, "pull", "--format=oci", f"{address}/team/app:v1", tmp_path / "back")
    assert (tmp_path / f"back/blobs/sha256/{layout[1].removeprefix('sha256:')}").exists()


def test_oras_shows_the_warning(address: str, upstream: LoggedRegistry, tmp_path: Path) -> None:
    oras = real.peer("oras")
    real.output_of(oras, "manifest", "fetch", "--plain-http", f"{address}/team/app:v1")
    upstream.stop()
    time.sleep(1.1)
    said = real.output_of(
        "sh", "-c", '"$@" 2>&1', "sh",
        oras, "manifest", "fetch", "--plain-http", f"{address}/team/app:v1",
    )  # fmt: skip
    assert "cannot be asked now: this may be old" in said


def test_docker_takes_it_for_a_mirror_of_docker_hub(
    upstream: LoggedRegistry, layout: tuple[str, str], tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    mapped = f"library={upstream.address}/team"
    with caching(tmp_path / "cache", mapped, program=MANYFEST) as (_, address):
        folder = tmp_path_factory.mktemp("d")
        with running_daemon(folder, f"--registry-mirror=http://{address}") as host:
            said = real.output_of(*client_of(host), "pull", "app:v1")
    assert f"Digest: {layout[1]}" in said


def test_containerd_takes_it_for_a_mirror_of_the_registry_it_names(
    upstream: LoggedRegistry, layout: tuple[str, str], tmp_path: Path
) -> None:
    with caching(tmp_path / "cache", upstream.address, program=MANYFEST) as (_, address):
        hosts = tmp_path / "hosts" / upstream.address
        hosts.mkdir(parents=True)
        (hosts / "hosts.toml").write_text(
            f'server = "http://127.0.0.1:1"\n[host."http://{address}"]\n'
            'capabilities = ["pull", "resolve"]\n'
        )
        with running_containerd(tmp_path) as ctr:
            ctr(
                "content", "fetch", "--all-platforms", "--hosts-dir", f"{tmp_path}/hosts",
                f"{upstream.address}/team/app:v1",
            )  # fmt: skip
            assert layout[1] in ctr("content", "ls", "--quiet").split()


# Upstreams that break off, lie, or are slow


def in_two_halves(opened: threading.Event) -> OneImage:
    def send(out: Out, data: bytes) -> None:
        half = len(data) // 2
        out.write(data[:half])
        out.flush()
        opened.wait(30)
        out.write(data[half:])

    return OneImage(LAYER, send)


def whole(out: Out, data: bytes) -> None:
    out.write(data)


def test_two_clients_at_once_get_one_download(tmp_path: Path) -> None:
    opened = threading.Event()
    image = in_two_halves(opened)
    with (
        image.running() as upstream,
        caching(tmp_path / "cache", upstream, program=MANYFEST) as (_, address),
        ThreadPoolExecutor(2) as pool,
    ):
        path = f"/v2/app/blobs/{image.layer}"
        bodies = [pool.submit(get, address, path) for _ in range(2)]
        real.wait_until(lambda: image.sent > 0, "the download")
        assert get(address, path, wanted="bytes=0-999") == LAYER[:1000]
        opened.set()
        assert [digest_of(body.result()) for body in bodies] == [image.layer] * 2
        assert get(address, path, wanted="bytes=-1000") == LAYER[-1000:]
        assert image.sent == 1


def test_a_client_that_goes_away_does_not_end_the_download(tmp_path: Path) -> None:
    opened = threading.Event()
    image = in_two_halves(opened)
    with (
        image.running() as upstream,
        caching(tmp_path / "cache", upstream, program=MANYFEST) as (_, address),
    ):
        path = f"/v2/app/blobs/{image.layer}"
        connection = http.client.HTTPConnection(address, timeout=20)
        connection.request("GET", path)
        assert connection.getresponse().read(1000) == LAYER[:1000]
        connection.close()
        opened.set()
        real.wait_until(lambda: bool(named(tmp_path / "cache", image.layer)), "the blob")
        assert digest_of(get(address, path)) == image.layer
        assert image.sent == 1


@pytest.mark.parametrize("wrong", ["other bytes", "breaks off"])
def test_a_client_never_takes_wrong_bytes_for_the_blob(tmp_path: Path, wrong: str) -> None:
    def send(out: Out, data: bytes) -> None:
        if wrong == "other bytes":
            out.write(data[:-1] + bytes([data[-1] ^ 1]))
        else:
            out.write(data[:100_000])

    image = OneImage(LAYER, send)
    with (
        image.running() as upstream,
        caching(tmp_path / "cache", upstream, program=MANYFEST) as (_, address),
    ):
        path = f"/v2/app/blobs/{image.layer}"
        assert not comes_whole(address, path)
        assert named(tmp_path / "cache", image.layer) == []
        image.send = whole
        assert digest_of(get(address, path)) == image.layer


def test_a_registry_whose_disk_is_damaged_spoils_nothing(
    address: str, upstream: LoggedRegistry, layout: tuple[str, str], tmp_path: Path
) -> None:
    index = json.loads(get(address, "/v2/team/app/manifests/v1"))
    image = json.loads(get(address, f"/v2/team/app/manifests/{index['manifests'][0]['digest']}"))
    layer = image["layers"][0]
    file = upstream.blob_file(layer["digest"])
    right = file.read_bytes()
    file.write_bytes(bytes(len(right)))
    assert not comes_whole(address, f"/v2/team/app/blobs/{layer['digest']}")
    assert named(tmp_path / "cache", layer["digest"]) == []
    file.write_bytes(right)
    assert get(address, f"/v2/team/app/blobs/{layer['digest']}") == right


def test_a_kill_in_the_middle_of_a_download_leaves_no_false_blob(tmp_path: Path) -> None:
    opened = threading.Event()
    image = in_two_halves(opened)
    cache, path = tmp_path / "cache", f"/v2/app/blobs/{image.layer}"
    with image.running() as upstream:
        with caching(cache, upstream, program=MANYFEST) as (process, address):
            connection = http.client.HTTPConnection(address, timeout=20)
            connection.request("GET", path)
            assert connection.getresponse().read(1000) == LAYER[:1000]
            process.kill()
            process.wait()
            connection.close()
        assert named(cache, image.layer) == []
        assert len(list((cache / "uploads").iterdir())) == 1
        opened.set()
        with caching(cache, upstream, program=MANYFEST) as (_, address):
            assert list((cache / "uploads").iterdir()) == []
            assert digest_of(get(address, path)) == image.layer
            real.wait_until(lambda: len(named(cache, image.layer)) == 2, "the blob")


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    image = OneImage(LAYER, whole)
    cache, path = tmp_path / "cache", f"/v2/app/blobs/{image.layer}"
    with (
        image.running() as upstream,
        caching(cache, upstream, program=MANYFEST) as (_, one),
        caching(cache, upstream, program=MANYFEST) as (_, two),
        ThreadPoolExecutor(8) as pool,
    ):
        bodies = [pool.submit(get, address, path) for address in (one, two) * 4]
        assert {digest_of(body.result()) for body in bodies} == {image.layer}
        real.wait_until(lambda: len(named(cache, image.layer)) == 2, "the blob")


# Stopping


@contextmanager
def silence() -> Iterator[tuple[str, threading.Event]]:
    """A registry that accepts connections and says nothing; its address, and whether anybody has
    come to it."""
    came, kept = threading.Event(), []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    kept.append(server.accept()[0])
                    came.set()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", came
    for connection in kept:
        connection.close()


def test_a_cache_before_a_silent_registry_can_be_stopped(tmp_path: Path) -> None:
    with (
        silence() as (upstream, came),
        caching(tmp_path / "cache", upstream, program=MANYFEST) as (process, address),
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(ask, address, "GET", "/v2/app/manifests/v1")
        assert came.wait(20)
        process.terminate()
        status, fields, body = answer.result()
        assert (status, fields["content-type"]) == (503, "application/json")
        assert json.loads(body) == {
            "errors": [{"code": "UNKNOWN", "message": "this registry is being stopped"}]
        }
        assert process.wait(20) == 0


def test_a_cache_is_stopped_while_half_of_a_blob_is_missing(tmp_path: Path) -> None:
    image = in_two_halves(threading.Event())
    with (
        image.running() as upstream,
        caching(tmp_path / "cache", upstream, program=MANYFEST) as (process, address),
        ThreadPoolExecutor(1) as pool,
    ):
        whole_blob = pool.submit(comes_whole, address, f"/v2/app/blobs/{image.layer}")
        real.wait_until(lambda: image.sent > 0, "the download")
        process.terminate()
        assert not whole_blob.result()
        assert process.wait(20) == 0
    assert named(tmp_path / "cache", image.layer) == []


def test_a_cache_before_itself_can_be_stopped(tmp_path: Path) -> None:
    port = real.free_port()
    own = f"127.0.0.1:{port}"
    with (
        caching(tmp_path / "cache", own, "--listen", own, program=MANYFEST) as (process, address),
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(ask, address, "GET", "/v2/app/manifests/v1")
        real.wait_until(lambda: connections_to(port) > 1, "the question to itself")
        process.terminate()
        assert answer.result()[0] == 503
        assert process.wait(20) == 0


def connections_to(port: int) -> int:
    """How many are open now (proc(5), "/proc/net/tcp")."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[2:4] == [f"0100007F:{port:04X}", "01"] for line in lines)


def named(cache: Path, digest: str) -> list[Path]:
    """The files with the digest's name."""
    return [path for path in cache.rglob(digest.removeprefix("sha256:")) if path.is_file()]
