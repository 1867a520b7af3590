"""What the tests and the demo stand on: namespaces, a small internet, captures, a leak generator, the far end."""
