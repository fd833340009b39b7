"""ADD of a URL, with a function in the place of the web."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from manyfest.build.add.download import download
from manyfest.build.builder import plan
from manyfest.errors import BuildError, ConnectionFailed, DockerfileError
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Request, Response
from tests.unit.building import EPOCH, Bench, layer_entries, write
from tests.unit.test_build_add_archive import TAR, UNPACKED

SHA256 = hashlib.sha256(b"content").hexdigest()
SHA512 = hashlib.sha512(b"content").hexdigest()


@pytest.fixture
def web() -> FunctionTransport:
    def answer(request: Request) -> Response:
        if request.url.endswith("/broken"):
            raise ConnectionFailed("the connection broke off", where="example.org")
        if "/short" in request.url:
            return Response(200, b"content", headers=Headers([("Content-Length", "8")]))
        if "/t.tar" in request.url:
            return Response(200, TAR)
        if "/missing" in request.url:
            return Response(404)
        later = Headers([("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")])
        return Response(200, b"content", headers=later)

    return FunctionTransport(answer)


@pytest.fixture
def bench(tmp_path: Path, web: FunctionTransport) -> Bench:
    bench = Bench(tmp_path, web=web)
    write(bench.context, {"dir/one": "1"})
    return bench


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("ADD https://example.org/d/file /x", ["x 600 =content"]),
        ("ADD https://example.org/d/file?v=1 /x/", ["x/ 755", "x/file 600 =content"]),
        ("ADD https://example.org/ /x/", ["x/ 755", "x/__unnamed__ 600 =content"]),
        ("ADD https://example.org/file .", ["file 600 =content"]),
        ("ADD https://example.org/a https://example.org/b dir/one /x/",
         ["x/ 755", "x/a 600 =content", "x/b 600 =content", "x/one 644 =1"]),
        ("ADD --chmod=755 --chown=7 https://example.org/d/file /x", ["x 755 7:7 =content"]),
        ("ADD --link https://example.org/d/file /x", ["x 600 =content"]),
        (f"ADD --checksum=sha256:{SHA256} https://example.org/a /x", ["x 600 =content"]),
        (f"ADD --checksum=sha512:{SHA512} https://example.org/a /x", ["x 600 =content"]),
        (f"ADD --checksum=sha256:{SHA256} http://example.org/a /x", ["x 600 =content"]),
        ("ADD http://127.0.0.1:8000/a /x", ["x 600 =content"]),
        ("ADD --unpack https://example.org/t.tar /", UNPACKED),
        ("ADD --unpack https://example.org/no.tar /", ["no.tar 600 =content"]),
    ],
)  # fmt: skip
def test_what_is_fetched(bench: Bench, instruction: str, expected: list[str]) -> None:
    assert bench.files(f"FROM scratch\n{instruction}\n") == expected


def test_it_is_not_unpacked_unless_asked(bench: Bench) -> None:
    (file,) = bench.files("FROM scratch\nADD https://example.org/t.tar /\n")

    assert file.startswith("t.tar 600 =./")


def test_its_time_is_the_build_s(bench: Bench) -> None:
    built = bench.build("FROM scratch\nADD https://example.org/a /x\n")
    ((entry, _),) = layer_entries(built.source, built.platforms[0].manifest.image.layers[0])

    assert entry.mtime == EPOCH


def test_it_is_fetched_once_for_all_platforms(bench: Bench, web: FunctionTransport) -> None:
    dockerfile = "FROM scratch\nADD https://example.org/a /x\nADD https://example.org/a#b /y\n"
    built = bench.build(dockerfile, "linux/amd64", "linux/arm64")

    assert [request.url for request in web.requests] == ["https://example.org/a"] * 2
    assert len({each.manifest.image.layers for each in built.platforms}) == 1


def test_a_plan_fetches_nothing(bench: Bench, web: FunctionTransport) -> None:
    dockerfile = "FROM scratch\nADD https://a.org/b /x\nADD https://a.org/b dir/one /y/\n"

    assert str(plan(bench.request(dockerfile, args={}))).splitlines()[2:] == [
        "    ADD https://a.org/b /x  (fetched)",
        "    ADD https://a.org/b dir/one /y/  (1 files, 1 bytes)",
    ]
    assert web.requests == []


def test_no_credentials_go_along(bench: Bench, web: FunctionTransport) -> None:
    bench.build("FROM scratch\nADD https://example.org/a /x\n")

    assert "Authorization" not in web.requests[0].headers


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        (f"ADD --checksum=sha256:{'0' * 64} https://example.org/a?key=secret /x",
         f"'https://example.org/a' is not what --checksum says: its digest is sha256:{SHA256};"
         " if the file was meant to change, change --checksum too"),
        ("ADD https://example.org/missing?key=secret /x",
         "'https://example.org/missing' cannot be fetched: the server answers 404"),
        ("ADD https://example.org/short /x",
         "'https://example.org/short' cannot be fetched: it has 7 bytes instead of 8"),
        ("ADD https://example.org/broken /x", "'https://example.org/broken' cannot be fetched:"
         " example.org: the connection broke off"),
    ],
)  # fmt: skip
def test_what_cannot_be_had(bench: Bench, instruction: str, message: str) -> None:
    with pytest.raises(BuildError) as caught:
        bench.build(f"FROM scratch\n{instruction}\n")
    assert str(caught.value) == f"{bench.context}/Dockerfile:2: ADD: {message}"


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ("ADD http://example.org/a /x", "'http://example.org/a' comes over plain http, where"
         " anybody can change it; use https, or add --checksum=sha256:…"),
        ("ADD https://me:secret@example.org/a /x", "an address with a user name in it is not"
         " trusted"),
        ("ADD --checksum=md5:1 https://example.org/a /x", "--checksum: unknown digest algorithm"
         " 'md5'; use sha256 or sha512"),
        (f"ADD --checksum=sha256:{SHA256} dir/one /x", "--checksum is for one URL or repository,"
         " and nothing else"),
        (f"ADD --checksum=sha256:{SHA256} https://example.org/a https://example.org/b /x/",
         "--checksum is for one URL or repository, and nothing else"),
        ("ADD http://example.org/b.git /x", "'http://example.org/b.git' comes over plain http,"
         " where anybody can change it; use https"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly(
    bench: Bench, web: FunctionTransport, instruction: str, message: str
) -> None:
    with pytest.raises(DockerfileError) as caught:
        bench.build(f"FROM scratch\n{instruction}\n")
    assert str(caught.value) == f"{bench.context}/Dockerfile:2: ADD: {message}"
    assert web.requests == []


def test_it_is_not_larger_than_allowed(tmp_path: Path, web: FunctionTransport) -> None:
    with pytest.raises(BuildError, match="it is larger than 6 bytes"):
        download("https://example.org/a", web, tmp_path, limit=6)
