"""The parts that were chosen, in one object."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from slopn_app.host.interfaces import Files, Transport, Vault


class Host:
    """What a front end asks of the operating system.

    `vault`: the user's keyring; raises `Unavailable` where there can't be one, as for root. `load_key`: gives the context
    a certificate and its private key, both PEM; raises `OSError` (`ssl.SSLError` is one). `graphical`: whether the user
    has a screen here, at which a keyring could be unlocked.
    """

    def __init__(
        self,
        transport: Transport,
        files: Files,
        vault: Callable[[], Vault],
        load_key: Callable[[ssl.SSLContext, str, str], None],
        *,
        graphical: bool,
    ) -> None:
        self.transport = transport
        self.files = files
        self.vault = vault
        self.load_key = load_key
        self.graphical = graphical
