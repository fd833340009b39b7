"""The command line as a process: pipes that close, signals, terminals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from manyfest.serve.server import running
from tests.integration.conftest import MANYFEST, Manyfest
from tests.unit.cli import make_layout
from tests.unit.releases import make_project

CONFIG = """\
name: app
build: {platforms: [linux/amd64, linux/arm64], before: BEFORE}
publish: [one.example/app]
"""


def start(folder: Path, *arguments: str, **streams: int) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen([MANYFEST, *arguments], cwd=folder, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    make_layout(tmp_path / "image", "v1", "v2")
    listing = start(tmp_path, "ls", "oci:image", stdout=closed_pipe())
    _, said = listing.communicate(timeout=30)
    assert (listing.returncode, said) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(tmp_path: Path, closed: str) -> None:
    make_layout(tmp_path / "image", "v1")
    command = f'"$0" copy oci:image:v1 oci:new:v1 -q {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, MANYFEST],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "new/index.json").exists()


def test_work_goes_on_when_nobody_reads_the_messages(tmp_path: Path) -> None:
    make_layout(tmp_path / "image", "v1")
    copying = start(tmp_path, "copy", "oci:image:v1", "oci:new:v1", stderr=closed_pipe())
    out, _ = copying.communicate(timeout=30)
    assert copying.returncode == 0
    assert out.startswith("sha256:")
    assert (tmp_path / "new/index.json").exists()


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    make_layout(tmp_path / "image", "v1")
    with open("/dev/full", "w") as full:
        listing = start(tmp_path, "ls", "oci:image", stdout=full.fileno())
        _, said = listing.communicate(timeout=30)
    assert (listing.returncode, said) == (
        1,
        "manyfest: standard output: cannot be written: No space left on device;"
        " make room there, and run it again\n",
    )


def test_text_that_the_locale_cannot_write_is_shown(tmp_path: Path) -> None:
    (tmp_path / "manyfest.yaml").write_text(CONFIG.replace("BEFORE", "make ☃"))
    done = subprocess.run(
        [MANYFEST, "release", "--dry-run", "--version", "1.0.0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "run      'make \\u2603', once for each platform\n" in done.stdout


def test_a_path_that_is_not_utf_8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    make_layout(Path(os.fsdecode(folder)), "v1")
    for arguments, code in ((["ls"], 0), (["ls", "--json"], 1)):
        done = subprocess.run(
            [os.fsencode(MANYFEST), *map(os.fsencode, arguments), b"oci:" + folder],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert done.stderr.count("\n") == code
        assert "Traceback" not in done.stderr


def test_ctrl_c_ends_a_release_and_its_hooks(tmp_path: Path) -> None:
    make_project(tmp_path)
    hook = "\"trap '' TERM; echo $$ >hook-$TARGETARCH; sleep 600; sleep 600\""
    (tmp_path / "manyfest.yaml").write_text(CONFIG.replace("BEFORE", hook))
    with running(tmp_path / "registry") as address:
        releasing = start(tmp_path, "release", "--version", "1.0.0", "--to", f"{address}/app")
        files = [tmp_path / "hook-amd64", tmp_path / "hook-arm64"]
        wait_until_written(files, releasing)
        releasing.send_signal(signal.SIGINT)
        out, said = releasing.communicate(timeout=30)
    assert (releasing.returncode, out) == (130, "")
    assert said.endswith("manyfest: interrupted; run the same command again to go on\n")
    assert not [file for file in files if Path(f"/proc/{file.read_text().strip()}").exists()]
    assert not (tmp_path / "dist").exists()


def wait_until_written(files: list[Path], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not all(file.exists() and file.read_text().endswith("\n") for file in files):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("colour", ["", "1"])
def test_no_terminal_no_escape_codes(tmp_path: Path, colour: str) -> None:
    make_layout(tmp_path / "image", "v1")
    done = subprocess.run(
        [MANYFEST, "copy", "oci:image:v1", "oci:new:v1"],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": colour, "TERM": "xterm-256color"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr


def test_on_a_terminal_bars_go_to_stderr_and_the_digest_to_stdout(tmp_path: Path) -> None:
    make_layout(tmp_path / "image", "v1")
    ours, theirs = pty.openpty()
    copying = start(tmp_path, "copy", "oci:image:v1", "oci:new:v1", stderr=theirs)
    os.close(theirs)
    out, _ = copying.communicate(timeout=30)
    shown = os.read(ours, 65536).decode(errors="replace")
    os.close(ours)
    assert copying.returncode == 0
    assert out.startswith("sha256:")
    assert out.count("\n") == 1
    assert "\x1b[?25l" in shown  # the cursor is hidden while bars are drawn
    assert "sha256:" not in shown


def test_a_release_end_to_end_prints_the_digest_last(tmp_path: Path, manyfest: Manyfest) -> None:
    make_project(tmp_path)
    (tmp_path / "manyfest.yaml").write_text(CONFIG.replace("BEFORE", "echo making"))
    with running(tmp_path / "registry") as address:
        command = ("release", "--version", "1.0.0", "--to", f"{address}/a", "--to", f"{address}/b")
        first, second = manyfest(*command), manyfest(*command)
        ready = manyfest("check", "--deep", f"{address}/a:1.0.0", f"{address}/b:1.0.0")
    assert (first.returncode, second.returncode, ready.returncode) == (0, 0, 0)
    digest = first.stdout.splitlines()[-1]
    assert digest.startswith("sha256:")
    assert second.stdout.splitlines()[-1] == digest
    assert "linux/arm64 | making\n" in first.stderr
    assert first.stdout.count("  uploaded  0 bytes") == 0
    assert second.stdout.count("  uploaded  0 bytes") == 2
    assert f"docker pull {address}/a:1.0.0\n" in second.stdout
