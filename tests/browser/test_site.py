"""The documentation site, as `make docs` builds it, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest_plugins = ["chromium"]

SITE = Path(__file__).parents[2] / "site"
PAGES = sorted(path.relative_to(SITE).parent.as_posix() for path in SITE.glob("**/index.html"))


@pytest.fixture
def site(serve: Callable[[Path], str]) -> str:
    """Return the address of the site."""
    if not PAGES:
        pytest.skip("the site is not built; `make test-browser` builds it")
    return serve(SITE)


def test_a_search_leads_to_a_page_about_it(page: Page, site: str) -> None:
    page.goto(site)
    field = page.get_by_role("combobox", name="Search", include_hidden=True)
    field.wait_for(state="attached")  # the page's program makes it
    page.keyboard.press("/")
    field.fill("partial")
    page.locator("a[href*='h=partial']").first.click()
    page.wait_for_url(lambda url: url.partition("?")[0] != site)
    assert page.locator("article mark").first.inner_text().lower() == "partial"


def test_every_page_opens_and_loads_nothing_from_elsewhere(page: Page, site: str) -> None:
    for name in PAGES:
        page.goto(site + name)
        assert page.locator("article h1").count() == 1, name
