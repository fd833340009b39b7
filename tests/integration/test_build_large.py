"""A file of more than 8 GiB, which a plain tar header cannot hold. It is sparse: nearly nothing of
it is on the disk, before as after."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress
from manyfest.layers.read import read_entries
from tests import real
from tests.unit.building import Bench

pytestmark = pytest.mark.real

SIZE = 8 * 1024**3 + 5


def test_a_file_of_more_than_8_gib(tmp_path: Path) -> None:
    real.need_programs("tar", "zstd")
    bench = Bench(tmp_path)
    bench.context.mkdir()
    with (bench.context / "large").open("wb") as large:
        large.truncate(SIZE - 3)
        large.seek(0, 2)
        large.write(b"end")
    request = bench.request("FROM scratch\nCOPY large /\n", args={})
    built = bench.run(replace(request, compression=Compression.ZSTD))
    (layer,) = built.platforms[0].manifest.image.layers

    assert layer.size < 2 * 1024**2
    with closing(built.source.open(layer)) as blob:
        entry, _ = next(read_entries(decompress(blob)))
        assert (entry.name, entry.size) == ("large", SIZE)
    blob_path = bench.folder / "work1/blobs/sha256" / layer.digest.hex
    listed = real.output_of("tar", "--zstd", "--occurrence=1", "-tvf", blob_path, "large")
    assert listed.split()[2] == str(SIZE)
