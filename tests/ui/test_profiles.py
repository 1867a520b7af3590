from __future__ import annotations

import base64
import io
import re
import subprocess
import zipfile
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support.until import until
from tools import ui
from ui.conftest import Opener

CONF = """[Interface]
PrivateKey = 6Mxx0CVdpAJZ5E6vSpcfVHLVm1pGyKJGqgr0YyzQY1c=
Address = 10.9.0.2/32
PostUp = rm -rf /

[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
AllowedIPs = 10.0.0.0/8
Endpoint = vpn.example.org:51820
"""


def asked(page: Page, kind: str) -> list[dict[str, Any]]:
    """The commands of one kind that the helper was asked."""
    return [each for each in page.evaluate("fake.asked") if each["type"] == kind]


def packed(**files: str) -> bytes:
    """A ZIP."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"all/{name}.conf", text)
    return buffer.getvalue()


def qr_code(text: str) -> bytes:
    """A picture of it."""
    script = "import e from 'qr'; process.stdout.write(e(process.argv[1], 'gif', {scale: 4}))"
    argv = [str(ui.node()), "--input-type=module", "-e", script, text]
    return subprocess.run(argv, cwd=ui.UI, capture_output=True, check=True).stdout


def pick(page: Page, name: str, data: bytes) -> None:
    """What the user chooses in the file dialog."""
    page.evaluate("([name, data]) => { fake.picked = [{name, data}] }", [name, base64.b64encode(data).decode()])
    page.get_by_role("button", name="Import files").click()


def test_a_file_shows_what_would_be_added_before_it_is(opened: Opener) -> None:
    """The review says what the profile does and which lines are never obeyed; nothing is stored before the user agrees."""
    page = opened("profiles")
    pick(page, "Büro.conf", CONF.encode())
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("vpn.example.org:51820")
    expect(dialog).to_contain_text("PostUp is kept, but never run.")
    assert asked(page, "import_profile") == []
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("button", name="Connect to Büro")).to_be_visible()
    (command,) = asked(page, "import_profile")
    assert (command["name"], command["text"], command["filename"]) == ("Büro", CONF, "Büro.conf")


def test_a_zip_gives_all_its_profiles_under_free_names(opened: Opener) -> None:
    """One that is there already gets a number; one that is unticked stays out."""
    page = opened("profiles")
    pick(page, "all.zip", packed(Berlin=CONF, Oslo=CONF, Rome=CONF))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Add these 3 profiles?")
    dialog.get_by_label("Add Rome").uncheck()
    dialog.get_by_role("button", name="Add 2 profiles").click()
    for name in ("Berlin 2", "Oslo"):
        expect(page.get_by_role("button", name=f"Connect to {name}")).to_be_visible()
    assert [each["name"] for each in asked(page, "import_profile")] == ["Berlin 2", "Oslo"]


def test_a_picture_of_a_qr_code_is_read(opened: Opener) -> None:
    """As phones show it; a picture of anything else says so."""
    page = opened("profiles")
    pick(page, "phone.gif", qr_code(CONF))
    expect(page.get_by_role("dialog")).to_contain_text("vpn.example.org:51820")
    page.keyboard.press("Escape")
    empty = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    pick(page, "cat.gif", base64.b64decode(empty))
    expect(page.get_by_role("dialog")).to_contain_text("No QR code is found in this picture.")


def test_pasted_text_and_dropped_files_are_reviewed(opened: Opener) -> None:
    """Both end in the same review."""
    page = opened("profiles")
    page.evaluate("""text => { const data = new DataTransfer(); data.setData('text/plain', text);
        window.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data})) }""", CONF)  # fmt: skip
    expect(page.get_by_role("dialog").get_by_label("Name")).to_have_value("New profile")
    page.get_by_role("button", name="Don't add").click()
    page.evaluate("""text => { const data = new DataTransfer(); data.items.add(new File([text], 'drop.conf'));
        window.dispatchEvent(new DragEvent('drop', {dataTransfer: data, cancelable: true})) }""", CONF)  # fmt: skip
    expect(page.get_by_role("dialog").get_by_label("Name")).to_have_value("drop")
    assert asked(page, "import_profile") == []


def test_a_file_that_is_wrong_says_where_and_opens_in_the_editor(opened: Opener) -> None:
    """Line and column are the helper's; the editor marks the line, and a click puts the cursor there."""
    page = opened("profiles")
    pick(page, "bad.conf", CONF.replace("Endpoint", "Endpiont").encode())
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("line 9, column 1")
    dialog.get_by_role("button", name="Open in the editor").click()
    place = page.locator("#judgement").get_by_role("button", name="line 9, column 1")
    place.click()
    area = page.get_by_label("Text of the profile")
    expect(area).to_be_focused()
    assert area.evaluate("area => area.value.slice(area.selectionStart, area.selectionStart + 8)") == "Endpiont"
    assert page.locator(".wrong").inner_text() == "9"
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    area.fill(CONF)
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_enabled()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Connect to bad")).to_be_visible()


def test_edit_replaces_the_same_profile(opened: Opener) -> None:
    """The text is the helper's export; saving replaces, and an error of the helper's stays beside the text."""
    page = opened("profiles")
    page.get_by_role("button", name="Home home.example.net").click()
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Text of the profile")).to_have_value(re.compile(r"^\[Interface\]"))
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_enabled()
    page.evaluate("fake.refuse = 'The profile “Home” is in use; disconnect first.'")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#judgement")).to_contain_text("is in use; disconnect first")
    page.get_by_label("Text of the profile").press("End")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    page.get_by_label("Text of the profile").press("Control+End")
    page.keyboard.insert_text("# mended\n")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Connect to Home")).to_be_visible()
    assert [each["replace"] for each in asked(page, "import_profile")] == [True, True]


def test_rename_duplicate_export(opened: Opener) -> None:
    """Each asks the helper, and shows the outcome once the helper has said it."""
    page = opened("profiles")
    page.get_by_role("button", name="Home home.example.net").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("Zuhause")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("button", name="Connect to Zuhause")).to_be_visible()
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("status").filter(has_text="The file holds the private key.")).to_be_visible()
    assert page.evaluate("fake.saved[0].name") == "Zuhause.conf"
    page.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Zuhause copy")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Connect to Zuhause copy")).to_be_visible()


def test_a_deletion_can_be_taken_back_until_it_is_done(opened: Opener) -> None:
    """The helper hears of it when the time for taking it back is over, and not before."""
    page = opened("profiles")
    page.clock.install()
    page.get_by_role("button", name="Home home.example.net").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("is being deleted")).to_be_visible()
    page.clock.run_for(7000)
    assert asked(page, "remove_profile") == []
    page.get_by_role("button", name="Undo").click()
    page.clock.run_for(20_000)
    assert asked(page, "remove_profile") == []
    expect(page.get_by_role("button", name="Connect to Home")).to_be_visible()

    page.get_by_role("button", name="Home home.example.net").click()
    page.get_by_role("button", name="Delete").click()
    page.clock.run_for(8100)
    expect(page.get_by_role("button", name="Home home.example.net")).to_have_count(0)
    assert [each["name"] for each in asked(page, "remove_profile")] == ["Home"]


def test_what_is_in_use_cant_be_deleted(opened: Opener) -> None:
    """And says why."""
    page = opened("profiles", scene="connected")
    page.get_by_role("button", name="Berlin vpn.example.org").click()
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    expect(page.get_by_text("To change it, disconnect first.")).to_be_visible()


def test_many_profiles_are_found_by_name_and_favourites_stand_first(opened: Opener) -> None:
    """A search field is there when the list is long."""
    page = opened("profiles", scene="many")
    page.get_by_role("button", name="Favourite: Gateway 077").click()
    expect(page.locator(".profile .name").first).to_have_text("Gateway 077")
    page.get_by_placeholder("Find a profile").fill("way 10")
    expect(page.locator(".profile")).to_have_count(10)
    page.get_by_placeholder("Find a profile").fill("nowhere")
    expect(page.get_by_text("Nothing has these letters in its name.")).to_be_visible()


@pytest.mark.parametrize("stop_after", [3])
def test_a_long_import_shows_progress_and_can_be_stopped(stop_after: int, opened: Opener) -> None:
    """What was added until then stays added; the rest isn't."""
    page = opened("profiles", scene="empty")
    pick(page, "all.zip", packed(**{f"p{number:02}": CONF for number in range(40)}))
    page.get_by_role("button", name="Add 40 profiles").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    until(lambda: len(asked(page, "import_profile")) >= stop_after, 10, "some are added")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    added = len(asked(page, "import_profile"))
    assert stop_after <= added < 40
    page.get_by_role("button", name="Don't add").click()
    expect(page.locator(".profile")).to_have_count(added)
