"""libnftables of the distribution, by ctypes: one context that runs nft(8)'s language and keeps what is said.

Ours, since the library's own Python binding is GPL-2.0 and follows the distribution's Python: a frozen helper has neither.
Source: libnftables(3). The calls used here are in every version since 0.9.
"""

from __future__ import annotations

import ctypes
import threading

LIBRARY = "libnftables.so.1"
_JSON = 1 << 4
"""NFT_CTX_OUTPUT_JSON."""
_LOADING = threading.Lock()
_loaded: ctypes.CDLL | None = None


class Nftables:
    """A context and its netlink socket, in the network namespace of the thread that makes it; for one thread at a time.

    Raises `OSError` where the library is missing or gives no context.
    """

    def __init__(self) -> None:
        self._library = _library()
        self._context: int | None = self._library.nft_ctx_new(0)
        if not self._context:
            raise OSError("libnftables gave no context")
        if self._library.nft_ctx_buffer_output(self._context) or self._library.nft_ctx_buffer_error(self._context):
            raise OSError("libnftables could not keep what it says")

    def __del__(self) -> None:
        """Closes the socket: tables that it owns go with it."""
        context, self._context = getattr(self, "_context", None), None
        if context:
            self._library.nft_ctx_free(context)

    def set_json_output(self, value: bool) -> None:  # noqa: FBT001 - a property of the library, under its name
        """Whether lists come as JSON from now on, libnftables-json(5), or as nft(8) prints them."""
        flags = int(self._library.nft_ctx_output_get_flags(self._context))
        self._library.nft_ctx_output_set_flags(self._context, flags | _JSON if value else flags & ~_JSON)

    def cmd(self, commands: str) -> tuple[int, str, str]:
        """Run a script as one transaction; status (0: done), what it prints, what it complains of."""
        # A zero byte would end the script early, with all before it done.
        if "\0" in commands:
            raise ValueError("a script for nftables holds a zero byte")
        status = int(self._library.nft_run_cmd_from_buffer(self._context, commands.encode()))
        output, errors = (
            (said(self._context) or b"").decode("utf-8", "replace")
            for said in (self._library.nft_ctx_get_output_buffer, self._library.nft_ctx_get_error_buffer)
        )
        return status, output, errors


def _library() -> ctypes.CDLL:
    global _loaded  # noqa: PLW0603 - a process loads a library once
    with _LOADING:
        if _loaded is None:
            library = ctypes.CDLL(LIBRARY)
            context = ctypes.c_void_p
            for name, arguments, result in (
                ("nft_ctx_new", [ctypes.c_uint32], context),
                ("nft_ctx_free", [context], None),
                ("nft_ctx_buffer_output", [context], ctypes.c_int),
                ("nft_ctx_buffer_error", [context], ctypes.c_int),
                ("nft_ctx_get_output_buffer", [context], ctypes.c_char_p),
                ("nft_ctx_get_error_buffer", [context], ctypes.c_char_p),
                ("nft_ctx_output_get_flags", [context], ctypes.c_uint),
                ("nft_ctx_output_set_flags", [context, ctypes.c_uint], None),
                ("nft_run_cmd_from_buffer", [context, ctypes.c_char_p], ctypes.c_int),
            ):
                function = getattr(library, name)
                function.argtypes, function.restype = arguments, result
            _loaded = library
        return _loaded
