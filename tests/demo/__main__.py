"""`python -m demo`: build the lab, show the steps, say how it went, and leave nothing behind."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from demo.desktop import PICTURES
from demo.desktop_step import DESKTOP_STEP
from demo.sabotage import SABOTAGE
from demo.screen import Screen, Stopwatch
from demo.stage import PROFILE, Stage
from demo.steps import STEPS, Step
from support.helper_process import BIN
from support.topology import GATEWAY4, WEB4

DONE, FAILED, INTERRUPTED = 0, 1, 130

_PICTURE = f"""
     laptop ══ eth0  10.1.0.2 ══╗              ┌── gateway     {GATEWAY4}
                                ╠══ router ════┤
     laptop ══ wlan0 10.2.0.2 ══╝   (capture)  └── web server  {WEB4}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. 0: every step held. 1: one did not, or the lab could not be built. 130: interrupted."""
    options = _parse(arguments)
    # Also where a shell has started it in the background, which makes Ctrl-C be ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    screen = Screen(plain=options.plain)
    try:
        with screen:
            return _show(screen, options)
    except KeyboardInterrupt:
        screen.verdict("Interrupted; everything was removed.", good=False)
        return INTERRUPTED


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="leave it running at the end, until Ctrl-C")
    parser.add_argument("--plain", action="store_true", help="no colours and no live line, as when piped")
    parser.add_argument("--desktop", action="store_true", help="with tray and window, on a screen of their own")
    parser.add_argument("--pictures", type=Path, default=PICTURES, metavar="FOLDER", help="of them; else docs/images")
    parser.add_argument(
        "--break",
        dest="broken",
        choices=tuple(SABOTAGE),
        metavar="STEP",
        help="sabotage a step, and leave out what it does not need: the demo has to fail",
    )
    return parser.parse_args(arguments)


def _show(screen: Screen, options: argparse.Namespace) -> int:
    screen.title("SloPN: a tunnel from end to end")
    screen.text(
        "  A laptop with two uplinks, a router, a gateway and a web server, each a network namespace",
        "  made for this demo. The network and the /etc of this machine are not touched.",
        _PICTURE,
    )
    if lacks := _missing(desktop=options.desktop):
        screen.verdict("The demo can't run here: " + " ".join(lacks), good=False)
        return FAILED
    watch = Stopwatch()
    stage = Stage(screen, options.pictures if options.desktop else None)
    screen.detail("building")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(stage)
        except (AssertionError, OSError, RuntimeError) as error:
            screen.cross("The lab could not be built.", str(error))
            return FAILED
        screen.detail("")
        screen.text(f"     Built in {watch}.")
        status = _run(screen, stage, options.broken)
        if status == DONE:
            screen.verdict(f"All {len(_steps(stage))} steps held, in {watch}.", good=True)
        if options.stay:
            _stay(screen, stage)
    screen.text("  Everything was removed.", "")
    return status


def _run(screen: Screen, stage: Stage, broken: str | None) -> int:
    chosen = next((step for step in STEPS if step.name == broken), None)
    for number, step in enumerate(_steps(stage), 1):
        if chosen is not None and step is not chosen and step.name not in chosen.needs:
            continue
        screen.step(number, step.title, step.explanation)
        if step.name == broken:
            SABOTAGE[step.name](stage)
        if not _holds(screen, stage, step):
            screen.verdict(f"Step {number}, {step.title}, failed.", good=False)
            return FAILED
    return DONE


def _steps(stage: Stage) -> tuple[Step, ...]:
    """The story, and with a desktop what it shows beside it."""
    return STEPS if stage.desktop is None else (*STEPS[:-1], DESKTOP_STEP, STEPS[-1])


def _holds(screen: Screen, stage: Stage, step: Step) -> bool:
    try:
        for check in step.run(stage):
            if not check.good:
                screen.cross(check.sentence, f"{check.seen}\n{stage.helper.tail(12)}")
                return False
            screen.tick(check.sentence)
        stage.capture.check()
        if stage.desktop is not None:
            screen.tick(stage.desktop.agrees())
    except (AssertionError, OSError, RuntimeError) as error:
        screen.cross(f"{step.title} could not be finished.", f"{error}\n{stage.helper.tail(12)}")
        return False
    return True


def _stay(screen: Screen, stage: Stage) -> None:
    hosts = stage.write_wrappers()
    laptop, router = hosts["laptop"], hosts["router"]
    lines = (
        (f"{laptop} slopn connect {PROFILE} --wait", ""),
        (f"{laptop} slopn status", ""),
        (f"{laptop} curl http://{WEB4}/", "who does the web server see?"),
        (f"{router} tcpdump -ni r-eth0", "what is on the cable"),
        (f"{router} ip link set r-eth0 down", "pull it; `up` plugs it in again"),
        (f"{hosts['gateway']} wg show", "the far end's counters"),
        (f"kill -KILL {stage.helper.pid}", "the helper; its supervisor starts it again"),
    )
    width = max(len(command) for command, comment in lines if comment)
    screen.text("  It stays as it is until you press Ctrl-C. In another terminal, as root:")
    screen.text(
        *(f"     {command:{width}}  # {comment}" if comment else f"     {command}" for command, comment in lines), ""
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        screen.text("")


def _missing(*, desktop: bool) -> list[str]:
    lacks = []
    if os.geteuid() != 0:
        lacks.append("it needs root for network namespaces (sudo make demo).")
    if not Path("/dev/net/tun").exists():
        lacks.append("there is no /dev/net/tun (modprobe tun).")
    tools: tuple[str, ...] = ("ip", "nft", "wg", "curl", "nsenter")
    if desktop:
        tools += ("Xvfb", "openbox", "xfce4-panel", "WebKitWebDriver", "import", "xdotool")
    lacks += [f"{tool} is missing (make setup)." for tool in tools if not shutil.which(tool)]
    lacks += [
        f"{tool} is not built (make setup)."
        for tool in ("slopn", "slopn-helper", "slopn-engine", "slopn-gateway")
        if not (BIN / tool).exists()
    ]
    return lacks


if __name__ == "__main__":
    sys.exit(main())
