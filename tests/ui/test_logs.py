from __future__ import annotations

from playwright.sync_api import Page, expect

from support.until import until
from ui.conftest import Opener

LINES = 100_000
# Whether every pixel row of the box that should show a line does: asked of the page itself, as it is painted.
BLANK = """() => {
    const box = document.querySelector('.box'), frame = box.getBoundingClientRect();
    const lines = Number(document.querySelector('[role=table]').getAttribute('aria-rowcount'));
    const end = Math.min(frame.top + box.clientHeight, frame.top - box.scrollTop + lines * 22);
    for (let y = frame.top + 2; y < end - 2; y += 11) {
        const found = document.elementFromPoint(frame.left + 60, y);
        if (!found || !found.closest('[role=row]')) return y;
    }
    return null;
}"""


def filled(opened: Opener) -> Page:
    """The page Logs with as many lines as it keeps."""
    page = opened("logs", scene="connected")
    expect(page.get_by_role("row").first).to_be_visible()
    page.evaluate(
        f"for (let i = 0; i < {LINES // 1000}; i += 1) fake.log(1000, n => ({{message: `line number ${{n}} here`}}))"
    )
    return page


def test_a_hundred_thousand_lines_scroll_without_blank_areas(opened: Opener) -> None:
    """Each frame of a long scroll, by wheel, by key and by jumps, shows lines everywhere; and few rows exist at any time."""
    page = filled(opened)
    box = page.locator(".box")
    box.hover()
    # Looks at each frame from inside, while the test scrolls from outside.
    page.evaluate(f"""() => {{ window.blank = []; const look = {BLANK};
        const frame = () => {{ const y = look(); if (y !== null) blank.push(y); window.frames_ = (window.frames_ || 0) + 1;
        requestAnimationFrame(frame) }}; requestAnimationFrame(frame) }}""")
    for delta in [-400] * 10 + [-5000] * 10 + [-100_000] * 10 + [900] * 10 + [60_000] * 10:
        page.mouse.wheel(0, delta)
    for key in ("Home", "End", "PageUp", "PageUp", "Home"):
        box.press(key)
    for share in (0.5, 0.1, 0.9, 0.3333, 0.99999):
        box.evaluate("(box, share) => { box.scrollTop = box.scrollHeight * share }", share)
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.evaluate(f"({BLANK})()") is None
    assert page.evaluate("frames_") > 10
    assert page.evaluate("blank") == []
    assert page.get_by_role("row").count() < 200


def test_the_last_line_is_seen_while_following(opened: Opener) -> None:
    """New lines scroll into sight until the reader scrolls back, and again from when they come to the end."""
    page = opened("logs", scene="connected")
    expect(page.get_by_role("row").first).to_be_visible()
    page.evaluate("fake.log(300, n => ({message: `first ${n}`}))")
    expect(page.get_by_text("first 340", exact=True)).to_be_in_viewport()
    box = page.locator(".box")
    box.hover()
    page.mouse.wheel(0, -2000)
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    before = box.evaluate("box => box.scrollTop")
    page.evaluate("fake.log(300, n => ({message: `second ${n}`}))")
    expect(page.locator(".count")).to_have_text("640 lines")
    assert box.evaluate("box => box.scrollTop") == before
    box.press("End")
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
    page.evaluate("fake.log(5, n => ({message: `third ${n}`}))")
    expect(page.get_by_text("third 645", exact=True)).to_be_in_viewport()


def test_a_thousand_lines_a_second_lose_none(opened: Opener) -> None:
    """A stream for some seconds: every number is there, in order, and the page still answers."""
    page = opened("logs", scene="connected", logs=1000)
    until(lambda: page.evaluate("fake.lines") > 6000, 60, "some thousand lines have come")
    page.evaluate("fake.stopStream()")
    sent = page.evaluate("fake.lines")
    expect(page.locator(".count")).to_have_text(f"{sent:,} lines")
    page.get_by_role("button", name="Copy").click()
    until(lambda: page.evaluate("fake.copied !== ''"), 10, "the lines are copied")
    assert page.evaluate("fake.copied.trim().split('\\n').length") == sent


def test_what_is_read_stays_in_its_place_while_old_lines_go(opened: Opener) -> None:
    """Beyond the limit the oldest lines are cut off, above what the reader looks at."""
    page = filled(opened)
    box = page.locator(".box")
    box.evaluate("box => { box.scrollTop = 50_000 * 22 }")
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    script = """() => { const frame = document.querySelector('.box').getBoundingClientRect();
        return document.elementFromPoint(frame.left + 60, frame.top + 100).closest('[role=row]').innerText }"""
    seen = page.evaluate(script)
    page.evaluate("fake.log(1000, n => ({message: `late ${n}`}))")
    until(
        lambda: page.evaluate("Number(document.querySelector('[role=table]').ariaRowCount)") < LINES,
        10,
        "lines are cut",
    )
    until(lambda: page.evaluate(script) == seen, 10, "the same line is in the same place")


def test_pause_level_text_copy_and_save(opened: Opener) -> None:
    """The buttons do what they say, and what is copied and saved is what is shown."""
    page = opened("logs", scene="connected")
    expect(page.get_by_role("row")).to_have_count(40)
    page.get_by_role("button", name="Pause").click()
    page.evaluate("fake.log(10)")
    expect(page.get_by_text("new ones wait")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(40)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("row")).to_have_count(50)
    page.get_by_label("From which level up").select_option("warning")
    expect(page.get_by_role("row")).to_have_count(10)
    page.get_by_placeholder("Lines with this text").fill("TOOK")
    expect(page.get_by_role("row")).to_have_count(5)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved as /home/ann/slopn-log-")).to_be_visible()
    saved = page.evaluate("fake.saved[0].text").splitlines()
    assert len(saved) == 5
    assert all("warning" in line and "ms to answer" in line for line in saved)
    page.get_by_placeholder("Lines with this text").fill("nowhere")
    expect(page.get_by_text("No line passes the filter.")).to_be_visible()


def test_a_hidden_page_stops_the_stream(opened: Opener) -> None:
    """Leaving the page or hiding the window ends what Python must push."""
    page = opened("logs", scene="connected")
    expect(page.get_by_role("row").first).to_be_visible()
    assert page.evaluate("fake.following") is True
    page.get_by_role("button", name="Status").click()
    until(lambda: page.evaluate("fake.following") is False, 10, "the stream ends with the page")
    page.get_by_role("button", name="Logs").click()
    until(lambda: page.evaluate("fake.following") is True, 10, "and begins again")
    page.evaluate("""Object.defineProperty(document, 'hidden', {value: true, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'))""")
    until(lambda: page.evaluate("fake.following") is False, 10, "the stream ends while nobody looks")
