"""Records what the helper tells a front end: the real core and the real hub, with a host on paper and a clock of our own.

`make wire` writes tests/data/events/, and a test compares. Each recording is a function that plays a scene.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

from model import scenes
from model.stage import Stage

FOLDER = Path(__file__).resolve().parents[1] / "data/events"
Scene = Callable[[Stage], Coroutine[None, None, None]]
SCENES: tuple[Scene, ...] = (
    scenes.connect,
    scenes.handshake_failure,
    scenes.firewall_refused,
    scenes.pause,
    scenes.profiles,
    scenes.settings,
    scenes.devices,
    scenes.numbers,
    scenes.lagged,
    scenes.gap,
    scenes.gap_closed,
    scenes.resumed,
    scenes.restarted,
    scenes.logs,
)


def recordings() -> dict[str, str]:
    """Each file's name and text."""
    made = {}
    for scene in SCENES:
        made[f"{scene.__name__}.jsonl"] = "".join(f"{line}\n" for line in asyncio.run(_played(scene)))
    return made


async def _played(scene: Scene) -> list[str]:
    stage = Stage()
    await scene(stage)
    return await stage.lines()


def main() -> None:
    """Write them all; what is no recording any more goes."""
    made = recordings()
    for path in FOLDER.glob("*.jsonl"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
