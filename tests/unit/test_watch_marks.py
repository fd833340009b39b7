"""Numbers that no database counts up to begin no page."""

from __future__ import annotations

import pytest

from manyfest.watch.history.read.events import Mark
from manyfest.watch.web.api import cursors
from manyfest.watch.web.api.replies import Fault
from manyfest.watch.web.pages import history
from manyfest.watch.web.pages.view import NoSuchPage


@pytest.mark.parametrize("number", [2**63, 10**30, -1])
def test_a_program_that_hands_back_another_number_is_told(number: int) -> None:
    with pytest.raises(Fault):
        cursors.mark(cursors.of_mark(Mark(1.0, number)))


def test_a_page_begins_after_the_largest_number_that_there_may_be() -> None:
    mark = Mark(1.5, 2**63 - 1)
    assert cursors.mark(cursors.of_mark(mark)) == mark


@pytest.mark.parametrize("text", ["1.5-9999999999999999999", "1.5-", "1.5", "x-1", "1.5-x"])
def test_an_address_with_another_number_is_of_no_page(text: str) -> None:
    with pytest.raises(NoSuchPage):
        history._mark(text)


def test_an_address_says_where_a_page_ended() -> None:
    assert history._mark("1.5-7") == Mark(1.5, 7)
