from __future__ import annotations

import json

from tools import ui, ui_types
from tools.console import ROOT

LOCK = ui.UI / "package-lock.json"
FREE = {"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "CC0-1.0", "(MIT OR Apache-2.0)"}
# What judges or builds the page and is no part of it.
TOOLS = {"axe-core": "MPL-2.0", "lightningcss": "MPL-2.0"}
# What is in the built page.
SHIPPED = {"svelte": "MIT", "uplot": "MIT", "fflate": "MIT", "qr": "(MIT OR Apache-2.0)"}


def packages() -> dict[str, dict[str, str]]:
    """Name → what package-lock.json says of it."""
    found = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    return {path.rsplit("node_modules/", 1)[-1]: about for path, about in found.items() if path}


def test_the_lock_pins_each_package_by_hash_and_names_no_host() -> None:
    """Where packages come from is npm's own setting."""
    assert len(packages()) > 40
    assert [
        name for name, about in packages().items() if "resolved" in about or "sha512-" not in about["integrity"]
    ] == []


def test_every_package_has_a_licence_that_lets_us_use_it() -> None:
    """What the page is made of may be passed on by naming it; what only builds it may ask for more."""
    strange = {name: about["license"] for name, about in packages().items() if about["license"] not in FREE}
    assert {
        name: licence
        for name, licence in strange.items()
        if TOOLS.get(
            name.split("-linux")[0].split("-darwin")[0].split("-win32")[0].split("-freebsd")[0].split("-android")[0]
        )
        != licence
    } == {}
    assert {name: packages()[name]["license"] for name in SHIPPED} == SHIPPED


def test_generated_types_are_those_of_the_schema() -> None:
    """The same text from the same schema, and each message of the wire in it."""
    text = ui_types.document()
    for name in ("Snapshot", "Event", "LogLine", "ImportProfile", "Settings"):
        assert f"export interface {name} {{" in text
    assert ui_types.check() == 0


def test_the_page_says_causes_as_everybody_else_does() -> None:
    """A cause in few words and what happened are the wire's own sentences."""
    from slopn_wire import words
    from slopn_wire.state import ErrorCause

    page = (ROOT / "app/ui/src/lib/words.ts").read_text(encoding="utf-8")
    for cause in ErrorCause:
        assert json.dumps(words.short(cause.value), ensure_ascii=False) in page
        assert json.dumps(words.sentences(cause.value, "open")[0], ensure_ascii=False) in page
