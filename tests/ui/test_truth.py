from __future__ import annotations

import gzip
import html
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from support.until import until
from tools import ui
from tools.console import ROOT
from ui.conftest import Opener


def test_nothing_is_shown_as_done_before_the_helper_says_so(opened: Opener) -> None:
    """A helper that takes a command and then is silent: the page shows what it showed before."""
    page = opened("settings")
    page.evaluate("fake.tell = () => undefined")
    switch = page.get_by_role("switch", name="Local network stays reachable")
    switch.click()
    until(lambda: any(each["type"] == "apply_settings" for each in page.evaluate("fake.asked")), 10, "it was asked")
    expect(switch).to_be_enabled()
    expect(switch).to_have_attribute("aria-checked", "false")
    page.get_by_role("radio", name="Off").click()
    until(lambda: len(page.evaluate("fake.asked")) == 2, 10, "it was asked")
    expect(page.get_by_label("While connected")).to_be_checked()
    page.get_by_role("button", name="Status").click()
    page.get_by_role("button", name="Connect", exact=True).click()
    until(lambda: page.evaluate("fake.asked.at(-1).type") == "connect", 10, "it was asked")
    expect(page.get_by_role("button", name="Connect", exact=True)).to_be_enabled()
    expect(page.locator("h1")).to_have_text("Not protected")


def test_a_refusal_is_said_where_it_was_asked(opened: Opener) -> None:
    """The helper's own sentence, and everything as it was."""
    page = opened()
    page.evaluate("fake.refuse = 'Too much at once; try again in a minute.'")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="Too much at once")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Not protected")


def test_settings_are_sent_whole_and_against_those_that_are_known(opened: Opener) -> None:
    """So that nobody undoes another's change unseen."""
    page = opened("settings")
    page.get_by_role("switch", name="Local network stays reachable").click()
    expect(page.get_by_role("switch", name="Local network stays reachable")).to_have_attribute("aria-checked", "true")
    (command,) = [each for each in page.evaluate("fake.asked") if each["type"] == "apply_settings"]
    assert command["settings"] == {**command["instead_of"], "allow_lan": True}
    page.get_by_label("Never through the tunnel").fill("192.0.2.0/24\n198.51.100.0/24")
    page.get_by_role("button", name="Save").click()
    wanted = ["192.0.2.0/24", "198.51.100.0/24"]
    until(lambda: page.evaluate("fake.view.settings.exclude") == wanted, 10, "the list is stored")
    expect(page.get_by_role("button", name="Save")).to_have_count(0)


def test_a_lost_event_leads_to_a_new_snapshot(opened: Opener) -> None:
    """What comes after a gap is left aside until the page knows everything again."""
    page = opened()
    expect(page.locator("h1")).to_have_text("Not protected")
    page.evaluate("""() => { const {SCENES} = fake; const real = fake.push.bind(fake); let lost = 0;
        fake.push = (...batch) => real(...batch.filter(p => p.kind !== 'event' || lost++ !== 1)); fake.pace = 30; }""")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("h1")).to_have_text("Protected through Berlin")


def test_a_helper_that_goes_and_comes_back(opened: Opener) -> None:
    """The page says so at once, claims nothing meanwhile, and takes up the new one's numbers."""
    page = opened(scene="connected")
    expect(page.locator("h1")).to_have_text("Protected through Berlin")
    page.evaluate("fake.show('no-helper')")
    expect(page.locator("h1")).to_have_text("SloPN's service isn't running")
    expect(page.locator(".brief")).to_have_text("Not known")
    assert "rotected" not in page.locator("main").inner_text()
    page.evaluate("fake.view.seq = 1; fake.show('blocked')")
    expect(page.locator("h1")).to_have_text("Blocked")


RECORDINGS = sorted((ROOT / "tests/data/events").glob("*.jsonl"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_page_ends_a_recording_where_every_front_end_does(path: Path, opened: Opener) -> None:
    """The view that the page has in the end is the recording's last line, and its words agree with the policy."""
    page = opened()
    expect(page.locator("h1")).to_have_text("Not protected")
    page.evaluate("name => fake.replay(name)", path.stem)
    last = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    assert page.evaluate("fake.shown()") == last
    words = {"open": ("Not protected", "Connected"), "blocked": ("Blocked",), "tunnelled": ("Protected",)}
    assert page.locator(".brief").inner_text() in words.get(last["policy"], ("Not known",))


def test_the_number_that_pairs_this_window(opened: Opener) -> None:
    """A wrong one says so; the right one leads in."""
    page = opened(scene="number")
    page.get_by_role("textbox").fill("111111")
    page.get_by_role("button", name="Pair this window").click()
    expect(page.get_by_role("alert").filter(has_text="twice more")).to_be_visible()
    page.get_by_role("textbox").fill("123456")
    page.get_by_role("button", name="Pair this window").click()
    expect(page.locator("h1")).to_have_text("Not protected")


def test_health_shows_verdicts_and_can_be_cancelled(opened: Opener) -> None:
    """A check that takes long shows so; what is cancelled doesn't come back later."""
    page = opened("health", scene="warning")
    page.get_by_role("button", name="Check everything").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    page.get_by_role("button", name="Check everything").click()
    expect(page.get_by_text("1 check found something broken.")).to_be_visible()
    expect(page.get_by_text("Put MTU = 1380 into the profile.")).to_be_visible()
    page.get_by_role("button", name="See what would be in it").click()
    page.get_by_text("snapshot.json").click()
    expect(page.get_by_role("region", name="snapshot.json")).to_contain_text('"policy": "tunnelled"')


def test_revoking_takes_two_steps_and_says_if_it_is_this_window(opened: Opener) -> None:
    """The second button stands where the first one was, and the warning is there before it is pressed."""
    page = opened("devices")
    page.get_by_role("button", name="End pairing: window").click()
    expect(page.get_by_text("This is the window you are looking at")).to_be_visible()
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="End pairing: Status bar script").click()
    page.get_by_role("button", name="End the pairing now").click()
    expect(page.get_by_text("Status bar script")).to_have_count(0)
    assert page.evaluate("fake.asked.at(-1)") == {"type": "revoke_device", "device": "d-3c"}


def test_german_is_complete_and_fits(opened: Opener) -> None:
    """Every page in German, also on a narrow screen: no English headline, nothing cut off."""
    for name, title in (("status", "Geschützt über Berlin"), ("profiles", "Profile"), ("settings", "Einstellungen")):
        page = opened(name, scene="connected", language="de", width=360)
        expect(page.locator("h1")).to_have_text(title)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.evaluate("document.documentElement.lang") == "de"


def test_the_page_asks_nobody_else(browser: Browser, address: str) -> None:
    """Every request of a whole visit goes to where the page itself came from."""
    context = browser.new_context()
    page = context.new_page()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.goto(f"{address}?scene=connected")
    for name in ("Profiles", "Devices", "Logs", "Health", "Settings"):
        page.get_by_role("button", name=name).click()
    context.close()
    assert seen
    assert [url for url in seen if not url.startswith((address, "data:", "blob:"))] == []


def test_the_built_page_is_small_strict_and_without_the_fake() -> None:
    """What is delivered: at most 150 KB compressed, a policy that allows no more than the bridge needs, no fake helper."""
    ui.build()
    files = {path.name: path.read_bytes() for path in ui.DIST.rglob("*") if path.is_file()}
    assert sum(len(gzip.compress(data, 9)) for data in files.values()) <= ui.MOST
    everything = b"".join(files.values())
    assert b"fa4e0000fa4e0000" not in everything
    assert b"fa4e0000fa4e0000" in b"".join(path.read_bytes() for path in ui.FAKE.rglob("*.js"))
    page = files["index.html"].decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    parts = dict(part.split(" ", 1) for part in html.unescape(policy[1]).split("; "))
    assert parts["default-src"] == "'none'"
    assert parts["script-src"] == "'self'"
    assert parts["connect-src"] == "'none'"
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page)
    hosts = set(re.findall(rb"https?://[\w.]+", everything))
    assert hosts <= {b"http://www.w3.org", b"https://svelte.dev"}, hosts
