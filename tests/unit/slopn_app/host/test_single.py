from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from slopn_app.host.single import Single, folder
from support.until import until

_HOLD = """
import sys, time
from pathlib import Path
from slopn_app.host.single import Single
held = Single(Path(sys.argv[1])).claim("tray", ())
print("held" if held else "handed over", flush=True)
time.sleep(600 if held else 0)
"""


def test_the_second_hands_its_words_over(tmp_path: Path) -> None:
    """Any number of times, whatever they are; another name is another program."""
    single, heard = Single(tmp_path / "run"), list[tuple[str, ...]]()
    first = single.claim("window", ("mine",))
    assert first is not None
    first.listen(heard.append)
    assert single.claim("window", ("slopn://show/logs", "/tmp/ü\n.conf")) is None
    assert single.call("window", ())
    until(lambda: len(heard) == 2, 5.0, "both are heard")
    assert heard == [("slopn://show/logs", "/tmp/ü\n.conf"), ()]
    other = single.claim("tray", ())
    assert other is not None
    other.close()
    first.close()


def test_whoever_comes_after_the_first_is_the_next_first(tmp_path: Path) -> None:
    """Also after one that was killed."""
    single = Single(tmp_path / "run")
    assert not single.call("tray", ())
    killed = subprocess.Popen([sys.executable, "-c", _HOLD, single._folder], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "held\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    next_one = single.claim("tray", ())
    assert next_one is not None
    next_one.close()
    again = single.claim("tray", ())
    assert again is not None
    again.close()


def test_of_many_at_once_one_stays(tmp_path: Path) -> None:
    """And all the others are heard by it."""
    heard = list[tuple[str, ...]]()
    first = Single(tmp_path).claim("tray", ())
    assert first is not None
    first.listen(heard.append)
    commands = [[sys.executable, "-c", _HOLD, str(tmp_path)]] * 4
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    assert [other.communicate()[0] for other in others] == ["handed over\n"] * 4
    assert heard == [()] * 4
    first.close()


def test_nonsense_is_not_heard(tmp_path: Path) -> None:
    """What isn't a list of words; the next one is."""
    single, heard = Single(tmp_path), list[tuple[str, ...]]()
    first = single.claim("tray", ())
    assert first is not None
    first.listen(heard.append)
    for nonsense in ({"a": 1}, [1], "a"):
        assert not single.call("tray", nonsense)  # type: ignore[arg-type]
    assert single.call("tray", ("a",))
    until(lambda: heard, 5.0, "the words")
    assert heard == [("a",)]
    first.close()


def test_the_folder_is_nobody_elses(tmp_path: Path) -> None:
    """The session's if it is the user's own, else one in the state directory."""
    assert folder({"XDG_RUNTIME_DIR": str(tmp_path)}, "/state") == tmp_path / "slopn"
    for wrong in ("", "relative", str(tmp_path / "missing")):
        assert folder({"XDG_RUNTIME_DIR": wrong}, "/state") == Path("/state/run")
    single = Single(tmp_path / "run")
    held = single.claim("tray", ())
    assert held is not None
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    held.close()
