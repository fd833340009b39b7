from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.oci import json
from manyfest.oci.config import ImageConfig, RootFS
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.platform import Platform
from manyfest.serve.access.places import Places
from manyfest.serve.content import content_at
from manyfest.serve.policy import Policy
from manyfest.stores.layout import LayoutStore
from tests import images
from tests.gates import basic, guarded
from tests.unit.serve_client import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Answer, Client


class Words(HTMLParser):
    """The text and the links of a page; raises if a tag is closed that is not open."""

    void = frozenset({"meta", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.void:
            self._open.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open and data.strip():
            self.words.append(data.strip())


def read(answer: Answer) -> Words:
    assert answer.status == 200
    assert answer.headers.get("content-type") == "text/html; charset=utf-8"
    words = Words()
    words.feed(answer.body.decode())
    return words


def push_platform(client: Client, repository: str, tag: str, architecture: str) -> Manifest:
    config = json.dumps(ImageConfig(os="linux", architecture=architecture, rootfs=RootFS()))
    shared = client.push_blob(repository, b"s" * 1000)
    image = Manifest.of_image(
        Image(
            schema_version=2,
            media_type=OCI_MANIFEST,
            config=client.push_blob(repository, config, OCI_CONFIG),
            layers=(shared, client.push_blob(repository, architecture.encode().ljust(200))),
        )
    )
    reference = tag or str(image.descriptor.digest)
    assert client.push_manifest(repository, reference, image).status == 201
    return image


def push_index(client: Client, repository: str, tag: str, *architectures: str) -> Manifest:
    """An image for several platforms whose first layer they share: 1000 bytes, and 200 each."""
    entries = []
    for architecture in architectures:
        image = push_platform(client, repository, "", architecture)
        platform = Platform(os="linux", architecture=architecture)
        entries.append(
            Descriptor(
                media_type=OCI_MANIFEST,
                digest=image.descriptor.digest,
                size=image.descriptor.size,
                platform=platform,
            )
        )
    index = Manifest.of_index(
        Index(schema_version=2, media_type=OCI_INDEX, manifests=tuple(entries))
    )
    assert client.push_manifest(repository, tag, index).status == 201
    return index


@pytest.fixture
def client(tmp_path: Path) -> Client:
    client = Client(tmp_path / "root")
    client.registry.prepare()
    return client


def test_an_empty_registry_says_how_to_fill_it(client: Client) -> None:
    page = read(client.call("GET", "/"))
    assert "docker push registry.test/NAME:TAG" in page.words


def test_repositories_are_listed_with_links(client: Client) -> None:
    client.push_image("team/app", "v1")
    client.push_image("tools", "v1")
    page = read(client.call("GET", "/"))
    assert page.links == ["/repositories/team/app", "/repositories/tools"]
    assert page.words[-3:] == ["team/app", "tools", "2 in all"]


def test_a_repository_shows_tags_platforms_and_sizes(client: Client) -> None:
    index = push_index(client, "team/app", "v1", "amd64", "arm64")
    page = read(client.call("GET", "/repositories/team/app"))
    sizes = [word for word in page.words if word.endswith("kB")]
    assert page.words[:1] == ["team/app · registry.test"]
    assert "docker pull registry.test/team/app:v1" in page.words
    assert [w for w in page.words if w.startswith("linux/")] == ["linux/amd64", "linux/arm64"]
    assert sizes == ["1.8 kB", "1.8 kB", "3.1 kB"]
    assert str(index.descriptor.digest)[:19] in page.words
    assert "1 tag in all" in page.words


def test_behind_a_proxy_images_have_the_name_that_clients_use(tmp_path: Path) -> None:
    policy = Policy(places=Places("https://images.example.org"))
    client = Client(tmp_path, policy=policy)
    push_platform(client, "app", "v1", "amd64")
    page = read(client.call("GET", "/repositories/app"))
    assert "docker pull images.example.org/app:v1" in page.words


def test_what_is_shared_counts_once(client: Client) -> None:
    index = push_index(client, "app", "v1", "amd64", "arm64")
    page = client.call("GET", "/repositories/app").body.decode()
    each = 1000 + 2 * 200
    configs = 2 * len(json.dumps(ImageConfig(os="linux", architecture="amd64", rootfs=RootFS())))
    manifests = sum(entry.size for entry in index.index.manifests)
    total = each + configs + manifests + index.descriptor.size
    assert f'<td class="number">{total / 1000:.1f} kB</td>' in page


def test_an_image_without_an_index_says_its_platform_itself(client: Client) -> None:
    push_platform(client, "app", "v1", "riscv64")
    assert "linux/riscv64" in read(client.call("GET", "/repositories/app")).words


def test_one_that_does_not_say_is_unknown(client: Client) -> None:
    client.push_image("app", "v1")
    assert "unknown" in read(client.call("GET", "/repositories/app")).words


def test_what_is_no_image_says_what_it_is(client: Client) -> None:
    note = client.image("app", artifact_type="application/vnd.example.note")
    client.push_manifest("app", "note", note)
    assert "application/vnd.example.note" in read(client.call("GET", "/repositories/app")).words


def test_an_archive_is_shown_too(tmp_path: Path) -> None:
    images.make(LayoutStore(tmp_path / "app"), "index", "v1")
    client = Client(tmp_path / "app", content=content_at([tmp_path / "app"]))
    client.registry.prepare()
    assert read(client.call("GET", "/")).links == ["/repositories/app"]
    words = read(client.call("GET", "/repositories/app")).words
    platforms = [word for word in words if word.startswith("linux/")]
    assert platforms == ["linux/amd64", "linux/arm64", "linux/arm/v7"]


def test_many_names_are_several_pages(client: Client) -> None:
    for number in range(201):
        client.push_image(f"r{number:03}", "v1")
    first = read(client.call("GET", "/"))
    assert first.links[199:] == ["/repositories/r199", "?last=r199"]
    assert read(client.call("GET", "/?last=r199")).links == ["/repositories/r200"]
    assert read(client.call("GET", "/?last=r200")).words[-1] == "There are no more."


def test_many_tags_are_several_pages(client: Client) -> None:
    image = client.push_image("app", "v00")
    for number in range(1, 51):
        client.push_manifest("app", f"v{number:02}", image)
    assert read(client.call("GET", "/repositories/app")).links == ["/", "?last=v49"]
    assert "v50" in read(client.call("GET", "/repositories/app?last=v49")).words


def test_what_others_wrote_is_shown_and_not_obeyed(client: Client) -> None:
    evil = client.image("app", artifact_type="<script>alert(1)</script>")
    client.push_manifest("app", "v1", evil)
    answer = client.call("GET", "/repositories/app", host='x"><script>')
    page = read(answer)
    assert page.tags.isdisjoint({"script", "img", "iframe", "object"})
    assert "<script>alert(1)</script>" in page.words


def test_nothing_else_is_loaded_and_nothing_runs(client: Client) -> None:
    answer = client.call("GET", "/")
    policy = answer.headers.get("content-security-policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers.get("x-content-type-options") == "nosniff"
    assert not re.search(rb"\bon\w+=|<script|url\(|src=", answer.body)


def test_the_style_is_the_one_that_is_allowed(client: Client) -> None:
    import base64
    import hashlib

    answer = client.call("GET", "/")
    style = re.search(rb"<style>(.*)</style>", answer.body, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers.get("content-security-policy")


def test_a_page_that_did_not_change_is_not_sent_again(client: Client) -> None:
    client.push_image("app", "v1")
    tag = client.call("GET", "/").headers.get("etag")
    again = client.call("GET", "/", if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    client.push_image("other", "v1")
    assert client.call("GET", "/", if_none_match=tag).status == 200


def test_a_repository_that_is_not_there(client: Client) -> None:
    answer = client.call("GET", "/repositories/none")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize("path", ["/repositories/..", "/repositories/a%2fb", "/repositories/A"])
def test_a_name_that_is_none(client: Client, path: str) -> None:
    assert client.call("GET", path).status == 400


# With users


def test_only_what_may_be_read_is_shown(client: Client, tmp_path: Path) -> None:
    for name in ("secret/app", "team/app", "tools"):
        client.push_image(name, "v1")
    guests = Client(client.root, policy=guarded(tmp_path / "access"))
    assert read(guests.call("GET", "/")).links == ["/?login", "/repositories/tools"]
    assert guests.call("GET", "/?login").status == 401
    assert read(guests.call("GET", "/?login", authorization=basic("eve"))).links == [
        "/repositories/team/app",
        "/repositories/tools",
    ]
    assert guests.call("GET", "/repositories/secret/app").status == 401
    eve = guests.call("GET", "/repositories/secret/app", authorization=basic("eve"))
    assert eve.status == 403


def test_where_nothing_is_open_to_everybody_a_visitor_is_told_to_log_in(
    client: Client, tmp_path: Path
) -> None:
    client.push_image("secret/app", "v1")
    guests = Client(client.root, policy=guarded(tmp_path / "access"))
    words = read(guests.call("GET", "/")).words
    assert "Nothing here is open to everybody." in words
    assert not any("Push an image" in each for each in words)


def test_a_browser_is_asked_for_a_password(client: Client, tmp_path: Path) -> None:
    guests = Client(client.root, policy=guarded(tmp_path / "access", None))
    answer = guests.call("GET", "/")
    assert answer.status == 401
    assert answer.headers.get("www-authenticate") == 'Basic realm="manyfest", charset="UTF-8"'
    page = guests.call("GET", "/", authorization=basic("ada"))
    assert "ada" in read(page).words
    assert page.headers.get("vary") == "Authorization"
    assert page.headers.get("cache-control") == "private, no-cache"


def test_of_an_index_with_many_platforms_only_some_are_shown(client: Client) -> None:
    one = push_platform(client, "app", "", "amd64").descriptor
    entries = [replace(one, platform=Platform(os="linux", architecture=f"a{n}")) for n in range(66)]
    index = Manifest.of_index(
        Index(schema_version=2, media_type=OCI_INDEX, manifests=tuple(entries))
    )
    assert client.push_manifest("app", "wide", index).status == 201
    words = read(client.call("GET", "/repositories/app")).words
    assert [word for word in words if word.startswith("linux/a")] == [
        f"linux/a{number}" for number in range(64)
    ]
    assert "and 2 more" in words
