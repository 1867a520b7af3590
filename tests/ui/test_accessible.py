from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.until import until
from ui.conftest import Opener

ALL_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = ("status", "profiles", "devices", "logs", "health", "settings")
STATES = (
    "disconnected", "connected", "warning", "off", "blocked", "connecting", "attempt3", "portal", "error", "error-open",
    "paused", "unknown", "no-helper", "locked", "not-permitted", "number", "empty",
)  # fmt: skip


def violations(page: Page, axe: str, *, colours_alone: bool = False) -> list[str]:
    """What axe-core finds by WCAG 2.2 AA and its best practices, a line each. `colours_alone`: the rest was looked at."""
    rules = ["color-contrast"] if colours_alone else ALL_RULES
    page.evaluate(f"window.axe || {axe}")
    found = page.evaluate(
        """async rules => (await axe.run(document, {runOnly: rules})).violations.flatMap(
        v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 120)} ${n.failureSummary}`))""",
        rules,
    )
    return [str(line) for line in found]


def both_themes(page: Page, axe: str, pictures: Path, name: str) -> list[str]:
    """What is found in light and dark, with a picture of each."""
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.screenshot(path=pictures / f"{name}-{theme}.png")
        found += violations(page, axe, colours_alone=theme == "dark")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_each_page_has_no_violation(name: str, opened: Opener, axe: str, pictures: Path) -> None:
    """Every page of a connected window, in both themes, wide and narrow."""
    page = opened(name, scene="warning")
    expect(page.locator("h1")).not_to_have_text("One moment…")
    assert both_themes(page, axe, pictures, name) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert both_themes(page, axe, pictures, f"{name}-narrow") == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scene", STATES)
def test_each_state_has_no_violation(scene: str, opened: Opener, axe: str, pictures: Path) -> None:
    """Every state and error of the Status page, in both themes."""
    page = opened(scene=scene)
    expect(page.locator("h1")).not_to_have_text("One moment…")
    assert both_themes(page, axe, pictures, f"state-{scene}") == []


def test_the_setting_wins_over_the_system(opened: Opener) -> None:
    """Light and dark by choice look as they do by the system's wish."""
    ground = "getComputedStyle(document.body).color"
    page = opened("settings", theme="dark")
    dark = page.evaluate(ground)
    page.get_by_label("Appearance", exact=True).select_option("light")
    until(lambda: page.evaluate(ground) != dark, 10, "it is light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) == light
    page.get_by_label("Appearance", exact=True).select_option("dark")
    until(lambda: page.evaluate(ground) == dark, 10, "it is dark")


def test_dialogs_have_no_violation(opened: Opener, axe: str, pictures: Path) -> None:
    """What opens above a page: the review of files, the palette, the editor with an error, the question before Always."""
    page = opened("profiles")
    page.evaluate(
        "fake.push({kind: 'open', files: [{name: 'x.conf', data: btoa('[Interface]\\nPrivateKey = k\\n[Peer]\\n')}]})"
    )
    expect(page.get_by_role("dialog")).to_contain_text("Add this profile?")
    assert both_themes(page, axe, pictures, "review") == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("listbox")).to_be_visible()
    assert both_themes(page, axe, pictures, "palette") == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Paste text").click()
    page.get_by_label("Text of the profile").fill("[Interface]\nnonsense\n")
    expect(page.locator("#judgement")).to_contain_text("line 2, column 1")
    assert both_themes(page, axe, pictures, "editor") == []
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Always").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing will leave this computer")
    assert both_themes(page, axe, pictures, "always") == []


def test_the_first_run_has_no_violation(opened: Opener, axe: str, pictures: Path) -> None:
    """All three steps."""
    page = opened(scene="first")
    for step in (1, 2, 3):
        expect(page.locator("body")).to_contain_text(f"Step {step} of 3")
        assert both_themes(page, axe, pictures, f"first-{step}") == []
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
