from __future__ import annotations

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")

# Licences that ask for no more than to be named. A choice ("OR") that offers one of them is fine.
FREE = {
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unlicense",
    "CC0-1.0",
    "0BSD",
    "PSF-2.0",
}
# Licences that ask for more, each named in NOTICE beside the package.
NAMED = {
    "gotatun": "MPL-2.0",
    "asyncinotify": "MPL-2.0",
    "unicode-ident": "(MIT OR Apache-2.0) AND Unicode-3.0",
    "hypothesis": "MPL-2.0",
    "pytest-rerunfailures": "MPL-2.0",
    "pathspec": "MPL-2.0",
    "bidict": "MPL-2.0",
    "certifi": "MPL-2.0",
    "pillow": "MIT-CMU",
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "pystray": "LGPL-3.0-only",
    "python-xlib": "LGPL-2.1-or-later",
    "pyinstaller": "GPL-2.0-or-later",
    "pyinstaller-hooks-contrib": "GPL-2.0-or-later",
}


def is_free(expression: str) -> bool:
    """Whether an SPDX expression offers a way to use the package under FREE licences alone; `/` is cargo's old OR."""
    flat = expression.replace("/", " OR ").replace("(", " ").replace(")", " ")
    if " OR " in flat:
        return " AND " not in flat and any(is_free(part) for part in flat.split(" OR "))
    return all(part.strip() in FREE for part in flat.split(" AND "))


def crates() -> dict[str, str]:
    """Crate → licence, for everything in helper/engine/Cargo.lock."""
    argv = [
        "cargo",
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ]
    done = subprocess.run(argv, cwd=ROOT / "helper/engine", capture_output=True, text=True, check=True)
    return {package["name"]: package["license"] or "none" for package in json.loads(done.stdout)["packages"]}


def python_packages() -> dict[str, str]:
    """Package → licence, for everything that requirements/dev.txt pins and that is installed on this platform."""
    found = {}
    for name in re.findall(r"^([\w.\-]+)==", (ROOT / "requirements/dev.txt").read_text("utf-8"), re.MULTILINE):
        try:
            fields = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = licence_of(fields)
    return found


def licence_of(fields: metadata.PackageMetadata) -> str:
    """The expression if the package has one, else what its classifiers and the old free-text field say."""
    if "License-Expression" in fields:
        return str(fields["License-Expression"])
    classifiers = [c.rsplit(" :: ", 1)[-1] for c in fields.get_all("Classifier") or [] if c.startswith("License ::")]
    words = " ".join([*classifiers, str(fields["License"]) if "License" in fields else ""])
    table = {
        "Mozilla": "MPL-2.0",
        "MPL-2.0": "MPL-2.0",
        "MPL 2.0": "MPL-2.0",
        "MIT": "MIT",
        "Apache": "Apache-2.0",
        "BSD": "BSD-3-Clause",
        "Python Soft": "PSF-2.0",
        "Lesser General Public License v3": "LGPL-3.0-only",
        "Lesser General Public License v2": "LGPL-2.1-or-later",
        "General Public License v2": "GPL-2.0-or-later",
    }
    # Some say it in the text of the licence alone, as the wheel brings it.
    words = words.strip() or _text(str(fields["Name"]))
    if str(fields["Name"]).startswith("pyinstaller"):
        # Two licences for two of its parts, by two classifiers.
        return table["General Public License v2"]
    return next((spdx for word, spdx in table.items() if word in words), f"unknown: {words[:60]}")


def _text(name: str) -> str:
    files = [file for file in metadata.files(name) or [] if file.name.startswith("LICENSE")]
    text = files[0].read_text() if files else ""
    return "MIT" if "Permission is hereby granted, free of charge, to any person" in text else text[:200]


def test_every_dependency_has_a_licence_that_notice_covers() -> None:
    """A new dependency under a licence that asks for more than to be named must be thought about, and stand in NOTICE."""
    everything = crates() | python_packages()
    assert len(everything) > 60
    strange = {
        name: licence for name, licence in everything.items() if not is_free(licence) and not name.startswith("slopn")
    }
    assert {name: licence for name, licence in strange.items() if NAMED.get(name) != licence} == {}


@pytest.mark.parametrize(("name", "licence"), sorted(NAMED.items()))
def test_notice_names_what_asks_for_more(name: str, licence: str) -> None:
    """NOTICE has the package with its licence on one line."""
    assert re.search(rf"^{re.escape(name)}\s+.*{re.escape(licence)}", NOTICE, re.MULTILINE)


@pytest.mark.parametrize(
    ("expression", "free"),
    [
        ("MIT", True),
        ("Apache-2.0 AND ISC", True),
        ("GPL-2.0-or-later OR Apache-2.0", True),
        ("MIT/Apache-2.0", True),
        ("MPL-2.0", False),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", False),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", True),
        ("LGPL-3.0-only", False),
        ("none", False),
    ],
)
def test_is_free_reads_expressions(expression: str, free: bool) -> None:
    """A choice needs one free branch, a conjunction needs all."""
    assert is_free(expression) == free
