from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.oci.manifest import Image
from manyfest.oci.parse import parse_manifest
from manyfest.oci.validate_config import validate_config
from tests.unit.oci_documents import (
    GONE,
    IMAGE,
    OCI_LAYER,
    A,
    B,
    Json,
    changed,
    descriptor,
)

CONFIG: Json = {
    "created": "2026-01-02T03:04:05.678Z",
    "author": "A <a@example.org>",
    "architecture": "arm64",
    "os": "linux",
    "config": {
        "User": "app:app",
        "ExposedPorts": {"8080/tcp": {}},
        "Env": ["PATH=/bin", "EMPTY="],
        "Entrypoint": ["/app"],
        "Cmd": ["serve"],
        "Volumes": {"/data": {}},
        "WorkingDir": "/data",
        "Labels": {"org.opencontainers.image.version": "2.6.1"},
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["CMD", "/app", "health"], "Interval": 30_000_000_000},
    },
    "rootfs": {"type": "layers", "diff_ids": [A, B]},
    "history": [
        {"created": "2026-01-02T03:04:05Z", "created_by": "COPY /app"},
        {"created_by": "ENV", "empty_layer": True},
        {"created_by": "COPY /data", "empty_layer": False},
    ],
}


def faults(document: object, manifest: Image | None = None) -> list[str]:
    return [str(fault) for fault in validate_config(json.dumps(document).encode(), manifest)]


def image(*layers: str) -> Image:
    entries = [descriptor(media_type, A) for media_type in layers]
    return parse_manifest(json.dumps(changed(IMAGE, "layers", entries)).encode()).image


@pytest.mark.parametrize(
    "document",
    [
        CONFIG,
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}},
        # as Docker writes what is not set
        changed(CONFIG, "config/Cmd", None),
        changed(CONFIG, "config/Volumes", None),
        changed(CONFIG, "config/Env", []),
        changed(CONFIG, "config/User", ""),
        changed(CONFIG, "config/StopSignal", ""),
        changed(CONFIG, "config/WorkingDir", ""),
        changed(CONFIG, "config", None),
        changed(CONFIG, "history", None),
        changed(CONFIG, "history", []),
        changed(CONFIG, "Size", 12),
        changed(CONFIG, "container_config", {"Env": None}),
        changed(CONFIG, "config/Healthcheck", {"Test": ["NONE"]}),
        changed(CONFIG, "config/Healthcheck", {}),
        changed(CONFIG, "created", "0001-01-01T00:00:00Z"),
        # two equal layers are two layers
        changed(CONFIG, "rootfs/diff_ids", [A, A]),
    ],
)
def test_what_is_right_has_no_fault(document: Json) -> None:
    assert faults(document) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("os", GONE, "$.os: is missing; expected a string"),
        ("os", "", '$.os: is "", which nobody knows; expected one of Go\'s names'),
        ("architecture", GONE, "$.architecture: is missing; expected a string"),
        (
            "architecture",
            "aarch64",
            "$.architecture: is \"aarch64\"; expected the usual name, 'arm64'",
        ),
        (
            "variant",
            "v7",
            '$.variant: is "v7", no variant of arm64;'
            " expected v8 or v9, or a minor version of these",
        ),
        ("rootfs", GONE, "$.rootfs: is missing; expected an object"),
        ("rootfs/type", GONE, "$.rootfs.type: is missing; expected a string"),
        (
            "rootfs/type",
            "layers+base",
            '$.rootfs.type: is "layers+base"; expected "layers"',
        ),
        (
            "rootfs/diff_ids/1",
            "sha256:x",
            "$.rootfs.diff_ids[1]: 'sha256:x' is not a digest:"
            " sha256 has 64 lower-case hexadecimal digits",
        ),
        ("rootfs/diff_ids/1", 7, "$.rootfs.diff_ids[1]: is an integer; expected a string"),
        ("rootfs/diff_ids", None, "$.rootfs.diff_ids: is null; expected a list"),
        (
            "history/1/empty_layer",
            False,
            "$.history: has 3 steps that made a layer; expected 2, as in rootfs.diff_ids",
        ),
        (
            "history/0",
            GONE,
            "$.history: has 1 steps that made a layer; expected 2, as in rootfs.diff_ids",
        ),
        (
            "history/1/created_by",
            ["ENV"],
            "$.history[1].created_by: is a list; expected a string",
        ),
        (
            "history/0/created",
            "yesterday",
            '$.history[0].created: is "yesterday", no time;'
            " expected RFC 3339, such as 2006-01-02T15:04:05Z",
        ),
        ("author", 5, "$.author: is an integer; expected a string"),
        ("config", [], "$.config: is a list; expected an object"),
        ("config/Env", "A=1", "$.config.Env: is a string; expected a list"),
        ("config/Env/1", "EMPTY", '$.config.Env[1]: is "EMPTY"; expected NAME=value'),
        ("config/Env/1", "=x", '$.config.Env[1]: is "=x"; expected NAME=value'),
        ("config/Env/1", "PATH=/x", '$.config.Env[1]: sets "PATH" a second time'),
        (
            "config/Env/1",
            "A=\0",
            "$.config.Env[1]: has a NUL, which no argument or variable can hold",
        ),
        ("config/Entrypoint", "/app", "$.config.Entrypoint: is a string; expected a list"),
        ("config/Cmd/0", 1, "$.config.Cmd[0]: is an integer; expected a string"),
        (
            "config/Entrypoint/0",
            "/app\0",
            "$.config.Entrypoint[0]: has a NUL, which no argument or variable can hold",
        ),
        (
            "config/ExposedPorts",
            ["80/tcp"],
            "$.config.ExposedPorts: is a list; expected an object",
        ),
        ("config/Labels", {"a": 1}, "$.config.Labels.a: is an integer; expected a string"),
        ("config/Volumes", {"data": {}}, "$.config.Volumes.data: is no absolute path"),
        (
            "config/WorkingDir",
            "data",
            '$.config.WorkingDir: is "data"; expected an absolute path',
        ),
        (
            "config/Healthcheck/Test/0",
            "/app",
            '$.config.Healthcheck.Test: starts with "/app"; expected NONE, CMD or CMD-SHELL',
        ),
        (
            "config/Healthcheck/Interval",
            "30s",
            "$.config.Healthcheck.Interval: is a string; expected an integer",
        ),
        (
            "config/Healthcheck/Retries",
            -1,
            "$.config.Healthcheck.Retries: is -1; expected 0 or more",
        ),
        ("config/ArgsEscaped", 1, "$.config.ArgsEscaped: is an integer; expected true or false"),
        (
            "config/ENV",
            ["A=1"],
            "$.config.ENV: some programs read this as 'Env'; write it so",
        ),
        ("Rootfs", {}, "$.Rootfs: some programs read this as 'rootfs'; write it so"),
        (
            "rootfs/Diff_Ids",
            [],
            "$.rootfs.Diff_Ids: some programs read this as 'diff_ids'; write it so",
        ),
        (
            "history/1/Empty_Layer",
            False,
            "$.history[1].Empty_Layer: some programs read this as 'empty_layer'; write it so",
        ),
        (
            "config/Healthcheck/test",
            ["NONE"],
            "$.config.Healthcheck.test: some programs read this as 'Test'; write it so",
        ),
    ],
)
def test_a_fault_of_a_configuration(path: str, value: object, expected: str) -> None:
    assert faults(changed(CONFIG, path, value)) == [expected]


def test_every_fault_is_reported() -> None:
    assert faults({"os": 1, "config": {"Env": ["x"], "StopSignal": "x"}, "rootfs": {}}) == [
        "$.os: is an integer; expected a string",
        "$.architecture: is missing; expected a string",
        '$.config.Env[0]: is "x"; expected NAME=value',
        '$.config.StopSignal: is "x", no signal; expected one such as SIGTERM',
        "$.rootfs.type: is missing; expected a string",
        "$.rootfs.diff_ids: is missing; expected a list",
    ]


@pytest.mark.parametrize(
    ("written", "fine"),
    [
        ("2006-01-02T15:04:05Z", True),
        ("2006-01-02t15:04:05.123456789z", True),
        ("2006-01-02T15:04:05+05:30", True),
        ("2006-01-02T15:04:05-00:00", True),
        ("2024-02-29T00:00:00Z", True),
        ("2016-12-31T23:59:60Z", True),
        ("", False),
        ("2006-01-02", False),
        ("2006-01-02 15:04:05Z", False),
        ("2006-01-02T15:04:05", False),
        ("2006-01-02T15:04Z", False),
        ("2006-1-2T15:04:05Z", False),
        ("2006-01-02T15:04:05.Z", False),
        ("2006-01-02T24:00:00Z", False),
        ("2006-01-02T15:60:05Z", False),
        ("2006-01-02T15:04:61Z", False),
        ("2006-02-29T15:04:05Z", False),
        ("2006-13-02T15:04:05Z", False),
        ("2006-01-02T15:04:05+24:00", False),
        ("2006-01-02T15:04:05Z\n", False),
        ("1136214245", False),
    ],
)
def test_times_are_rfc_3339(written: str, fine: bool) -> None:
    assert (faults(changed(CONFIG, "created", written)) == []) is fine


@pytest.mark.parametrize(
    ("port", "fine"),
    [
        ("80", True),
        ("80/tcp", True),
        ("53/udp", True),
        ("3868/sctp", True),
        ("65535", True),
        ("", False),
        ("0", False),
        ("65536/tcp", False),
        ("80/TCP", False),
        ("80/", False),
        ("tcp/80", False),
        ("8000-8010/tcp", False),
        ("127.0.0.1:80", False),
        ("\u0668\u0660", False),
    ],
)
def test_exposed_ports(port: str, fine: bool) -> None:
    assert (faults(changed(CONFIG, "config/ExposedPorts", {port: {}})) == []) is fine


@pytest.mark.parametrize(
    ("signal", "fine"),
    [
        ("SIGKILL", True),
        ("KILL", True),
        ("sigint", True),
        ("SIGRTMIN+3", True),
        ("SIGRTMAX-14", True),
        ("9", True),
        ("64", True),
        ("0", False),
        ("65", False),
        ("SIGTREM", False),
        ("SIG", False),
        ("SIGRTMIN+16", False),
        ("SIGTERM ", False),
    ],
)
def test_stop_signals(signal: str, fine: bool) -> None:
    assert (faults(changed(CONFIG, "config/StopSignal", signal)) == []) is fine


@pytest.mark.parametrize(
    ("user", "fine"),
    [
        ("app", True),
        ("1000", True),
        ("1000:1000", True),
        ("app:1000", True),
        ("2147483647", True),
        ("2147483648", False),
        ("1000:99999999999999999999", False),
        (":1000", False),
        ("app:", False),
        ("a:b:c", False),
        ("my user", False),
        ("app\n", False),
    ],
)
def test_users(user: str, fine: bool) -> None:
    assert (faults(changed(CONFIG, "config/User", user)) == []) is fine


def test_windows_has_its_own_paths_and_users() -> None:
    document = {
        "architecture": "amd64",
        "os": "windows",
        "os.version": "10.0.17763.1",
        "config": {
            "User": "NT AUTHORITY\\Local Service",
            "WorkingDir": "C:\\app",
            "Volumes": {"C:\\data": {}},
        },
        "rootfs": {"type": "layers", "diff_ids": [A]},
    }
    assert faults(document) == []


def test_each_layer_has_its_diff_id() -> None:
    assert faults(CONFIG, image(OCI_LAYER, OCI_LAYER)) == []
    assert faults(CONFIG, image(OCI_LAYER)) == [
        "$.rootfs.diff_ids: are 2; expected 1, one for each layer"
    ]


def test_an_attestation_is_for_no_platform() -> None:
    document = {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [A]},
    }
    assert faults(document, image("application/vnd.in-toto+json")) == []
    assert faults(document, image(OCI_LAYER)) == [
        '$.os: is "unknown", which nobody knows; expected one of Go\'s names',
        '$.architecture: is "unknown", which nobody knows; expected one of Go\'s names',
    ]


@given(st.binary())
def test_any_bytes_have_faults(raw: bytes) -> None:
    assert validate_config(raw) != []


_keys = st.sampled_from([*CONFIG, *CONFIG["config"], "type", "diff_ids", "Test", "variant"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([A, "linux"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(_keys, _values))
def test_any_object_is_judged(document: Json) -> None:
    assert isinstance(faults(document, image(OCI_LAYER)), list)
