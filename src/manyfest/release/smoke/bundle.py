"""What crun is told of a container: ``config.json`` (OCI runtime specification)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyfest.check.entrypoint import DEFAULT_PATH
from manyfest.oci.config import RunConfig
from manyfest.release.smoke.account import Account
from manyfest.release.smoke.trial import MEMORY, PROCESSES, most_processes

HOSTNAME = "smoke"

_CAPABILITIES = [
    f"CAP_{name}"
    for name in (
        "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE NET_RAW SETFCAP SETGID"
        " SETPCAP SETUID SYS_CHROOT"
    ).split()
]
"""Docker's default, but for MKNOD: not everywhere is there something that guards devices."""

_MASKED = (
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats"
    " /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats"
    " /sys/devices/virtual/powercap /sys/firmware"
).split()
_READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()
"""What Docker hides of the machine, and what it lets nobody change."""

_CLOSED = ["nosuid", "noexec", "nodev"]
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount")


def config(
    words: Sequence[str], run: RunConfig, account: Account, *, hosts: Path, cgroup: str
) -> dict[str, Any]:
    """The document for a container that runs ``words``. ``hosts`` is the file for /etc/hosts, and
    ``cgroup`` the name of its group of processes, or empty where there are none to be had.

    Without root, the account is the only one in the container, and is us.
    """
    is_root = os.geteuid() == 0
    linux: dict[str, Any] = {
        "namespaces": [{"type": name} for name in _NAMESPACES],
        "maskedPaths": _MASKED,
        "readonlyPaths": _READ_ONLY,
    }
    if cgroup:
        linux["cgroupsPath"] = cgroup
        linux["resources"] = {
            "memory": {"limit": MEMORY},
            "pids": {"limit": PROCESSES},
            "devices": [{"allow": False, "access": "rwm"}],
        }
    if not is_root:
        linux["namespaces"].append({"type": "user"})
        linux["uidMappings"] = [_only(account.uid, os.geteuid())]
        linux["gidMappings"] = [_only(account.gid, os.getegid())]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "hostname": HOSTNAME,
        "process": _process(words, run, account, is_root=is_root, has_cgroup=bool(cgroup)),
        "mounts": _mounts(hosts),
        "linux": linux,
    }


def _process(
    words: Sequence[str], run: RunConfig, account: Account, *, is_root: bool, has_cgroup: bool
) -> dict[str, Any]:
    user: dict[str, Any] = {"uid": account.uid, "gid": account.gid}
    if is_root:
        user["additionalGids"] = list(account.groups)
    held = [] if account.uid else _CAPABILITIES
    process: dict[str, Any] = {
        "args": list(words),
        "env": environment(run, account),
        "cwd": run.working_dir or "/",
        "user": user,
        "capabilities": {"bounding": _CAPABILITIES, "effective": held, "permitted": held},
    }
    if not has_cgroup:
        most = most_processes()
        process["rlimits"] = [{"type": "RLIMIT_NPROC", "soft": most, "hard": most}]
    return process


def environment(run: RunConfig, account: Account) -> list[str]:
    """The image's variables, and those that every container has."""
    usual = {"PATH": DEFAULT_PATH, "HOSTNAME": HOSTNAME, "HOME": account.home}
    known = {entry.partition("=")[0] for entry in run.env}
    return [*(f"{name}={value}" for name, value in usual.items() if name not in known), *run.env]


def _only(inside: int, outside: int) -> dict[str, int]:
    return {"containerID": inside, "hostID": outside, "size": 1}


def _mounts(hosts: Path) -> list[dict[str, Any]]:
    return [
        _mount("/proc", "proc", _CLOSED),
        _mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666"]),
        _mount("/dev/shm", "tmpfs", [*_CLOSED, "mode=1777", "size=65536k"]),  # noqa: S108
        _mount("/sys", "sysfs", [*_CLOSED, "ro"]),
        {**_mount("/etc/hosts", "bind", ["bind", "ro"]), "source": str(hosts.absolute())},
    ]


def _mount(place: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": place, "type": kind, "source": kind, "options": options}
