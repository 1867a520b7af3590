"""What must not be in a bundle for Windows: as tools/bundle_check.py, with Windows' files and protections."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tools.bundle_check import Part, build_paths, parts, size, wrong
from tools.bundles import INSIDE, Bundle, below
from tools.windows import pe
from tools.windows.engine import WINTUN_SHA256

_FOREIGN = ("slopn_engine/wintun.dll", "webview/lib/", "pythonnet/", "clr_loader/")
"""Their makers have linked them, for other machines as well: nothing is said of how."""


def findings(bundle: Bundle, folder: Path) -> list[str]:
    """What is wrong with the bundle in `folder`, a line each; nothing: it may be shipped."""
    held = list(parts(bundle, folder))
    names = modules(held)
    found = [f"{name} is missing" for name in bundle.programs if not (folder / name).is_file()]
    found += [f"the module {name} is in it" for name in sorted(names) if below(name, bundle.forbidden)]
    found += [f"the module {name} isn't in it" for name in sorted({*bundle.modules(), *bundle.hidden} - names)]
    paths = [*build_paths(), *(path.replace(b"/", b"\\") for path in build_paths())]
    for part in held:
        found += [f"{part.name} {what}" for what in (*wrong(part, paths), *_linked(part))]
    drivers = list(folder.rglob("wintun.dll"))
    if not drivers and "slopn_engine" in names:
        found.append("wintun.dll isn't in it")
    for path in drivers:
        if hashlib.sha256(path.read_bytes()).hexdigest() != WINTUN_SHA256:
            found.append(f"{path.relative_to(folder)} isn't as its makers signed it")
    megabytes = size(folder) / 2**20
    if megabytes > bundle.most:
        found.append(f"{megabytes:.1f} MiB are more than {bundle.most}")
    return found


def modules(held: Iterable[Part]) -> set[str]:
    """The names of all Python modules in a bundle, compiled to C or not."""
    found = set()
    for part in held:
        outer, _, inner = part.name.partition("!")
        if inner:
            found.add(inner.replace("/", ".").replace("\\", ".").removesuffix(".pyc").removesuffix(".__init__"))
        elif outer.endswith((".pyd", ".py", ".pyc")):
            path = PurePosixPath(outer).relative_to(INSIDE)
            # pywin32 puts its own into folders that are on the path.
            place = [each for each in path.parts[:-1] if each not in {"win32", "win32com", "pythonwin", "lib"}]
            found.add(".".join((*place, path.name.split(".")[0])).removesuffix(".__init__"))
    return found


def _linked(part: Part) -> list[str]:
    if not part.data.startswith(pe.MAGIC) or any(name in part.name for name in _FOREIGN):
        return []
    image = pe.read(part.data)
    if image is None or image.machine != pe.AMD64:
        return ["isn't for this processor"]
    return pe.soft(image)


def executables(folder: Path) -> list[Path]:
    """Files that Windows may run, by what they begin with; sorted."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.read_bytes().startswith(pe.MAGIC)]
