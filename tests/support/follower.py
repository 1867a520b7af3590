"""What a front end does with the helper's messages, pure: the rules of tests/data/events/README.md."""

from __future__ import annotations

from slopn_app.view import Gap, apply
from slopn_wire.commands import Watch
from slopn_wire.events import Event, Lagged, Reply, Resumed, ServerMessage, Snapshot


class Follower:
    """A view, and whether it is behind. `ask` says how to catch up."""

    def __init__(self) -> None:
        self.view: Snapshot | None = None
        self.behind = True
        """Events are no use until the answer to a watch comes."""

    def ask(self) -> Watch:
        """The watch that continues this view, or begins it."""
        return Watch() if self.view is None else Watch(self.view.seq, self.view.epoch)

    def take(self, message: ServerMessage) -> None:
        """The next message."""
        if isinstance(message, Reply) and isinstance(message.result, Snapshot):
            self.view, self.behind = message.result, False
        elif isinstance(message, Reply) and isinstance(message.result, Resumed):
            assert self.view is not None, "resumed, though nothing was known"
            assert self.view.seq == message.result.seq, "resumed elsewhere"
            self.behind = False
        elif isinstance(message, Lagged):
            self.behind = True
        elif isinstance(message, Event) and not self.behind:
            assert self.view is not None
            try:
                self.view = apply(self.view, message)
            except Gap:
                self.behind = True
