from __future__ import annotations

from itertools import islice

import pytest

from manyfest.pauses import growing_pauses


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [(1.0, [1.0, 1.5, 2.25, 3.0, 3.0]), (0.0, [0.5, 0.75, 1.125, 1.5, 1.5])],
)
def test_pauses_grow_up_to_the_longest(jitter: float, expected: list[float]) -> None:
    assert list(islice(growing_pauses(1.0, 3.0, lambda: jitter), 5)) == expected
