from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import manyfest.stores.registry.pages
from manyfest.errors import RegistryError
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Response
from manyfest.stores.registry.pages import Pages, read_names

URL = "https://ghcr.io/v2/team/app/tags/list"
FIRST = f"{URL}?n=1000"


def page(*names: str, following: str = "") -> Response:
    link = {"Link": f'<{following}>; rel="next"'} if following else {}
    return Response(200, json.dumps({"tags": names}).encode(), headers=Headers(link))


class Registry:
    """Gives these pages, one after the other, and keeps what it was asked."""

    def __init__(self, *pages: Response | Callable[[], Response]) -> None:
        self.pages = list(pages)
        self.asked: list[str] = []

    def ask(self, url: str) -> Response:
        self.asked.append(url)
        answer = self.pages.pop(0)
        return answer if isinstance(answer, Response) else answer()

    def names(self) -> list[str]:
        return list(read_names(self.ask, URL, "tags", what="the list of tags", where="ghcr.io/app"))


def numbered(count: int, start: int = 0) -> list[str]:
    return [f"v{number:05}" for number in range(start, start + count)]


def test_a_thousand_names_are_asked_for_at_a_time() -> None:
    registry = Registry(page("v1"))
    assert registry.names() == ["v1"]
    assert registry.asked == [FIRST]


def test_a_list_goes_on_where_the_link_says() -> None:
    registry = Registry(page("v1", following="/v2/team/app/tags/list?last=v1&n=1000"), page("v2"))
    assert registry.names() == ["v1", "v2"]
    assert registry.asked[1] == f"{URL}?last=v1&n=1000"


def test_a_link_may_be_relative_to_the_page() -> None:
    registry = Registry(page("v1", following="list?last=v1"), page("v2"))
    assert registry.names() == ["v1", "v2"]
    assert registry.asked[1] == f"{URL}?last=v1"


def test_a_full_page_without_a_link_may_not_be_the_last() -> None:
    """Some registries cut a list off and do not say so."""
    registry = Registry(page(*numbered(1000)), page(*numbered(3, 1000)))
    assert registry.names() == numbered(1003)
    assert registry.asked == [FIRST, f"{FIRST}&last=v00999"]


def test_a_full_page_that_was_the_last_costs_one_request() -> None:
    registry = Registry(page(*numbered(1000)), page())
    assert registry.names() == numbered(1000)


def test_a_registry_that_does_not_know_last_is_not_asked_for_ever() -> None:
    registry = Registry(page(*numbered(1000)), page(*numbered(1000)))
    assert registry.names() == numbered(1000)
    assert len(registry.asked) == 2


def test_a_registry_that_gives_everything_at_once_is_asked_once() -> None:
    registry = Registry(page(*numbered(2500)))
    assert registry.names() == numbered(2500)


def test_names_are_read_as_they_are_wanted() -> None:
    registry = Registry(page("v1", following="?last=v1"), page("v2"))
    names = read_names(registry.ask, URL, "tags", what="it", where="here")
    assert next(names) == "v1"
    assert len(registry.asked) == 1


def test_a_page_that_came_before_ends_it() -> None:
    registry = Registry(page("v1", following="?a"), page("v2", following="?b"),
                        page("v3", following="?a"))  # fmt: skip
    with pytest.raises(RegistryError, match=r"^ghcr\.io/app: the list of tags does not end"):
        registry.names()
    assert len(registry.asked) == 3


def test_ever_new_pages_are_given_up_after_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.pages, "_MAX_SIZE", 200)
    count = iter(range(100))

    def another() -> Response:
        number = next(count)
        return page(f"v{number}", following=f"?last={number}")

    registry = Registry(*[another] * 100)
    with pytest.raises(RegistryError, match="the answer is longer than"):
        registry.names()
    assert len(registry.asked) < 15


def test_pages_are_counted() -> None:
    pages = Pages(URL, what="the list", where="here", most=3)
    pages.turn("?1")
    pages.turn("?2")
    with pytest.raises(RegistryError, match=r"^here: the list does not end"):
        pages.turn("?3")


def test_the_end_is_the_end() -> None:
    pages = Pages(URL, what="the list", where="here")
    assert pages.goes_on
    pages.turn("")
    assert not pages.goes_on


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"tags":[1]}', b'{"tags":"v1"}', b"\xff"])
def test_a_page_of_another_form_is_an_error(raw: bytes) -> None:
    with pytest.raises(RegistryError, match="the list of tags is not the specified JSON"):
        Registry(Response(200, raw)).names()


def test_an_endless_page_is_cut_off() -> None:
    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += size
            return b" " * size

        def close(self) -> None: ...

    endless = Endless()
    with pytest.raises(RegistryError, match="longer than 16777216 bytes"):
        Registry(Response(200, endless)).names()
    assert endless.given < 20_000_000
