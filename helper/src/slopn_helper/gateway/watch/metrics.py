"""The gateway's figures for Prometheus; names and units as https://prometheus.io/docs/practices/naming/ has them.

Counted as it happens (`Meter`), and read of a `GatewayStatus` at each look. No series has an address or a destination;
which device, only where the administrator has asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.status import GatewayStatus
from slopn_helper.gateway.watch.traffic import Traffic, is_connected

CONTENT_TYPE = CONTENT_TYPE_LATEST
_QUICK = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """A `Meter`, and what it has counted. In a registry of its own: a library's figures are nobody's business."""

    def __init__(self, *, per_device: bool = False) -> None:
        own = CollectorRegistry(auto_describe=False)
        self._registry = own
        self._traffic = Traffic()
        self._last: GatewayStatus | None = None
        self._per_device = per_device
        self._requests = Histogram(
            "slopn_gateway_request_seconds",
            "Requests to the enrolment API, by path and status, and how long the answer took.",
            ("path", "status"),
            buckets=_QUICK,
            registry=own,
        )
        self._enrolments = Counter("slopn_gateway_enrolments", "Devices that were enrolled here.", registry=own)
        self._refusals = Counter(
            "slopn_gateway_refusals", "Refusals of whoever came from the network, by reason.", ("why",), registry=own
        )
        self._handshakes = Counter("slopn_gateway_handshakes", "Sessions that were agreed.", registry=own)
        self._answers = Histogram(
            "slopn_gateway_handshake_seconds",
            "From question to answer, of handshakes that this gateway began.",
            buckets=_QUICK,
            registry=own,
        )
        self._in_force = Histogram(
            "slopn_gateway_put_in_force_seconds",
            "From hearing of a change in the registry until the engine has it.",
            buckets=_QUICK,
            registry=own,
        )
        for why in Why:
            if why not in {Why.BY_HAND, Why.UNKNOWN}:
                self._refusals.labels(str(why))  # a series that begins at 0 shows its first refusal
        own.register(self)

    # -- Meter -------------------------------------------------------------------------------------------------------

    def request(self, path: str, status: int, seconds: float) -> None:
        """See `Meter`."""
        self._requests.labels(path, str(status)).observe(seconds)

    def enrolled(self) -> None:
        """See `Meter`."""
        self._enrolments.inc()

    def refused(self, why: Why) -> None:
        """See `Meter`."""
        self._refusals.labels(str(why)).inc()

    def handshake(self, seconds: float | None) -> None:
        """See `Meter`."""
        self._handshakes.inc()
        if seconds is not None:
            self._answers.observe(seconds)

    def put_in_force(self, seconds: float) -> None:
        """See `Meter`."""
        self._in_force.observe(seconds)

    # ----------------------------------------------------------------------------------------------------------------

    def text(self, status: GatewayStatus | None) -> bytes:
        """All figures in Prometheus' text format; without a status those alone that were counted as they happened."""
        self._last = status
        if status is not None:
            self._traffic.see(status.peers)
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """For the registry: what the last status says."""
        status = self._last
        yield gauge("up", "Whether the gateway could say how it is.", status is not None)
        if status is None:
            return
        about = {"version": status.version, "gateway": status.id}
        yield InfoMetricFamily("slopn_gateway", "Which gateway this is.", value=about)
        yield gauge("start_time_seconds", "When it was started, Unix time.", status.since)
        yield gauge("serving", "Whether devices are let in.", status.serving)
        yield gauge("enrolling", "Whether the enrolment API can do its work.", status.enrolling)
        yield gauge("bans", "Built-in bans in force.", status.bans)
        connected = sum(is_connected(peer, self._now()) for peer in status.peers)
        yield gauge("peers", "Devices that may connect.", len(status.peers))
        yield gauge("peers_connected", "Devices with a handshake in the last three minutes.", connected)
        yield counter("received_bytes", "From devices.", self._traffic.received)
        yield counter("sent_bytes", "To devices.", self._traffic.sent)
        yield from self._labelled(status)
        if self._per_device:
            yield from _devices(status)

    def _labelled(self, status: GatewayStatus) -> Iterator[Metric]:
        lent = GaugeMetricFamily("slopn_gateway_pool_leases", "Addresses that are lent.", labels=["pool"])
        size = GaugeMetricFamily("slopn_gateway_pool_addresses", "Addresses that can be lent.", labels=["pool"])
        for pool in status.pools:
            lent.add_metric([pool.name], pool.lent)
            size.add_metric([pool.name], float(pool.size))
        packets = CounterMetricFamily(
            "slopn_gateway_refused_packets", "Packets that the rules refused, by reason.", labels=["why"]
        )
        for why, count in sorted(status.refused_packets.items()):
            packets.add_metric([why], count)
        trouble = GaugeMetricFamily("slopn_gateway_trouble", "What an administrator should look at.", labels=["code"])
        for code in sorted({each.code for each in status.trouble}):
            trouble.add_metric([code], 1)
        yield from (lent, size, packets, trouble)

    def _now(self) -> float:
        return self._traffic.clock()


def gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    """A figure that goes up and down."""
    return GaugeMetricFamily(f"slopn_gateway_{name}", about, value=float(value))


def counter(name: str, about: str, value: float) -> CounterMetricFamily:
    """A figure that only grows."""
    return CounterMetricFamily(f"slopn_gateway_{name}", about, value=float(value))


def _devices(status: GatewayStatus) -> Iterator[Metric]:
    received = CounterMetricFamily("slopn_gateway_device_received_bytes", "From this device.", labels=["device"])
    sent = CounterMetricFamily("slopn_gateway_device_sent_bytes", "To this device.", labels=["device"])
    seen = GaugeMetricFamily(
        "slopn_gateway_device_last_handshake_seconds", "Unix time of the last handshake.", labels=["device"]
    )
    for peer in status.peers:
        # The id alone: names are people's, and change.
        received.add_metric([peer.device], peer.rx_bytes)
        sent.add_metric([peer.device], peer.tx_bytes)
        if peer.last_handshake is not None:
            seen.add_metric([peer.device], peer.last_handshake)
    yield from (received, sent, seen)
