"""A login as sshd(8) or a display manager makes it, through PAM; runs inside a booted system, with its own Python.

    python3 boot_session.py SERVICE USER ITEM=VALUE… VARIABLE=VALUE…

Items are those of pam_set_item(3), in capitals as their constants without PAM_ (RHOST, TTY); any other name is a PAM
environment variable. Prints the session's identifier, and logs out when its standard input ends.
"""

from __future__ import annotations

import ctypes
import sys

ITEMS = {"TTY": 3, "RHOST": 4, "RUSER": 8}
"""security/_pam_types.h; the same on every Linux."""


class _Conversation(ctypes.Structure):
    """A pam_conv(3) that answers nothing: opening a session asks nothing."""

    _fields_ = (("conv", ctypes.c_void_p), ("data", ctypes.c_void_p))


def main() -> None:
    """Log in, wait, log out."""
    service, user, *settings = sys.argv[1:]
    pam = ctypes.CDLL("libpam.so.0")
    pam.pam_getenv.restype = ctypes.c_char_p
    handle = ctypes.c_void_p()
    conversation = _Conversation()

    def check(status: int, what: str) -> None:
        if status:
            raise SystemExit(f"{what}: PAM says {status}")

    check(pam.pam_start(service.encode(), user.encode(), ctypes.byref(conversation), ctypes.byref(handle)), "start")
    for setting in settings:
        name, _, value = setting.partition("=")
        if name in ITEMS:
            check(pam.pam_set_item(handle, ITEMS[name], value.encode()), setting)
        else:
            check(pam.pam_putenv(handle, setting.encode()), setting)
    check(pam.pam_open_session(handle, 0), "open session")
    session = pam.pam_getenv(handle, b"XDG_SESSION_ID")
    sys.stdout.write(f"{session.decode() if session else ''}\n")
    sys.stdout.flush()
    sys.stdin.read()
    check(pam.pam_close_session(handle, 0), "close session")
    pam.pam_end(handle, 0)


if __name__ == "__main__":
    main()
