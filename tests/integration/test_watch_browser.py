"""The pages of a watch in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from manyfest.watch.history.history import History
from tests import gotify_story, real
from tests.running_watch import RunningWatch
from tests.serving_pages import served

Open = Callable[..., Page]

LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((390, "light"), (1180, "dark"))
"""A phone by day, and a desk at night."""
PAGES = {
    "overview": "/",
    "image": "/images/gotify/server",
    "version": "/images/gotify/server/2.6.1",
    "complete": "/images/gotify/server/2.6.0",
    "registry": "/registries/mirror.example.org",
    "history": "/history",
    "search": "/search?q=2.6",
    "missing": "/images/nothing",
    "sign-in": "/sign-in",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    real.need_programs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The story up to where 2.6.1 is on its way; nothing happens any more. Its address."""
    folder = tmp_path_factory.mktemp("story")
    with (
        History.open(str(folder / "history.db")) as history,
        served(gotify_story.tell(history)) as address,
    ):
        yield address


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[RunningWatch]:
    """A watch whose 2.6.1 is on its way, without what was before it."""
    with History.open(str(tmp_path / "history.db")) as history:
        yield gotify_story.begin(history)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens an address; a page that complains, or asks for what is not there, fails the test."""
    contexts, faults = [], list[str]()

    def open_it(address: str, **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    expected = "status of 404", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING"
    assert [each for each in faults if not any(word in each for word in expected)] == []


class TestTheWay:
    def test_from_the_answer_to_the_line_that_pulls(self, told: str, open_page: Open) -> None:
        page = open_page(told)
        expect(page).to_have_title("1 on the way · Releases")
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "Partly complete: 1 version on the way"
        )
        page.get_by_role("grid", name="gotify/server 2.6.1").get_by_role(
            "row", name="arm64"
        ).get_by_role("link", name="ready").click()
        expect(page).to_have_url(re.compile("/images/gotify/server/2.6.1#p1-2$"))
        there = page.locator("li:target")
        expect(there).to_contain_text("linux/arm64")
        expect(there.locator("code")).to_have_text(
            re.compile("^docker pull docker.io/gotify/server@sha256:[0-9a-f]{64}$")
        )

    def test_a_line_is_copied(self, told: str, open_page: Open) -> None:
        page = open_page(
            f"{told}/images/gotify/server/2.6.0", permissions=["clipboard-read", "clipboard-write"]
        )
        name = "Copy the command for linux/386 from ghcr.io/gotify/server"
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("status")).to_have_text("Copied.")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert re.fullmatch("docker pull ghcr.io/gotify/server@sha256:[0-9a-f]{64}", copied)

    def test_search_and_history(self, told: str, open_page: Open) -> None:
        page = open_page(told)
        page.get_by_role("searchbox").fill("server 2.6")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="gotify/server 2.6.0").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("gotify/server 2.6.0")
        page.get_by_role("link", name="History").click()
        page.locator("select[name=kind]").select_option("soaked")
        page.get_by_role("button", name="Show", exact=True).click()
        rows = page.locator("tbody tr")
        expect(rows.first).to_contain_text("gotify/cli 1.2.0")
        expect(rows.filter(has_not_text="soaked")).to_have_count(0)

    def test_the_picture_has_a_table_beside_it(self, told: str, open_page: Open) -> None:
        page = open_page(f"{told}/images/gotify/server/2.6.0")
        expect(page.get_by_role("img", name="How it became complete")).to_be_visible()
        page.get_by_text("The same as a table").click()
        expect(page.get_by_role("cell", name="everywhere").first).to_be_visible()


class TestLive:
    def test_a_version_becomes_complete_while_somebody_looks(
        self, watch: RunningWatch, open_page: Open
    ) -> None:
        with served(watch) as address:
            page = open_page(address)
            expect(page.locator("#link")).to_have_text("live")
            page.evaluate("window.isTheSame = true")
            cell = page.get_by_role("grid", name="gotify/server 2.6.1").get_by_role("link").first
            cell.focus()
            key = cell.get_attribute("data-key")
            gotify_story.finish(watch)
            expect(page.get_by_role("heading", level=1)).to_have_text(
                "All versions are complete everywhere"
            )
            expect(page).to_have_title("Complete · Releases")
            expect(page.locator("#icon")).to_have_attribute("href", re.compile("icon-good.svg"))
            expect(page.get_by_role("status")).to_contain_text(
                "gotify/server 2.6.1 is complete everywhere, 23 min after it was first seen."
            )
            assert page.evaluate("document.activeElement.dataset.key") == key
            assert page.evaluate("window.isTheSame")

    def test_what_is_open_stays_open(self, watch: RunningWatch, open_page: Open) -> None:
        with served(watch) as address:
            page = open_page(f"{address}/images/gotify/server/2.6.1")
            expect(page.locator("#link")).to_have_text("live")
            page.get_by_text("The same as a table").click()
            gotify_story.finish(watch)
            expect(page).to_have_title("Complete · gotify/server 2.6.1 · Releases")
            expect(page.locator("tr.whole", has_text="everywhere")).to_be_visible()

    def test_a_page_catches_up_when_the_watch_was_away(
        self, watch: RunningWatch, open_page: Open
    ) -> None:
        port = real.free_port()
        with served(watch, port) as address:
            page = open_page(address)
            expect(page.locator("#link")).to_have_text("live")
        expect(page.locator("#link")).to_have_text("connecting again")
        gotify_story.finish(watch)
        with served(watch, port):
            expect(page).to_have_title("Complete · Releases", timeout=20_000)
            expect(page.locator("#link")).to_have_text("live")


class TestKeyboard:
    def test_the_bars_of_a_registry_are_one_stop(self, told: str, open_page: Open) -> None:
        page = open_page(told)
        page.get_by_role("link", name="ghcr.io", exact=True).last.focus()
        page.keyboard.press("Tab")
        _expect_focus(page, "26 November 2026: all answers came")
        page.keyboard.press("ArrowLeft")
        _expect_focus(page, "25 November 2026: all answers came")
        picked = page.get_by_role("article").filter(has_text="ghcr.io").locator("[data-picked]")
        expect(picked.last).to_have_text("25 November 2026: all answers came")
        page.keyboard.press("Home")
        _expect_focus(page, "29 August 2026: all answers came")
        page.keyboard.press("ArrowLeft")
        _expect_focus(page, "29 August 2026: all answers came")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "mirror.example.org"
        page.keyboard.press("Shift+Tab")
        _expect_focus(page, "29 August 2026: all answers came")

    def test_a_phone_has_bars_for_a_month(self, told: str, open_page: Open) -> None:
        page = open_page(told, viewport={"width": 390, "height": 844})
        bars = page.get_by_role("group", name=re.compile("^ghcr.io")).get_by_role("button")
        expect(bars).to_have_count(30)
        page.get_by_role("link", name="ghcr.io", exact=True).last.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Home")
        _expect_focus(page, "28 October 2026: all answers came")

    def test_a_grid_is_one_stop(self, told: str, open_page: Open) -> None:
        page = open_page(told)
        version = page.get_by_role("heading", name="2.6.1").get_by_role("link")
        version.focus()
        page.keyboard.press("Tab")
        assert _cell(page) == "p1-1"
        for key, place in (
            ("ArrowDown", "p1-2"),
            ("ArrowRight", "p2-2"),
            ("ArrowRight", "p3-2"),
            ("ArrowRight", "p3-2"),
            ("ArrowUp", "p3-1"),
            ("ArrowUp", "p3-1"),
            ("Home", "p1-1"),
            ("End", "p3-1"),
        ):
            page.keyboard.press(key)
            assert _cell(page) == place
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "2.6.0"
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("2.6.1#p3-1$"))

    def test_the_content_is_one_key_away(self, told: str, open_page: Open) -> None:
        page = open_page(told)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def _expect_focus(page: Page, name: str) -> None:
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == name


def _cell(page: Page) -> str:
    return str(page.evaluate("document.activeElement.dataset.key.split('#')[1]"))


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(told: str, open_page: Open, name: str) -> None:
    page = open_page(told + PAGES[name])
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page)
        assert found.response["violations"] == [], found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_javascript_all_is_there(told: str, open_page: Open) -> None:
    page = open_page(told, java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Partly complete: 1 version on the way"
    )
    page.get_by_text("Legend").click()
    expect(page.get_by_text("it is listed, but a part of it is not there yet")).to_be_visible()
    page.get_by_role("link", name="2.6.1", exact=True).click()
    expect(page.locator("code", has_text="docker pull")).not_to_have_count(0)
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("cell", name="anywhere")).to_be_visible()
    page.get_by_role("searchbox").fill("2.5")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="gotify/server 2.5.1").click()
    expect(page).to_have_title("Complete · gotify/server 2.5.1 · Releases")
