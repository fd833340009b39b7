"""``check`` and ``wait`` with two real registries, one of which is behind."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.copy import copy_graph
from manyfest.graph import read_graph
from manyfest.oci.reference import Name
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from manyfest.stores.open import Stores
from tests import images, real
from tests.integration.conftest import MANYFEST, Manyfest, running_registry
from tests.unit.cli import make_layout
from tests.unit.releases import make_project

BOTH = ("linux/amd64", "linux/arm64")
TAG = "team/app:2.6.1"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The addresses of two registries that are empty."""
    with running_registry(tmp_path / "one") as one, running_registry(tmp_path / "two") as other:
        yield one, other


def push(address: str, *platforms: str, tag: str = "2.6.1", text: str = "") -> str:
    """An index for these platforms; its digest."""
    made = MemoryStore()
    root = images.platforms(made, platforms, text=text).descriptor
    return _copied(made, address, root.digest, tag)


def push_one(address: str, platform: str, tag: str) -> str:
    """An image without an index; its digest."""
    made = MemoryStore()
    return _copied(made, address, images.image(made, platform).descriptor.digest, tag)


def _copied(made: MemoryStore, address: str, digest: object, tag: str) -> str:
    graph = read_graph(made, made.resolve(str(digest)))
    with Stores() as stores:
        target = stores.registry(Name.parse(f"{address}/team/app"), writing=True)
        copy_graph(made, graph, target, [tag])
    return str(digest)


def start(folder: Path, *arguments: str, **streams: int) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [str(MANYFEST), "wait", *arguments]
    return subprocess.Popen(command, cwd=folder, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


def said_until(process: subprocess.Popen[str], line: str) -> list[str]:
    """What it says up to the line that ends so."""
    assert process.stderr is not None
    said: list[str] = []
    while not (said and said[-1].endswith(line)):
        read = process.stderr.readline()
        assert read, said
        said.append(read.rstrip("\n"))
    return said


def shown_until(terminal: int, text: str) -> str:
    """What comes to the terminal up to this text."""
    shown = ""
    while text not in shown:
        shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


def test_one_registry_is_behind_and_a_tag_serves_meanwhile(
    two: tuple[str, str], manyfest: Manyfest
) -> None:
    one, other = two
    digest = push(one, *BOTH)
    push(other, "linux/amd64")
    push_one(other, "linux/arm64", "2.6.1-arm64")
    told = manyfest("check", "--json", f"{one}/{TAG}", "--in", other)
    assert told.returncode == 3
    first, second = json.loads(told.stdout)["images"]
    assert (first["ready"], first["digest"]) == (True, digest)
    assert [each["state"] for each in second["platforms"]] == ["different", "missing"]
    assert second["instead"] == [
        {"platform": "linux/arm64", "reference": f"{other}/team/app:2.6.1-arm64"}
    ]
    line = f"docker pull {other}/team/app:2.6.1-arm64"
    assert line in manyfest("check", f"{one}/{TAG}", "--in", other).stdout
    push(other, *BOTH)
    for deep in ((), ("--in", f"{other}/team/app")):
        assert manyfest("check", f"{one}/{TAG}", f"{other}/{TAG}", *deep).returncode == 0


@pytest.mark.parametrize("part", ["configuration", "layer", "manifest"])
def test_what_a_registry_lost_makes_its_platform_partial(
    two: tuple[str, str], manyfest: Manyfest, tmp_path: Path, part: str
) -> None:
    address, _ = two
    made = MemoryStore()
    root = images.platforms(made, BOTH)
    push(address, *BOTH)
    arm64 = read_graph(made, root.children[1]).root
    lost = {
        "configuration": arm64.image.config,
        "layer": arm64.image.layers[-1],
        "manifest": arm64.descriptor,
    }[part]
    blobs = tmp_path / "one/data/docker/registry/v2/blobs/sha256"
    (blobs / lost.digest.hex[:2] / lost.digest.hex / "data").unlink()
    told = manyfest("check", "--json", f"{address}/{TAG}")
    assert told.returncode == 3
    (shown,) = json.loads(told.stdout)["images"]
    assert [each["state"] for each in shown["platforms"]] == ["ready", "partial"]
    assert f"its {part} {lost.digest} is not there" in shown["platforms"][1]["why"]


def test_waiting_sees_each_platform_come_in_each_registry(
    two: tuple[str, str], tmp_path: Path
) -> None:
    one, other = two
    waiting = start(
        tmp_path,
        f"{one}/{TAG}",
        "--in",
        other,
        "--platform",
        "amd64,arm64",
        "--soak",
        "2s",
    )
    said_until(waiting, "not found (404)")
    said_until(waiting, "not found (404)")
    push(one, "linux/amd64")
    said = said_until(waiting, "linux/arm64: missing: it has linux/amd64")
    assert said[-2] == f"{one}/{TAG} linux/amd64: ready"
    digest = push(one, *BOTH)
    said_until(waiting, f"{one}/{TAG} linux/arm64: ready")
    push(other, *BOTH)
    said_until(waiting, "complete everywhere; that must last 2s")
    out, said_last = waiting.communicate(timeout=60)
    assert (waiting.returncode, out, said_last) == (0, f"{digest}\n", "")


def test_a_release_is_waited_for_while_it_is_published(
    two: tuple[str, str], tmp_path: Path, manyfest: Manyfest
) -> None:
    one, other = two
    make_project(tmp_path)
    (tmp_path / "manyfest.yaml").write_text(
        "name: app\nbuild: {platforms: [linux/amd64, linux/arm64]}\n"
        f'tags: ["{{{{version}}}}"]\npublish: [{one}/team/app, {other}/team/app]\n'
    )
    options = ("--platform", "amd64,arm64", "--soak", "1s")
    waiting = start(tmp_path, f"{one}/{TAG}", "--in", other, *options)
    said_until(waiting, "not found (404)")
    released = manyfest("release", "--version", "2.6.1")
    assert released.returncode == 0, released.stderr
    out, _ = waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert out.strip() == released.stdout.splitlines()[-1]
    assert manyfest("check", "--deep", f"{one}/{TAG}", "--in", other).returncode == 0


def test_waiting_for_what_does_not_come_is_a_no(two: tuple[str, str], manyfest: Manyfest) -> None:
    one, other = two
    push(one, *BOTH)
    options = ("--platform", "arm64", "--timeout", "1s")
    waited = manyfest("wait", f"{one}/{TAG}", f"{other}/{TAG}", *options)
    assert (waited.returncode, waited.stdout) == (3, "")
    assert waited.stderr.splitlines()[-1].startswith(
        f"manyfest: not complete within 1s: {other}/{TAG} linux/arm64 is missing ("
    )


def test_a_registry_that_is_started_again_meanwhile_is_waited_for(
    two: tuple[str, str], tmp_path: Path
) -> None:
    one, _ = two
    with running_registry(tmp_path / "third") as third:
        waiting = start(tmp_path, f"{one}/{TAG}", f"{third}/{TAG}", "--platform", "amd64")
        said_until(waiting, "not found (404)")
        said_until(waiting, "not found (404)")
    said_until(waiting, "check the port, and whether the server runs")
    digest = push(one, "linux/amd64")
    port = int(third.rpartition(":")[2])
    with running_registry(tmp_path / "third", port=port):
        said_until(waiting, f"{third}/{TAG}: answers again")
        push(third, "linux/amd64")
        out, _ = waiting.communicate(timeout=120)
    assert (waiting.returncode, out) == (0, f"{digest}\n")


def test_where_nobody_answers_until_the_time_is_over_nobody_knows(manyfest: Manyfest) -> None:
    registry = f"127.0.0.1:{real.free_port()}"
    options = ("--platform", "amd64", "--timeout", "1s")
    waited = manyfest("wait", f"{registry}/{TAG}", *options)
    assert (waited.returncode, waited.stdout) == (1, "")
    assert waited.stderr.splitlines()[-1].startswith(
        f"manyfest: {registry}/{TAG}: the time is over, and it does not tell: {registry}: nothing"
        " listens there"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_ci_end_the_waiting(
    two: tuple[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    waiting = start(tmp_path, f"{two[0]}/{TAG}", "--platform", "amd64")
    said_until(waiting, "not found (404)")
    waiting.send_signal(number)
    out, said = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (130, "")
    assert said.endswith("manyfest: interrupted; run the same command again to go on\n")


def test_on_a_terminal_a_live_line_tells_how_far_it_is(
    two: tuple[str, str], tmp_path: Path
) -> None:
    push(two[0], "linux/amd64")
    ours, theirs = pty.openpty()
    options = ("--platform", "amd64,arm64")
    waiting = start(tmp_path, f"{two[0]}/{TAG}", *options, stderr=theirs)
    os.close(theirs)
    shown_until(ours, "1 of 2 ready, ")
    digest = push(two[0], *BOTH)
    shown = shown_until(ours, "\x1b[?25h")  # the cursor is back
    out, _ = waiting.communicate(timeout=60)
    os.close(ours)
    assert (waiting.returncode, out) == (0, f"{digest}\n")
    assert "linux/arm64: ready\r\n" in shown


def test_an_archive_is_checked_as_before(manyfest: Manyfest, tmp_path: Path) -> None:
    make_layout(tmp_path / "image", "v1")
    manyfest("copy", "oci:image:v1", "oci-archive:image.tar:v1")
    digest = str(LayoutStore(tmp_path / "image").resolve("v1").digest)
    told = manyfest("check", "--json", "oci-archive:image.tar:v1", "oci:image:v1")
    assert told.returncode == 0
    assert [each["digest"] for each in json.loads(told.stdout)["images"]] == [digest, digest]
