"""Whatever is asked by whoever has no right, nothing of a secret repository is told or changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlencode

import msgspec
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from manyfest.serve.app import Registry
from manyfest.serve.asgi import Message, Scope
from tests.gates import basic, guarded
from tests.unit.serve_client import Client, digest_of

SECRET = b"nobody but Ada may ever read this"
DIGEST = digest_of(SECRET)

ADAS_CATALOGUE = 8
"""Of those who ask the one who may know what there is."""

SPELLINGS = [
    "secret/app", "%73ecret/app", "secret%2fapp", "secret%252fapp", "./secret/app", "secret//app",
    "secret/./app", "team/../secret/app", "team/%2e%2e/secret/app", "SECRET/app", "secret/app/",
    "secret/app%00", "secret/app;x", "/secret/app", "team/app/manifests/../../../secret/app",
    "secret", "secret/other", "team/app", "tools",
]  # fmt: skip


@dataclass(frozen=True)
class World:
    """A registry, what identifies what is secret in it, and tokens for other things."""

    registry: Registry
    root: Path
    image: bytes
    tokens: tuple[str, ...]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fuzz")
    owner = Client(folder / "registry")
    owner.registry.prepare()
    for name in ("team/app", "tools"):
        owner.push_image(name, "v1")
    assert owner.push_blob("secret/app", SECRET).digest
    image = owner.push_image("secret/app", "v1", text=SECRET.decode())
    client = Client(folder / "registry", policy=guarded(folder / "access"))
    wanted = (
        ("bob", "repository:secret/app:pull,push,delete repository:team/app:pull,push"),
        ("bob", "repository:secret/app:* registry:catalog:*"),
        ("ada", "repository:team/app:pull,push,delete"),
        ("ada", "registry:catalog:*"),
        ("", "repository:secret/app:pull repository:tools:pull"),
    )
    tokens = tuple(given_token(client, *each) for each in wanted)
    yield World(client.registry, client.root, image.raw, tokens)
    assert client.registry.policy.gate is not None
    client.registry.policy.gate.close()


def given_token(client: Client, user: str, scope: str) -> str:
    query = urlencode({"scope": scope})
    who = basic(user) if user else ""
    answer = client.call("GET", f"/token?{query}", authorization=who)
    return str(msgspec.json.decode(answer.body)["token"])


def mangled(token: str, at: int) -> str:
    """A token of which one character was changed."""
    place = at % len(token)
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


def tails() -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            "tags/list", "manifests/v1", "manifests/v2", f"blobs/{DIGEST}", "blobs/uploads/",
            f"blobs/uploads/{'0' * 32}", f"referrers/{DIGEST}", "",
        ]
    )  # fmt: skip


def queries() -> st.SearchStrategy[dict[str, str]]:
    sources = ["secret/app", "%73ecret/app", "team/../secret/app", "tools", ""]
    return st.fixed_dictionaries(
        {},
        optional={
            "mount": st.just(DIGEST),
            "from": st.sampled_from(sources),
            "digest": st.just(DIGEST),
            "n": st.sampled_from(["1", "99"]),
            "last": st.sampled_from(["s", "secret/a"]),
            "ns": st.sampled_from(["docker.io", "secret"]),
        },
    )


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, str, dict[str, str], int, int, list[tuple[str, str]]]:
    place = draw(st.sampled_from(SPELLINGS))
    prefix = draw(st.sampled_from(["/v2/", "/v2//", "/repositories/", "/V2/"]))
    tail = draw(tails())
    path = draw(st.sampled_from([f"{prefix}{place}/{tail}", "/", "/v2/_catalog", "/v2/"]))
    fields = draw(
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["x-forwarded-for", "x-original-url", "x-http-method-override", "host"]
                ),
                st.sampled_from(["127.0.0.1", "/v2/tools/tags/list", "GET", "localhost"]),
            ),
            max_size=2,
        )
    )
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]))
    who = draw(st.integers(0, 9))
    return method, path, draw(queries()), who, draw(st.integers(0, 400)), fields


def credentials(world: World, who: int, at: int) -> str:
    """Everybody but Ada by her password, or by a token that is for what is secret."""
    made_up = ["", basic("bob"), basic("eve"), basic("ada", ""), mangled(world.tokens[2], at)]
    every = [*made_up[:4], f"Bearer {made_up[4]}", *(f"Bearer {each}" for each in world.tokens)]
    return every[who]


def state(root: Path) -> dict[str, int]:
    top = root / "repositories/secret"
    return {
        str(path.relative_to(top)): path.stat().st_size for path in top.rglob("*") if path.is_file()
    }


@given(request=asked())
@example(request=("GET", "/v2/secret/app/manifests/v1", {}, 5, 0, []))
@example(request=("POST", "/v2/team/app/blobs/uploads/", {"mount": DIGEST}, 1, 0, []))
@example(
    request=(
        "POST",
        "/v2/team/app/blobs/uploads/",
        {"mount": DIGEST, "from": "secret/app"},
        7,
        0,
        [],
    )
)
@settings(max_examples=300, deadline=None)
def test_nothing_secret_is_told_or_changed(
    world: World, request: tuple[str, str, dict[str, str], int, int, list[tuple[str, str]]]
) -> None:
    method, path, query, who, at, fields = request
    before = state(world.root)
    headers = [*fields, ("authorization", credentials(world, who, at))]
    status, body = answer_of(world.registry, method, path, query, headers)
    event(f"{status}")
    assert status < 500
    assert SECRET not in body
    assert world.image not in body
    if who != ADAS_CATALOGUE:
        assert b'"secret/app"' not in body
        assert b"/repositories/secret" not in body
    assert state(world.root) == before
    assert not (
        world.root / f"repositories/team/app/_oci/blobs/{DIGEST.replace(':', '/')}"
    ).exists()


def answer_of(
    registry: Registry,
    method: str,
    path: str,
    query: dict[str, str],
    headers: list[tuple[str, str]],
) -> tuple[int, bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": method,
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": quote(path, safe="/%;").encode(),
        "query_string": urlencode(query).encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers if value],
        "client": ("192.0.2.1", 1),
    }
    asyncio.run(registry(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
