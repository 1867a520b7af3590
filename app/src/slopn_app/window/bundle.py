"""A problem report: what the user sees of it first is exactly what is saved, for them alone; it is sent nowhere."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from importlib.metadata import version

from slopn_app.words import VERDICTS
from slopn_wire.diagnosis import Diagnosis


def contents(diagnosis: Diagnosis) -> dict[str, str]:
    """The report's files: those of the helper, redacted there, the checks in words, and which programs these are."""
    return {**diagnosis.files, "checks.txt": _checks(diagnosis), "front-end.txt": _versions()}


def name(now: float) -> str:
    """What to call it, by local time."""
    return time.strftime("slopn-diagnosis-%Y%m%d-%H%M%S.zip", time.localtime(now))


def packed(files: dict[str, str], now: float) -> bytes:
    """A ZIP of them, which unpacks to files for the user alone."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, text in sorted(files.items()):
            info = zipfile.ZipInfo(_member(each), time.localtime(now)[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            archive.writestr(info, text.encode(errors="replace"))
    return target.getvalue()


def _checks(diagnosis: Diagnosis) -> str:
    lines = []
    for check in diagnosis.checks:
        lines.append(f"{VERDICTS.get(check.verdict, check.verdict)}: {check.text}")
        if check.remedy:
            lines.append(f"  {check.remedy}")
    return "".join(f"{line}\n" for line in lines)


def _versions() -> str:
    return f"slopn window {version('slopn-app')}\nPython {sys.version}\n"


def _member(each: str) -> str:
    """A name that stays inside the folder where it is unpacked."""
    return "_".join(part for part in each.replace("\\", "/").split("/") if part not in {"", ".", ".."}) or "unnamed"
