"""`slopn replay FILE`: what the core did, done again, and compared."""

from __future__ import annotations

import argparse
import base64
import json
import zlib

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Status
from slopn_app.cli.output import cut, put_json, say, stamp
from slopn_app.cli.verb import Argument, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from slopn_app.cli.documents import ReplayedDoc, ReplayedStepDoc
    from slopn_app.cli.output import Line
    from slopn_app.cli.snapshot_documents import StateDoc

_WIDEST = 48
"""Columns of an input."""
VERB = Verb(
    "run the tunnel's part of a bundle again, and compare",
    (
        Argument(("file",), "a bundle of `slopn diagnose`, or a recording; - reads stdin", {"metavar": "FILE"}, "file"),
        Argument(("--all",), "inputs that changed nothing, too", {"action": "store_true"}),
    ),
    "The helper takes the recorded inputs through its core once more; nothing on this computer is touched. The status\n"
    "is 0 when each state is the one of then, and 1 when one differs or the recording can't be read to its end.",
    examples=(("slopn replay slopn-diagnosis-20260131-140203.zip", ""),),
    see=("diagnose",),
)


def run(arguments: argparse.Namespace) -> int:
    """Replay; status 1 if a state isn't the recorded one."""
    from slopn_app.cli.bundle import recording

    data = base64.b64encode(zlib.compress(recording(arguments.file), 9)).decode()
    with Channel() as channel:
        reply: Any = channel.ask({"type": "replay", "recording": data})
    replayed: ReplayedDoc = reply
    different = sum(step["state"] != step["recorded"] for step in replayed["steps"])
    if arguments.json:
        put_json({**{key: value for key, value in reply.items() if key != "type"}, "different": different})
    else:
        say(*timeline(replayed, everything=arguments.all), *_ending(replayed, different))
    return Status.FAILED if different or replayed["problem"] else Status.DONE


def timeline(replayed: ReplayedDoc, *, everything: bool) -> list[Line]:
    """A line for each input that led to another state; all of them with `everything`."""
    lines: list[Line] = []
    before: StateDoc | None = None
    skipped, day = 0, ""
    for step in replayed["steps"]:
        same = step["state"] == step["recorded"]
        if same and step["state"] == before and not everything:
            skipped += 1
            continue
        lines += _skipped(skipped)
        skipped = 0
        at = stamp(step["at"])
        if at[:10] != day:
            day = at[:10]
            lines.append(((day, "faint"),))
        lines += _step(step, f"{at[11:]}.{int(step['at'] % 1 * 1000):03}", same=same)
        before = step["state"]
    return [*lines, *_skipped(skipped)]


def described(state: StateDoc) -> str:
    """A state in a few words."""
    match state["type"]:
        case "disconnected":
            return "disconnected" if state["resume"] is None else f"paused, then {state['resume']}"
        case "connecting":
            failed = f", after {state['attempt']} tries: {state['cause']}" if state["attempt"] else ""
            return f"connecting to {state['profile']}: {state['step']}{failed}"
        case "connected":
            return f"connected through {state['profile']}"
        case "disconnecting":
            return f"disconnecting, then {state['then']}"
        case "error":
            return f"error: {state['cause']}{', blocking' if state['blocking'] else ', not blocking'}"


def _step(step: ReplayedStepDoc, at: str, *, same: bool) -> list[Line]:
    given = cut(_input(step["input"]), _WIDEST)
    head = f"{step['number']:>6} {at} "
    line: Line = (
        ("  " if same else "≠ ", "" if same else "bad"),
        (head, "faint"),
        (f"{given:<{_WIDEST}} → {described(step['state'])}", "" if same else "bad"),
    )
    if same:
        return [line]
    return [line, f"  {'':<{len(head)}}{'recorded then:':>{_WIDEST}}   {described(step['recorded'])}"]


def _input(text: str) -> str:
    """`{"type":"connect_to","profile":"berlin"}` as `connect_to profile=berlin`; what is no JSON as it is."""
    try:
        fields = json.loads(text)
    except ValueError:
        return text
    if not isinstance(fields, dict):
        return text
    shown = (
        f"{key}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in fields.items()
        if key != "type"
    )
    return " ".join([str(fields.get("type", "?")), *shown])


def _skipped(count: int) -> list[Line]:
    if not count:
        return []
    return [((f"         … {count} {'input' if count == 1 else 'inputs'} that changed nothing", "faint"),)]


def _ending(replayed: ReplayedDoc, different: int) -> list[Line]:
    count = len(replayed["steps"])
    lines: list[Line] = ["", f"{count} {'input' if count == 1 else 'inputs'}, recorded by SloPN {replayed['version']}."]
    if different:
        lines.append(((f"{different} led to another state than then.", "bad"),))
    elif count:
        lines.append((("Every state is the one of then.", "good"),))
    if replayed["problem"]:
        lines.append(((f"The rest can't be run: {replayed['problem']}", "bad"),))
    return lines
