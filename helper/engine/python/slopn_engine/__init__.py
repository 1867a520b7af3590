"""SloPN's WireGuard data plane: the native module's public names."""

from __future__ import annotations

from slopn_engine._engine import Counters, Engine, EngineError, Event, MemoryTun, PeerCounters

__all__ = ["Counters", "Engine", "EngineError", "Event", "MemoryTun", "PeerCounters"]
