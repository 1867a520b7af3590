"""Everything the helper and its front ends agree on. Types and pure functions; no I/O."""
