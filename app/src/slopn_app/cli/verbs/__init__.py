"""One module a verb: `VERB` describes its arguments, `run` does it and returns the exit status."""
