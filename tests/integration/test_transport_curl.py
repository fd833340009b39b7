"""The libcurl transport against servers on loopback. The only tests of the client with sockets."""

from __future__ import annotations

import os
import shutil
import signal
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from manyfest.errors import ConfigError, ConnectionFailed, ContentError, DigestMismatch
from manyfest.stores.base import Reader
from manyfest.stores.registry.addresses import Place
from manyfest.stores.registry.curl.transfer import Transfer
from manyfest.stores.registry.curl.transport import CurlTransport
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, BytesReader, LastingFailure, Request
from tests import real

MIB = 1024 * 1024


@dataclass
class Server:
    """Answers each request with what ``answer`` writes, and keeps what it saw."""

    answer: Callable[[Exchange], None]
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    greeting: bytes = b""
    seen: list[Exchange] = field(default_factory=list)

    def url(self, path: str = "/", *, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@dataclass
class Exchange:
    line: str
    headers: dict[str, str]
    stream: socketserver.StreamRequestHandler
    body: bytes = b""
    keep: bool = True

    def read_body(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self.stream.rfile.readline(), 16):
                self.body += self.stream.rfile.read(size)
                self.stream.rfile.readline()
            self.stream.rfile.readline()
        else:
            self.body = self.stream.rfile.read(int(self.headers.get("content-length", "0")))

    def reply(self, status: str, body: bytes = b"", *fields: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
        self.stream.wfile.write("\r\n".join(lines).encode() + body)


@contextmanager
def serving(
    answer: Callable[[Exchange], None], *, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    server = Server(answer, scheme="https" if tls else "http")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            server.connections += 1
            try:
                self.wfile.write(server.greeting)
                while line := self.rfile.readline().decode("latin-1").strip():
                    fields = iter(lambda: self.rfile.readline().decode("latin-1").strip(), "")
                    pairs = (field.partition(":") for field in fields)
                    headers = {name.lower(): value.strip() for name, _, value in pairs}
                    exchange = Exchange(line, headers, self)
                    server.seen.append(exchange)
                    server.answer(exchange)
                    if not exchange.keep:
                        return
            except OSError:
                return

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is part of the tests."""

    with Listener(("127.0.0.1", 0), Handler) as listener:
        if tls is not None:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True)
        server.port = listener.server_address[1]
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture
def transport() -> Iterator[CurlTransport]:
    opened = CurlTransport(environ={})
    yield opened
    opened.close()


def ok(exchange: Exchange) -> None:
    exchange.read_body()
    exchange.reply("200 OK", b"hello")


def get(url: str) -> Request:
    return Request(method="GET", url=url)


def test_a_body_comes_whole_and_the_connection_is_used_again(transport: CurlTransport) -> None:
    with serving(ok) as server:
        for _ in range(3):
            with transport.send(get(server.url())) as response:
                assert response.status == 200
                assert response.peer == "127.0.0.1"
                assert response.read_all(100) == b"hello"
        assert server.connections == 1


def test_an_answer_that_is_not_read_leaves_its_connection_usable(transport: CurlTransport) -> None:
    with serving(ok) as server:
        for _ in range(3):
            transport.send(get(server.url())).close()
        assert server.connections == 1


def test_a_large_body_waits_in_the_network_and_not_in_memory(transport: CurlTransport) -> None:
    content = os.urandom(MIB) * 32

    def large(exchange: Exchange) -> None:
        exchange.reply("200 OK", content)

    with serving(large) as server, transport.send(get(server.url())) as response:
        reader = response.reader
        assert isinstance(reader, Transfer)
        received, most = bytearray(), 0
        while chunk := response.read(64 * 1024):
            received += chunk
            most = max(most, sum(map(len, reader._chunks)))
        assert bytes(received) == content
        assert most < MIB


def test_the_answer_to_head_has_no_body_to_wait_for(transport: CurlTransport) -> None:
    def head(exchange: Exchange) -> None:
        exchange.stream.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")

    with serving(head) as server:
        response = transport.send(Request(method="HEAD", url=server.url()))
        assert response.headers.get("content-length") == "1000"
        assert response.read(10) == b""


def test_only_needed_headers_are_sent(transport: CurlTransport) -> None:
    with serving(ok) as server:
        headers = Headers({"X-Empty": "", "X-Full": "1"})
        request = Request(method="PUT", url=server.url(), headers=headers, body=b"x" * 2 * MIB)
        transport.send(request).close()
        sent = server.seen[0].headers
    assert sorted(sent) == ["content-length", "host", "user-agent", "x-empty", "x-full"]
    assert sent["user-agent"].startswith("manyfest/")
    assert sent["content-length"] == "2097152"


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
@pytest.mark.parametrize(
    "body",
    [
        b"content",
        Body(7, lambda: BytesReader(b"content")),
        Body(None, lambda: BytesReader(b"content")),
    ],
    ids=["bytes", "stream", "stream of unknown size"],
)
def test_bodies_arrive(transport: CurlTransport, method: str, body: bytes | Body) -> None:
    with serving(ok) as server:
        request = Request(method=method, url=server.url("/a?b=c"), body=body)
        assert transport.send(request).status == 200
        assert server.seen[0].line == f"{method} /a?b=c HTTP/1.1"
        assert server.seen[0].body == b"content"


def test_nothing_of_a_request_is_left_for_the_next_over_its_connection(
    transport: CurlTransport,
) -> None:
    secret = Headers({"Authorization": "Basic c2VjcmV0"})

    def answer(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", b"")

    with serving(answer) as server:
        for request in (
            Request(method="HEAD", url=server.url("/1"), headers=secret),
            Request(method="GET", url=server.url("/2")),
            Request(method="PUT", url=server.url("/3"), headers=secret, body=b"content"),
            Request(method="HEAD", url=server.url("/4")),
            Request(method="DELETE", url=server.url("/5")),
            Request(method="GET", url=server.url("/6"), places=frozenset({Place.LOOPBACK})),
            Request(method="POST", url=server.url("/7"), body=b""),
            Request(method="GET", url=server.url("/8")),
        ):
            transport.send(request).close()
        seen = [
            (each.line[:-9], "authorization" in each.headers, each.body) for each in server.seen
        ]
        assert seen == [
            ("HEAD /1", True, b""),
            ("GET /2", False, b""),
            ("PUT /3", True, b"content"),
            ("HEAD /4", False, b""),
            ("DELETE /5", False, b""),
            ("GET /6", False, b""),
            ("POST /7", False, b""),
            ("GET /8", False, b""),
        ]
        assert server.connections == 1


def test_an_empty_body_has_a_length_of_0(transport: CurlTransport) -> None:
    with serving(ok) as server:
        transport.send(Request(method="POST", url=server.url(), body=b"")).close()
        assert server.seen[0].headers["content-length"] == "0"


def test_a_download_feeds_an_upload_in_one_thread(transport: CurlTransport) -> None:
    content = os.urandom(MIB) * 8

    def both(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.reply("200 OK", content if exchange.line.startswith("GET") else b"")

    with serving(both) as server:
        body = Body(len(content), lambda: transport.send(get(server.url("/blob"))))
        transport.send(Request(method="PUT", url=server.url("/copy"), body=body)).close()
        assert {exchange.line: exchange.body for exchange in server.seen} == {
            "GET /blob HTTP/1.1": b"",
            "PUT /copy HTTP/1.1": content,
        }


class Failing:
    """A reader that fails on its second read, as one does that finds a wrong digest."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.reads = 0
        self.closed = False

    def read(self, size: int, /) -> bytes:
        self.reads += 1
        if self.reads == 2:
            raise self.error
        return b"x" * min(size, 1000)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("error", [DigestMismatch("no"), KeyboardInterrupt(), ZeroDivisionError()])
def test_what_a_body_raises_comes_out_unchanged(
    transport: CurlTransport, error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = Failing(error)
    with serving(ok) as server:
        with pytest.raises(type(error)) as caught:
            transport.send(Request(method="PUT", url=server.url(), body=Body(5000, lambda: reader)))
        assert transport.send(get(server.url())).status == 200
    assert caught.value is error
    assert reader.closed
    assert capfd.readouterr().err == ""


def test_what_opening_a_body_raises_comes_out_too(transport: CurlTransport) -> None:
    def refuse() -> Reader:
        raise ContentError("gone")

    with serving(ok) as server, pytest.raises(ContentError, match="gone"):
        transport.send(Request(method="PUT", url=server.url(), body=Body(5, refuse)))


def test_a_body_that_is_too_short_is_an_error(transport: CurlTransport) -> None:
    body = Body(5, lambda: BytesReader(b"abc"))
    with serving(ok) as server, pytest.raises(ContentError, match="ends after 3 of 5 bytes"):
        transport.send(Request(method="PUT", url=server.url(), body=body))


def test_a_refusal_that_comes_before_the_body_is_sent_is_seen(transport: CurlTransport) -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.reply("401 Unauthorized", b"no")
        exchange.keep = False
        # A server that closed with bytes unread would reset the connection, and its answer with it.
        while exchange.stream.rfile.read(65536):
            pass

    with serving(refuse) as server:
        response = transport.send(Request(method="PUT", url=server.url(), body=b"x" * 64 * MIB))
        assert response.status == 401
        assert response.read_all(10) == b"no"


def test_a_kept_connection_that_died_is_replaced_and_the_body_begun_again(
    transport: CurlTransport,
) -> None:
    def last(exchange: Exchange) -> None:
        ok(exchange)
        exchange.keep = False

    with serving(last) as server:
        for _ in range(3):
            body = Body(7, lambda: BytesReader(b"content"))
            transport.send(Request(method="PUT", url=server.url(), body=body)).close()
        assert [exchange.body for exchange in server.seen] == [b"content"] * 3


def test_redirects_are_not_followed(transport: CurlTransport) -> None:
    def elsewhere(exchange: Exchange) -> None:
        exchange.reply("307 Temporary Redirect", b"", "Location: /elsewhere")

    with serving(elsewhere) as server:
        assert transport.send(get(server.url())).status == 307
        assert len(server.seen) == 1


def test_an_answer_that_breaks_off_is_an_error_and_stays_one(transport: CurlTransport) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.stream.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        exchange.stream.wfile.flush()
        time.sleep(0.05)
        exchange.keep = False

    with serving(cut) as server, transport.send(get(server.url())) as response:
        assert response.read(100) == b"abc"
        for _ in range(2):
            with pytest.raises(ConnectionFailed, match="the connection broke off"):
                response.read(100)


def test_headers_without_end_are_cut_off(transport: CurlTransport) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.stream.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            exchange.stream.wfile.write(b"X-%d: %s\r\n" % (number, b"y" * 1000))

    with serving(endless) as server, pytest.raises(ConnectionFailed, match="headers are longer"):
        transport.send(get(server.url()))


def test_a_closed_port_and_an_unknown_host_are_told_apart(transport: CurlTransport) -> None:
    with serving(ok) as server:
        pass
    with pytest.raises(ConnectionFailed) as refused:
        transport.send(get(server.url()))
    assert str(refused.value).startswith(f"127.0.0.1:{server.port}: nothing listens there; ")
    with pytest.raises(ConnectionFailed, match=r"registry\.invalid: no such host"):
        transport.send(get("http://registry.invalid/v2/"))


def test_a_request_that_may_not_go_to_an_address_is_not_sent(transport: CurlTransport) -> None:
    with serving(ok) as server:
        request = Request(
            method="GET",
            url=server.url("/latest/meta-data", host="localhost"),
            places=frozenset({Place.PUBLIC}),
        )
        with pytest.raises(LastingFailure, match=r"127\.0\.0\.1, a loopback address"):
            transport.send(request)
        assert server.seen == []


def test_ctrl_c_ends_a_wait_at_once(transport: CurlTransport) -> None:
    release = threading.Event()

    def silent(exchange: Exchange) -> None:
        release.wait(10)
        exchange.keep = False

    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with serving(silent) as server:
        begun = time.monotonic()
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            transport.send(get(server.url()))
        assert time.monotonic() - begun < 2
        release.set()


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun"])
def test_another_thread_can_end_a_request_that_waits(
    transport: CurlTransport, begin: bytes
) -> None:
    asked, release = threading.Event(), threading.Event()

    def silent(exchange: Exchange) -> None:
        exchange.stream.wfile.write(begin)
        asked.set()
        release.wait(10)
        exchange.keep = False

    with serving(silent) as server:
        request = Request(method="GET", url=server.url(), given_up=asked.is_set)
        with pytest.raises(ConnectionFailed, match="it was given up"):
            transport.send(request).read_all(9)
        release.set()


def test_many_threads_share_a_transport(transport: CurlTransport) -> None:
    got: list[bytes] = []

    def work() -> None:
        for _ in range(20):
            got.append(transport.send(get(server.url())).read_all(10))  # noqa: PERF401

    with serving(ok) as server:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == [b"hello"] * 160
        assert server.connections <= 8


def test_loopback_is_never_proxied(
    transport: CurlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with serving(ok) as server:
        assert transport.send(get(server.url())).status == 200
        assert transport.send(get(server.url(host="localhost"))).status == 200


def test_other_hosts_are_proxied_unless_no_proxy_says_otherwise(
    transport: CurlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ok) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url())
        monkeypatch.setenv("NO_PROXY", "other.invalid")
        monkeypatch.setenv("no_proxy", "other.invalid")
        response = transport.send(get("http://registry.invalid/v2/"))
        assert response.status == 200
        assert response.peer == ""
        assert proxy.seen[0].line == "GET http://registry.invalid/v2/ HTTP/1.1"
        with pytest.raises(ConnectionFailed, match=r"other\.invalid: no such host"):
            transport.send(get("http://other.invalid/v2/"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    real.need_programs("openssl")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return folder / "cert.pem"


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.parent / "key.pem")
    return context


def test_an_untrusted_certificate_is_refused_and_the_mend_named(
    transport: CurlTransport, tls: ssl.SSLContext
) -> None:
    with serving(ok, tls=tls) as server, pytest.raises(LastingFailure) as caught:
        transport.send(get(server.url()))
    assert "its certificate is not trusted" in str(caught.value)
    assert "--ca-file" in str(caught.value)


def test_an_authority_can_be_added(tls: ssl.SSLContext, certificate: Path) -> None:
    for transport in (
        CurlTransport(ca_file=str(certificate), environ={}),
        CurlTransport(environ={"SSL_CERT_FILE": str(certificate)}),
        CurlTransport(ca_file=str(certificate), environ={"SSL_CERT_FILE": str(certificate)}),
    ):
        with serving(ok, tls=tls) as server, transport.send(get(server.url())) as response:
            assert response.read_all(10) == b"hello"
        transport.close()


def test_a_directory_of_authorities_can_be_named(
    tls: ssl.SSLContext, certificate: Path, tmp_path: Path
) -> None:
    hashed = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", str(certificate)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    shutil.copy(certificate, tmp_path / f"{hashed}.0")
    transport = CurlTransport(environ={"SSL_CERT_DIR": str(tmp_path)})
    with serving(ok, tls=tls) as server:
        assert transport.send(get(server.url())).status == 200
    transport.close()


def test_the_name_in_the_certificate_must_be_the_hosts(
    tls: ssl.SSLContext, certificate: Path
) -> None:
    transport = CurlTransport(ca_file=str(certificate), environ={})
    with serving(ok, tls=tls) as server, pytest.raises(LastingFailure, match="not trusted"):
        transport.send(get(server.url(host="registry.localhost")))


def test_plain_http_where_https_is_needed_is_named(transport: CurlTransport) -> None:
    with serving(ok) as server:
        server.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        with pytest.raises(LastingFailure) as caught:
            transport.send(get(server.url().replace("http:", "https:")))
    assert f"--plain-http 127.0.0.1:{server.port}" in str(caught.value)


def test_a_ca_file_that_is_not_there_is_named() -> None:
    transport = CurlTransport(ca_file="/nowhere/ca.pem", environ={})
    with pytest.raises(ConfigError, match=r"/nowhere/ca\.pem: the CA file names a file"):
        transport.send(get("https://127.0.0.1:1/"))
