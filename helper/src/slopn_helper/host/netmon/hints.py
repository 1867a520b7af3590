"""What daemons know of the network and the machine, and the kernel doesn't say: metered, and awake again.

Both are only heard where somebody has them to tell: NetworkManager's property `Metered`, and the signal of logind, or of
elogind, after sleep.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from dbus_fast import Message, Variant

from slopn_helper.host.systembus import DAEMON, Question, signals

NETWORK_MANAGER = "org.freedesktop.NetworkManager"
METERED = frozenset({1, 3})
"""NMMetered: yes, and guessed, as of a telephone that shares its connection. 0 unknown, 2 no, 4 guessed no."""
SETTLE = 0.5
"""Seconds between two questions: properties change in crowds, and anybody may feign that they have."""
_NM_PATH = "/org/freedesktop/NetworkManager"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_NM_RULES = (
    f"type='signal',sender='{DAEMON}',interface='{DAEMON}',member='NameOwnerChanged',arg0='{NETWORK_MANAGER}'",
    (
        f"type='signal',sender='{NETWORK_MANAGER}',path='{_NM_PATH}',interface='{_PROPERTIES}',"
        f"member='PropertiesChanged',arg0='{NETWORK_MANAGER}'"
    ),
)
_IS_METERED = Question(NETWORK_MANAGER, _NM_PATH, _PROPERTIES, "Get", "ss", (NETWORK_MANAGER, "Metered"))
_SLEEP = "PrepareForSleep"
_LOGIN_RULES = (
    f"type='signal',sender='org.freedesktop.login1',interface='org.freedesktop.login1.Manager',member='{_SLEEP}'",
)


async def metered() -> AsyncGenerator[bool]:
    """Whether traffic costs money, as of now and whenever that may have changed; not where nobody knows. Never ends."""
    async for heard in signals(_NM_RULES, settle=SETTLE, ask=_IS_METERED):
        answer = heard.answer.value if isinstance(heard.answer, Variant) else None
        yield answer in METERED


async def wake_ups() -> AsyncGenerator[None]:
    """An item each time that the machine is told to be awake again. Never ends."""
    async for heard in signals(_LOGIN_RULES):
        if any(map(_awake, heard.signals)):
            yield


def _awake(message: Message) -> bool:
    # True comes before sleep.
    return message.member == _SLEEP and message.body == [False]
