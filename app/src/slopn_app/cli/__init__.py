"""The `slopn` command: one file a verb, plain blocking sockets, nothing heavy imported before it is needed."""
