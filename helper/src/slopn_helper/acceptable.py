"""Whether settings can be obeyed, before anything is stored. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from slopn_helper import split
from slopn_wire.settings import Settings

MECHANISMS = ("resolved", "networkmanager", "resolvconf", "resolv_conf")
"""Values of the setting `dns_mechanism`."""
LONGEST_URL = 200


def problem(settings: Settings) -> str | None:
    """A sentence about the first of `settings` that can't be obeyed; None: all can."""
    if settings.dns_mechanism is not None and settings.dns_mechanism not in MECHANISMS:
        return f"dns_mechanism is {settings.dns_mechanism!r}; known: {', '.join(MECHANISMS)}"
    for resolver in settings.resolvers:
        if resolver.is_unspecified or resolver.is_multicast or getattr(resolver, "scope_id", None) is not None:
            return f"{resolver} can't be a resolver; give the address of one host, without a zone"
    if not _plain_url(settings.portal_url):
        return (
            "portal_url is the address of a web page that says “success”, as in http://example.org/success.txt, "
            "without encryption and on the usual port; or empty, for none"
        )
    return split.problem(settings.exclude, settings.include)


def _plain_url(url: str) -> bool:
    """Whether it is empty, or plain HTTP to port 80, which is all that the firewall lets out for it."""
    if not url:
        return True
    try:
        target = urlsplit(url)
        usual = target.port in {None, 80}
    except ValueError:
        return False
    plain = target.scheme == "http" and bool(target.hostname) and usual and "@" not in target.netloc
    return plain and len(url) <= LONGEST_URL and url.isascii() and url.isprintable() and " " not in url
