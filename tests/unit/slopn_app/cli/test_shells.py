from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slopn_app.cli import shells
from slopn_app.cli.main import VERBS, load
from slopn_app.cli.verb import JSON
from slopn_app.cli.verbs.settings import KEYS

ALL = {name: load(name).VERB for name in VERBS}
SCRIPTS = {make.__name__: make(ALL, KEYS) for make in (shells.bash, shells.zsh, shells.fish)}

# What bash would offer for a line: the script is sourced, the function called as readline calls it.
OFFER = """
source "$1"; shift
slopn() { [[ "$*" == "profiles --names" ]] && printf '%s\\n' berlin paris 'my office' '$(touch marker)`touch marker`'; }
compopt() { echo "files"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _slopn
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
"""

# As a shell must quote them.
NAMES = {"berlin", "paris", "my\\ office", r"\$\(touch\ marker\)\`touch\ marker\`"}


def offers(tmp_path: Path, *words: str) -> set[str]:
    """What completion offers for the last word."""
    script = tmp_path / "slopn.bash"
    script.write_text(SCRIPTS["bash"])
    done = subprocess.run(
        ["bash", "-c", OFFER, "bash", str(script), *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
        cwd=tmp_path,
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines())


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize("name", VERBS)
def test_every_verb_and_option_is_in_every_script(shell: str, name: str) -> None:
    """A new verb or option can't be forgotten."""
    script = SCRIPTS[shell]
    assert name in script
    for argument in (*ALL[name].arguments, JSON):
        for text in argument.names:
            if text.startswith("-"):
                assert {"fish": f"-{'l' if text[1] == '-' else 's'} {text.lstrip('-')}"}.get(shell, text) in script


def test_bash_accepts_its_script(tmp_path: Path) -> None:
    """No syntax error."""
    script = tmp_path / "x"
    script.write_text(SCRIPTS["bash"])
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_quotes_and_brackets_are_closed(shell: str) -> None:
    """A rough check for the shells that are not there: quotes come in pairs on each line, blocks are closed."""
    script = SCRIPTS[shell]
    for line in script.splitlines():
        bare = line.replace("'\\''", "").replace("\\'", "")
        assert bare.count("'") % 2 == 0, line
    assert script.count("{") == script.count("}")
    assert script.count(" case ") == script.count("esac") or shell == "fish"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["slopn", ""], {*VERBS, "--help", "--version"}),
        (["slopn", "dis"], {"disconnect"}),
        (["slopn", "connect", ""], {*NAMES, "--wait", "--json", "--help"}),
        (["slopn", "connect", "b"], {"berlin"}),
        (["slopn", "connect", "--wait", ""], set()),
        (["slopn", "connect", "berlin", ""], {"--wait", "--json", "--help"}),
        (["slopn", "export", "p"], {"paris"}),
        (["slopn", "profiles", "--remove", ""], NAMES),
        (["slopn", "logs", "--level", "w"], {"warning"}),
        (["slopn", "logs", "--f"], {"--follow"}),
        (["slopn", "settings", "s"], {"set"}),
        (["slopn", "settings", "set", "k"], {"kill_switch"}),
        (["slopn", "settings", "set", "kill_switch", ""], {"--json", "--help"}),
        (["slopn", "completion", "f"], {"fish"}),
        (["slopn", "import", ""], {"files", "--name", "--replace", "--json", "--help"}),
        (["slopn", "import", "a.conf", "x"], {"files"}),
        (["slopn", "import", "--r"], {"--replace"}),
        (["slopn", "export", "berlin", "--output", ""], {"files"}),
        (["slopn", "nonsense", ""], set()),
    ],
)
def test_bash_offers_what_fits(tmp_path: Path, words: list[str], expected: set[str]) -> None:
    """Verbs, options, names of profiles, levels, keys; files where a file belongs, nothing where nothing is known."""
    assert offers(tmp_path, *words) == expected


def test_a_profiles_name_is_never_run(tmp_path: Path) -> None:
    """Whoever may import a profile doesn't get to run commands in the shell of others who complete its name."""
    assert offers(tmp_path, "slopn", "connect", "") >= NAMES
    assert [path.name for path in tmp_path.iterdir()] == ["slopn.bash"]
