"""What is wrong with an image's configuration, all of it, each fault with its JSON path.

The measure is the OCI image specification 1.1, "Image Configuration", and what Docker asks of the
fields that the specification leaves open.
"""

from __future__ import annotations

import re

from manyfest.oci.faults import Fault, Node, collect, shown
from manyfest.oci.manifest import Image
from manyfest.oci.mediatypes import CONFIGS
from manyfest.oci.validate_fields import (
    check_platform,
    check_strings,
    check_time,
    parse_digest,
)

_KEYS = "author config created history rootfs".split()
_RUN_KEYS = (
    "ArgsEscaped Cmd Entrypoint Env ExposedPorts Healthcheck Labels OnBuild Shell StopSignal User"
    " Volumes WorkingDir"
).split()
_HISTORY_KEYS = "author comment created created_by empty_layer".split()
_HEALTHCHECK_TIMES = ("Interval", "Timeout", "StartPeriod", "StartInterval")

_PORT = re.compile(r"([0-9]{1,5})(?:/(?:tcp|udp|sctp))?")
_USER = re.compile(r"([^:\s]+)(?::([^:\s]+))?")
_MAX_ID = 2**31 - 1
_SIGNAL = re.compile(
    r"(?:SIG)?(?:ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT"
    r"|SEGV|STKFLT|STOP|SYS|TERM|TRAP|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ"
    r"|RTMIN(?:\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)"
    r"|[1-9]|[1-5][0-9]|6[0-4]",
    re.IGNORECASE | re.ASCII,
)


def validate_config(raw: bytes, manifest: Image | None = None) -> list[Fault]:
    """Every fault of the image configuration in ``raw``; empty if there is none.

    With the ``manifest`` it belongs to, its layers are counted too.
    """
    return collect(raw, lambda root: _check_document(root, manifest))


def _check_document(root: Node, manifest: Image | None) -> None:
    root.spell(_KEYS)
    if manifest is None or manifest.has_file_system:  # of others it names no real platform
        check_platform(root)
    check_time(root, "created")
    root.find("author", str)
    run = root.find("config", dict)
    if run is not None:
        _check_run(run, is_windows=root.text("os") == "windows")
    diff_ids = _check_rootfs(root)
    if diff_ids is not None:
        _check_counts(root, diff_ids, manifest)


def _check_rootfs(root: Node) -> int | None:
    """The file system's layers; how many there are, if that can be told."""
    rootfs = root.find("rootfs", dict, required=True)
    if rootfs is None:
        return None
    rootfs.spell(("diff_ids", "type"))
    kind = rootfs.find("type", str, required=True)
    if kind is not None:
        kind.expect(kind.value == "layers", f'is {shown(str(kind.value))}; expected "layers"')
    for diff_id in rootfs.items("diff_ids", str, required=True):
        parse_digest(diff_id)
    diff_ids = rootfs.member("diff_ids").value
    return len(diff_ids) if isinstance(diff_ids, list) else None


def _check_counts(root: Node, diff_ids: int, manifest: Image | None) -> None:
    node = root.member("rootfs").member("diff_ids")
    if manifest is not None and manifest.config.media_type in CONFIGS:
        layers = len(manifest.layers)
        node.expect(diff_ids == layers, f"are {diff_ids}; expected {layers}, one for each layer")
    steps = [_check_step(step) for step in root.items("history", dict)]
    history = root.member("history")
    made = steps.count(True)
    if steps:
        history.expect(
            made == diff_ids,
            f"has {made} steps that made a layer; expected {diff_ids}, as in rootfs.diff_ids",
        )


def _check_step(step: Node) -> bool:
    """One step of the history; whether it made a layer."""
    step.spell(_HISTORY_KEYS)
    check_time(step, "created")
    for key in ("author", "comment", "created_by"):
        step.find(key, str)
    empty = step.find("empty_layer", bool)
    return empty is None or not empty.value


def _check_run(run: Node, *, is_windows: bool) -> None:
    run.spell(_RUN_KEYS)
    _check_env(run)
    for key in ("Cmd", "Entrypoint", "OnBuild", "Shell"):
        for word in run.items(key, str):
            _check_no_nul(word)
    check_strings(run, "Labels")
    run.find("ArgsEscaped", bool)
    for port, _ in run.entries("ExposedPorts", dict):
        found = _PORT.fullmatch(port)
        run.member("ExposedPorts").member(port).expect(
            found and 0 < int(found[1]) < 65536, "is no port; expected one such as 8080/tcp"
        )
    _check_signal(run)
    _check_healthcheck(run)
    _check_paths(run, is_windows=is_windows)
    _check_user(run, is_windows=is_windows)


def _check_env(run: Node) -> None:
    seen: set[str] = set()
    for entry in run.items("Env", str):
        _check_no_nul(entry)
        name, equals, _ = str(entry.value).partition("=")
        entry.expect(name and equals, f"is {shown(str(entry.value))}; expected NAME=value")
        entry.expect(not name or name not in seen, f"sets {shown(name)} a second time")
        seen.add(name)


def _check_no_nul(node: Node) -> None:
    node.expect("\0" not in str(node.value), "has a NUL, which no argument or variable can hold")


def _check_signal(run: Node) -> None:
    signal = run.find("StopSignal", str)
    if signal is not None and signal.value:
        name = str(signal.value)
        signal.expect(
            _SIGNAL.fullmatch(name), f"is {shown(name)}, no signal; expected one such as SIGTERM"
        )


def _check_healthcheck(run: Node) -> None:
    """Docker's: ``Test`` says how to check, and times are nanoseconds."""
    health = run.find("Healthcheck", dict)
    if health is None:
        return
    health.spell(("Test", "Retries", *_HEALTHCHECK_TIMES))
    test = [str(word.value) for word in health.items("Test", str)]
    if test:
        health.member("Test").expect(
            test[0] in ("NONE", "CMD", "CMD-SHELL"),
            f"starts with {shown(test[0])}; expected NONE, CMD or CMD-SHELL",
        )
    for key in ("Retries", *_HEALTHCHECK_TIMES):
        number = health.find(key, int)
        if number is not None and isinstance(number.value, int):
            number.expect(number.value >= 0, f"is {number.value}; expected 0 or more")


def _check_paths(run: Node, *, is_windows: bool) -> None:
    """Paths are absolute where the runtime takes no other (runtime specification, "cwd")."""
    for volume, node in run.entries("Volumes", dict):
        node.expect(is_windows or volume.startswith("/"), "is no absolute path")
    directory = run.find("WorkingDir", str)
    if directory is not None and directory.value and not is_windows:
        path = str(directory.value)
        directory.expect(path.startswith("/"), f"is {shown(path)}; expected an absolute path")


def _check_user(run: Node, *, is_windows: bool) -> None:
    """``user``, ``uid``, and either with a ``:group`` or ``:gid``; on Windows anything."""
    user = run.find("User", str)
    if user is None or not user.value or is_windows:
        return
    name = str(user.value)
    found = _USER.fullmatch(name)
    user.expect(found, f"is {shown(name)}; expected a user or uid, with or without :group")
    for part in found.groups("") if found else ():
        fits = not (part.isascii() and part.isdigit()) or _is_id(part)
        user.expect(fits, f"has the id {shown(part)}; expected 0 to {_MAX_ID}")


def _is_id(digits: str) -> bool:
    return len(digits) <= 10 and int(digits) <= _MAX_ID
