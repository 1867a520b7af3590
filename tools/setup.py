"""Make this checkout ready to run: system packages, Rust, virtual environment, our members, the page, the icons, the engine.

Safe to run again at any time: each step looks at what is there and does only what is missing.
"""

from __future__ import annotations

import fcntl
import time

from tools import apt, engine, rust
from tools.console import CACHE, ROOT, VENV, Word, output, run, say, timed
from tools.stamps import digest, is_done, mark_done

PYTHON = "/usr/bin/python3"
UV = VENV / "bin/uv"
MEMBERS = ("helper/wire", "helper", "app")


def main() -> None:
    """Run every step; the first that fails ends the program with a sentence and exit status 1."""
    start = time.monotonic()
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        apt.install(apt.missing(apt.packages("base")))
        for words in apt.entries("unpack"):
            apt.unpack(*words)
        version = rust.ensure()
        environment()
        python_packages()
        members()
        run([VENV / "bin/python", "-m", "tools.ui", "build"])
        run([VENV / "bin/python", "-m", "tools.icons"])
        engine.build(version)
    say(f"setup: everything is in place ({time.monotonic() - start:.1f} s)")


def environment() -> None:
    """Make .venv of the system's Python with the system's packages visible: PyGObject comes from apt."""
    config = VENV / "pyvenv.cfg"
    if config.is_file() and "include-system-site-packages = true" in config.read_text():
        if output([VENV / "bin/python", "-c", "import sys; print(sys.base_prefix)"]) == "/usr":
            return
        say("   .venv is of another Python than the system's: it is made anew")
    with timed(f"virtual environment .venv of {PYTHON}"):
        run([PYTHON, "-m", "venv", "--clear", "--system-site-packages", VENV])


def python_packages() -> None:
    """Install uv by pip and everything else by uv, each file checked against its hash."""
    files = [ROOT / "requirements/uv.txt", ROOT / "requirements/dev.txt"]
    key = digest(files, python_version())
    if is_done("python-packages", key) and UV.is_file():
        return
    with timed("Python packages, by their hashes"):
        pip: list[Word] = [VENV / "bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        run([*pip, "--require-hashes", "-r", files[0]])
        run([*uv_install(), "--require-hashes", "-r", files[1]])
    mark_done("python-packages", key)


def members() -> None:
    """Install our own Python members in place, so that an edit counts at once and the commands stand in .venv/bin."""
    key = digest([ROOT / member / "pyproject.toml" for member in MEMBERS], python_version())
    if is_done("members", key):
        return
    with timed(f"our own packages, in place: {' '.join(MEMBERS)}"):
        editable = [word for member in MEMBERS for word in ("--editable", f"./{member}")]
        run([*uv_install(), "--no-deps", "--no-build-isolation", *editable])
    mark_done("members", key)


def uv_install() -> list[str]:
    """The beginning of every `uv pip install` here: into .venv, quiet, whatever the person's environment says."""
    return [str(UV), "pip", "install", "--quiet", "--python", str(VENV / "bin/python")]


def python_version() -> str:
    """What the environment's Python calls itself."""
    return output([VENV / "bin/python", "--version"]) or ""


if __name__ == "__main__":
    main()
