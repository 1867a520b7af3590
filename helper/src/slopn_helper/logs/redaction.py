"""What is secret, blotted out of text: keys, tokens, certificates, pairing numbers. Pure, and linear in time.

Secrets are known by their form, or by the word that stands in front of them. Each search is preceded by a cheap look
whether it can find anything at all: a line costs a few microseconds, and nearly every line has nothing to hide.
"""

from __future__ import annotations

import re

REDACTED = "[redacted]"

_LONG = re.compile(r"[A-Za-z0-9+/_\\%-]{40,}")
# 32 bytes in base64 are 43 characters and a `=`; both alphabets of base64, also as JSON and URLs escape them, once or
# several times. A run is always taken whole, whatever becomes of it. (Possessive groups would say so, but before
# Python 3.11.5 they lose their place: none has a group within.)
_RUN = re.compile(
    r"((?:[A-Za-z0-9+/_-]++|\\{1,4}/|\\{1,4}u002[BbFf]|%(?:25){0,4}2[BbFf])+)(=|%(?:25){0,4}3[Dd]|\\{1,4}u003[Dd])?"
)
_ESCAPED = re.compile(r"\\{1,4}/|\\{1,4}u002[BbFf]|%(?:25){0,4}2[BbFf]")
_HEX = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64,}+")
_UPPER, _LOWER, _DIGIT = re.compile(r"[A-Z]"), re.compile(r"[a-z]"), re.compile(r"[0-9]")
_COLONS = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}:){31,}[0-9A-Fa-f]{2}")
_NUMBERS = re.compile(r"(?<![\d,])(?:\d{1,3},\s?){31,}\d{1,3}")
_BYTES = re.compile(r"""b(?:'[^'\\]*+(?:\\.[^'\\]*+)*'|"[^"\\]*+(?:\\.[^"\\]*+)*")""")
_BLANK = r"(?: |\+|%20)"
_PEM = re.compile(
    rf"-----BEGIN((?:{_BLANK}[A-Z0-9]{{1,20}}){{1,5}})-----.*?(?:-----END(?:{_BLANK}[A-Z0-9]{{1,20}}){{1,5}}-----|\Z)",
    re.DOTALL,
)
_WEB_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?")
_NAMES = (
    r"(?:private|pre-?shared|secret|api|access|auth|signing|session)[ _-]?key|psk|secret|token|pass(?:word|phrase|wd)"
    r"|authorization|cookie|credential"
)
NAME = re.compile(rf"(?:^|[_-])(?:{_NAMES}|number|pin)$|^(?:{_NAMES})", re.IGNORECASE)
"""A field of this name is secret, whatever its value looks like."""
_CALLED = re.compile(
    rf"""((?:{_NAMES})["'\\]{{0,8}}\s{{0,8}}(?:=|:|%3D)\s{{0,8}}(?:(?:bearer|basic)\s{{1,8}})?)"""
    r"""((?!\[redacted)(?:"[^"\\]*+(?:\\.[^"\\]*+)*"?|'[^'\\]*+(?:\\.[^'\\]*+)*'?|\\{1,7}"[^"]++"?|[^\s,;&"')}\]\\]++))""",
    re.IGNORECASE,
)
_CALLS = ("key", "psk", "secret", "token", "pass", "authorization", "cookie", "credential")
"""In small letters, a part of each name."""
_BEARER = re.compile(r"(\b(?:bearer|basic)\s{1,8})([A-Za-z0-9._~+/-]{12,}+=*)", re.IGNORECASE)
_PAIRING = re.compile(r"((?:pairing|number|pin)\b[^\d\n]{0,20})\d{3}[ -]?\d{3}(?!\d)", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` without what looks like a secret.

    WireGuard keys: base64 of 32 bytes, or 64 hexadecimal digits; also escaped as JSON and URLs do, as a list of
    numbers, or as Python shows bytes. PEM, whole or cut off. Web tokens, and any long run of letters of both cases and
    digits. What follows words such as `token=`, and six digits after a word for a pairing number.
    What is glued in front of a key goes with it.
    """
    if "-----BEGIN" in text:
        text = _PEM.sub(_hide_pem, text)
    if _LONG.search(text):
        text = _RUN.sub(_hide_run, text)
    if text.count(":") > 30:
        text = _COLONS.sub(REDACTED, text)
    if text.count(",") > 30:
        text = _NUMBERS.sub(REDACTED, text)
    if "\\x" in text:
        text = _BYTES.sub(_hide_bytes, text)
    if "eyJ" in text:
        text = _WEB_TOKEN.sub(REDACTED, text)
    small = text.lower()
    if any(map(small.__contains__, _CALLS)):
        text = _CALLED.sub(_hide_called, text)
    if "bearer" in small or "basic" in small:
        text = _BEARER.sub(_hide_called, text)
    if "pairing" in small or "number" in small or "pin" in small:
        text = _PAIRING.sub(_hide_called, text)
    return text


def _hide_run(match: re.Match[str]) -> str:
    run, padding = match.groups()
    if len(run) < 40:
        return match[0]
    plain = _ESCAPED.sub("/", run)
    if padding and len(plain) >= 43:
        return REDACTED
    if _looks_random(plain) and (len(plain) >= 64 or len(plain) == 43 or "/" not in plain):
        return REDACTED + (padding or "")
    return _HEX.sub(REDACTED, match[0])


def _looks_random(run: str) -> bool:
    """Letters of both cases and digits, long enough: a path of a file or a name of a module hardly ever has them all."""
    if len(run) < 40 or ("/" in run and ("_" in run or "-" in run)):
        return False
    return all(kind.search(run) for kind in (_UPPER, _LOWER, _DIGIT))


def _hide_pem(match: re.Match[str]) -> str:
    return f"[redacted{re.sub('[+]|%20', ' ', match[1])}]"


def _hide_bytes(match: re.Match[str]) -> str:
    return REDACTED if match[0].count("\\x") >= 8 else match[0]


def _hide_called(match: re.Match[str]) -> str:
    return match[1] + REDACTED
