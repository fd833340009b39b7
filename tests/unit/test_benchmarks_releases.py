"""What counts as a release of which all was done."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.measure import Failed
from benchmarks.releases import only_looked

LINE = '127.0.0.1 - - [26/Nov/2026:18:20:18 +0000] "{} HTTP/1.1" 200 0 "" "manyfest/0.1.0"\n'


def log(folder: Path, *requests: str) -> list[Path]:
    path = folder / "requests"
    path.write_text("".join(map(LINE.format, requests)))
    return [path]


def test_questions_are_no_work(tmp_path: Path) -> None:
    only_looked(
        log(tmp_path, "HEAD /v2/app/manifests/latest", "GET /v2/app/tags/list?n=1000", "GET /v2/")
    )


@pytest.mark.parametrize(
    "request_line",
    [
        "PUT /v2/app/manifests/latest",
        "POST /v2/app/blobs/uploads/",
        f"GET /v2/app/blobs/sha256:{'0' * 64}",
        "GET /v2/app/manifests/latest",
    ],
)
def test_what_changes_or_fetches_something_is(tmp_path: Path, request_line: str) -> None:
    with pytest.raises(Failed, match=request_line):
        only_looked(log(tmp_path, "HEAD /v2/app/manifests/latest", request_line))


def test_no_request_at_all_means_that_nobody_looked(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="nothing"):
        only_looked(log(tmp_path))
