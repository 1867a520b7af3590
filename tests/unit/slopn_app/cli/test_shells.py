from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from slopn_app.cli import shells
from slopn_app.cli.main import VERBS, load
from slopn_app.cli.verbs.settings import KEYS

ALL = {name: load(name).VERB for name in VERBS}
SCRIPTS = {make.__name__: make(ALL, KEYS) for make in (shells.bash, shells.zsh, shells.fish)}
ZSHRC = Path(__file__).resolve().parents[3] / "data/completion/zshrc"

# What the helper knows, as the scripts ask for it.
SLOPN = r"""#!/bin/sh
case "$*" in
"profiles --names") printf '%s\n' berlin paris 'my office' '$(touch marker)`touch marker`' ;;
"devices --names") printf '3f2a1c\tcommand line\n9d00aa\twindow\n' ;;
"users --names") printf '%s\n' alice bob ;;
esac
"""
NAMES = {"berlin", "paris", "my office", "$(touch marker)`touch marker`"}
OPTIONS = {"--json", "--help"}

# What bash would offer for a line: the script is sourced, the function called as readline calls it.
BASH = """
source "$1"; shift
compopt() { echo "files"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _slopn
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
"""
# What a real one offers, with a terminal of its own.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -i
zpty -r shell said '*READY-NOW*' || exit 8
zpty -n -w shell "$1"$'\\t'
zpty -r shell said '*END-OF-HITS*' || exit 7
print -r -- "$said"
zpty -d shell
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where completion runs: `slopn` is there, and a file."""
    program = tmp_path / "bin" / "slopn"
    program.parent.mkdir()
    program.write_text(SLOPN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.conf").touch()
    return work


def in_bash(folder: Path, *words: str) -> set[str]:
    """The offers, as bash would have them on the line: quoted."""
    script = folder.parent / "slopn.bash"
    script.write_text(SCRIPTS["bash"])
    done = run(["bash", "-c", BASH, "bash", str(script), "slopn", *words], folder)
    return {"a.conf" if offer == "files" else unquoted(offer) for offer in done.splitlines()}


def in_zsh(folder: Path, *words: str) -> set[str]:
    """As `in_bash`."""
    home = folder.parent / "zsh"
    home.mkdir(exist_ok=True)
    shutil.copy(ZSHRC, home / ".zshrc")
    (home / "_slopn").write_text(SCRIPTS["zsh"])
    env = {"ZDOTDIR": str(home), "SLOPN_FPATH": str(home)}
    done = run(["zsh", "-f", "-c", ZSH, "zsh", " ".join(["slopn", *words])], folder, env)
    return {unquoted(offer) for offer in re.findall(r"HIT<(.*)>", done)}


def in_fish(folder: Path, *words: str) -> set[str]:
    """As `in_bash`, never quoted."""
    script = folder.parent / "slopn.fish"
    script.write_text(SCRIPTS["fish"])
    line = " ".join(["slopn", *words])
    done = run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], folder)
    return {offer.split("\t")[0] for offer in done.splitlines()}


SHELLS: dict[str, Callable[..., set[str]]] = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}


def run(command: list[str], folder: Path, env: dict[str, str] | None = None) -> str:
    """What it prints; nothing on stderr."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", **(env or {})},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def unquoted(word: str) -> str:
    """A word without the backslashes that keep a shell from obeying it."""
    return re.sub(r"\\(.)", r"\1", word)


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize("name", VERBS)
def test_every_verb_and_option_is_in_every_script(shell: str, name: str) -> None:
    """A new verb or option can't be forgotten."""
    script = SCRIPTS[shell]
    assert name in script
    for argument in ALL[name].every:
        for text in argument.names:
            if text.startswith("-"):
                assert {"fish": f"-{'l' if text[1] == '-' else 's'} {text.lstrip('-')}"}.get(shell, text) in script


@pytest.mark.parametrize(("shell", "script"), SCRIPTS.items())
def test_each_shell_accepts_its_script(tmp_path: Path, shell: str, script: str) -> None:
    """No syntax error."""
    (tmp_path / "x").write_text(script)
    run([shell, "-n", str(tmp_path / "x")], tmp_path)


def test_shellcheck_has_nothing_against_the_one_for_bash(tmp_path: Path) -> None:
    """It is sourced into people's own shells."""
    (tmp_path / "x").write_text(SCRIPTS["bash"])
    run(["shellcheck", "-s", "bash", str(tmp_path / "x")], tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], set(VERBS)),
        (["dis"], {"disconnect"}),
        (["connect", ""], NAMES),
        (["connect", "b"], {"berlin"}),
        (["logs", "--since", ""], set()),
        (["connect", "berlin", ""], set()),
        (["export", "p"], {"paris"}),
        (["profiles", "--remove", ""], NAMES),
        (["logs", "--level", "w"], {"warning"}),
        (["logs", "--f"], {"--follow"}),
        (["settings", "s"], {"set"}),
        (["settings", "set", "k"], {"kill_switch"}),
        (["settings", "set", "kill_switch", ""], {"off", "on", "always"}),
        (["settings", "set", "allow_lan", ""], {"yes", "no"}),
        (["pause", "1"], {"15"}),
        (["devices", "r"], {"rename", "revoke"}),
        (["devices", "rename", ""], {"3f2a1c", "9d00aa"}),
        (["devices", "rename", "3f2a1c", ""], set()),
        (["devices", "revoke", "3f2a1c", "9"], {"9d00aa"}),
        (["users", "add", "roo"], {"root"}),
        (["users", "remove", ""], {"alice", "bob"}),
        (["completion", "f"], {"fish"}),
        (["import", "a."], {"a.conf"}),
        (["import", "a.conf", "a."], {"a.conf"}),
        (["import", "--r"], {"--replace"}),
        (["export", "berlin", "--output", "a."], {"a.conf"}),
    ],
)
def test_what_fits_is_offered(folder: Path, shell: str, words: list[str], expected: set[str]) -> None:
    """Verbs, options, what the helper knows, values by what stands before; nothing where nothing is known."""
    offers = SHELLS[shell](folder, *words)
    if words[-1] == "":
        # bash offers options beside words without being asked for them, the others don't.
        offers = {offer for offer in offers if not offer.startswith("-")}
    assert offers == expected


def test_bash_offers_options_as_well(folder: Path) -> None:
    """Where an option may stand."""
    assert in_bash(folder, "connect", "berlin", "") == {"--wait", *OPTIONS}
    assert in_bash(folder, "") == {*VERBS, "--help", "--version"}
    assert in_bash(folder, "nonsense", "") == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_profiles_name_is_never_run(folder: Path, shell: str) -> None:
    """Whoever may import a profile doesn't get to run commands in the shell of others who complete its name."""
    assert SHELLS[shell](folder, "connect", "") >= NAMES
    assert [path.name for path in folder.iterdir()] == ["a.conf"]
