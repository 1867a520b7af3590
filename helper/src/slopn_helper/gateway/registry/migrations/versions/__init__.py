"""One module a version, never changed once released."""

from __future__ import annotations
