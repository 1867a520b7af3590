from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.until import until
from ui.conftest import Opener

PAGES = ("status", "profiles", "devices", "logs", "health", "settings")
STATES = (
    "disconnected", "connected", "warning", "off", "blocked", "connecting", "attempt3", "portal", "error", "error-open",
    "paused", "unknown", "no-helper", "not-permitted", "number", "empty",
)  # fmt: skip


def violations(page: Page, axe: str) -> list[str]:
    """What axe-core finds by WCAG 2.2 AA and its best practices, a line each."""
    page.evaluate(axe)
    found = page.evaluate(
        """async () => (await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa",
        "best-practice"]})).violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 120)} ${n.failureSummary}`))"""
    )
    return [str(line) for line in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_each_page_has_no_violation(name: str, theme: str, opened: Opener, axe: str, pictures: Path) -> None:
    """Every page of a connected window, in both themes, wide and narrow."""
    page = opened(name, scene="warning", theme=theme)
    expect(page.locator("h1")).not_to_have_text("One moment…")
    page.screenshot(path=pictures / f"{name}-{theme}.png")
    assert violations(page, axe) == []
    page.set_viewport_size({"width": 360, "height": 740})
    page.screenshot(path=pictures / f"{name}-{theme}-narrow.png")
    assert violations(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("scene", STATES)
def test_each_state_has_no_violation(scene: str, theme: str, opened: Opener, axe: str, pictures: Path) -> None:
    """Every state and error of the Status page, in both themes."""
    page = opened(scene=scene, theme=theme)
    expect(page.locator("h1")).not_to_have_text("One moment…")
    page.screenshot(path=pictures / f"state-{scene}-{theme}.png")
    assert violations(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dialogs_have_no_violation(theme: str, opened: Opener, axe: str, pictures: Path) -> None:
    """What opens above a page: the review of files, the palette, the editor with an error, the question before Always."""
    page = opened("profiles", theme=theme)
    page.evaluate("fake.push({kind: 'open', files: [{name: 'x.conf', data: btoa('[Interface]\\nPrivateKey = k\\n[Peer]\\n')}]})")
    expect(page.get_by_role("dialog")).to_contain_text("Add this profile?")
    assert violations(page, axe) == []
    page.screenshot(path=pictures / f"review-{theme}.png")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("listbox")).to_be_visible()
    assert violations(page, axe) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Paste text").click()
    page.get_by_label("Text of the profile").fill("[Interface]\nnonsense\n")
    expect(page.locator("#judgement")).to_contain_text("line 2, column 1")
    page.screenshot(path=pictures / f"editor-{theme}.png")
    assert violations(page, axe) == []
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Always").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing will leave this computer")
    assert violations(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_first_run_has_no_violation(theme: str, opened: Opener, axe: str, pictures: Path) -> None:
    """All three steps."""
    page = opened(scene="first", theme=theme)
    for step in (1, 2, 3):
        expect(page.locator("body")).to_contain_text(f"Step {step} of 3")
        page.screenshot(path=pictures / f"first-{step}-{theme}.png")
        assert violations(page, axe) == []
        page.get_by_role("button", name={1: "Next", 2: "Later", 3: "Done"}[step]).click()
    expect(page.locator("h1")).to_have_text("Not protected")


def test_axe_sees_what_is_wrong(opened: Opener, axe: str) -> None:
    """The search above would find a button without a name and text that is too pale."""
    page = opened()
    page.evaluate("document.querySelector('main').innerHTML += '<button></button>'")
    assert any(line.startswith("button-name") for line in violations(page, axe))


def test_nothing_moves_with_reduced_motion(opened: Opener) -> None:
    """No animation runs for whoever has asked for none; there is one otherwise."""
    running = "document.getAnimations().length"
    assert opened(scene="connecting").evaluate(running) == 0
    moving = opened(scene="connecting", motion="no-preference")
    until(lambda: moving.evaluate(running) > 0, 10, "something moves")


def test_the_state_is_read_out_once(opened: Opener) -> None:
    """The live region says a state when it is reached, and stays as it is while seconds pass."""
    page = opened(scene="paused")
    live = page.get_by_test_id("live")
    expect(live).to_contain_text("Paused")
    page.evaluate("""window.said = 0; new MutationObserver(() => window.said += 1)
        .observe(document.querySelector('[data-testid=live]'), {subtree: true, characterData: true, childList: true})""")
    before = page.locator("h1").inner_text()
    until(lambda: page.locator("h1").inner_text() != before, 10, "a second passes")
    assert page.evaluate("said") == 0
    page.evaluate("fake.show('connected')")
    expect(live).to_contain_text("Protected through Berlin")
