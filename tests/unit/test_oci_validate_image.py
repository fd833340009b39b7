from __future__ import annotations

import pytest

from tests.unit.oci_documents import (
    ARTIFACT,
    EMPTY,
    GONE,
    IMAGE,
    OCI_CONFIG,
    OCI_LAYER,
    A,
    B,
    D,
    changed,
    descriptor,
    faults,
)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("schemaVersion", GONE, "$.schemaVersion: is missing; expected an integer"),
        ("schemaVersion", 1, "$.schemaVersion: is 1; expected 2"),
        ("schemaVersion", "2", "$.schemaVersion: is a string; expected an integer"),
        ("schemaVersion", 2.0, "$.schemaVersion: is a fraction; expected an integer"),
        ("schemaVersion", True, "$.schemaVersion: is true or false; expected an integer"),
        ("mediaType", 7, "$.mediaType: is an integer; expected a string"),
        ("config", GONE, "$.config: is missing; expected an object"),
        ("config", [], "$.config: is a list; expected an object"),
        ("layers", GONE, "$.layers: is missing; expected a list"),
        ("layers", None, "$.layers: is null; expected a list"),
        ("layers/1", "x", "$.layers[1]: is a string; expected an object"),
        ("layers/1", None, "$.layers[1]: is null; expected an object"),
        ("layers/1/mediaType", GONE, "$.layers[1].mediaType: is missing; expected a string"),
        ("layers/1/digest", GONE, "$.layers[1].digest: is missing; expected a string"),
        (
            "layers/1/digest",
            "sha256:abc",
            "$.layers[1].digest: 'sha256:abc' is not a digest:"
            " sha256 has 64 lower-case hexadecimal digits",
        ),
        (
            "layers/1/digest",
            "",
            "$.layers[1].digest: '' is not a digest: it has no algorithm",
        ),
        (
            "layers/1/digest",
            "blake3:" + "a" * 64,
            "$.layers[1].digest: unknown digest algorithm 'blake3'; use sha256 or sha512",
        ),
        ("layers/1/size", GONE, "$.layers[1].size: is missing; expected an integer"),
        (
            "layers/1/size",
            -1,
            "$.layers[1].size: is -1; expected 0 to 1125899906842624, a number of bytes",
        ),
        (
            "layers/1/size",
            1125899906842625,
            "$.layers[1].size: is 1125899906842625;"
            " expected 0 to 1125899906842624, a number of bytes",
        ),
        (
            "config/size",
            4194305,
            "$.config.size: is 4194305; expected 0 to 4194304, a number of bytes",
        ),
        ("layers/1/urls", "x", "$.layers[1].urls: is a string; expected a list"),
        (
            "layers/1/urls",
            ["https://example.org/x", "file:///etc/passwd"],
            "$.layers[1].urls[1]: is no URL; expected http:// or https://",
        ),
        ("layers/1/annotations", [], "$.layers[1].annotations: is a list; expected an object"),
        (
            "layers/1/annotations",
            {"org.example.n": 5},
            '$.layers[1].annotations["org.example.n"]: is an integer; expected a string',
        ),
        ("annotations", {"a": None}, "$.annotations.a: is null; expected a string"),
        ("layers/1/data", "%", "$.layers[1].data: is not base64"),
        ("layers/1/data", "e30=\n", "$.layers[1].data: is not base64"),
        (
            "layers/1/artifactType",
            "nothing",
            '$.layers[1].artifactType: is "nothing", no media type; expected type/subtype',
        ),
        (
            "artifactType",
            "a/b; charset=utf-8",
            '$.artifactType: is "a/b; charset=utf-8", no media type; expected type/subtype',
        ),
        (
            "config/mediaType",
            OCI_LAYER,
            f"$.config.mediaType: is {OCI_LAYER}; expected a configuration's type",
        ),
        (
            "layers/1/mediaType",
            "application/vnd.docker.image.rootfs.diff.tar.zstd",
            '$.layers[1].mediaType: is "application/vnd.docker.image.rootfs.diff.tar.zstd";'
            " expected a layer's type",
        ),
        (
            "layers/1/mediaType",
            "text/plain",
            '$.layers[1].mediaType: is "text/plain"; expected a layer\'s type',
        ),
        (
            "layers",
            [descriptor(OCI_LAYER, B)] * 126,
            "$.layers: has 126 layers; expected 125 at most",
        ),
        ("subject", "x", "$.subject: is a string; expected an object"),
        (
            "subject",
            descriptor(OCI_CONFIG, D),
            f"$.subject.mediaType: is {OCI_CONFIG}; expected a manifest's type",
        ),
        ("Layers", [], "$.Layers: some programs read this as 'layers'; write it so"),
        (
            "config/MediaType",
            OCI_LAYER,
            "$.config.MediaType: some programs read this as 'mediaType'; write it so",
        ),
    ],
)
def test_a_fault_of_an_image(path: str, value: object, expected: str) -> None:
    assert faults(changed(IMAGE, path, value)) == [expected]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "artifactType",
            GONE,
            "$.artifactType: is missing; expected one, since the config is empty",
        ),
        (
            "config/digest",
            A,
            f"$.config.digest: is not that of {{}}; expected {EMPTY}",
        ),
        ("config/data", "e30", "$.config.data: is not base64"),
        ("config/size", 3, "$.config.size: is 3; expected 2, the size of {}"),
        (
            "layers/0/data",
            "e30=",
            f"$.layers[0].data: has the digest {EMPTY}; expected the descriptor's",
        ),
        ("subject/digest", GONE, "$.subject.digest: is missing; expected a string"),
    ],
)
def test_a_fault_of_an_artifact(path: str, value: object, expected: str) -> None:
    assert faults(changed(ARTIFACT, path, value)) == [expected]


def test_embedded_content_is_the_content() -> None:
    assert faults(changed(ARTIFACT, "config/data", "e30=")) == []
    assert faults(changed(ARTIFACT, "config/data", "e30K")) == [
        "$.config.data: is 3 bytes; expected 2, the size",
        "$.config.data: has the digest"
        " sha256:ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356;"
        " expected the descriptor's",
    ]
