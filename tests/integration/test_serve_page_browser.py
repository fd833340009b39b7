"""The registry's page in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from manyfest.serve.policy import Policy
from manyfest.serve.server import running
from manyfest.stores.layout import LayoutStore
from tests import images, real
from tests.gates import gate

pytestmark = pytest.mark.real

ADA = {"username": "ada", "password": "swordfish"}


@pytest.fixture
def browser() -> Iterator[Browser]:
    real.need_programs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A registry with an image that anyone may read, and one that Ada may."""
    real.need_programs("skopeo")
    images.make(LayoutStore(tmp_path / "app"), "index", "v1")
    with running(tmp_path / "registry", policy=Policy(gate=gate(tmp_path / "access"))) as address:
        for name in ("secret/app", "tools"):
            real.output_of(
                "skopeo", "copy", "--all", "--dest-tls-verify=false", "--dest-creds=ada:swordfish",
                f"oci:{tmp_path}/app:v1", f"docker://{address}/{name}:v1",
            )  # fmt: skip
        yield address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_people_log_in_and_look_without_scripts(
    browser: Browser, address: str, scheme: str
) -> None:
    context = browser.new_context(
        java_script_enabled=False,
        color_scheme="dark" if scheme == "dark" else "light",
        http_credentials=ADA,  # type: ignore[arg-type]
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"http://{address}/")
    assert page.locator("li").all_inner_texts() == ["tools"]
    page.click("text=Log in")
    assert page.locator("li").all_inner_texts() == ["secret/app", "tools"]
    page.click("text=secret/app")
    platforms = page.locator(".platforms span").all_inner_texts()
    assert [each.split()[0] for each in platforms] == [
        "linux/amd64", "linux/arm64", "linux/arm/v7",
    ]  # fmt: skip
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark is (scheme == "dark")
    assert (colour == "rgb(255, 255, 255)") is (scheme == "light")
    assert said == []


def test_nothing_stands_in_the_way_of_anybody(browser: Browser, address: str) -> None:
    context = browser.new_context(bypass_csp=True, http_credentials=ADA)  # type: ignore[arg-type]
    page = context.new_page()
    for path in ("/", "/?login", "/repositories/tools"):
        page.goto(f"http://{address}{path}")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
