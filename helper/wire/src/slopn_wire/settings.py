"""Settings that change what the helper does to the host."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_wire.logs import LogLevel
from slopn_wire.profile import IPAddress, IPNetwork


class KillSwitchMode(StrEnum):
    """When the host is closed to traffic outside the tunnel."""

    OFF = "off"
    """Never."""
    ON = "on"
    """Whenever the user wants to be connected and the tunnel is not up."""
    ALWAYS = "always"
    """Also while disconnected."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; a client sends the whole, the helper stores the whole."""

    kill_switch: KillSwitchMode = KillSwitchMode.ON
    allow_lan: bool = False
    """Private ranges and multicast stay reachable while blocked or tunnelled."""
    resolvers: tuple[IPAddress, ...] = ()
    """Who is asked for an endpoint's name. Empty: the resolvers the host had before we changed it."""
    dns_mechanism: str | None = None
    """Override of the choice of DNS mechanism (`resolved`, `resolv_conf`), for support."""
    exclude: tuple[IPNetwork, ...] = ()
    """Reached beside the tunnel, whatever its state; never for DNS."""
    include: tuple[IPNetwork, ...] = ()
    """Not empty: these alone go through the tunnel, everything else goes out directly and isn't held back."""
    local_user: bool = True
    """The user who sits at this computer's screen may use SloPN, also without being in its group."""
    portal_url: str = "http://detectportal.firefox.com/success.txt"
    """Asked, by plain HTTP and while connecting fails alone, whether a captive portal answers instead. Empty: nobody is."""
    log_level: LogLevel = LogLevel.INFO
    """What is logged, from this level up."""
    log_addresses: bool = True
    """Off: IP addresses and host names are blotted out of the log before it is written anywhere."""
