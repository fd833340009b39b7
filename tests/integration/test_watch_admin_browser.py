"""Signing in and what one may do then, in a real browser: Debian's Chromium, without any script of
ours; and badges as it draws them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from manyfest.watch.values import Incident
from manyfest.watch.web.api.svg import badge
from tests import real
from tests.serving_pages import served
from tests.unit.watch_web import PASSWORD, Watch, image, keep_user, state
from tests.unit.watching import NOW


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    real.need_programs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """A watch with an image of the file's and one of the page's, and an incident."""
    watch = Watch(tmp_path)
    watch.watch(image(), image("gotify/cli", ["ghcr.io/gotify/cli"], origin="page"))
    watch.knows(
        state(),
        opened=[Incident(kind="unreachable", began=NOW - 60, cause="refused", registry="ghcr.io")],
    )
    keep_user(watch, "ada")
    yield watch
    watch.history.close()


@pytest.fixture
def address(watch: Watch) -> Iterator[str]:
    with served(cast("Any", watch)) as address:
        yield address


def sign_in(page: Page, address: str, password: str = PASSWORD) -> None:
    page.goto(f"{address}/admin")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_all_of_it_works_without_any_script(browser: Browser, watch: Watch, address: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    sign_in(page, address, "wrong")
    expect(page.get_by_role("alert")).to_have_text(
        "There is no user of this name with this password."
    )
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{address}/admin")

    page.get_by_role("button", name="Pause: gotify/server").click()
    expect(page.get_by_role("row", name="gotify/server")).to_contain_text("paused since")
    page.get_by_role("button", name="Resume: gotify/server").click()
    expect(page.get_by_role("row", name="gotify/server")).not_to_contain_text("paused since")
    page.get_by_role("button", name="Take note").click()
    expect(page.get_by_text("ada took note of it")).to_be_visible()

    page.get_by_label("Repositories that each version").fill("quay.io/team/app")
    page.get_by_label("Platforms that each version").fill("linux/amd46")
    page.get_by_role("button", name="Watch it").click()
    expect(page.get_by_role("alert")).to_contain_text("unknown architecture")
    page.get_by_label("Platforms that each version").fill("linux/amd64\nlinux/arm64")
    page.get_by_role("button", name="Watch it").click()
    expect(page.get_by_role("row", name="team/app")).to_contain_text("this page")
    page.get_by_role("button", name="Remove: team/app").click()
    expect(page.get_by_role("row", name="team/app")).to_have_count(0)

    page.get_by_role("link", name="API tokens").click()
    page.get_by_label("What it is for").fill("CI")
    page.get_by_label("read and write").check()
    page.get_by_role("button", name="Make it").click()
    token = page.locator(".done code").inner_text()
    assert re.fullmatch(r"mfw_[A-Za-z0-9_-]{43}", token)
    page.get_by_role("button", name="Revoke: CI").click()
    expect(page.get_by_text("You have none.")).to_be_visible()

    page.get_by_role("button", name="Sign out ada").click()
    page.goto(f"{address}/admin")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (390, "light"),
    (1180, "light"),
    (1180, "dark"),
)


@pytest.mark.parametrize(("width", "colours"), LOOKS)
def test_axe_has_nothing_to_say(
    browser: Browser, address: str, width: int, colours: Literal["light", "dark"]
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=colours, bypass_csp=True
    )
    page = context.new_page()
    sign_in(page, address, "wrong")
    found = {"sign-in": faults(page)}
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    for path in ("/admin", "/admin?done=paused", "/admin/tokens"):
        page.goto(f"{address}{path}")
        found[path] = faults(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert found == {name: [] for name in found}
    context.close()


def faults(page: Page) -> list[str]:
    """What axe finds, a line each."""
    results = Axe().run(page)
    return [
        f"{each['id']}: {node['html']}"
        for each in results.response["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("font", ["DejaVu Sans", "DejaVu Serif", "monospace"])
def test_the_words_of_a_badge_stay_in_their_boxes(browser: Browser, font: str) -> None:
    page = browser.new_page()
    drawn = badge("gotify/server 2.6.1 WWW-mmm.iii", "1 of 12 platforms", "amber").decode()
    page.set_content(drawn.replace("DejaVu Sans,Verdana", font))
    boxes = page.evaluate(
        """() => ["rect", "text"].map(name => [...document.querySelectorAll(`g > ${name}`)]
        .map(each => each.getBBox()).map(each => [each.x, each.x + each.width]))"""
    )
    for (left, right), (start, end) in zip(*boxes, strict=True):
        assert left + 4 <= start
        assert end <= right - 4


def test_text_is_as_wide_as_the_font_has_it(browser: Browser) -> None:
    """So letters are not squeezed where the reader has the font."""
    page = browser.new_page()
    label = "gotify/server 2.6.1 WWW-mmm.iii_@%&#"
    page.set_content(badge(label, "complete", "green").decode())
    drawn = page.evaluate(
        """() => [...document.querySelectorAll("text")].map(each => {
        const told = Number(each.getAttribute("textLength"));
        each.removeAttribute("textLength");
        return Math.abs(each.getComputedTextLength() - told); })"""
    )
    assert max(drawn) < 1
