from __future__ import annotations

from playwright.sync_api import Page, expect

from ui.conftest import Opener

CONF = """[Interface]
PrivateKey = 6Mxx0CVdpAJZ5E6vSpcfVHLVm1pGyKJGqgr0YyzQY1c=
Address = 10.9.0.2/32
DNS = 10.9.0.1
[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = vpn.example.org:51820
"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on what is called `name`, which must be visible and marked."""
    script = """() => { const e = document.activeElement; return e.getAttribute('aria-label')
        || (e.labels && e.labels[0] ? e.labels[0].innerText : e.innerText) || '' }"""
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(str(page.evaluate(script)).strip().split("\n")[0])
        if seen[-1].startswith(name):
            outline = page.evaluate("""() => { const o = e => getComputedStyle(e).outlineStyle; const e = document.activeElement;
                return o(e) !== 'none' || o(e.parentElement) !== 'none' }""")
            assert outline, f"{name}: the focus can't be seen"
            return
    raise AssertionError(f"Tab never reached {name!r}: {seen}")


def test_import_connect_find_a_line_disconnect(opened: Opener) -> None:
    """A whole visit without a pointer."""
    page = opened(scene="empty")
    page.evaluate("fake.pace = 50")
    tab_to(page, "Add a profile")
    page.keyboard.press("Enter")
    tab_to(page, "Paste text")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Text of the profile")).to_be_focused()
    page.keyboard.insert_text(CONF)
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Berlin")
    expect(page.locator("#judgement")).to_contain_text("vpn.example.org:51820")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Connect to Berlin")).to_be_visible()

    page.keyboard.press("Control+k")
    page.keyboard.type("berl")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Protected through Berlin")

    page.keyboard.press("Control+k")
    page.keyboard.type("log")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row").first).to_be_visible()
    tab_to(page, "Lines with this text")
    page.keyboard.type("vanished")
    expect(page.get_by_role("row")).to_have_count(4)
    expect(page.get_by_role("row").first).to_contain_text("vanished, put back")

    page.keyboard.press("Control+k")
    page.keyboard.type("status")
    page.keyboard.press("Enter")
    tab_to(page, "Disconnect")
    page.keyboard.press("Space")
    expect(page.locator("h1")).to_have_text("Not protected")
    assert [each["type"] for each in page.evaluate("fake.asked")].count("disconnect") == 1


def test_every_control_is_reached_and_left(opened: Opener) -> None:
    """Tab goes through a page and out of it again: nothing keeps the focus."""
    for name in ("status", "profiles", "devices", "logs", "health", "settings"):
        page = opened(name, scene="connected")
        page.locator("h1").wait_for()
        wanted = page.evaluate("""[...document.querySelectorAll('button, input, select, textarea, [tabindex="0"]')]
            .filter(e => !e.disabled && e.checkVisibility() && !(e.type === 'radio' && !e.checked)).length""")
        reached = set()
        for _ in range(wanted + 3):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate("""() => { const e = document.activeElement; e.dataset.n ||= String(Math.random());
                return e === document.body ? '' : e.dataset.n }""")
            )
        assert len(reached - {""}) >= wanted, name


def test_a_dialog_gives_the_focus_back(opened: Opener) -> None:
    """Escape closes it, and the focus is where it was."""
    page = opened("settings")
    page.get_by_label("Always").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Always")).to_be_focused()
    expect(page.get_by_label("While connected")).to_be_checked()
