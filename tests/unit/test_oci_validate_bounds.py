from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.oci.validate import validate_manifest
from tests.unit.oci_documents import (
    DOCKER_LIST,
    IMAGE,
    INDEX,
    OCI_EMPTY,
    OCI_IMAGE,
    OCI_INDEX,
    A,
    Json,
    changed,
    descriptor,
    faults,
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "$: the document is not JSON: Expecting value at line 1, column 1"),
        (b"\xff", "$: the document is not UTF-8 at byte 0"),
        (b"[]", "$: is a list; expected an object"),
        (b"null", "$: is null; expected an object"),
        (
            b"{}" + b" " * 4_194_304,
            "$: the document is 4194306 bytes, more than the 4194304 allowed",
        ),
        (b'{"a":' * 100_000, "$: the document is nested too deeply"),
        (
            b'{"a":"\\ud800"}',
            "$: the document has an escape that is no character (half of a surrogate pair)",
        ),
    ],
)
def test_what_is_no_json_object_has_that_one_fault(raw: bytes, expected: str) -> None:
    assert [str(fault) for fault in validate_manifest(raw)] == [expected]


def test_duplicate_keys_are_named_wherever_they_are() -> None:
    raw = json.dumps(IMAGE).encode()[:-1] + b',"x":[{"y":1,"y":2}],"schemaVersion":2}'
    assert [str(fault) for fault in validate_manifest(raw)] == [
        "$.schemaVersion: appears twice, and programs differ in which one they take",
        "$.x[0].y: appears twice, and programs differ in which one they take",
    ]


def test_faults_are_one_plain_line_each() -> None:
    document = changed(IMAGE, "annotations", {"\x1b[2J\n": 1, "k" * 500: 2})
    document["mediaType"] = "\n\x1b[2J" * 100
    for fault in faults(document):
        assert fault.isprintable()
        assert len(fault) < 500


def test_faults_are_listed_up_to_a_thousand() -> None:
    found = faults(changed(IMAGE, "annotations", dict.fromkeys(map(str, range(5000)), 1)))
    assert len(found) == 1001
    assert found[-1] == "$: there are more than 1000 faults"


def test_entries_are_read_up_to_4096() -> None:
    found = faults(changed(INDEX, "manifests", [descriptor(OCI_INDEX, A)] * 5000))
    assert found == ["$.manifests: has more than the 4096 entries allowed"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"layers":[' + b"{}," * 1_390_000 + b"{}]}",
        b'{"a":1,"a":[' + b"[]," * 1_300_000 + b"[]]}",
        b'{"a":1,"a":' * 900 + b"1" + b"}" * 900,
        b'{"' + b"k" * 4_000_000 + b'":1,"annotations":{"' + b"v" * 100_000 + b'":1}}',
    ],
)
def test_a_hostile_document_costs_little(raw: bytes) -> None:
    started = time.perf_counter()
    found = validate_manifest(raw)
    assert time.perf_counter() - started < 20
    assert all(len(fault.path) < 2000 for fault in found)


@given(st.binary())
def test_any_bytes_have_faults(raw: bytes) -> None:
    assert validate_manifest(raw) != []


_keys = st.sampled_from(
    "schemaVersion mediaType manifests config layers digest size platform subject data urls"
    " annotations artifactType os architecture variant os.features"
    " vnd.docker.reference.type".split()
)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([A, OCI_INDEX, OCI_IMAGE, OCI_EMPTY, "linux", "attestation-manifest", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(_keys, _values), st.sampled_from(["", OCI_INDEX, DOCKER_LIST, "x"]))
def test_any_object_is_judged(document: Json, media_type: str) -> None:
    assert isinstance(faults(document, media_type), list)
