"""The pages are the same whether the history is SQLite's or PostgreSQL's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manyfest.watch.history.history import History
from manyfest.watch.web.pages.page import Page
from manyfest.watch.web.pages.site import Site
from tests import gotify_story
from tests.postgresql import running_postgresql

PAGES: list[tuple[str, dict[str, str]]] = [
    ("/", {}),
    ("/", {"after": "gotify/cli"}),
    ("/images/gotify/server", {}),
    ("/images/gotify/server", {"below": "2.6.0"}),
    ("/images/gotify/server", {"above": "2.4.0"}),
    ("/images/gotify/server/2.6.1", {}),
    ("/images/gotify/server/2.3.0", {}),
    ("/registries/mirror.example.org", {}),
    ("/history", {}),
    ("/history", {"kind": "complete"}),
    ("/history", {"image": "gotify/cli", "kind": "platform ready"}),
    ("/history", {"registry": "mirror.example.org"}),
    ("/search", {"q": "GOTIFY/Server 2.6"}),
    ("/search", {"q": "_"}),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Site]]:
    """The same story, in each."""
    file = tmp_path_factory.mktemp("sqlite") / "history.db"
    with (
        running_postgresql() as server,
        History.open(str(file)) as sqlite,
        History.open(server.new_database()) as postgresql,
    ):
        yield Site(gotify_story.tell(sqlite)), Site(gotify_story.tell(postgresql))


@pytest.mark.parametrize(("path", "query"), PAGES)
def test_a_page(both: tuple[Site, Site], path: str, query: dict[str, str]) -> None:
    sqlite, postgresql = (site.page(path, query) for site in both)
    assert _html(sqlite) == _html(postgresql)


def _html(page: Page) -> dict[str, str]:
    return {each.name: each.html for each in page.fragments}
