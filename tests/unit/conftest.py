"""Hypothesis without its deadline: on shared cores the time of one example says nothing about the code."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("slopn", deadline=None)
hypothesis.settings.load_profile("slopn")
