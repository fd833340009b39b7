from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from manyfest.errors import ConfigError, ConnectionFailed, ManyfestError, NotFound, StoreError
from manyfest.oci.platform import Platform
from manyfest.stores.runtimes.docker.daemon import Daemon
from manyfest.stores.runtimes.runtime import Info
from tests.unit.small_daemon import WITH_CONTAINERD, SmallDaemon, small_daemon

ID = f"sha256:{'a' * 64}"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[SmallDaemon]:
    with small_daemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def daemon(there: SmallDaemon) -> Daemon:
    return Daemon(environ={"DOCKER_HOST": there.host})


def refusal(act: Callable[[], object], kind: type[ManyfestError] = StoreError) -> str:
    """What is said against it, without where."""
    with pytest.raises(kind) as caught:
        act()
    assert caught.value.where.startswith("Docker at unix://")
    return str(caught.value).removeprefix(f"{caught.value.where}: ")


def send(daemon: Daemon, portions: Iterable[bytes]) -> None:
    with daemon.load() as write:
        for portion in portions:
            write(portion)


def test_nothing_is_looked_up_until_it_is_asked() -> None:
    daemon = Daemon(environ={"DOCKER_HOST": "unix:///nowhere"})
    assert refusal(daemon.info, ConnectionFailed) == (
        "nothing listens there; start Docker, or see DOCKER_HOST"
    )


def test_a_socket_that_is_not_ours_says_who_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(self: socket.socket, address: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", denied)
    daemon = Daemon(environ={"DOCKER_HOST": f"unix://{tmp_path}/s"})
    assert refusal(daemon.info, ConnectionFailed) == (
        "permission denied; be root, or a member of the group docker"
    )


def test_a_daemon_is_here_if_anything_says_where_it_listens() -> None:
    assert Daemon(environ={"DOCKER_HOST": "unix:///nowhere"}).is_here()


def test_its_platform_is_what_uname_says(daemon: Daemon) -> None:
    assert daemon.info() == Info(Platform.parse("linux/arm64"), keeps_indexes=False)


def test_with_containerd_s_store_it_keeps_indexes(daemon: Daemon, there: SmallDaemon) -> None:
    there.info = WITH_CONTAINERD
    assert daemon.info() == Info(Platform.parse("linux/arm64"), keeps_indexes=True)


def test_an_image_s_id_is_asked_by_its_name(daemon: Daemon, there: SmallDaemon) -> None:
    there.images["ghcr.io/team/app:v1"] = ID
    assert str(daemon.image_id("ghcr.io/team/app:v1")) == ID
    assert there.requests == ["GET /images/ghcr.io/team/app:v1/json"]


def test_an_image_that_is_not_there_is_not_found(daemon: Daemon) -> None:
    assert refusal(lambda: daemon.image_id("app:v1"), NotFound) == "No such image: app:v1"
    assert refusal(lambda: daemon.export("app:v1"), NotFound) == "No such image: app:v1"


def test_an_image_is_read_as_it_comes(daemon: Daemon, there: SmallDaemon) -> None:
    there.archives["team/app:v1"] = b"the archive"
    with closing(daemon.export("team/app:v1")) as archive:
        assert archive.read(4) + archive.read(100) + archive.read(100) == b"the archive"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b'{"message":"no space left on device"}', "no space left on device"),
        (403, b"<html>", "it answers 403 Forbidden"),
        (200, b"<html>", "its answer to /info is not understood: JSON is malformed"),
        (200, b"{}", "its answer to /info is not understood: Object missing required field"),
        (
            200,
            b'{"OSType":"linux","Architecture":"6502"}',
            "unknown architecture in platform 'linux/6502'",
        ),
    ],
)
def test_what_it_answers_instead_is_an_error(
    daemon: Daemon, there: SmallDaemon, status: int, body: bytes, said: str
) -> None:
    there.answers["/info"] = (status, body)
    assert refusal(daemon.info).startswith(said)


def test_an_id_that_is_none_is_an_error(daemon: Daemon, there: SmallDaemon) -> None:
    there.images["app:v1"] = "sha256:short"
    assert "'sha256:short'" in refusal(lambda: daemon.image_id("app:v1"))


def test_what_is_written_arrives_whole(daemon: Daemon, there: SmallDaemon) -> None:
    there.answers["/images/load"] = (200, b'{"stream":"Loaded image: app:v1\\n"}')
    arrived: list[bytes] = []
    answer = there.answer

    def noting(method: str, target: str, body: bytes) -> tuple[int, bytes]:
        arrived.append(body)
        return answer(method, target, body)

    there.answer = noting  # type: ignore[method-assign]
    send(daemon, [b"one", b"", b"two" * 100_000])
    assert arrived == [b"one" + b"two" * 100_000]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b'{"error":"invalid tar header"}', "invalid tar header"),
        (
            200,
            b'{"status":"Loading layer"}\r\n{"errorDetail":{"message":"x"},"error":"no space"}\r\n',
            "no space",
        ),
        (200, b"panic", "it answers b'panic'"),
        (500, b'{"message":"it is going down"}', "it is going down"),
    ],
)
def test_an_error_in_its_answer_is_one_however_it_comes(
    daemon: Daemon, there: SmallDaemon, status: int, body: bytes, said: str
) -> None:
    there.answers["/images/load"] = (status, body)
    assert refusal(lambda: send(daemon, [b"archive"])) == said


def test_nothing_is_loaded_if_the_block_raises(daemon: Daemon, there: SmallDaemon) -> None:
    def half() -> Iterator[bytes]:
        yield b"half of it"
        raise KeyError

    with pytest.raises(KeyError):
        send(daemon, half())
    assert there.received == []
    assert there.requests == []


@contextmanager
def answering(folder: Path, answer: bytes) -> Iterator[Daemon]:
    """A daemon that reads the first bytes of one request, answers, and hangs up."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Daemon(environ={"DOCKER_HOST": f"unix://{folder}/s"})
        finally:
            thread.join()


def test_why_it_takes_no_more_is_told(tmp_path: Path) -> None:
    body = json.dumps({"error": "no space left on device"}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with answering(tmp_path, head + body) as daemon:
        said = refusal(lambda: send(daemon, [bytes(1024 * 1024)] * 64))
    assert said == "no space left on device"


def test_that_it_takes_no_more_is_an_error_if_it_says_nothing(tmp_path: Path) -> None:
    with answering(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as daemon:
        said = refusal(lambda: send(daemon, [bytes(1024 * 1024)] * 64), ConnectionFailed)
    assert said == "it did not take all of it"


def test_an_archive_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n"
    with answering(tmp_path, head) as daemon, closing(daemon.export("app:v1")) as archive:
        said = refusal(lambda: archive.read(100), ConnectionFailed)
    assert said.startswith("it does not answer as Docker does: IncompleteRead(5 bytes read")


def test_a_daemon_that_hangs_up_is_an_error(tmp_path: Path) -> None:
    with answering(tmp_path, b"") as daemon:
        assert refusal(daemon.info, ConnectionFailed) == "it broke the connection off"


def test_what_is_not_http_is_an_error(tmp_path: Path) -> None:
    with answering(tmp_path, b"SSH-2.0-OpenSSH_9.2\r\n") as daemon:
        said = refusal(daemon.info, ConnectionFailed)
    assert said.startswith("it does not answer as Docker does: SSH-2.0-OpenSSH")


def test_certificates_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    environ = {
        "DOCKER_HOST": "tcp://builds.example.org",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
    }
    with pytest.raises(ConfigError) as caught:
        Daemon(environ=environ).info()
    assert str(caught.value) == (
        f"{tmp_path}: the certificates for Docker cannot be used: No such file or directory;"
        " put ca.pem there, and cert.pem with key.pem if the daemon asks for one"
    )
