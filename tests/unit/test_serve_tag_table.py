"""``index.json`` as a table says the same as when it is written from what it means."""

from __future__ import annotations

from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Index
from manyfest.oci.mediatypes import OCI_INDEX, OCI_MANIFEST
from manyfest.oci.parse import parse_manifest
from manyfest.serve.tag_change import TagChange
from manyfest.serve.tag_table import TagTable
from manyfest.stores.names import REF_NAME, with_names

ONE = Descriptor.of(b"one", OCI_MANIFEST)
TWO = Descriptor.of(b"two", OCI_MANIFEST)


def index(*entries: Descriptor) -> Index:
    return Index(schema_version=2, media_type=OCI_INDEX, manifests=entries)


def test_a_new_tag_is_added() -> None:
    before = with_names(index(), {"v1": ONE})
    table = TagTable.of(before)
    assert table is not None
    changed = table.changed([TagChange(tags={"v2": TWO})])
    assert changed.written() == json.dumps(with_names(before, {"v2": TWO}))
    assert changed.digests == {"v1": ONE.digest, "v2": TWO.digest}
    assert table.digests == {"v1": ONE.digest}


def test_a_tag_that_moves_has_one_entry() -> None:
    table = TagTable.of(with_names(index(), {"v1": ONE, "v2": ONE}))
    assert table is not None
    moved = parse_manifest(
        table.changed([TagChange(tags={"v1": TWO})]).written(), media_type=OCI_INDEX
    ).index
    found = {entry.annotations[REF_NAME]: entry.digest for entry in moved.manifests}
    assert found == {"v1": TWO.digest, "v2": ONE.digest}
    assert len(moved.manifests) == 2


def test_a_tag_that_is_removed_has_no_entry() -> None:
    table = TagTable.of(with_names(index(), {"v1": ONE, "v2": TWO, "v3": ONE}))
    assert table is not None
    without_v2 = TagChange(removes=lambda tag, _: tag == "v2")
    without_one = TagChange(removes=lambda _, digest: digest == ONE.digest)
    assert list(table.changed([without_v2]).digests) == ["v1", "v3"]
    removed = table.changed([without_one])
    assert removed.written() == json.dumps(with_names(index(), {"v2": TWO}))
    assert removed.digests == {"v2": TWO.digest}


def test_changes_are_made_one_after_the_other() -> None:
    table = TagTable.of(with_names(index(), {"v1": ONE}))
    assert table is not None
    removed = TagChange(removes=lambda tag, _: tag == "v1")
    assert table.changed([TagChange(tags={"v1": TWO}), removed]).digests == {}
    assert table.changed([removed, TagChange(tags={"v1": TWO})]).digests == {"v1": TWO.digest}


def test_annotations_of_the_whole_stay() -> None:
    annotated = Index(
        schema_version=2, media_type=OCI_INDEX, manifests=(), annotations={"kept": "yes"}
    )
    table = TagTable.of(annotated)
    assert table is not None
    assert table.changed([TagChange(tags={"v1": ONE})]).written() == json.dumps(
        with_names(annotated, {"v1": ONE})
    )


def test_what_another_tool_put_there_is_left_to_it() -> None:
    platform = with_names(index(), {"host/app:v1": ONE})
    assert TagTable.of(platform) is None
    assert TagTable.of(index(ONE)) is None
    twice = with_names(index(), {"v1": ONE}).manifests + with_names(index(), {"v1": TWO}).manifests
    assert TagTable.of(index(*twice)) is None
