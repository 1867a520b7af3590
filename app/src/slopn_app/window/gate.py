"""Whether who calls is our page. The address alone doesn't say so: while a view is led back to our page, it is ours already."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late

_ARRIVAL = 10.0
"""Seconds that a call waits until it is known which page has been loaded."""


class Gate:
    """`is_page`: whether an address is our page's. `shown`: the address that is shown, asked on any thread but the desktop's."""

    def __init__(self, is_page: Callable[[str | None], bool], shown: Callable[[], str | None]) -> None:
        self._is_page = is_page
        self._shown = shown
        self._arrival: Future[bool] = Future()

    def begins(self) -> None:
        """A page has been loaded, and is about to get the bridge: whoever has called before it is gone."""
        arrival, self._arrival = self._arrival, Future()
        if not arrival.done():
            arrival.set_result(False)

    def arrived(self) -> bool:
        """It has the bridge. Whether it is ours."""
        arrival, ours = self._arrival, self._is_page(self._shown())
        if not arrival.done():
            arrival.set_result(ours)
        return ours

    def ticket(self) -> Future[bool]:
        """The load that a call belongs to which has just come."""
        return self._arrival

    def ours(self, ticket: Future[bool]) -> bool:
        """Whether that call is our page's. Waits until it is known."""
        try:
            arrived = ticket.result(_ARRIVAL)
        except Late:
            return False
        return arrived and self._is_page(self._shown()) and ticket is self._arrival
