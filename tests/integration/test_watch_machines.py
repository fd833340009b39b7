"""A whole watch, asked by programs and by somebody who signs in: what they did survives a kill."""

from __future__ import annotations

import http.client
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest

from tests import real
from tests.unit.watch_openapi import described_answer
from tests.unit.watch_web import Answer, Forms
from tests.watching import MANYFEST, WatchProcess, push

AMD64, ARM64 = "linux/amd64", "linux/arm64"
PASSWORD = "correct horse battery"


class Browser:
    """One that keeps cookies."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, "", {})

    def send(self, action: str, page: str, **fields: str) -> Answer:
        """Fill in the form on ``page`` that is sent to ``action``."""
        hidden = Forms(self.get(page).text).found[action]
        media = {"Content-Type": "application/x-www-form-urlencoded"}
        origin = {"Origin": f"http://127.0.0.1:{self._port}"}
        return self._ask("POST", action, urlencode({**hidden, **fields}), media | origin)

    def _ask(self, method: str, path: str, body: str, headers: dict[str, str]) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as line:
            line.request(method, path, body or None, {**headers, "Cookie": cookies})
            answer = line.getresponse()
            fields = [(name.lower(), value) for name, value in answer.getheaders()]
            found = Answer(answer.status, fields, answer.read())
        for cookie in found.all("set-cookie"):
            name, _, rest = cookie.partition("=")
            self._cookies[name] = rest.partition(";")[0]
        return found


@pytest.fixture
def place(docker_registry: str) -> str:
    """A repository with one version."""
    place = f"{docker_registry}/gotify/server"
    push(place, "1.0.0", (AMD64, ARM64))
    return place


@pytest.fixture
def watch(tmp_path: Path, place: str) -> Iterator[WatchProcess]:
    """A watch of it, to which ada may sign in."""
    watch = WatchProcess(
        tmp_path,
        f"every: 1s\nimages:\n- {{in: ['{place}'], platforms: [{AMD64}, {ARM64}], tags: '*'}}\n",
    )
    command = [str(MANYFEST), "watch", "user", "ada", "--password-stdin", "--quiet"]
    subprocess.run(command, input=PASSWORD.encode(), cwd=tmp_path, check=True)
    watch.start()
    try:
        watch.wait_ready()
        watch.until_complete("1.0.0")
        yield watch
    finally:
        watch.kill()


def asked(watch: WatchProcess, method: str, path: str, token: str, body: object = None) -> Answer:
    """What a program is answered, which the description has."""
    fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else msgspec.json.encode(body)
    with closing(http.client.HTTPConnection("127.0.0.1", watch.port, timeout=30)) as line:
        line.request(method, path, data, fields)
        answer = line.getresponse()
        headers = [(name.lower(), value) for name, value in answer.getheaders()]
        found = Answer(answer.status, headers, answer.read())
    described_answer(method, path, found)
    return found


def test_what_somebody_who_signed_in_did_survives_a_kill(watch: WatchProcess, place: str) -> None:
    browser = Browser(watch.port)
    assert browser.send("/sign-in", "/sign-in", name="ada", password="wrong").status == 403
    assert browser.send("/sign-in", "/sign-in", name="ada", password=PASSWORD).status == 303
    made = browser.send("/admin/tokens/make", "/admin/tokens", label="CI", scope="write")
    [token] = re.findall(r"mfw_[A-Za-z0-9_-]{43}", made.text)
    other = place.replace("server", "cli")
    push(other, "2.0.0", (AMD64,))
    added = asked(
        watch,
        "POST",
        "/api/v1/images",
        token,
        {"in": [other], "platforms": [AMD64], "tags": "*", "every": "1s"},
    )
    assert (added.status, added.json()["origin"]) == (201, "page")
    watch.until_complete("2.0.0")
    sent = browser.send("/admin/images/pause", "/admin", image="gotify/server")
    assert sent.header("location") == "/admin?done=paused"

    watch.kill()
    watch.start()
    watch.wait_ready()
    images = asked(watch, "GET", "/api/v1/images", token).json()["images"]
    assert [(each["name"], each["paused_since"] is not None) for each in images] == [
        ("gotify/server", True),
        ("gotify/cli", False),
    ]
    assert "Sign out ada" in browser.get("/admin").text
    assert asked(watch, "POST", "/api/v1/images/gotify/server/resume", token).status == 200
    assert asked(watch, "DELETE", "/api/v1/images/gotify/cli", token).status == 204
    logged = watch.logged()
    for secret in (token, PASSWORD):
        assert secret not in logged


def test_the_gate_lets_go_on_what_is_ready_and_nothing_else(
    watch: WatchProcess, place: str
) -> None:
    real.need_programs("curl")

    def passes(**query: str) -> int:
        asked = urlencode({"image": "gotify/server", "fail": "1", **query})
        address = f"http://127.0.0.1:{watch.port}/api/v1/gate?{asked}"
        command = ["curl", "--silent", "--fail", "--output", "/dev/null", address]
        return subprocess.run(command, check=False).returncode

    assert passes(tag="1.0.0", platform="linux/arm64/v8", soaked="1") == 0
    assert passes(tag="1.0.0", platform="linux/s390x") == 22
    assert passes(tag="1.1.0") == 22
    push(place, "1.1.0", (AMD64,))
    watch.until(lambda: passes(tag="1.1.0", platform=AMD64) == 0, "amd64 does not pass")
    assert passes(tag="1.1.0") == 22
    push(place, "1.1.0", (AMD64, ARM64))
    watch.until(lambda: passes(tag="1.1.0") == 0, "1.1.0 does not pass")
