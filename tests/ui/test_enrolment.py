from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from ui.conftest import Opener
from ui.test_profiles import asked, pick, qr_code

LINK = "slopn://enrol?host=vpn.example.org&port=443&pin=p&token=t"


def fill(page: Page, link: str) -> Any:
    """Paste it into the dialog, and look."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("The link that you were given").fill(link)
    dialog.get_by_role("button", name="Show what it holds").click()
    return dialog


def test_the_first_run_takes_a_link(opened: Opener) -> None:
    """Host and key are shown before anything is asked of the gateway; then the profile is there."""
    page = opened("status", scene="first")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Paste an enrolment link").click()
    dialog = fill(page, f"  {LINK} ")
    expect(dialog).to_contain_text("vpn.example.org:443")
    expect(dialog).to_contain_text(" ".join(["5f3a"] * 16))
    assert asked(page, "enrol") == []
    dialog.get_by_label("Name").fill("office")
    dialog.get_by_role("button", name="Enrol", exact=True).click()
    expect(page.get_by_text("1 profile is there.")).to_be_visible()
    (command,) = asked(page, "enrol")
    assert (command["link"], command["name"]) == (LINK, "office")


def test_what_is_wrong_is_said_where_it_is(opened: Opener) -> None:
    """With the link, and with the gateway; the dialog stays."""
    page = opened("profiles")
    page.get_by_role("button", name="Enrol by a link").click()
    dialog = fill(page, LINK.partition("&token")[0])
    expect(dialog.get_by_role("alert")).to_have_text("The link lacks its token: was all of it copied?")
    expect(fill(page, LINK)).to_contain_text("vpn.example.org:443")
    page.evaluate("fake.refuse = 'The gateway doesn\\'t take this link.'")
    dialog.get_by_role("button", name="Enrol", exact=True).click()
    expect(dialog.get_by_role("alert")).to_have_text("The gateway doesn't take this link.")
    dialog.get_by_role("button", name="Enrol", exact=True).click()
    expect(page.get_by_role("button", name="Connect to vpn.example.org")).to_be_visible()


def test_an_opened_link_and_a_picture_of_one_are_shown(opened: Opener) -> None:
    """Nothing is done by opening it."""
    page = opened("profiles")
    page.evaluate("link => fake.push({kind: 'enrol', link})", LINK)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("vpn.example.org:443")
    dialog.get_by_role("button", name="Cancel").click()
    pick(page, "link.gif", qr_code(LINK))
    expect(dialog).to_contain_text("vpn.example.org:443")
    assert asked(page, "enrol") == []


def test_an_enrolled_profile_says_until_when_and_is_renewed(opened: Opener) -> None:
    """It isn't edited: what the gateway says holds."""
    page = opened("profiles")
    page.evaluate("link => fake.push({kind: 'enrol', link})", LINK)
    page.get_by_role("dialog").get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_role("button", name="vpn.example.org vpn.example.org:51820").click()
    expect(page.get_by_text("and renewed before that")).to_be_visible()
    expect(page.get_by_role("button", name="Edit", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Renew now").click()
    expect(page.get_by_text("“vpn.example.org” is renewed.")).to_be_visible()
