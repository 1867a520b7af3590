"""What a bundle is made of: a CycloneDX list of components (1.6, JSON) and their licences' texts, both inside the bundle.

Python's distributions are those that PyInstaller took, crates those that Cargo links into the engine, npm packages those
that the page's lock file doesn't call development's. The same input gives the same bytes.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any, NamedTuple

from tools.bundles import Bundle
from tools.console import ROOT, give_up, output
from tools.freeze_parts import brought

LIST, TEXTS = "sbom.cdx.json", "LICENCES.txt"
ENGINE = ROOT / "helper/engine"
PAGE = ROOT / "app/ui"
_NAMES = ("licen", "copying", "notice", "copyright", "unlicense")
_DEBIAN = {"Python": "python3.11", "PyGObject": "python3-gi"}
"""What comes with the system that a bundle is made on, and its Debian package, which has the licence."""


_COMPILED_IN = ("node_modules/svelte", "node_modules/esm-env", "node_modules/clsx")
"""Of the page's tools, those whose code is in the page as well: Svelte's runtime and what that imports."""
_OLD_NAMES = {"LGPLv3": "LGPL-3.0-only", "Apache 2.0": "Apache-2.0", "BSD": "BSD-3-Clause", "MIT License": "MIT"}


class Component(NamedTuple):
    """One library."""

    name: str
    version: str
    kind: str
    """Of a package URL: pypi, cargo, npm, generic."""
    licence: str
    """An SPDX expression, or what its maker calls it."""
    texts: tuple[Path, ...]
    """Its licence and notices, where they lie here."""

    @property
    def purl(self) -> str:
        """Its package URL, by which databases of holes know it."""
        return f"pkg:{self.kind}/{self.name.replace('@', '%40')}@{self.version}"


def write(bundle: Bundle, folder: Path, stamp: int) -> None:
    """Put both files into `folder`; `stamp`: seconds since 1970, when the bundle counts as made."""
    found = sorted(components(bundle), key=lambda each: each.purl)
    version = distribution("slopn-wire").version
    (folder / LIST).write_text(
        json.dumps(document(bundle.name, version, found, stamp), indent=1) + "\n", encoding="utf-8"
    )
    (folder / TEXTS).write_text(texts(bundle.name, found), encoding="utf-8")


def components(bundle: Bundle) -> list[Component]:
    """All that is in the bundle and isn't ours."""
    found = [_python(each) for each in brought(bundle) if not each.name.startswith("slopn-")]
    found.append(_of_debian("Python", ".".join(map(str, sys.version_info[:3])), "PSF-2.0"))
    if "gi" in bundle.hidden:
        found.append(_of_debian("PyGObject", distribution("PyGObject").version, "LGPL-2.1-or-later"))
    if any("slopn-engine" in each.name for each in brought(bundle)):
        found += _crates()
    if any(source.startswith("app/ui") for source, _ in bundle.data):
        found += page_packages(json.loads((PAGE / "package-lock.json").read_text(encoding="utf-8")), PAGE)
    return found


def document(name: str, version: str, found: Iterable[Component], stamp: int) -> dict[str, Any]:
    """The list, as CycloneDX 1.6 has it."""
    listed = [
        {
            "type": "library",
            "bom-ref": each.purl,
            "name": each.name,
            "version": each.version,
            "purl": each.purl,
            "licenses": [{"expression": each.licence}]
            if _is_spdx(each.licence)
            else [{"license": {"name": each.licence}}],
        }
        for each in found
    ]
    own = f"pkg:generic/{name}@{version}"
    content = json.dumps([own, listed, stamp], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stamp)),
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": name,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": listed,
    }


def texts(name: str, found: Iterable[Component]) -> str:
    """Our licence and everybody's, one after the other."""
    pieces = [
        f"What {name} is made of, and under which licences.\n",
        _headed("SloPN", [ROOT / "LICENSE", ROOT / "NOTICE"]),
    ]
    return "\n".join([*pieces, *(_headed(f"{each.name} {each.version}: {each.licence}", each.texts) for each in found)])


def page_packages(lock: dict[str, Any], folder: Path) -> list[Component]:
    """Of npm's lock file: what may be in the page. `folder` has the packages installed."""
    return [
        Component(
            path.rpartition("node_modules/")[2],
            row["version"],
            "npm",
            row.get("license", "unknown"),
            _files(folder / path),
        )
        for path, row in sorted(lock["packages"].items())
        if path and (path in _COMPILED_IN or not (row.get("dev") or row.get("optional")))
    ]


def licence_of(fields: Any) -> str:
    """What a Python distribution calls its licence: the expression, else the short free text, else its classifiers."""
    text = fields.get("License-Expression") or fields.get("License") or ""
    if text and "\n" not in text and len(text) < 60:
        return _OLD_NAMES.get(text, str(text))
    words = [each.rpartition(" :: ")[2] for each in fields.get_all("Classifier") or () if each.startswith("License ::")]
    return " AND ".join(sorted(words)) or "unknown"


def _python(each: Distribution) -> Component:
    metadata = next(
        (Path(str(each.locate_file(file))).parent for file in each.files or () if file.name == "METADATA"), None
    )
    return Component(
        each.name, each.version, "pypi", licence_of(each.metadata), () if metadata is None else _files(metadata)
    )


def _of_debian(name: str, version: str, licence: str) -> Component:
    text = Path("/usr/share/doc") / _DEBIAN[name] / "copyright"
    return Component(name, version, "generic", licence, (text,) if text.is_file() else ())


def _crates() -> list[Component]:
    """Everything that is linked into the engine on this platform: no tools of tests, none of builds."""
    tree = output(
        ["cargo", "tree", "--locked", "--features=python", "--edges=normal", "--prefix=none", "--format={p}|{l}"],
        cwd=ENGINE,
    )
    listing = output(["cargo", "metadata", "--format-version=1", "--locked", "--features=python"], cwd=ENGINE)
    if tree is None or listing is None:
        give_up("`cargo tree` or `cargo metadata` failed in helper/engine: run it by hand to see why.")
    places = {
        (row["name"], row["version"]): Path(row["manifest_path"]).parent for row in json.loads(listing)["packages"]
    }
    found = {}
    for line in tree.splitlines():
        package, _, licence = line.partition("|")
        name, version = package.split()[:2]
        if name == "slopn-engine":
            continue
        known = name, version.removeprefix("v")
        licence = licence.removesuffix(" (*)").strip().replace("/", " OR ")
        found[known] = Component(*known, "cargo", licence or "unknown", _files(places[known]))
    return list(found.values())


def _files(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        return ()
    near = (*folder.iterdir(), *folder.glob("licenses/**/*"), *folder.glob("LICENSES/**/*"))
    return tuple(sorted(path for path in near if path.is_file() and path.name.lower().startswith(_NAMES)))


def _headed(title: str, files: Iterable[Path]) -> str:
    bodies = [path.read_text(encoding="utf-8", errors="replace").strip() for path in files]
    return "\n\n".join([f"{'=' * 80}\n{title}\n{'=' * 80}", *bodies]) + "\n"


def _is_spdx(licence: str) -> bool:
    return bool(licence) and all(
        word in {"AND", "OR", "WITH"} or ("-" in word or word in {"MIT", "ISC", "Zlib", "Unlicense", "0BSD"})
        for word in licence.replace("(", " ").replace(")", " ").split()
    )
