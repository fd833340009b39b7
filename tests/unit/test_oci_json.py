from __future__ import annotations

import subprocess
import sys
import time

import pytest

from manyfest.errors import InvalidManifest
from manyfest.oci import json
from manyfest.oci.digest import Digest


def test_null_is_absent() -> None:
    assert json.loads(b'{"a":null,"b":{"c":null}}', "it") == {"b": {}}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is not JSON: Expecting value at line 1, column 1"),
        (b"{", "it is not JSON: Expecting property name enclosed in double quotes at line 1"),
        (b'{"a":1,}', "it is not JSON"),
        (b"{} {}", "it is not JSON: Extra data at line 1, column 4"),
        (b"[]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b'"\xff"', "it is not UTF-8 at byte 1"),
        (b"\xef\xbb\xbf{}", "it is not JSON"),
        ("{}".encode("utf-16"), "it is not UTF-8"),
        (b'{"a":NaN}', "NaN is not a JSON number"),
        (b'{"a":-Infinity}', "-Infinity is not a JSON number"),
        (b'{"a":%s}' % (b"9" * 5000), "a number has 5000 digits"),
        (b'{"a":"\\ud800"}', "an escape that is no character"),
        (b'{"\\udc00":1}', "an escape that is no character"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        json.loads(raw, "it")
    assert why in str(caught.value)


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert json.loads(b'{"a":"\\ud83d\\udc33"}', "it") == {"a": "\N{SPOUTING WHALE}"}


def test_documents_end_at_4_mib() -> None:
    assert json.loads(b"{}".ljust(4_194_304), "it") == {}
    with pytest.raises(InvalidManifest, match="is 4194305 bytes, more than the 4194304 allowed"):
        json.loads(b"{}".ljust(4_194_305), "it")


@pytest.mark.parametrize(
    "raw", [b'{"a":1,"a":1}', b'{"x":{"a":1,"b":2,"a":3}}', b'{"x":[{"a":1,"\\u0061":2}]}']
)
def test_a_key_comes_once(raw: bytes) -> None:
    with pytest.raises(InvalidManifest, match="key 'a' appears twice"):
        json.loads(raw, "it")


def test_a_duplicate_among_very_many_keys_is_found_at_once() -> None:
    raw = b"{" + b"".join(b'"%d":1,' % number for number in range(200_000)) + b'"199999":2}'
    started = time.perf_counter()
    with pytest.raises(InvalidManifest, match="'199999' appears twice"):
        json.loads(raw, "it")
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("Manifests", "manifests"),
        ("LAYERS", "layers"),
        ("mediatype", "mediaType"),
        ("Digest", "digest"),
        ("Data", "data"),
        ("OS", "os"),
        ("Diff_IDs", "diff_ids"),
        # Go folds the long s, too
        ("\N{LATIN SMALL LETTER LONG S}ubject", "subject"),
    ],
)
def test_a_key_that_only_go_would_take_for_another_is_refused(key: str, meant: str) -> None:
    with pytest.raises(InvalidManifest, match=f"where it means '{meant}'"):
        json.loads(f'{{"x":[{{"{key}":1}}]}}'.encode(), "it")


@pytest.mark.parametrize("own", ["annotations", "Labels", "ExposedPorts", "Volumes"])
def test_the_users_own_keys_are_free(own: str) -> None:
    document = json.loads(f'{{"{own}":{{"Digest":"x","LAYERS":"y"}}}}'.encode(), "it")
    assert document == {own: {"Digest": "x", "LAYERS": "y"}}


def test_written_json_is_compact_and_ordered() -> None:
    assert json.dumps({"b": Digest.of(b"{}"), "a": [1, "\N{WHALE}"]}) == (
        b'{"b":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",'
        b'"a":[1,"\xf0\x9f\x90\x8b"]}'
    )


FIRST_IN_SEVERAL_THREADS = """\
import sys
from threading import Barrier, Thread
from manyfest.oci.parse import parse_config, parse_manifest

def run():
    start.wait()
    parse_config(b'{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}')
    parse_manifest(b'{"schemaVersion":2,"manifests":[]}')

sys.setswitchinterval(1e-6)
start = Barrier(8)
threads = [Thread(target=run) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("attempt", range(4))
def test_threads_may_read_the_first_documents_of_a_process_together(attempt: int) -> None:
    """Without preparation every third such process is killed by a segmentation fault."""
    del attempt
    subprocess.run([sys.executable, "-c", FIRST_IN_SEVERAL_THREADS], check=True)
