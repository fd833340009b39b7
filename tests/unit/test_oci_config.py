from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import InvalidManifest
from manyfest.oci import json
from manyfest.oci.config import Healthcheck, History, ImageConfig, RootFS, RunConfig
from manyfest.oci.digest import Digest
from manyfest.oci.parse import parse_config

A, B = (f"sha256:{letter * 64}" for letter in "ab")

# As the specification shows it.
OCI = f"""{{
  "created": "2015-10-31T22:22:56.015925234Z",
  "author": "Alyssa P. Hacker <alyspdev@example.com>",
  "architecture": "arm", "os": "linux", "variant": "v7",
  "config": {{
    "User": "alice",
    "ExposedPorts": {{"8080/tcp": {{}}}},
    "Env": ["PATH=/usr/bin:/bin", "FOO=oci_is_a"],
    "Entrypoint": ["/bin/my-app-binary"],
    "Cmd": ["--foreground"],
    "Volumes": {{"/var/log/my-app-logs": {{}}}},
    "WorkingDir": "/home/alice",
    "Labels": {{"com.example.project.git.url": "https://example.com/project.git"}},
    "StopSignal": "SIGRTMIN+3"
  }},
  "rootfs": {{"type": "layers", "diff_ids": ["{A}", "{B}"]}},
  "history": [
    {{"created": "2015-10-31T22:22:54.690851953Z", "created_by": "/bin/sh -c #(nop) ADD"}},
    {{"created": "2015-10-31T22:22:55.613815829Z", "empty_layer": true}},
    {{"created": "2015-10-31T22:22:56.329850019Z", "comment": "step", "author": "Alyssa"}}
  ]
}}""".encode()

# As a Docker daemon writes it, with its own keys and its nulls.
DOCKER = f"""{{"architecture":"amd64",
"config":{{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"Tty":false,
"Env":["PATH=/bin"],"Cmd":["sh"],"Image":"{A}","Volumes":null,"WorkingDir":"","Entrypoint":null,
"OnBuild":null,"Labels":null,"ArgsEscaped":true,
"Healthcheck":{{"Test":["CMD-SHELL","true"],"Interval":30000000000,"Retries":3}},
"Shell":["/bin/bash","-c"]}},
"container":"2e32","container_config":{{"Hostname":"2e32","Env":["PATH=/bin"],"Cmd":null}},
"created":"2019-01-01T01:29:27.650294696Z","docker_version":"18.06.1-ce",
"history":null,"os":"linux","rootfs":{{"type":"layers","diff_ids":null}},"Size":7}}""".encode()


def test_a_configuration_of_the_specification() -> None:
    assert parse_config(OCI) == ImageConfig(
        created="2015-10-31T22:22:56.015925234Z",
        author="Alyssa P. Hacker <alyspdev@example.com>",
        architecture="arm",
        os="linux",
        variant="v7",
        config=RunConfig(
            user="alice",
            exposed_ports={"8080/tcp": {}},
            env=("PATH=/usr/bin:/bin", "FOO=oci_is_a"),
            entrypoint=("/bin/my-app-binary",),
            cmd=("--foreground",),
            volumes={"/var/log/my-app-logs": {}},
            working_dir="/home/alice",
            labels={"com.example.project.git.url": "https://example.com/project.git"},
            stop_signal="SIGRTMIN+3",
        ),
        rootfs=RootFS(diff_ids=(Digest.parse(A), Digest.parse(B))),
        history=(
            History(created="2015-10-31T22:22:54.690851953Z", created_by="/bin/sh -c #(nop) ADD"),
            History(created="2015-10-31T22:22:55.613815829Z", empty_layer=True),
            History(created="2015-10-31T22:22:56.329850019Z", comment="step", author="Alyssa"),
        ),
    )


def test_a_configuration_of_dockers() -> None:
    config = parse_config(DOCKER)
    assert config.config == RunConfig(
        env=("PATH=/bin",),
        cmd=("sh",),
        args_escaped=True,
        healthcheck=Healthcheck(test=("CMD-SHELL", "true"), interval=30_000_000_000, retries=3),
        shell=("/bin/bash", "-c"),
    )
    assert config.rootfs.diff_ids == ()
    assert config.history == ()


def test_the_platform_is_the_configurations_own() -> None:
    assert str(parse_config(OCI).platform) == "linux/arm/v7"
    windows = b'{"os":"windows","architecture":"amd64","os.version":"10.0.1","rootfs":{}}'
    assert parse_config(windows).platform.os_version == "10.0.1"


def test_a_configuration_is_written_by_the_specifications_names() -> None:
    config = ImageConfig(
        architecture="arm64",
        os="linux",
        config=RunConfig(env=("A=1",), working_dir="/x", exposed_ports={"80/tcp": {}}),
        rootfs=RootFS(diff_ids=(Digest.parse(A),)),
        history=(History(created_by="COPY", empty_layer=False), History(empty_layer=True)),
    )
    assert json.dumps(config) == (
        b'{"architecture":"arm64","os":"linux",'
        b'"config":{"ExposedPorts":{"80/tcp":{}},"Env":["A=1"],"WorkingDir":"/x"},'
        b'"rootfs":{"type":"layers","diff_ids":["' + A.encode() + b'"]},'
        b'"history":[{"created_by":"COPY"},{"empty_layer":true}]}'
    )


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"[]", "the configuration is not a JSON object"),
        (b"{}", "missing required field `rootfs`"),
        (b'{"rootfs":{"diff_ids":["x"]}}', r"\$\.rootfs\.diff_ids\[0\]"),
        (b'{"rootfs":{},"config":{"Env":"A=1"}}', r"\$\.config\.Env"),
        (b'{"rootfs":{},"ROOTFS":{"diff_ids":[]}}', "'ROOTFS' where it means 'rootfs'"),
        (b'{"rootfs":{},"os":"linux","OS":"windows"}', "'OS' where it means 'os'"),
    ],
)
def test_a_wrong_configuration_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(InvalidManifest, match=why):
        parse_config(raw)


@given(st.binary())
def test_any_bytes_are_a_configuration_or_refused(raw: bytes) -> None:
    try:
        config = parse_config(raw)
    except InvalidManifest:
        return
    assert config.rootfs is not None
