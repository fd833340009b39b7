"""ADD of what lies elsewhere: files from a web server, repositories from git's own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.build.add.address import Repository
from manyfest.build.add.git import clone
from manyfest.errors import BuildError, DockerfileError, ManyfestError
from manyfest.stores.registry.web import download_transport
from tests import real
from tests.unit.building import Bench, image_files, layer_files, write
from tests.web import Page, Site, serving_git, serving_pages

pytestmark = pytest.mark.real


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, web=download_transport())


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_pages() as site:
        yield site


def test_a_file_is_fetched_whole(bench: Bench, site: Site) -> None:
    content = os.urandom(3_000_001)
    site.pages["/d/tool"] = Page(content)
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    built = bench.build(
        f"FROM scratch\nADD --checksum={checksum} --chmod=755 {site.address}/d/tool?v=1 /bin/\n",
        "linux/amd64",
        "linux/arm64",
    )

    assert [path for path, _ in site.asked] == ["/d/tool?v=1"]
    assert "Authorization" not in site.asked[0][1]
    assert built.platforms[0].manifest.image.layers == built.platforms[1].manifest.image.layers


def test_a_redirect_is_followed_and_the_name_stays(bench: Bench, site: Site) -> None:
    site.pages["/name"] = Page(status=302, headers={"Location": "/elsewhere"})
    site.pages["/elsewhere"] = Page(b"here")

    assert bench.files(f"FROM scratch\nADD {site.address}/name /\n") == ["name 600 =here"]


def test_packed_content_stays_as_it_is(bench: Bench, site: Site) -> None:
    site.pages["/x"] = Page(b"no gzip", headers={"Content-Encoding": "gzip"})

    assert bench.files(f"FROM scratch\nADD {site.address}/x /\n") == ["x 600 =no gzip"]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (Page(status=404), "the server answers 404"),
        (Page(status=302, headers={"Location": "/x"}), "it redirects more than 5 times"),
        (Page(status=302, headers={"Location": "file:///etc/passwd"}), "it sends elsewhere"),
        (Page(b"short", claimed=10), "the connection broke off"),
    ],
)
def test_a_file_that_cannot_be_had(bench: Bench, site: Site, page: Page, message: str) -> None:
    site.pages["/x"] = page

    with pytest.raises(BuildError) as caught:
        bench.build(f"FROM scratch\nADD {site.address}/x?key=secret /\n")
    start = f"{bench.context}/Dockerfile:2: ADD: '{site.address}/x' cannot be fetched: "
    assert str(caught.value).startswith(start)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/slow", "/slow.git"])
def test_a_build_that_has_failed_waits_for_nobody(bench: Bench, site: Site, path: str) -> None:
    real.need_programs("git")
    ready = threading.Event()
    slow = Page(ready=ready)
    site.pages["/slow"] = site.pages["/slow.git/info/refs"] = slow
    write(bench.context, {"amd64": ""})
    dockerfile = f"FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\nADD {site.address}{path} /\n"
    try:
        with pytest.raises(DockerfileError, match="'arm64' is not in the build context"):
            bench.build(dockerfile, "linux/amd64", "linux/arm64")
        assert not slow.answered
    finally:
        ready.set()


def test_of_a_clone_that_is_given_up_no_program_is_left(site: Site, tmp_path: Path) -> None:
    real.need_programs("git")
    ready = threading.Event()
    site.pages["/slow.git/info/refs"] = Page(ready=ready)
    repository = Repository(f"{site.address}/slow.git")
    try:
        with pytest.raises(BuildError, match="it was given up"):
            clone(repository, tmp_path, keep_git_dir=False, given_up=lambda: bool(site.asked))
        real.wait_until(lambda: not real.running(repository.address), "the end of git")
    finally:
        ready.set()


def git(folder: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    }
    words = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    command = ["git", *words, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository of two commits: the first tagged ``v1``, the second on ``main`` and ``topic``;
    with files whose line ends and modes a checkout could change."""
    real.need_programs("git")
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet", "--initial-branch=main")
    (work / "docs").mkdir()
    (work / "docs/read.me").write_bytes(b"one\r\n")
    (work / ".gitattributes").write_text("*.me text eol=lf\nsecret export-ignore\n")
    (work / "secret").write_text("kept")
    (work / "run").write_text("#!")
    (work / "run").chmod(0o755)
    (work / "link").symlink_to("docs/read.me")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "-m", "one")
    git(work, "tag", "-a", "-m", "first", "v1")
    (work / "docs/new").write_text("new")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "-m", "two")
    git(work, "branch", "topic")
    return work


@pytest.fixture
def served(tmp_path: Path, work: Path) -> Iterator[str]:
    """Where git serves it; to be followed by ``/r.git``."""
    publish(work, tmp_path / "served/r.git")
    with serving_git(tmp_path / "served") as address:
        yield address


def publish(work: Path, to: Path) -> None:
    to.parent.mkdir(exist_ok=True)
    git(to.parent, "clone", "--quiet", "--bare", str(work), str(to))
    git(to, "update-server-info")


FIRST = [
    ".gitattributes 644 =*.me text eol=lf\nsec",
    "docs/ 755",
    "docs/read.me 644 =one\n",
    "link -> docs/read.me",
    "run 755 =#!",
    "secret 644 =kept",
]
SECOND = [*FIRST[:2], "docs/new 644 =new", *FIRST[2:]]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("", SECOND),
        ("#main", SECOND),
        ("#topic", SECOND),
        ("#refs/heads/topic", SECOND),
        ("#v1", FIRST),
        ("#v1:docs", ["read.me 644 =one\n"]),
        ("#:docs", ["new 644 =new", "read.me 644 =one\n"]),
    ],
)
def test_a_repository(bench: Bench, served: str, part: str, expected: list[str]) -> None:
    assert bench.files(f"FROM scratch\nADD {served}/r.git{part} /\n") == expected


@pytest.mark.parametrize("digits", [40, 12])
def test_a_commit(bench: Bench, served: str, work: Path, digits: int) -> None:
    commit = git(work, "rev-parse", "v1^{commit}")

    assert bench.files(f"FROM scratch\nADD {served}/r.git#{commit[:digits]} /\n") == FIRST


def test_a_server_that_only_has_files(bench: Bench, tmp_path: Path, work: Path) -> None:
    publish(work, tmp_path / "served/r.git")
    with serving_pages() as site:
        for path in (tmp_path / "served").rglob("*"):
            if path.is_file():
                name = f"/{path.relative_to(tmp_path / 'served')}"
                site.pages[name] = Page(path.read_bytes())

        assert bench.files(f"FROM scratch\nADD {site.address}/r.git#v1 /\n") == FIRST


@pytest.mark.parametrize("address", ["git@host.example:{}", "ssh://git@host.example{}"])
def test_a_repository_by_ssh(
    bench: Bench, tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    publish(work, tmp_path / "served/r.git")
    ssh = tmp_path / "ssh"
    ssh.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\nfor last; do :; done\nexec sh -c "$last"\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    source = address.format(tmp_path / "served/r.git")

    assert bench.files(f"FROM scratch\nADD {source}#v1 /\n") == FIRST
    assert "git@host.example git-upload-pack" in (tmp_path / "asked").read_text()


def test_the_flags_apply(bench: Bench, served: str) -> None:
    flags = "--chown=5 --chmod=u=rwX,go= --exclude=docs --exclude=.git*"

    assert bench.files(f"FROM scratch\nADD {flags} {served}/r.git#v1 /x\n") == [
        "x/ 755 5:5",
        "x/link 5:5 -> docs/read.me",
        "x/run 700 5:5 =#!",
        "x/secret 600 5:5 =kept",
    ]


def test_the_commit_that_is_asked_for(bench: Bench, served: str, work: Path) -> None:
    commit = git(work, "rev-parse", "main")
    found = bench.files(f"FROM scratch\nADD --checksum={commit} {served}/r.git#main /\n")

    assert found == SECOND
    with pytest.raises(BuildError, match=f"is not what --checksum says: its commit is {commit}"):
        bench.build(f"FROM scratch\nADD --checksum={'0' * 40} {served}/r.git /\n")


def test_the_history_that_is_kept_is_one_commit_and_the_same_each_time(
    bench: Bench, served: str, work: Path, tmp_path: Path
) -> None:
    dockerfile = f"FROM scratch\nADD --keep-git-dir {served}/r.git#main /src\n"
    first, second = bench.build(dockerfile), bench.build(dockerfile)

    assert first.graph.root.descriptor == second.graph.root.descriptor
    layer = first.platforms[0].manifest.image.layers[0].digest
    real.output_of(
        "tar", "-xf", bench.folder / "work1/blobs/sha256" / layer.hex, "-C", tmp_path / "served"
    )
    source = tmp_path / "served/src"
    assert git(source, "status", "--porcelain") == ""
    assert git(source, "rev-list", "HEAD") == git(work, "rev-parse", "main")
    assert git(source, "config", "remote.origin.url") == f"{served}/r.git"


def test_submodules_come_along(bench: Bench, tmp_path: Path, work: Path, served: str) -> None:
    publish(work, tmp_path / "served/part.git")
    git(work, "submodule", "--quiet", "add", str(work), "part")
    git(work, "config", "-f", ".gitmodules", "submodule.part.url", "../part.git")
    git(work, "commit", "--quiet", "-am", "three")
    publish(work, tmp_path / "served/whole.git")
    found = bench.files(f"FROM scratch\nADD --exclude=.gitmodules {served}/whole.git /\n")

    assert found == [*SECOND[:5], "part/ 755", *(f"part/{line}" for line in SECOND[:4]),
                     "part/link -> docs/read.me", *(f"part/{line}" for line in SECOND[5:]),
                     *SECOND[5:]]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{}/r.git#none", "it has no branch or tag 'none'"),
        ("{}/r.git#0123456789abcdef", "it has no commit 0123456789abcdef"),
        ("{}/none.git", "git says: fatal: repository"),
        ("{}/r.git#main:run", "'run' is a file in http://127.0.0.1"),
        ("{}/r.git#main:none", "'none' is not in http://127.0.0.1"),
    ],
)
def test_a_repository_that_cannot_be_had(
    bench: Bench, served: str, source: str, message: str
) -> None:
    with pytest.raises(ManyfestError, match=message):
        bench.build(f"FROM scratch\nADD {source.format(served)} /\n")


def test_a_submodule_on_this_machine_s_disk_is_refused(
    bench: Bench, tmp_path: Path, work: Path, served: str
) -> None:
    git(work, "submodule", "--quiet", "add", str(work), "part")
    git(work, "commit", "--quiet", "-am", "three")
    publish(work, tmp_path / "served/whole.git")

    with pytest.raises(BuildError, match="transport 'file' not allowed"):
        bench.build(f"FROM scratch\nADD {served}/whole.git /\n")


def test_settings_of_the_user_change_nothing(
    bench: Bench, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text(
        f'[url "file://{tmp_path}/nowhere/"]\ninsteadOf = {served}/\n'
        "[core]\nautocrlf = true\nfileMode = false\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = os.umask(0o077)
    try:
        built = bench.build(f"FROM scratch\nADD {served}/r.git#v1 /\n")
    finally:
        os.umask(before)

    assert image_files(built) == FIRST
    assert len(layer_files(built)) == len(FIRST)
