"""The whole watch against real registries: what it sees, tells, and asks."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests import real
from tests.gotify import running_gotify
from tests.integration.conftest import running_registry
from tests.watching import MANYFEST, WatchProcess, push
from tests.web import Page, serving_pages

AMD64, ARM64 = "linux/amd64", "linux/arm64"
SECRET = "correct-horse-battery"

LOGGING = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {data}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""

_REQUEST = re.compile(r'"([A-Z]+) /v2/[^ ]*?/(manifests|blobs|tags)/')


@contextmanager
def watching(folder: Path, config: str, *arguments: str) -> Iterator[WatchProcess]:
    """A watch that runs, and is ready."""
    watch = WatchProcess(folder, config, *arguments)
    watch.start()
    try:
        watch.wait_ready()
        yield watch
    finally:
        watch.kill()


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The image in two registries."""
    with (
        running_registry(tmp_path / "one") as one,
        running_registry(tmp_path / "two") as two,
    ):
        yield f"{one}/gotify/server", f"{two}/gotify/server"


def config_of(*places: str, every: str = "1s", **more: str) -> str:
    """A ``watch.yaml`` for an image in these places."""
    keys = "".join(f"    {key}: {value}\n" for key, value in more.items())
    return f"""\
every: {every}
images:
  - in: [{", ".join(f'"{place}"' for place in places)}]
    platforms: [{AMD64}, {ARM64}]
{keys}\
webhooks:
  registry: {{from: distribution, secret: {SECRET}}}
"""


def webhook(place: str, tag: str) -> dict[str, object]:
    """What a registry says when a tag was pushed."""
    host, _, repository = place.partition("/")
    event = {
        "action": "push",
        "target": {"repository": repository, "tag": tag},
        "request": {"host": host},
    }
    return {"events": [event]}


PROVEN = {"Authorization": f"Bearer {SECRET}"}


def test_the_story_of_2_6_1(tmp_path: Path, registries: tuple[str, str]) -> None:
    """2.6.1 is out: an empty index first, then one platform after the other, then the second
    registry; and people are told of what matters."""
    hub, ghcr = registries
    for place in registries:
        push(place, "2.6.0", (AMD64, ARM64))
    with running_gotify() as gotify:
        notify = f'notify: {{us: "{gotify.url()}"}}\n'
        config = config_of(hub, ghcr, soak="2s", settle="2s", late="20m") + notify
        with watching(tmp_path, config) as watch:
            watch.until_complete("2.6.0")
            push(hub, "2.6.1", ())
            watch.until(lambda: watch.events("2.6.1"), "2.6.1 is not seen")
            push(hub, "2.6.1", (AMD64,))
            watch.until(lambda: len(watch.events("2.6.1")) == 2, "amd64 is not seen")
            push(hub, "2.6.1", (AMD64, ARM64))
            watch.until(lambda: len(watch.events("2.6.1")) == 3, "arm64 is not seen")
            copied = real.output_of(MANYFEST, "copy", "--quiet", f"{hub}:2.6.1", f"{ghcr}:2.6.1")
            watch.until(lambda: ("soaked", "", "") in watch.events("2.6.1"), "it does not soak")
            watch.until(lambda: len(gotify.messages) == 2, "nobody is told")
            assert watch.stop() == 0

    assert watch.events("2.6.1") == [
        ("appeared", "", ""),
        ("platform ready", hub, AMD64),
        ("platform ready", hub, ARM64),
        ("platform ready", ghcr, AMD64),
        ("platform ready", ghcr, ARM64),
        ("complete", "", ""),
        ("soaked", "", ""),
    ]
    assert watch.events("2.6.0") == []
    assert [message["title"] for message in gotify.messages] == [
        "gotify/server 2.6.1 is complete everywhere",
        "gotify/server 2.6.1 has been complete for the whole soak time",
    ]
    assert watch.rows("SELECT count(*) FROM notices WHERE delivered_at IS NULL") == [(0,)]
    assert copied.strip() in str(watch.rows("SELECT state FROM tags WHERE tag = '2.6.1'"))


def test_when_nothing_changes_a_round_is_one_head_request_for_each_tag(tmp_path: Path) -> None:
    real.need_programs("docker-registry")
    port = real.free_port()
    place = f"127.0.0.1:{port}/gotify/server"
    (tmp_path / "config.yml").write_text(LOGGING.format(data=tmp_path / "data", port=port))
    log = tmp_path / "requests"
    command = ["docker-registry", "serve", str(tmp_path / "config.yml")]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL)
    try:
        real.wait_until(lambda: real.is_listening(port), "docker-registry")
        for tag in ("2.5.0", "2.6.0", "2.6.1"):
            push(place, tag, (AMD64, ARM64))
        with watching(tmp_path, config_of(place)) as watch:
            for tag in ("2.5.0", "2.6.0", "2.6.1"):
                watch.until_complete(tag)
            watch.until(
                lambda: watch.rows("SELECT count(*) FROM facts") == [(3,)], "it is not read"
            )
            before = len(log.read_bytes())
            real.wait_until(
                lambda: log.read_bytes()[before:].count(b"/tags/list") >= 4, "four rounds"
            )
            lines = log.read_bytes()[before:].decode()
    finally:
        real.stop(process)

    asked = Counter(_REQUEST.findall(lines))
    assert set(asked) == {("HEAD", "manifests"), ("GET", "tags")}
    assert set(re.findall(r"manifests/(\S+)", lines)) == {"2.5.0", "2.6.0", "2.6.1"}


def test_a_webhook_has_a_push_seen_at_once(tmp_path: Path, registries: tuple[str, str]) -> None:
    hub, ghcr = registries
    push(hub, "2.6.0", (AMD64, ARM64))
    with watching(tmp_path, config_of(hub, ghcr, every="1h")) as watch:
        watch.until(lambda: watch.standing("2.6.0") == "incomplete", "2.6.0 is not seen")
        push(hub, "2.6.1", (AMD64, ARM64))
        push(ghcr, "2.6.1", (AMD64, ARM64))

        assert watch.ask("POST", "/hooks/registry", webhook(hub, "2.6.1"), PROVEN) == (
            202,
            b'{"hints":1}',
        )
        watch.until(lambda: ("complete", "", "") in watch.events("2.6.1"), "it is not seen")
        events = watch.events("2.6.1")
        for _ in range(3):  # replayed
            watch.ask("POST", "/hooks/registry", webhook(hub, "2.6.1"), PROVEN)
        push(hub, "2.6.2", (AMD64,))
        watch.ask("POST", "/hooks/registry", webhook(hub, "2.6.2"), PROVEN)
        watch.until(lambda: watch.events("2.6.2"), "2.6.2 is not seen")

        assert watch.events("2.6.1") == events


def test_webhooks_that_prove_nothing_are_refused(tmp_path: Path, docker_registry: str) -> None:
    place = f"{docker_registry}/gotify/server"
    with watching(tmp_path, config_of(place)) as watch:
        ask = watch.ask
        body = webhook(place, "2.6.1")
        statuses = [
            ask("POST", "/hooks/registry", body)[0],
            ask("POST", "/hooks/registry", body, {"Authorization": f"Bearer {SECRET}x"})[0],
            ask("POST", f"/hooks/registry/{SECRET}x", body)[0],
            ask("POST", "/hooks/nobody", body, PROVEN)[0],
            ask("POST", "/hooks/registry", {"events": "x" * (1 << 20)}, PROVEN)[0],
            ask("GET", "/hooks/registry")[0],
        ]
        assert statuses == [401, 401, 401, 401, 413, 405]
        assert ask("POST", "/hooks/registry", {"nonsense": 1}, PROVEN) == (202, b'{"hints":0}')
        elsewhere = webhook("registry.example.org/other", "1")
        assert ask("POST", "/hooks/registry", elsewhere, PROVEN) == (202, b'{"hints":0}')
        assert ask("POST", f"/hooks/registry/{SECRET}", body)[0] == 202

    assert SECRET not in watch.logged()


def test_a_registry_that_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    port = real.free_port()
    place = f"127.0.0.1:{port}/gotify/server"
    with watching(tmp_path / "watch", config_of(place, tags="{names: [latest]}")) as watch:
        watch.until(lambda: watch.rows("SELECT 1 FROM observations"), "nobody notices")
        ((silence,),) = watch.rows("SELECT silence FROM observations LIMIT 1")
        with running_registry(tmp_path / "registry", port=port):
            push(place, "latest", (AMD64, ARM64))
            watch.until_complete("latest")

    assert silence.startswith(f"127.0.0.1:{port}: ")


def test_a_registry_that_lets_nobody_in_cannot_tell(tmp_path: Path) -> None:
    users = tmp_path / "htpasswd"
    users.write_text("ada:$2b$04$" + "a" * 53 + "\n")
    auth = f"auth: {{htpasswd: {{realm: registry, path: {users}}}}}\n"
    with running_registry(tmp_path / "registry", auth) as registry:
        place = f"{registry}/gotify/server"
        with watching(tmp_path / "watch", config_of(place, tags="{names: [latest]}")) as watch:
            watch.until(lambda: watch.rows("SELECT 1 FROM observations"), "nobody notices")
            ((silence,),) = watch.rows("SELECT silence FROM observations LIMIT 1")
            assert watch.ask("GET", "/readyz")[0] == 200
            assert watch.stop() == 0

    assert silence.startswith(f"{place}: ")
    assert "401" in silence
    assert watch.events() == []


def test_what_is_no_registry_cannot_tell(tmp_path: Path) -> None:
    with serving_pages() as site:
        site.pages["/v2/"] = Page(b"<html>welcome</html>")
        for path in ("manifests/latest", "tags/list"):
            site.pages[f"/v2/gotify/server/{path}"] = Page(b"<html>welcome</html>")
        host = site.address.removeprefix("http://")
        config = config_of(f"{host}/gotify/server", tags='{names: [latest], versions: "*"}')
        with watching(tmp_path, config) as watch:
            watch.until(lambda: watch.rows("SELECT 1 FROM observations"), "nobody notices")
            watch.until(lambda: "are not known" in watch.logged(), "the list is believed")
            assert watch.stop() == 0

    assert watch.rows("SELECT count(*) FROM observations WHERE silence = ''") == [(0,)]
    assert watch.events() == []
    assert "Traceback" not in watch.logged()


def test_the_configuration_is_read_again_and_a_broken_one_is_not_used(
    tmp_path: Path, registries: tuple[str, str]
) -> None:
    hub, ghcr = registries
    push(hub, "2.6.0", (AMD64, ARM64))
    with watching(tmp_path, config_of(hub)) as watch:
        watch.until_complete("2.6.0")
        watch.configure("images: nonsense\n")
        watch.signal(signal.SIGHUP)
        watch.until(lambda: "the watch goes on as it was" in watch.logged(), "it says nothing")
        assert "watch.yaml:1: 'images' must be a list, not text" in watch.logged()
        push(hub, "2.6.1", (AMD64, ARM64))
        watch.until_complete("2.6.1")

        watch.configure(config_of(hub, ghcr))
        watch.signal(signal.SIGHUP)
        watch.until(lambda: "read watch.yaml again" in watch.logged(), "it says nothing")
        push(hub, "2.6.2", (AMD64, ARM64))
        watch.until(lambda: watch.standing("2.6.2") == "incomplete", "the new place is not asked")
        push(ghcr, "2.6.2", (AMD64, ARM64))
        watch.until_complete("2.6.2")
        assert watch.stop() == 0


def test_one_that_waits_for_its_history_reads_the_configuration_again_when_it_is_there(
    tmp_path: Path, docker_registry: str
) -> None:
    place = f"{docker_registry}/gotify/server"
    blocked = tmp_path / "blocked"
    blocked.write_bytes(b"")
    watch = WatchProcess(tmp_path, config_of(place) + "history: {database: blocked}\n")
    with closing(sqlite3.connect(blocked)) as other:
        other.execute("BEGIN EXCLUSIVE")
        watch.start()
        try:
            watch.until(lambda: "the history is waited for" in watch.logged(), "it does not wait")
            watch.signal(signal.SIGHUP)
            other.rollback()
            watch.until(lambda: "read watch.yaml again" in watch.logged(), "it does not read it")
            assert watch.stop() == 0
        finally:
            watch.kill()


def test_what_was_seen_survives_a_stop_and_is_told_once(
    tmp_path: Path, docker_registry: str
) -> None:
    place = f"{docker_registry}/gotify/server"
    push(place, "2.6.0", (AMD64, ARM64))
    for tag in ("2.6.0", "2.6.1", "2.6.2"):
        push(place, tag, (AMD64, ARM64))  # while nobody looks, but for the first
        with watching(tmp_path, config_of(place)) as watch:
            watch.until_complete(tag)
            assert watch.stop() == 0

    kinds = Counter(kind for kind, _, _ in watch.events("2.6.1"))
    assert kinds == {"appeared": 1, "platform ready": 2, "complete": 1}
    assert watch.events("2.6.0") == []


def test_who_widens_the_tags_and_restarts_is_not_told_of_old_versions(
    tmp_path: Path, docker_registry: str
) -> None:
    place = f"{docker_registry}/gotify/server"
    for tag in ("1.0.0", "1.1.0", "2.0.0", "2.1.0"):
        push(place, tag, (AMD64, ARM64))
    with watching(tmp_path, config_of(place, tags='"1"')) as watch:
        watch.until_complete("1.1.0")
        watch.until(lambda: watch.rows("SELECT 1 FROM lists"), "the list is not known")
    push(place, "1.2.0", (AMD64, ARM64))
    for _ in range(2):
        with watching(tmp_path, config_of(place)) as watch:
            watch.until_complete("2.0.0")
            watch.until_complete("1.2.0")
    push(place, "2.2.0", (AMD64, ARM64))
    with watching(tmp_path, config_of(place)) as watch:
        watch.until_complete("2.2.0")

    told = watch.rows("SELECT DISTINCT tag FROM events ORDER BY tag")
    assert told == [("1.2.0",), ("2.2.0",)]


def test_it_needs_no_file(tmp_path: Path, docker_registry: str) -> None:
    place = f"{docker_registry}/gotify/server"
    push(place, "latest", (AMD64, ARM64))
    watch = WatchProcess(tmp_path, "", f"{place}:latest", "--platform", ARM64, "--log", "json")
    (tmp_path / "watch.yaml").unlink()
    watch.start()
    try:
        watch.wait_ready()
        watch.until_complete("latest")
    finally:
        watch.kill()


def test_a_dry_run_prints_what_would_be_watched_and_keeps_nothing(
    tmp_path: Path, docker_registry: str
) -> None:
    place, empty = f"{docker_registry}/gotify/server", f"{docker_registry}/gotify/empty"
    for tag in ("2.6.0", "2.6.1", "edge"):
        push(place, tag, (AMD64,))
    (tmp_path / "watch.yaml").write_text(config_of(place, empty))

    done = subprocess.run(
        [MANYFEST, "watch", "--dry-run"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == (
        f"gotify/server 2.6.1 {place} {empty}\ngotify/server 2.6.0 {place} {empty}\n"
    )
    assert done.stderr.startswith(f"warning: nothing is there yet: {empty}: ")
    assert not (tmp_path / "watch.db").exists()


def test_what_was_there_is_no_news_however_it_comes_to_be_watched(
    tmp_path: Path, docker_registry: str
) -> None:
    """More versions are asked for, by a file that is read again; the image is known by then."""
    place = f"{docker_registry}/gotify/server"
    for tag in ("2.4.0", "2.5.0", "2.6.0"):
        push(place, tag, (AMD64, ARM64))
    with watching(tmp_path, config_of(place, tags="{versions: '*', newest: 1}")) as watch:
        watch.until_complete("2.6.0")
        watch.configure(config_of(place, tags="{versions: '*', newest: 3}"))
        watch.signal(signal.SIGHUP)
        watch.until_complete("2.4.0")
        push(place, "2.6.1", (AMD64, ARM64))
        watch.until_complete("2.6.1")

    assert {tag for tag, *_ in watch.rows("SELECT DISTINCT tag FROM events")} == {"2.6.1"}
