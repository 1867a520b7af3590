from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from slopn_app.cli.main import VERBS, load
from slopn_app.cli.verbs.settings import SETTINGS
from slopn_wire.events import Stats
from support.fake_helper import FakeHelper
from support.slopn import pair
from support.story import BERLIN, NOW, WG0, Story
from support.until import until

GUIDE = (Path(__file__).resolve().parents[4] / "docs/cli.md").read_text(encoding="utf-8")
# What differs from run to run, or depends on when and where the guide is read.
VOLATILE = [
    (r"\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?\b|\b\d\d:\d\d(:\d\d(\.\d+)?)?\b", "TIME"),
    (r"\b(\d+ (s|min|h)|\d+ days) ago\b", "AGO"),
    (r"Paused for (10:00|9:5\d)", "Paused for M:SS"),
    (r"\(\d+ s\)", "(LEFT)"),
    (r'"seq": ?\d+', '"seq":N'),
    (r'"(since|last_handshake|at)": ?[\d.]+', r'"\1": T'),
    (r"\bdevice [0-9a-f]{16}\b", "device ID"),
    (r"((?:checks|front-end)\.txt) +\d+ B", r"\1 SIZE"),
]


def examples() -> list[tuple[str, str]]:
    """Each command of the guide with the output that follows it."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def settled(text: str) -> str:
    """`text` without what differs from run to run."""
    for pattern, word in VOLATILE:
        text = re.sub(pattern, word, text)
    return text


def test_the_guide_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example, run in its order in one folder, prints what the guide says."""
    (tmp_path / "berlin.conf").write_text(BERLIN)
    (tmp_path / "wg0.conf").write_text(WG0)
    (tmp_path / "broken.conf").write_text(BERLIN.replace("10.8.0.2", "10.8.0.300"))
    slopn = tmp_path / "bin" / "slopn"
    slopn.parent.mkdir()
    start = f"import sys; sys.argv[0] = {str(slopn)!r}; from slopn_app.cli.main import main; main()"
    slopn.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{start}" "$@"\n')
    window = slopn.with_name("slopn-window")
    window.write_text("#!/bin/sh\n")
    for program in (slopn, window):
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(slopn.parent), prepend=":")
    monkeypatch.setenv("TZ", "UTC")
    with FakeHelper(tmp_path / "run") as helper:
        monkeypatch.setenv("SLOPN_SOCKET", helper.path)
        helper.run(lambda: Story(helper))
        pair(helper.path)
        for command, expected in examples():
            printed = run(command.replace("--since 10m", f"--since {NOW - 600:.0f}"), tmp_path, helper)
            assert settled(printed) == settled(expected), command


def run(command: str, folder: Path, helper: FakeHelper) -> str:
    """What a terminal would show: both streams in one. A watch gets something to watch."""
    watching = command.startswith("slopn watch")
    feeder = threading.Thread(target=feed, args=(helper,))
    if watching:
        feeder.start()
    done = subprocess.run(
        ["bash", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    if watching:
        feeder.join()
    return done.stdout


def feed(helper: FakeHelper) -> None:
    """Counters that move once somebody watches, until the reader has had its two lines."""
    until(lambda: helper.run(lambda: bool(helper.hub.subscribers)), 30, "somebody watches")
    helper.publish(Stats(12_400_000, 990_000, NOW))
    until(lambda: helper.run(lambda: not _poke(helper)), 30, "the reader is gone")


def _poke(helper: FakeHelper) -> bool:
    """One more event; a closed pipe is felt only by writing."""
    helper.hub.publish(Stats(12_400_001, 990_001, NOW))
    return bool(helper.hub.subscribers)


def section(verb: str) -> str:
    """The part of the guide that is about a verb."""
    for part in re.split(r"^## ", GUIDE, flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        if verb in title.split(", "):
            return text
    raise AssertionError(f"no section {verb}")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example(verb: str) -> None:
    """A new verb needs one, under a heading of its own."""
    assert any(re.search(rf"\bslopn {verb}\b", command) for command, _ in examples())
    assert section(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_the_guide_and_the_parser_agree(verb: str) -> None:
    """Each option of a verb stands in its section, in full; and none that the verb hasn't."""
    text = section(verb)
    known = {name for argument in load(verb).VERB.every for name in argument.names if name.startswith("-")}
    assert {name for name in known - {"--json"} if name not in text} == set()
    mentioned = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
    others = {name for other in VERBS for argument in load(other).VERB.every for name in argument.names}
    assert {name for name in mentioned & others if name not in known and f" {name}" not in _quoted(text)} == set()


def _quoted(text: str) -> str:
    """The commands of other verbs that a section names, which have their own options."""
    return " ".join(re.findall(r"`[^`]*slopn [^`]*`", text))


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_is_explained(key: str) -> None:
    """With each word that it takes."""
    (row,) = re.findall(rf"^\| `{key}` \| (.*) \|$", section("settings"), re.MULTILINE)
    assert all(f"`{word}`" in row for word in SETTINGS[key][0].split())


def test_a_lie_in_the_guide_is_seen() -> None:
    """What is called volatile doesn't swallow what matters."""
    assert settled("since 14:02") == settled("since 09:59")
    assert settled('"seq": 12}') == settled('"seq":7}')
    assert settled("Protected through berlin") != settled("Not protected")
    assert settled('"rx_bytes": 1') != settled('"rx_bytes": 2')
