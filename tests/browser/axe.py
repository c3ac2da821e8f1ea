"""axe-core on a page: what it finds that is serious, and headings that leave out a level.

What is Streamlit's own (1.67) and cannot be mended from here is in ``ALLOWED``: rule -> the element, and why.
"""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.waiting import PATIENCE

#: On a narrow screen the pages' names are a list in the sidebar, whose groups Streamlit puts into it as <div>, not as <li>.
_NAVIGATION = '[data-testid="stSidebarNav"], [data-testid="stSidebarNavItems"], [data-testid="stSidebarNavItems"] *'
ALLOWED = {"list": _NAVIGATION, "listitem": _NAVIGATION}
SCAN = """async ([allowed, rules]) => {
  const found = await axe.run(document, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) });
  const own = (rule, node) => !(allowed[rule] && document.querySelector(node.target[0])?.matches(allowed[rule]));
  return found.violations.filter(({ id, impact }) => id === "heading-order" || ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.filter((node) => own(id, node)).map((node) => `${id}: ${node.html.slice(0, 200)}`));
}"""
_FADED = "() => document.getAnimations().every((each) => !(each instanceof CSSTransition) || each.playState !== 'running')"


def violations(page: Page, *rules: str) -> list[str]:
    """What these rules find on a page as it stands; without rules, all of them."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(SCAN, [ALLOWED, list(rules) or None])


def violations_in_both_themes(page: Page) -> list[str]:
    """What is found in the light theme, and what is too pale in the dark one, which differs in its colours alone."""
    found = []
    for theme, rules in (("light", ()), ("dark", ("color-contrast", "link-in-text-block"))):
        page.emulate_media(color_scheme=theme)
        expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", theme, timeout=PATIENCE * 1000)
        page.wait_for_function(_FADED)  # colours fade from one theme to the other
        found += [f"{theme}: {each}" for each in violations(page, *rules)]
    return found
