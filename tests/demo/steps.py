"""The demo's steps, in order. Each yields what it saw; the first thing that is not as it should be ends the demo."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from demo.gateway import LABEL
from demo.parts import DEAD_SECONDS, back, die, families, fetch, move, only_wireguard
from demo.screen import Stopwatch, duration
from demo.stage import PROFILE, Check, Stage
from support.echo import EchoStream
from support.fingerprint import differences, fingerprint
from support.topology import ETH0, GATEWAY4, GATEWAY6, WEB4, WEB_NAME, WLAN0
from support.until import until

CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Step:
    """One step: `name` is what `--break` calls it."""

    name: str
    title: str
    explanation: str
    run: Callable[[Stage], Iterator[Check]]
    needs: frozenset[str] = frozenset()
    """The steps without which this one makes no sense; with `--break` all others are left out."""


def enrol(stage: Stage) -> Iterator[Check]:
    """Make a profile of a link that the gateway has given."""
    answer = stage.visit()
    yield Check(
        ETH0.client4 in answer, f"Not protected yet: the web server sees the laptop itself, {ETH0.client4}.", answer
    )
    stage.screen.command(f"slopn-gateway token create --label {LABEL}    # on the gateway")
    done = stage.slopn("enrol", stage.link, "--name", PROFILE, "--yes")
    listed = stage.helper.cli("profiles", "--names").stdout.split()
    yield Check(
        done.returncode == 0 and PROFILE in listed,
        f"Enrolled as `{PROFILE}`; the private key was made by the helper, and the gateway never sees it.",
        f"slopn enrol ended with {done.returncode}: {done.stderr or done.stdout}\nprofiles: {listed}",
    )


def connect(stage: Stage) -> Iterator[Check]:
    """Bring the tunnel up."""
    watch = Stopwatch()
    done = stage.slopn("connect", PROFILE, "--wait", str(CONNECT_SECONDS))
    took = str(watch)
    status = stage.helper.status()
    yield Check(
        done.returncode == 0 and (status["state"], status["policy"]) == ("connected", "tunnelled"),
        f"Protected after {took}.",
        f"slopn connect ended with {done.returncode}: {done.stderr or done.stdout}\n"
        f"state {status['state']}, policy {status['policy']}",
    )
    stage.capture.reset()
    asked = len(stage.seen().dns)
    answer, answer6 = stage.visit(), stage.visit(six=True)
    yield Check(
        GATEWAY4 in answer and GATEWAY6 in answer6,
        f"The web server sees the gateway instead: {GATEWAY4} and {GATEWAY6}.",
        f"{answer}\n{answer6}",
    )
    name = stage.lab.client.run(["getent", "ahostsv4", WEB_NAME], check=False)
    queries = stage.seen().dns[asked:]
    yield Check(
        WEB4 in name.stdout and {sender for sender, _, _ in queries} == {GATEWAY4},
        "Names are looked up through the tunnel too: the resolver saw only the gateway ask.",
        f"answer: {name.stdout or name.stderr}\nqueries: {queries}",
    )
    yield only_wireguard(stage.capture.tally(), ETH0)


def download(stage: Stage) -> Iterator[Check]:
    """Fetch 50 MB and count them at the far end."""
    seen, sent = stage.seen(), stage.gateway.client().tx_bytes
    stage.capture.reset()
    stage.screen.command(f"curl http://{WEB_NAME}/file | sha256sum")
    watch = Stopwatch()
    digest, size = fetch(stage, f"http://{WEB_NAME}/file", seen.size)
    yield Check(
        digest == seen.sha256,
        f"{size / 1e6:.0f} MB in {watch}, {size / watch.seconds / 1e6:.0f} MB/s; the SHA-256 is the original's.",
        f"{size} bytes, SHA-256 {digest}, expected {seen.sha256}",
    )

    def through_gateway() -> int:
        return stage.seen().count("http_file_bytes", GATEWAY4) - seen.count("http_file_bytes", GATEWAY4)

    def past_it() -> int:
        counts = stage.seen().counts.get("http_file_bytes", {})
        return sum(counts.values()) - counts.get(GATEWAY4, 0)

    # The server counts once its last byte has left, which may be a moment after it has arrived.
    until(lambda: through_gateway() + past_it() >= seen.size, 5.0, "the web server has counted the download")
    yield Check(
        through_gateway() == seen.size and past_it() == 0,
        f"The web server sent {through_gateway():,} bytes to the gateway and {past_it()} to the laptop's own address.",
        f"{through_gateway():,} bytes to {GATEWAY4}, {past_it():,} bytes past it: {stage.seen().counts}",
    )
    carried = stage.gateway.client().tx_bytes - sent
    yield Check(
        carried >= seen.size,
        f"The gateway counts {carried / 1e6:.1f} MB into the tunnel.",
        f"the gateway counts only {carried:,} bytes",
    )
    yield only_wireguard(stage.capture.tally(), ETH0)


def cable(stage: Stage) -> Iterator[Check]:
    """Pull the cable of the uplink in use, and put it back."""
    with EchoStream(stage.lab.client, WEB4) as echo:
        echo.wait_answer(time.monotonic(), 5.0, "the echo answers through the tunnel")
        stage.capture.reset()
        yield from move(stage, echo, lambda: stage.lab.pull("eth0"), WLAN0, "eth0 is pulled: wlan0 takes over")
        yield from move(stage, echo, lambda: stage.lab.plug("eth0"), ETH0, "eth0 is back and preferred again")
    tally = stage.capture.tally()
    yield Check(tally.total == 0, "Nothing left in clear while the network changed.", f"{tally}\n{tally.samples}")


def killed_open(stage: Stage) -> Iterator[Check]:
    """SIGKILL the helper without a kill switch: the capture has to see what leaves."""
    stage.kill_switch("off")
    tally, tried = die(stage)
    stage.stop_generator()
    counts = families(tally)
    shown = ", ".join(f"{name} {count}" for name, count in counts.items())
    yield Check(
        all(counts.values()),
        f"{tally.total:,} frames left in clear ({shown}): the capture sees what leaks.",
        f"{tried:,} packets were tried, and the capture saw {shown}: the next step would prove nothing",
    )
    yield from back(stage)
    stage.kill_switch("on")


def killed_closed(stage: Stage) -> Iterator[Check]:
    """SIGKILL the helper with the kill switch on: nothing may leave."""
    tally, tried = die(stage)
    yield Check(
        tally.total == 0 and tried > 0,
        f"0 frames left in clear, of {tried:,} packets that programs tried to send in {duration(DEAD_SECONDS)}.",
        f"{tally}, of {tried:,} packets tried\n{tally.samples}",
    )


def recover(stage: Stage) -> Iterator[Check]:
    """The supervisor starts the helper again; it connects by itself, and nothing leaks meanwhile."""
    watch = Stopwatch()
    yield from back(stage)
    took = str(watch)
    tried = stage.stop_generator()
    tally = stage.capture.tally()
    yield Check(
        tally.total == 0,
        f"Still 0 frames in clear until the tunnel was up again, {took} later ({tried:,} packets tried in all).",
        f"{tally}\n{tally.samples}",
    )


def disconnect(stage: Stage) -> Iterator[Check]:
    """Take the tunnel down and compare the host with what it was at the start."""
    done = stage.slopn("disconnect", "--wait", str(CONNECT_SECONDS))
    carried = stage.gateway.client().rx_bytes
    answer = stage.visit()
    more = stage.gateway.client().rx_bytes - carried
    yield Check(
        done.returncode == 0 and ETH0.client4 in answer and more == 0,
        f"The web server sees the laptop itself again, {ETH0.client4}; the gateway hears nothing more of it.",
        f"slopn disconnect ended with {done.returncode}: {done.stderr or done.stdout}\n"
        f"the web server: {answer}\nthe gateway: {more} bytes more",
    )
    changed = differences(stage.before, fingerprint(stage.lab.client))
    yield Check(
        not changed, "Firewall rules, policy rules, routes, sysctls and DNS are exactly as before.", "\n".join(changed)
    )


_UP = frozenset({"enrol", "connect"})
STEPS = (
    Step("enrol", "Enrol", "A link from the gateway becomes a profile.", enrol),
    Step("connect", "Connect", "Asked at the far end: who does the internet see?", connect, frozenset({"enrol"})),
    Step(
        "download", "Download 50 MB", "Checked by its hash, counted by the web server and the gateway.", download, _UP
    ),
    Step("cable", "Pull the cable", "The laptop has two uplinks; the tunnel has to move to the other one.", cable, _UP),
    Step(
        "killed-open",
        "Kill the helper, kill switch off",
        "SIGKILL while programs send TCP, UDP, ICMP, IPv6, DNS and multicast. A capture on the router counts.",
        killed_open,
        _UP,
    ),
    Step(
        "killed-closed",
        "Kill the helper, kill switch on",
        "The same again; now nothing may get out.",
        killed_closed,
        _UP,
    ),
    Step(
        "recover",
        "The helper comes back",
        "A supervisor starts it; it finds the wish to be connected.",
        recover,
        _UP | {"killed-closed"},
    ),
    Step("disconnect", "Disconnect", "The laptop has to be as it was before the demo.", disconnect, _UP),
)
