"""The demo: a tunnel from end to end in namespaces, step by step, each tick computed from a capture or the far end."""
