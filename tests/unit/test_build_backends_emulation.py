"""Whether programs of a platform can run here, told from the kernel's own files."""

from __future__ import annotations

import platform as this
import shutil
from pathlib import Path

import pytest

from manyfest.build.backends.emulation import require_emulation
from manyfest.errors import BuildError
from manyfest.oci.platform import Platform

AARCH64 = (
    "interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\n"
    "flags: {flags}\noffset 0\n"
    "magic 7f454c460201010000000000000000000200b700\n"
    "mask ffffffffffffff00fffffffffffffffffeffffff\n"
)
S390X = (
    "enabled\ninterpreter /usr/bin/qemu-s390x\nflags: F\noffset 0\n"
    "magic 7f454c4602020100000000000000000000020016\n"
    "mask ffffffffffffff00fffffffffffffffffffeffff\n"
)
JAR = "enabled\ninterpreter /usr/bin/jexec\nflags: \noffset 0\nmagic 504b0304\n"


@pytest.fixture(autouse=True)
def on_amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this, "machine", lambda: "x86_64")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def formats(folder: Path, state: str = "enabled\n", **entries: str) -> Path:
    (folder / "status").write_text(state)
    (folder / "register").touch()
    for name, text in entries.items():
        (folder / name).write_text(text)
    return folder


def refusal(platform: str, folder: Path) -> str:
    with pytest.raises(BuildError) as caught:
        require_emulation(Platform.parse(platform), formats=folder)
    return str(caught.value)


@pytest.mark.parametrize("name", ["linux/amd64", "linux/386", "linux/amd64/v3"])
def test_what_the_processor_runs_needs_no_emulator(tmp_path: Path, name: str) -> None:
    require_emulation(Platform.parse(name), formats=tmp_path / "none")


def test_an_emulator_is_known_by_the_programs_it_takes_whatever_its_name(tmp_path: Path) -> None:
    folder = formats(tmp_path, jar=JAR, some="enabled\n" + AARCH64.format(flags="PF"), big=S390X)
    require_emulation(Platform.parse("linux/arm64"), formats=folder)
    require_emulation(Platform.parse("linux/s390x"), formats=folder)
    assert refusal("linux/arm/v7", folder).startswith(
        "cannot run programs for linux/arm/v7: no emulator is registered for it; "
    )


def test_the_line_that_installs_it_on_debian(tmp_path: Path) -> None:
    assert refusal("linux/arm64", formats(tmp_path)) == (
        "cannot run programs for linux/arm64: no emulator is registered for it;"
        " run: apt-get install qemu-user-static binfmt-support"
    )


def test_the_line_that_installs_it_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert refusal("linux/arm64", formats(tmp_path)).endswith(
        "; run: docker run --privileged --rm tonistiigi/binfmt --install arm64"
    )


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (
            "disabled\n" + AARCH64.format(flags="F"),
            "its emulator /usr/libexec/qemu-binfmt/aarch64-binfmt-P is switched off",
        ),
        (
            "enabled\n" + AARCH64.format(flags="P"),
            "its emulator /usr/libexec/qemu-binfmt/aarch64-binfmt-P is registered without the"
            " flag F, so containers do not find it",
        ),
    ],
)
def test_an_emulator_that_is_no_use(tmp_path: Path, entry: str, why: str) -> None:
    told = refusal("linux/arm64", formats(tmp_path, aarch64=entry))
    assert told.startswith(f"cannot run programs for linux/arm64: {why}; run: ")


def test_emulation_that_is_switched_off_as_a_whole(tmp_path: Path) -> None:
    folder = formats(tmp_path, "disabled\n", aarch64="enabled\n" + AARCH64.format(flags="F"))
    assert f"emulation is switched off in {folder}/status" in refusal("linux/arm64", folder)


def test_what_cannot_be_told_is_an_error(tmp_path: Path) -> None:
    assert f"{tmp_path}/no is not mounted" in refusal("linux/arm64", tmp_path / "no")
    assert "no emulator is known for it" in refusal("windows/amd64", formats(tmp_path))


@pytest.mark.parametrize(("can", "status"), [(True, 0), (False, 1)])
def test_an_arm64_machine_is_asked_whether_it_runs_32_bit_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can: bool, status: int
) -> None:
    setarch = tmp_path / "setarch"
    setarch.write_text(f"#!/bin/sh\nexit {status}\n")
    setarch.chmod(0o755)
    monkeypatch.setattr(this, "machine", lambda: "aarch64")
    monkeypatch.setattr(shutil, "which", lambda _name: str(setarch))
    (tmp_path / "formats").mkdir()
    folder = formats(tmp_path / "formats")
    if can:
        require_emulation(Platform.parse("linux/arm/v7"), formats=folder)
    else:
        assert "no emulator is registered" in refusal("linux/arm/v7", folder)
