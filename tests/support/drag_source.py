"""A small window from which files can be dragged, as from a file manager. `python -m support.drag_source X Y FILE …`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from slopn_app.window.libraries import Gdk, Gtk

SIZE = 160, 120


def main(x: int, y: int, paths: list[str]) -> None:
    """Until it is killed."""
    window = Gtk.Window(title="drag source")
    window.set_default_size(*SIZE)
    window.move(x, y)
    box = Gtk.EventBox()
    box.add(Gtk.Label(label="files"))
    window.add(box)
    target = Gtk.TargetEntry.new("text/uri-list", 0, 0)
    box.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [target], Gdk.DragAction.COPY)

    def give(_widget: Any, _context: Any, data: Any, _info: int, _time: int) -> None:
        data.set_uris([Path(path).as_uri() for path in paths])

    box.connect("drag-data-get", give)
    window.show_all()
    Gtk.main()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
