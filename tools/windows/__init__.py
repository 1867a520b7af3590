"""Windows from Linux: a Windows Python under Wine, and the engine built for it. `python -m tools.windows --help`."""
