"""Requests that no client sends: whatever comes, the registry answers, in the specification's form,
and writes nothing outside its folder."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlencode

import msgspec
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from manyfest.serve.app import Registry
from manyfest.serve.asgi import Message, Scope
from tests.unit.serve_client import Client, digest_of

CODES = {
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID",
    "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS",
}  # fmt: skip
"""Distribution specification 1.1, "Error Codes"."""

DATA = b"0123456789"
DIGEST = digest_of(DATA)

ODD = [
    b"..", b".", b"%2e%2e", b"%252e", b"..%c0%af", b"..%5c", b"\\", b"%00", b"%0a", b"%0d%0aX:%20y",
    b"%ff%fe", b"%ed%a0%80", b"%e2%80%ae", b"_oci", b"index.json", b"~", b"*", b"?", b"#", b";x=1",
    b"sha256:", b"sha256:" + b"0" * 64, b"sha256:" + b"A" * 64, b"sha512:" + b"0" * 64,
    b"sha256:..%2f..%2fx", b"sha256:" + b"0" * 63 + b"%0a", b"md5:" + b"0" * 32,
    b"a" * 300, b"0" * 32, b"%31%32",
]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A request; its client may break off after the body that is here."""

    method: str
    path: bytes
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    breaks: bool = False

    def scope(self) -> Scope:
        """What a server makes of it: the path is decoded, and all else is passed on."""
        return {
            "type": "http",
            "method": self.method,
            "path": unquote_to_bytes(self.path).decode("utf-8", "replace"),
            "raw_path": self.path,
            "query_string": urlencode(self.query).encode(),
            "headers": [(name.encode(), value.encode()) for name, value in self.headers],
        }


def odd_piece() -> st.SearchStrategy[bytes]:
    binary = st.binary(max_size=12).map(lambda raw: quote_from_bytes(raw, safe="").encode())
    return st.sampled_from(ODD) | binary


def paths() -> st.SearchStrategy[bytes]:
    """Half of them lead somewhere."""
    digest = DIGEST.encode()
    places = [
        b"app/blobs/" + digest, b"app/blobs/uploads/", b"new/blobs/uploads/", b"app/manifests/v1",
        b"new/manifests/v2", b"app/referrers/" + digest, b"app/tags/list", b"_catalog", b"",
    ]  # fmt: skip
    name = st.lists(odd_piece(), min_size=1, max_size=3).map(b"/".join)
    ends = [b"blobs", b"blobs/uploads", b"manifests", b"referrers", b"tags/list", b"x"]
    odd = st.tuples(st.just(b"app") | name, st.sampled_from(ends), odd_piece()).map(b"/".join)
    return (st.sampled_from(places) | odd).map(lambda path: b"/v2/" + path)


def queries() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    keys = ["n", "last", "mount", "from", "digest", "digest-algorithm", "artifactType", "tag", "ns"]
    values = [DIGEST, "sha256:x", "../x", "app", "sha1", "\0", "v1", "a" * 3000]
    numbers = ["0", "-1", "1", "9" * 400, "1e9", "0x10", "٣", " 1", "1.5", ""]
    value = st.sampled_from(values + numbers) | st.text(max_size=10)
    return st.lists(st.tuples(st.sampled_from(keys), value), max_size=4).map(tuple)


def headers() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    names = [
        "range", "content-range", "content-length", "content-type", "if-none-match", "if-range",
        "accept", "host",
    ]  # fmt: skip
    values = [
        "bytes=" + "0-0," * 5000, "bytes=" + "9" * 9000 + "-", "bytes=-" + "1" * 9000, "bytes=0-3",
        "9" * 30 + "-" + "9" * 31, "0-" + "9" * 18, "0-9", "0-9/10", "-", f'"{DIGEST}"', "9" * 5000,
    ]  # fmt: skip
    value = st.sampled_from(values) | st.text(alphabet="bytes=0123456789-,/* é", max_size=20)
    return st.lists(st.tuples(st.sampled_from(names), value), max_size=4).map(tuple)


requests = st.builds(
    Asked,
    method=st.sampled_from(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "X" * 99, ""]
    ),
    path=paths(),
    query=queries(),
    headers=headers(),
    body=st.binary(max_size=40) | st.sampled_from([DATA, b"{}", b"[" * 3000, b'{"a":' * 3000]),
    breaks=st.booleans(),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with something in it, alone in its folder."""
    folder = tmp_path_factory.mktemp("fuzz") / "registry"
    client = Client(folder)
    client.registry.prepare()
    client.push_image("app", "v1")
    client.push_blob("app", DATA)
    return folder


@given(asked=requests)
@example(asked=Asked("PUT", b"/v2/app/manifests/v2", body=b"[" * 100_000))
@example(asked=Asked("GET", b"/v2/app/blobs/" + DIGEST.encode(), headers=(("range", "bytes=0-3"),)))
@settings(max_examples=300, deadline=None)
def test_any_request_is_answered_and_stays_within_the_root(root: Path, asked: Asked) -> None:
    answer = answer_of(Registry(root), asked)
    assert [each.name for each in root.parent.iterdir()] == ["registry"]
    status, fields, content = answer
    event(f"{status}")
    assert 200 <= status < 500
    for name, value in fields:
        assert re.fullmatch(rb"[a-z0-9-]+", name)
        assert re.fullmatch(rb"[^\r\n\0]*", value)
    if status >= 400 and asked.method != "HEAD":
        errors = msgspec.json.decode(content)["errors"]
        assert [set(error) for error in errors] == [{"code", "message"}]
        assert errors[0]["code"] in CODES


def answer_of(registry: Registry, asked: Asked) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, fields and body."""
    waiting: list[Message] = [
        {"type": "http.request", "body": asked.body, "more_body": asked.breaks}
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(registry(asked.scope(), receive, send))
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], list(sent[0]["headers"]), content
